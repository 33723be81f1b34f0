"""Spreads, cuts, selections and forecasts on both transports: pairs of .9, .6 and .3, a gate at .5, three clips of one video."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA
from statsmodels.stats.proportion import proportion_confint

from backend.api import Api
from backend.domain import VERIFY_STUDY, ProjectError, SettingsError, StudioError
from backend.domain.figures import Cut, StoredScore
from backend.domain.library import Selection
from backend.settings import read_settings
from backend.workspace import Workspace
from backend.workspace.embedding_maps import principal_plane
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.test_api import vote_on
from tests.backend.workspace.toy_project import write_toy_video

pytestmark = pytest.mark.slow  # together they take too long for the fast run

AT_HALF = Cut(comparison=">=", value=0.5)


def test_scores_are_listed_with_the_gates_that_look_at_them(curated_api: Api) -> None:
    found = curated_api.stored_scores()
    assert StoredScore(kind="pair", name="similarity", measured=3, gates=("pair.similarity.min",)) in found
    assert all(not each.gates for each in found if each.name != "similarity")


def test_a_spread_counts_what_is_kept_and_what_a_gate_holds_back(curated_api: Api) -> None:
    found = curated_api.score_spread(kind="pair", score="similarity", bins=3)
    assert found.edges == pytest.approx((0.3, 0.5, 0.7, 0.9))
    assert (found.counts, found.kept) == ((1, 1, 1), (0, 1, 1))
    assert (found.measured, found.unmeasured, found.producers) == (3, 0, ("planted",))


def test_a_score_of_one_value_has_one_bin_around_it(curated_api: Api) -> None:
    trials = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann")
    curated_api.submit_votes(votes=(vote_on(trials[0], "same"), vote_on(trials[1], "different")))
    found = curated_api.score_spread(kind="pair", score="similarity", bins=1)
    assert (found.counts, sum(found.right), sum(found.wrong)) == ((3,), 1, 1)


def test_cuts_keep_what_lies_within_both(curated_api: Api) -> None:
    def passing(*cuts: Cut) -> int:
        return curated_api.try_cuts(kind="pair", score="similarity", cuts=cuts).passing

    assert (passing(), passing(AT_HALF), passing(Cut(comparison=">", value=0.6))) == (3, 2, 1)
    assert passing(AT_HALF, Cut(comparison="<", value=0.9)) == 1


def test_the_nearest_items_stand_on_either_side_of_a_cut(curated_api: Api) -> None:
    found = curated_api.try_cuts(kind="pair", score="similarity", cuts=(AT_HALF,), near=1)
    assert [item.value for item in found.inside] == [0.6]
    assert [item.value for item in found.outside] == [0.3]
    assert found.outside[0].item_id == curated_api.items(kind="pair", where="state = 'held back'").ids[0]


def test_precision_is_that_of_verdicts_above_the_cut_with_wilsons_interval(curated_api: Api) -> None:
    high, low = sorted(
        curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann"),
        key=lambda trial: -(dict(trial.scores)["similarity"] or 0),
    )
    curated_api.submit_votes(votes=(vote_on(high, "same"), vote_on(low, "different")))
    found = curated_api.try_cuts(kind="pair", score="similarity", cuts=(AT_HALF,))
    bounds = proportion_confint(1, 2, method="wilson")
    assert (found.judged, found.right, found.precision) == (2, 1, 0.5)
    assert (found.precision_low, found.precision_high) == pytest.approx(bounds, abs=1e-6)
    assert curated_api.try_cuts(kind="pair", score="similarity", cuts=(Cut(comparison=">", value=0.7),)).precision == 1.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda api: api.score_spread(kind="pair", score="similarty"), "did you mean similarity"),
        (lambda api: api.score_spread(kind="pears", score="similarity"), "did you mean pair"),
        (lambda api: api.score_spread(kind="pair", score="similarity", bins=0), "1 to 400"),
        (lambda api: api.try_cuts(kind="pair", score="similarity", cuts=(Cut(comparison="OR", value=1),)), "none of"),
        (lambda api: api.save_selection(name="a/b", gates={}), "names no selection"),
        (lambda api: api.save_selection(name="strict", gates={"pair.similarty.min": 1}), "did you mean"),
        (lambda api: api.save_selection(name="strict", gates={}, where="similarity >"), "column 13"),
        (lambda api: api.forget_selection(name="strict"), "no selection 'strict'"),
        (lambda api: api.export_selection(name="strict", format="manifest", out="x"), "no selection 'strict'"),
    ],
)
def test_what_is_not_there_is_refused_with_what_there_is(curated_api: Api, call, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        call(curated_api)


def test_a_selection_exports_what_its_gates_would_keep_and_moves_none(
    curated_api: Api, workspace: Workspace, tmp_path: Path
) -> None:
    curated_api.save_selection(name="strict", gates={"pair.similarity.min": 0.7})
    assert [each.gates for each in curated_api.selections()] == [{"pair.similarity.min": 0.7}]
    assert read_settings(workspace.layout.settings).selections == {"strict": {"pair.similarity.min": 0.7}}
    assert curated_api.forecast_export(name="strict").pairs == 1
    written = curated_api.export_selection(name="strict", format="manifest", out=str(tmp_path / "out"))
    assert (written.pairs, curated_api.status().counts["pairs"]) == (1, 2)
    curated_api.forget_selection(name="strict")
    assert curated_api.selections() == ()


def test_a_forecast_says_what_a_split_can_tell_apart(curated_api: Api) -> None:
    found = curated_api.forecast_export(split="train=.5,test=.5")
    assert (found.pairs, found.videos, found.groups, found.largest) == (2, 1, 1, 2), "pairs of one video stay together"
    assert sorted(found.parts.values()) == [0, 2]
    assert (found.leaks, found.licences) == (0, {"CC0-1.0": 1})
    (first, *_) = curated_api.items(kind="pair", order="-similarity").ids
    assert curated_api.forecast_export(selection=Selection(kind="pair", ids=(first,))).pairs == 1


def test_a_forecast_leaves_out_what_the_export_would_and_says_why_it_is_refused(
    api: Api, workspace: Workspace, tmp_path: Path
) -> None:
    api.ingest(paths=(str(write_toy_video(tmp_path / "mug.mp4")),))
    curated(api)
    found = api.forecast_export()
    assert (found.pairs, found.licences) == (2, {"": 1})
    assert found.refused.startswith("nothing is exported: no licence is stated of mug.mp4;")
    with pytest.raises(ProjectError) as error:
        api.export(format="manifest", out=str(tmp_path / "out"))
    assert str(error.value) == found.refused
    workspace.settings = dataclasses.replace(workspace.settings, unknown_licence="leave_out")
    found = api.forecast_export()
    assert (found.pairs, found.refused, found.left_out) == (0, "", {"licence not stated": 2})


def test_a_forecast_is_of_one_purpose(curated_api: Api) -> None:
    chosen = Selection(kind="subject", ids=curated_api.items(kind="subject").ids)
    curated_api.state_consent(selection=chosen, rater="ann", purposes=("evaluation",), version="2026-03")
    assert curated_api.forecast_export(purpose="evaluation").pairs == 2
    found = curated_api.forecast_export(purpose="training")
    assert (found.pairs, found.videos, found.left_out) == (0, 0, {"no consent for training": 2})
    with pytest.raises(SettingsError, match="purpose is 'fun'"):
        curated_api.forecast_export(purpose="fun")
    with pytest.raises(SettingsError, match="export format 'zip'"):
        curated_api.forecast_export(format="zip")


def test_presets_are_the_published_ones_and_nothing_is_calibrated_yet(curated_api: Api) -> None:
    assert "opens2v-v1.1-open" in curated_api.presets()
    assert curated_api.calibrations() == ()


def test_an_empty_space_and_an_unmeasured_video_are_refused(curated_api: Api) -> None:
    with pytest.raises(SettingsError, match="none yet"):
        curated_api.embedding_map()
    with pytest.raises(SettingsError, match="pca, umap"):
        curated_api.embedding_map(method="tsne")
    with pytest.raises(StudioError, match="gme_score"):
        curated_api.frame_values(generation_id="none", metric="gme_score")


def test_the_principal_plane_is_sklearns_up_to_signs() -> None:
    rows = np.random.default_rng(3).normal(size=(40, 7)).astype(np.float32)
    rows[:, 2] *= 4
    places, explained = principal_plane(rows)
    fitted = PCA(2).fit(rows)
    assert np.abs(places) == pytest.approx(np.abs(fitted.transform(rows)), abs=1e-4)
    assert explained == pytest.approx(fitted.explained_variance_ratio_, abs=1e-6)


def test_selections_that_are_saved_at_once_are_all_kept(workspace: Workspace) -> None:
    names = [f"strict {number}" for number in range(24)]
    with ThreadPoolExecutor(8) as people:
        kept = list(people.map(lambda name: workspace.save_selection(name=name, gates={"pair.similarity.min": 0.7}), names))
    assert sorted(one.name for one in kept) == sorted(names)
    assert sorted(read_settings(workspace.layout.settings).selections) == sorted(names)
    with ThreadPoolExecutor(8) as people:
        list(people.map(lambda name: workspace.forget_selection(name=name), names))
    assert read_settings(workspace.layout.settings).selections == {}
