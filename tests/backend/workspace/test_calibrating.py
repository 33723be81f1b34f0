"""Bounds and projections from the verdicts of a toy project with two pairs, of similarity .9 and .6."""

import json
from pathlib import Path

import pytest

from backend.api import Api
from backend.domain import VERIFY_STUDY, SettingsError
from tests.backend.workspace.test_api import vote_on


def judge(api: Api, choices: dict[float, str], rater: str = "ann") -> None:
    trials = api.next_trials(study_id=VERIFY_STUDY, rater=rater, limit=10)
    votes = [vote_on(trial, choices[dict(trial.scores)["similarity"] or 0.0], rater=rater) for trial in trials]
    api.submit_votes(votes=tuple(votes))


def test_verdicts_are_counted_by_category_and_kept_with_their_curve(curated_api: Api) -> None:
    judge(curated_api, {0.9: "same", 0.6: "different"})
    found = curated_api.calibrate_thresholds(precision=0.5)
    counted = {bound.category: (bound.num, bound.num_right) for bound in found.bounds}
    assert counted == {"": (2, 1), "mug": (2, 1)}
    assert found.producer == "planted"
    kept = json.loads(Path(found.path).read_text(encoding="utf-8"))
    curve = kept["by_category"][""]["curve"]
    assert [(point["score"], point["num"], point["num_right"]) for point in curve] == [(0.9, 1, 1), (0.6, 2, 1)]
    assert "Bounds by category" in Path(found.page).read_text(encoding="utf-8")


def test_two_verdicts_prove_no_category(curated_api: Api) -> None:
    judge(curated_api, {0.9: "same", 0.6: "same"})
    (mug,) = [b for b in curated_api.calibrate_thresholds(precision=0.95).bounds if b.category == "mug"]
    assert mug.score is None
    assert mug.reason


def test_without_verdicts_nothing_is_bounded(curated_api: Api) -> None:
    assert [bound.num for bound in curated_api.calibrate_thresholds().bounds] == [0]


def test_a_precision_that_is_none_is_refused(curated_api: Api) -> None:
    with pytest.raises(SettingsError, match="precision is 2"):
        curated_api.calibrate_thresholds(precision=2.0)


def test_without_vectors_no_embedder_is_fitted(curated_api: Api, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no judged pair has vectors"):
        curated_api.fit_embedder(out=str(tmp_path / "projection"))
