"""Leaderboards of a project: imported scores stand beside measured ones, marked; pages and files are written."""

import json
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from backend.api import Api
from backend.domain import ImportRefused, ProjectError, SettingsError
from backend.media.writer import write_video
from backend.settings import ProjectSettings
from backend.workspace import Workspace
from metrics.benchmark import name_benchmark
from tests.backend.workspace.test_evaluating import measured
from tests.metrics.checkpoints_faces import cell, write_pack

NAMES = [*(f"singleobj_{n}" for n in range(1, 10)), *(f"singlehuman_{n}" for n in range(10, 13))]


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    case = {"img_paths": ["a.png"], "prompt": "A mug.", "synthesis_flag": "wrong", "class_label": ["Cup"]}
    path = tmp_path / "opens2v_Open-Domain_Eval.json"
    path.write_text(json.dumps({name: {**case, "prompt": f"Mug of {name}."} for name in NAMES}))
    return path


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    """Gme of .50, .51 … and grades of three runs."""
    folder = tmp_path / "scores"
    folder.mkdir()
    gme = {name: {"gme_score": 0.5 + n / 100} for n, name in enumerate(NAMES)}
    (folder / "gmescore.json").write_text(json.dumps(gme))
    for run in (1, 2, 3):
        grades = dict.fromkeys(NAMES, str(1 + run))
        (folder / f"naturalscore_{run}.json").write_text(json.dumps(grades))
    return folder


def imported(api: Api, scores: Path, cases: Path, system: str = "a"):
    return api.import_scores(format="opens2v-scores", path=str(scores), system=system, cases=str(cases))


def test_imported_scores_are_rows_and_stand_in_the_leaderboard(api: Api, scores: Path, cases: Path) -> None:
    found = imported(api, scores, cases)
    assert (found.scores, found.cases) == (24, 12)
    assert found.files == ("gmescore.json", "naturalscore_1.json", "naturalscore_2.json", "naturalscore_3.json")
    rows = api.evaluation()
    assert len(rows) == 24 and all(row.imported and row.state == "scored" for row in rows)
    assert len(api.evaluation(metrics=("gmescore",))) == 12
    board = api.leaderboard()
    (gme,) = [s for s in board.standings if s.metric == "gmescore" and not s.kind]
    assert gme.value == pytest.approx(0.555) and gme.imported == 12 and gme.rank == 1
    assert (board.preset, board.cases) == ("opens2v-v1.1-open", 12)
    assert any("measured elsewhere" in remark for remark in board.remarks)


def test_scores_imported_again_replace_those_before(api: Api, scores: Path, cases: Path) -> None:
    imported(api, scores, cases)
    (scores / "gmescore.json").write_text(json.dumps({"singleobj_1": {"gme_score": 0.9}}))
    imported(api, scores, cases)
    values = {row.case_id: row.value for row in api.evaluation(metrics=("gmescore",))}
    assert len(values) == 12 and values["singleobj_1"] == 0.9 and values["singleobj_2"] == pytest.approx(0.51)


def test_files_go_out_as_they_came(api: Api, scores: Path, cases: Path, tmp_path: Path) -> None:
    imported(api, scores, cases)
    done = api.export_scores(format="opens2v-scores", out=str(tmp_path / "out"), system="a")
    assert "a_Open-Domain.json" in done.files
    assert (done.scores, done.cases, done.remarks) == (24, 12, ())
    for path in scores.glob("*.json"):
        assert json.loads((tmp_path / "out" / path.name).read_text()) == json.loads(path.read_text())
    with pytest.raises(SettingsError, match="system 'b' has no scores"):
        api.export_scores(format="opens2v-scores", out=str(tmp_path / "out"), system="b")


def test_scores_that_a_format_has_no_field_for_are_named_and_not_counted(
    api: Api, scores: Path, cases: Path, tmp_path: Path
) -> None:
    imported(api, scores, cases)
    told = {"temporal_flickering": [0.9, [{"video_path": "singleobj_1.mp4", "video_results": 0.9}]]}
    (tmp_path / "a_eval_results.json").write_text(json.dumps(told))
    api.import_scores(format="vbench", path=str(tmp_path / "a_eval_results.json"), system="a", cases=str(cases))
    done = api.export_scores(format="vbench", out=str(tmp_path / "out"), system="a")
    assert (done.scores, done.cases) == (1, 1)
    (remark,) = done.remarks
    assert remark.startswith("vbench has no field for ") and "gmescore" in remark


def test_two_systems_are_compared_on_a_page(api: Api, scores: Path, cases: Path, tmp_path: Path) -> None:
    imported(api, scores, cases)
    better = {name: {"gme_score": 0.53 + n / 100} for n, name in enumerate(NAMES)}
    (scores / "gmescore.json").write_text(json.dumps(better))
    imported(api, scores, cases, system="<b>")
    page = tmp_path / "board.html"
    board = api.leaderboard(against=("<b>", "a"), html=str(page))
    (gme,) = [one for one in board.comparisons if one.metric == "gmescore"]
    assert gme.difference == pytest.approx(0.03) and gme.num_cases == 12
    assert gme.p == pytest.approx(2 / 2**12), "every case differs the same way"
    html = page.read_text()
    assert "&lt;b&gt; minus a" in html and "<svg" in html
    assert "<b>" not in html, "names are text"


def test_systems_toml_of_the_project_is_read(api: Api, scores: Path, cases: Path, tmp_path: Path) -> None:
    imported(api, scores, cases)
    imported(api, scores, cases, system="b")
    facts = tmp_path / "facts.toml"
    facts.write_text('[systems.a]\nopen = true\ndomains = ["human"]\n[systems.b]\nopen = false\n')
    board = api.leaderboard(facts=str(facts))
    ranks = {s.system: s.rank for s in board.standings if s.metric == "gmescore" and not s.kind}
    assert ranks == {"a": None, "b": 1}
    assert {s.system for s in api.leaderboard(facts=str(facts), only="open=false").standings} == {"b"}
    with pytest.raises(SettingsError, match="no measured system fulfils"):
        api.leaderboard(facts=str(facts), only="references=2,open=true,base=x")


def test_what_is_missing_is_said(api: Api, scores: Path, cases: Path) -> None:
    with pytest.raises(ProjectError, match="no cases are listed"):
        api.leaderboard()
    with pytest.raises(ImportRefused, match="is not a folder"):
        imported(api, scores / "none", cases)
    imported(api, scores, cases)
    with pytest.raises(SettingsError, match="benchmark 'x' is not in this project"):
        api.leaderboard(benchmark="x")
    with pytest.raises(SettingsError, match="give two"):
        api.leaderboard(against=("a",))


@pytest.fixture
def two_sets(tmp_path: Path, cases: Path) -> tuple[Path, Path]:
    """Two files of one name: equal ids, other prompts."""
    raw = json.loads(cases.read_text())
    folders = tmp_path / "mugs", tmp_path / "jugs"
    for folder, word in zip(folders, ("mug", "jug"), strict=True):
        folder.mkdir()
        told = {name: {**fields, "prompt": f"A {word}, {name}."} for name, fields in raw.items()}
        (folder / "cases.json").write_text(json.dumps(told))
    return folders[0] / "cases.json", folders[1] / "cases.json"


def test_two_files_of_one_name_are_never_mixed(api: Api, scores: Path, two_sets: tuple[Path, Path]) -> None:
    imported(api, scores, two_sets[0])
    assert api.leaderboard(benchmark="cases").cases == 12, "while there is one, the file's name is enough"
    (scores / "gmescore.json").write_text(json.dumps({name: {"gme_score": 0.1} for name in NAMES[:2]}))
    imported(api, scores, two_sets[1], system="b")
    with pytest.raises(SettingsError, match="this project has 2 case sets, whose scores are never mixed: cases@"):
        api.leaderboard()
    with pytest.raises(SettingsError, match="benchmark 'cases' is 2 case sets in this project") as told:
        api.leaderboard(benchmark="cases")
    assert str(two_sets[0].parent) in str(told.value) and str(two_sets[1].parent) in str(told.value)
    names = sorted({row.benchmark for row in api.evaluation()})
    boards = {one.answered[0].system: one for one in (api.leaderboard(benchmark=name) for name in names)}
    assert {name: [one.system for one in board.answered] for name, board in boards.items()} == {"a": ["a"], "b": ["b"]}
    (gme,) = [s for s in boards["a"].standings if s.metric == "gmescore" and not s.kind]
    assert gme.value == pytest.approx(0.555), "equal ids of the other set do not count"


def test_named_benchmark_keeps_its_cases(api: Api, scores: Path, two_sets: tuple[Path, Path]) -> None:
    for path in two_sets:
        name_benchmark(path, "Mugs")
    imported(api, scores, two_sets[0])
    with pytest.raises(ImportRefused, match="case singleobj_1 of benchmark 'Mugs' was listed with other content"):
        imported(api, scores, two_sets[1], system="b")
    assert {row.system for row in api.evaluation()} == {"a"}, "and nothing of it was listed"
    for folder in two_sets:
        (folder.parent / "a.png").write_bytes(b"a picture")
    imported(api, scores, two_sets[0])
    assert api.leaderboard().benchmark == "Mugs", "a picture that was missing may come"
    (two_sets[0].parent / "a.png").write_bytes(b"another picture")
    with pytest.raises(ImportRefused, match="was listed with other content"):
        imported(api, scores, two_sets[0])
    name_benchmark(two_sets[1], "Jugs")
    imported(api, scores, two_sets[1], system="b")
    assert [api.leaderboard(benchmark=name).answered[0].system for name in ("Jugs", "Mugs")] == ["b", "a"]


@pytest.mark.slow
def test_sync_by_the_embedded_scorer_is_not_ranked(workspace: Workspace, cases: Path, tmp_path: Path) -> None:
    """A tiny recogniser finds the face, the embedded profile judges its lips: the score is classical, and says so."""
    api, videos = cast(Api, workspace), tmp_path / "videos"
    pack = write_pack(tmp_path / "pack", cells=4)
    workspace.use(ProjectSettings(roles={"FaceRecognizer": "paper"}, models={"FaceRecognizer": str(pack)}, device="cpu"))
    videos.mkdir()
    _write_talking(videos / "singleobj_1.mp4")
    _, rows = measured(api, cases, videos, metrics=("sync_c", "temporal_flickering"))
    assert {row.metric: (row.state, row.embedded) for row in rows} == {
        "sync_c": ("scored", ("SyncScorer",)),
        "temporal_flickering": ("scored", ()),
    }
    board = api.leaderboard()
    ranks = {one.metric: one.rank for one in board.standings if not one.kind}
    assert ranks == {"total": None, "temporal_flickering": 1, "sync_c": None}
    assert {one.metric: one.embedded for one in board.columns} == {"sync_c": True, "temporal_flickering": False}
    api.compare(out=str(tmp_path / "o"), frames=1)
    words = (tmp_path / "o" / "singleobj_1.svg").read_text()
    assert "embedded" in words and "Sync-C (SyncNet confidence) (embedded)" in (tmp_path / "o" / "compare.html").read_text()


def _write_talking(path: Path) -> None:
    """104 frames, as long as a face must be seen: the grey mouth of a face of 128 px is as bright as the sound is loud."""
    rng = np.random.default_rng(3)
    course = rng.uniform(0.1, 1, 104)
    still = rng.integers(0, 90, (192, 320, 1), np.uint8).repeat(3, axis=2)
    still[64:96, 160:192] = cell(1)
    frames = np.stack([still] * len(course))
    frames[:, 108:124, 158:194] = (40 + 200 * course)[:, None, None, None]
    sound = (np.repeat(course, 640) * rng.uniform(-0.8, 0.8, 640 * len(course))).astype(np.float32)
    write_video(path, frames, fps=25, crf=10, audio=(sound, 16_000))
