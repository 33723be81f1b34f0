"""Bounds and projections from the verdicts of a toy project with two pairs, of similarity .9 and .6."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from backend.api import Api
from backend.domain import VERIFY_STUDY, SettingsError
from backend.measures.thresholds import Thresholds, fit_thresholds
from backend.recipes import plan_for
from backend.settings import ProjectSettings, read_settings, write_settings
from backend.workspace.calibrating import with_bounds
from tests.backend.workspace.test_api import vote_on

pytestmark = pytest.mark.slow  # together they take too long for the fast run


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


def fitted(**wrong_below: float) -> Thresholds:
    """Of each category 100 scores from 0 to .99, right from a bound on: that bound is what is proved."""
    rows = [
        (n / 100, category, "same" if n / 100 >= bound else "different")
        for category, bound in wrong_below.items()
        for n in range(100)
    ]
    return fit_thresholds(rows, precision=0.9, producer="made/1")


def test_bounds_that_are_applied_are_the_gates_of_the_plan_and_are_saved(tmp_path: Path) -> None:
    found = fitted(dog=0.3, cup=0.6)
    before = ProjectSettings()
    applied = with_bounds(before, plan_for(before), found, producers=["made/1", "made_across/1"])
    write_settings(tmp_path / "project.toml", applied)
    assert read_settings(tmp_path / "project.toml") == applied
    gates = {gate.name: gate for gate in plan_for(applied).gates()}
    gate = gates["pair.similarity.min"]
    assert gate.value == found.by_category[""].score
    assert gate.cut("dog", "made/1") == found.by_category["dog"].score
    assert gate.cut("cup", "made/1") == found.by_category["cup"].score
    assert gate.cut("dog", "made_across/1") == gate.cut("dog", "made/1")
    assert gate.cut("owl", "made/1") == gate.cut("dog", "another/1") == gate.value
    assert (found.by_category["dog"].score or 0) < gate.value < (found.by_category["cup"].score or 1)
    others = {gate.name: gate for gate in plan_for(before).gates() if gate.score != "similarity"}
    assert {name: gate for name, gate in gates.items() if gate.score != "similarity"} == others


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"pair.similarity.min": {"producers": ["a"], "cupg": 0.5}}, "cupg is no category; did you mean cup"),
        ({"pair.similarity.min": {"producers": ["a"], "cup": "high"}}, "it needs a number"),
        ({"pair.similarity.min": {"cup": 0.5}}, "names no producers"),
        ({"pair.similarty.min": {"producers": ["a"], "cup": 0.5}}, "is not a gate; did you mean pair.similarity.min"),
        ({"clip.motion.min": {"producers": ["a"], "cup": 0.5}}, "cannot differ by category"),
    ],
)
def test_thresholds_that_cannot_hold_are_refused(table: dict, why: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(why)):
        plan_for(ProjectSettings(thresholds=table))


def test_nothing_is_applied_where_nothing_is_proved(curated_api: Api) -> None:
    judge(curated_api, {0.9: "same", 0.6: "different"})
    with pytest.raises(SettingsError, match="no bound on similarity is proved yet"):
        curated_api.calibrate_thresholds(apply=True)
    plan = plan_for(ProjectSettings())
    with pytest.raises(SettingsError, match=re.escape("pair.prior2.min is not a gate")):
        with_bounds(ProjectSettings(), plan, replace(fitted(cup=0.5), score_name="prior2"), producers=["a"])
