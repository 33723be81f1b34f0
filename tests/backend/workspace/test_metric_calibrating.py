"""Weights of metrics from a study of three systems on twenty cases, whose raters follow one of two metrics."""

import json
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from backend.api import Api
from backend.cli.evaluating import show_total, total_of
from backend.domain import SettingsError
from backend.domain.ranking import TOTAL
from backend.workspace import Workspace
from backend.workspace.ranking import preset_of
from tests.backend.workspace.study_project import SYSTEMS, named, write_benchmark

NUM_CASES = 20
NUM_RATERS = 8
LENIENT = ("min_seconds=0", "min_item_seconds=0", "max_straight=0")


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_benchmark(tmp_path_factory.mktemp("benchmark"), cases=NUM_CASES, frames=2)


@pytest.fixture
def api(workspace: Workspace) -> Api:
    return cast(Api, workspace)


def prepare(api: Api, benchmark: Path, folder: Path) -> None:
    """Scores of two metrics, and a study whose votes follow the first alone."""
    rng = np.random.default_rng(0)
    names = list(json.loads((benchmark / "cases.json").read_text()))
    values = {(system, name): tuple(rng.random(2)) for system in SYSTEMS for name in names}
    systems = named(benchmark)
    api.create_study(
        name="taste", form="ab", cases=str(benchmark / "cases.json"), systems=systems, pairs=60, trials=30, rules=LENIENT
    )
    for system in SYSTEMS:
        scores = folder / system
        scores.mkdir()
        gme = {name: {"gme_score": values[system, name][0]} for name in names}
        (scores / "gmescore.json").write_text(json.dumps(gme))
        motion = {name: {"motion_fb": values[system, name][1]} for name in names}
        (scores / "motion_amplitude.json").write_text(json.dumps(motion))
        api.import_scores(format="opens2v-scores", path=str(scores), system=system, cases=str(benchmark / "cases.json"))
    design = api.study(name="taste")
    rows = []
    for item in design.items:
        if item.role != "main":
            continue
        first, second = (values[system, item.case_id][0] for system in item.systems)
        for rater in range(NUM_RATERS):
            left = rng.random() < 1 / (1 + np.exp(-6 * (first - second)))
            rows.append(
                {
                    "case_id": item.case_id,
                    "systems": list(item.systems),
                    "question": design.aspects[0],
                    "rater": f"rater{rater}",
                    "choice": "left" if left else "right",
                }
            )
    path = folder / "votes.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert api.import_votes(study="taste", path=str(path)).votes == 60 * NUM_RATERS


@pytest.mark.slow
def test_votes_teach_a_total_that_the_leaderboard_takes_by_name(api: Api, benchmark: Path, tmp_path: Path) -> None:
    prepare(api, benchmark, tmp_path)
    found = api.calibrate_metrics(study="taste", scaling="linear", bootstraps=50, by="category")
    calibration = found.calibration
    assert Path(found.path).name == "taste.json"
    assert [fit.domain for fit in calibration.fits] == ["", "singlehuman", "singleobj"]
    weights = {one.metric: one.weight for one in calibration.fits[0].weights}
    (led,) = [name for name in weights if name.startswith("gme")]
    assert len(weights) == 2
    assert (weights[led].value or 0) > 0.85
    assert calibration.fits[0].votes == 60 * NUM_RATERS
    ratios = {one.name: one.ratio.value or 0 for one in calibration.metrics}
    assert max(ratios, key=lambda name: ratios[name]) == led
    board = api.leaderboard(preset="taste")
    assert board.preset == calibration.id
    assert "taste" in board.preset
    assert any(calibration.data_hash[:12] in remark for remark in board.remarks)
    assert api.leaderboard().preset == "opens2v-v1.1-open"


@pytest.mark.slow
def test_what_cannot_be_calibrated_is_told(api: Api, benchmark: Path, tmp_path: Path) -> None:
    prepare(api, benchmark, tmp_path)
    for wrong, message in (
        ({"aspect": "taste"}, "does not ask"),
        ({"name": "../up"}, "letters"),
        ({"by": "moon"}, "domain, category or none"),
        ({"metrics": ("gmescor",)}, "gmescore"),
        ({"scaling": "round"}, "scaling"),
        ({"folds": 1}, "folds"),
        ({"bootstraps": 1}, "bootstraps"),
        ({"metrics": ("aes",)}, "no metric has values"),
    ):
        with pytest.raises(SettingsError, match=message):
            api.calibrate_metrics(study="taste", **{"bootstraps": 10, **wrong})


def test_a_name_without_a_calibration_is_a_presets(workspace: Workspace) -> None:
    assert preset_of(workspace.layout, "opens2v-v1.1-open") == "opens2v-v1.1-open"
    assert preset_of(workspace.layout, "../taste") == "../taste"


@pytest.mark.slow
def test_evaluate_names_the_preset_or_the_calibration_that_made_its_total(
    api: Api, benchmark: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(api, benchmark, tmp_path)
    found = api.calibrate_metrics(study="taste", bootstraps=10, by="none", scaling="linear").calibration
    about = api.study(name="taste").benchmark
    ours = total_of(api, "good", benchmark=about, preset="taste")
    board = api.leaderboard(preset="taste")
    (same,) = [s for s in board.standings if s.metric == TOTAL and s.system == "good" and not s.kind]
    assert (ours["value"], ours["low"], ours["preset"]) == (same.value, same.low, found.id)
    show_total(ours)
    assert capsys.readouterr().out.startswith(f"good, total by {found.id}: 0.")
    published = total_of(api, "good", benchmark=about, preset="")
    show_total(published)
    assert capsys.readouterr().out.startswith("good, total by opens2v-v1.1-open: – (no value of ")


@pytest.mark.slow
def test_metrics_are_fitted_to_what_came_evenly(api: Api, benchmark: Path, tmp_path: Path) -> None:
    """Of a sequential study: whatever the votes on chosen pairs say, here the contrary, changes nothing."""
    prepare(api, benchmark, tmp_path)
    first = api.calibrate_metrics(study="taste", bootstraps=10, by="none", scaling="linear").calibration
    rows = [json.loads(line) for line in (tmp_path / "votes.jsonl").read_text().splitlines()]
    turned = [{**row, "rater": f"{row['rater']}x", "choice": _other(row["choice"]), "held_out": False} for row in rows]
    (tmp_path / "chosen.jsonl").write_text("\n".join(json.dumps(row) for row in turned))
    assert api.import_votes(study="taste", path=str(tmp_path / "chosen.jsonl")).votes == len(rows)
    again = api.calibrate_metrics(study="taste", bootstraps=10, by="none", scaling="linear").calibration
    assert (again.data_hash, again.fits) == (first.data_hash, first.fits)


def _other(choice: str) -> str:
    return {"left": "right", "right": "left"}.get(choice, choice)
