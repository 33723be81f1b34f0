"""Dataset figures and ablations of a project with one video, three clips of a mug and pairs of similarity .9, .6 and .3."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.api import Api
from backend.cli.app import app
from backend.domain import VERIFY_STUDY
from backend.domain.statistics import AblationRow
from backend.engine.plan import Gate, Step
from backend.workspace import Workspace
from backend.workspace.dataset_statistics import num_words, resolution
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.test_api import vote_on
from tests.backend.workspace.toy_project import plan, write_toy_video


def test_the_figures_are_those_of_the_kept_rows(curated_api: Api) -> None:
    found = curated_api.statistics()
    assert (found.row.clips, found.row.average_length_s, found.row.resolution) == (3, 0.4, "48 px")
    assert found.row.duration_h == pytest.approx(1.2 / 3600, abs=1e-4)
    assert found.counts["pairs by kind"] == {"cross_frame": 2}, "the gate at .5 holds one of three back"
    assert found.counts["subject categories"] == {"mug": 3}
    assert found.counts["subject-type combinations"] == {"unlabelled": 3}, "mug is a form of cup, no category of its own"
    assert found.counts["captions by author"] == {"sidecar": 3}
    assert found.spreads["caption length"].values == (4.0, 4.0, 4.0), "A red mug, take 0: a number is no word"
    assert list(found.words.items())[:3] == [("mug", 3), ("red", 3), ("take", 3)]
    assert "motion" not in found.spreads, "nobody measured it"
    assert found.scores["pair.similarity"].values == (0.3, 0.6, 0.9), "those held back too"


@pytest.mark.parametrize(("px", "name"), [(720, "720p"), (719, "512p"), (1080, "1080p"), (96, "96 px"), (4320, "2160p")])
def test_resolutions_are_named_by_the_height_that_is_reached(px: int, name: str) -> None:
    assert resolution(px) == name


def test_chinese_characters_count_as_words() -> None:
    assert num_words("一个 red 苹果, it's 3 years") == 4 + 3


def test_the_report_shows_the_figures(workspace: Workspace, tmp_path) -> None:
    workspace.ingest(paths=(str(write_toy_video(tmp_path / "mug.mp4")),))
    curated(workspace)  # type: ignore[arg-type]
    with open(workspace.report(), encoding="utf-8") as file:
        page = file.read()
    assert "The dataset in figures" in page
    (table,) = re.findall(r"<table(?:(?!</table>).)*OpenS2V-5M.*?</table>", page, re.DOTALL)
    rows = [re.findall(r"<t[hd][^>]*>\s*(.*?)\s*</t[hd]>", row, re.DOTALL) for row in table.split("<tr")[1:]]
    assert rows == [
        ["Dataset", "Type", "Resolution", "Clips", "Average length (s)", "Duration (h)"],
        ["project", "Subject-to-Video", "48 px", "3", "0.4", "0.0003"],  # three clips of .4 s: 1.2 s of 3,600
        ["OpenS2V-5M", "Subject-to-Video", "720P", "5.4M", "6.6", "10K"],
    ]


def test_the_command_gives_the_row_as_json(tmp_path) -> None:
    told = [["init"], ["report", "--json", "--out", str(tmp_path / "page.html")]]
    for words in told:
        done = CliRunner().invoke(app, [*words, "--project", str(tmp_path / "walks")], catch_exceptions=False)
        assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["statistics"]["row"] == {
        "name": "walks",
        "kind": "Subject-to-Video",
        "resolution": "",
        "clips": 0,
        "average_length_s": None,
        "duration_h": 0.0,
    }
    assert Path(found["report"]) == tmp_path / "page.html"
    assert found["counts"]["clips"] == 0
    funnel = [(row["record"], row["score"], row["entering"], row["dropped"], row["unmeasured"]) for row in found["gates"]]
    assert ("pair", "similarity", 0, 0, 0) in funnel
    assert found["statistics"]["scores"]["pair.similarity"]["number"] == 0


def ablated(workspace: Workspace, tmp_path, *gates: Gate) -> dict[tuple[str, str], AblationRow]:
    probe, planted = plan().steps
    workspace.plan = replace(plan(), steps=(probe, Step(planted.stage, (*planted.gates, *gates))))
    workspace.ingest(paths=(str(write_toy_video(tmp_path / "mug.mp4")),))
    curated(workspace)  # type: ignore[arg-type]
    return {(row.group, row.name): row for row in workspace.ablate().rows}


def test_without_the_lower_bound_all_stored_pairs_are_kept(workspace: Workspace, tmp_path) -> None:
    rows = ablated(workspace, tmp_path)
    assert rows["gates", "all gates"].pairs == 2
    assert rows["gates", "without the lower bound"].pairs == 3
    assert rows["gates", "without the lower bound"].removed == ("pair.similarity.min",)
    assert rows["construction", "cross_frame"].pairs == 2
    assert not any(name == "without the prior" for _, name in rows), "no gate is a prior here"


def test_an_upper_bound_is_removed_by_itself(workspace: Workspace, tmp_path) -> None:
    upper = Gate(record="pair", score="similarity", comparison="<", value=0.8, source="test")
    rows = ablated(workspace, tmp_path, upper)
    found = {name: row.pairs for (group, name), row in rows.items() if group == "gates"}
    assert found == {"all gates": 1, "without the lower bound": 2, "without the upper bound": 2}


def test_precision_is_of_what_people_judged(curated_api: Api) -> None:
    trials = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=10)
    verdicts = [vote_on(trial, choice) for trial, choice in zip(trials, ("same", "different"), strict=True)]
    curated_api.submit_votes(votes=tuple(verdicts))
    (row,) = [row for row in curated_api.ablate().rows if row.name == "all gates"]
    assert (row.pairs, row.judged, row.same, row.precision) == (2, 2, 1, 0.5)
    assert row.precision_low == pytest.approx(0.0945, abs=5e-4)
    assert row.precision_high == pytest.approx(0.9055, abs=5e-4)


def test_what_a_model_says_is_no_verdict_of_people(curated_api: Api) -> None:
    first, second = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=10)
    by_model = replace(vote_on(first, "different", rater="judge"), rater_kind="vlm")
    curated_api.submit_votes(votes=(by_model, vote_on(first, "same"), replace(by_model, id="v2", item_id=second.item_id)))
    judged, unjudged = (curated_api.pair(pair_id=trial.item_id) for trial in (first, second))
    assert (judged.status, judged.verdict, unjudged.status) == ("one", "same", "machine")
    (row,) = [row for row in curated_api.ablate().rows if row.name == "all gates"]
    assert (row.judged, row.same) == (1, 1)


def test_without_votes_and_backgrounds_there_is_neither_precision_nor_diversity(curated_api: Api) -> None:
    (row,) = [row for row in curated_api.ablate().rows if row.name == "all gates"]
    assert (row.precision, row.context_diversity, row.judged) == (None, None, 0)
