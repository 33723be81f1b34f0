"""Generated videos are measured once, by whoever asks, and every video of every metric ends in a named state."""

import json
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from backend.api import Api, EvaluationJob, EvaluationRow
from backend.domain import ImportRefused, SettingsError
from backend.media.writer import write_video
from backend.workspace import Workspace
from metrics import evaluation, planner
from metrics.stage import Measure

METRICS = ("temporal_flickering", "motion_amplitude_compat")
PROMPT = "A red mug stands on a table."


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """Two cases of a mug, whose pictures are missing."""
    case = {"img_paths": ["Images/mug.png"], "prompt": PROMPT, "synthesis_flag": "wrong", "class_label": ["Cup"]}
    path = tmp_path / "bench" / "opens2v_Open-Domain_Eval.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"singleobj_1": case, "singleobj_2": case}))
    return path


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Two videos that brighten by 10 and by 20 levels a frame."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for number, step in ((1, 10), (2, 20)):
        ramp = (np.full((64, 96, 3), 20 + step * n, np.uint8) for n in range(8))
        write_video(folder / f"singleobj_{number}.mp4", ramp, fps=8.0, crf=1)
    return folder


def measured(
    api: Api, cases: Path, videos: Path, system: str = "ours", **options
) -> tuple[EvaluationJob, tuple[EvaluationRow, ...]]:
    options = {"metrics": METRICS, "engine": "inline", **options}
    asked = api.evaluate(cases=str(cases), videos=str(videos), system=system, **options)
    job, deadline = asked.job, time.monotonic() + 60
    while job.state in ("queued", "running"):
        assert time.monotonic() < deadline, "evaluation hangs"
        time.sleep(0.01)
        job = api.progress(job_id=job.job_id)
    assert job.state == "done", job.message
    return asked, api.evaluation(systems=(system,), metrics=options["metrics"])


def values(rows: tuple[EvaluationRow, ...], metric: str) -> dict[tuple[str, int], float | None]:
    return {(row.case_id, row.seed): row.value for row in rows if row.metric == metric}


def test_each_video_gets_a_row_of_each_metric(api: Api, cases: Path, videos: Path) -> None:
    asked, rows = measured(api, cases, videos)
    assert (asked.cases, asked.videos, asked.missing) == (2, 2, ())
    assert any("1 reference images are missing" in remark for remark in asked.remarks), "and the run goes on"
    assert any("2 cases; OpenS2V-Eval's open domain has 180" in remark for remark in asked.remarks)
    assert len(rows) == 4 and {row.state for row in rows} == {"scored"}
    flicker = values(rows, "temporal_flickering")
    assert flicker[("singleobj_1", 0)] == pytest.approx(1 - 10 / 255, abs=2e-3)
    assert flicker[("singleobj_2", 0)] == pytest.approx(1 - 20 / 255, abs=2e-3)


def test_what_was_measured_is_not_measured_again(workspace: Workspace, cases: Path, videos: Path) -> None:
    _, first = measured(workspace, cases, videos)  # pyright: ignore[reportArgumentType]
    count = workspace.catalog.query("SELECT count(*) FROM work")[0][0]
    _, again = measured(workspace, cases, videos)  # pyright: ignore[reportArgumentType]
    assert again == first
    assert workspace.catalog.query("SELECT count(*) FROM work")[0][0] == count
    other = Path(str(videos)).with_name("same files")
    videos.rename(other)
    assert measured(workspace, cases, other)[1] == first, "moved files are known by their content"  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("shares", "openings"), [(True, 1), (False, 2)])
def test_all_metrics_share_one_decode_of_a_video(
    workspace: Workspace, cases: Path, videos: Path, monkeypatch: pytest.MonkeyPatch, shares: bool, openings: int
) -> None:
    """Control: metrics that are not told of each other's features open each video once for each."""
    opened: Counter[str] = Counter()

    class Counted(planner.GuardedReader):
        def __init__(self, path: str, *rest: Any, **options: Any) -> None:
            opened[Path(path).name] += 1
            super().__init__(path, *rest, **options)

    monkeypatch.setattr(planner, "GuardedReader", Counted)
    if not shares:
        monkeypatch.setattr(evaluation, "Measure", lambda *about: replace(Measure(*about), beside=()))
    _, rows = measured(cast(Api, workspace), cases, videos)
    assert len(rows) == 4 and {row.state for row in rows} == {"scored"}
    assert opened == {"singleobj_1.mp4": openings, "singleobj_2.mp4": openings}


@pytest.mark.slow
def test_engines_give_identical_rows(workspace: Workspace, cases: Path, videos: Path, tmp_path: Path) -> None:
    _, inline = measured(workspace, cases, videos)  # pyright: ignore[reportArgumentType]
    other = Workspace(tmp_path / "other", create=True)
    _, spread = measured(other, cases, videos, engine="process", workers=2)  # pyright: ignore[reportArgumentType]
    other.close()
    assert spread == inline


def test_made_again_video_replaces_the_one_before(api: Api, cases: Path, videos: Path) -> None:
    measured(api, cases, videos)
    old = (videos / "singleobj_1.mp4").read_bytes()
    write_video(videos / "singleobj_1.mp4", (np.full((64, 96, 3), 90, np.uint8) for _ in range(8)), fps=8.0, crf=1)
    _, rows = measured(api, cases, videos)
    assert values(rows, "temporal_flickering")[("singleobj_1", 0)] == pytest.approx(1.0, abs=1e-3)
    assert len(rows) == 4
    (videos / "singleobj_1.mp4").write_bytes(old)
    _, rows = measured(api, cases, videos)
    assert values(rows, "temporal_flickering")[("singleobj_1", 0)] == pytest.approx(1 - 10 / 255, abs=2e-3)


def test_page_of_a_leaderboard_shows_values_along_the_videos(api: Api, cases: Path, videos: Path, tmp_path: Path) -> None:
    measured(api, cases, videos)
    api.leaderboard(html=str(tmp_path / "board.html"))
    section = (tmp_path / "board.html").read_text().partition('id="timelines"')[2].partition("<section")[0]
    assert "Along the video" in section and "Temporal flickering (VBench)" in section
    assert section.count("<svg") == 1, "motion amplitude keeps nothing of single frames"
    assert "ours, singleobj_1" in section and "ours, singleobj_2" in section


def test_unreadable_video_fails_alone(api: Api, cases: Path, videos: Path) -> None:
    (videos / "singleobj_1.mp4").write_bytes(b"\0" * 3000)
    _, rows = measured(api, cases, videos)
    states = {(row.case_id, row.metric): row.state for row in rows}
    assert {states["singleobj_1", name] for name in METRICS} == {"failed"}
    assert {states["singleobj_2", name] for name in METRICS} == {"scored"}
    assert all(row.reason and row.reason.startswith("failed: ") for row in rows if row.state == "failed")


def test_one_frame_is_too_short(api: Api, cases: Path, videos: Path) -> None:
    write_video(videos / "singleobj_1.mp4", (np.zeros((64, 96, 3), np.uint8) for _ in range(1)), fps=8.0)
    _, rows = measured(api, cases, videos)
    assert {row.state for row in rows if row.case_id == "singleobj_1"} == {"too_short"}


def test_seeds_are_videos_of_their_own(api: Api, cases: Path, videos: Path) -> None:
    (videos / "singleobj_2.mp4").rename(videos / "singleobj_1_seed7.mp4")
    asked, rows = measured(api, cases, videos)
    assert asked.missing == ("singleobj_2",)
    assert set(values(rows, "temporal_flickering")) == {("singleobj_1", 0), ("singleobj_1", 7)}


def test_of_a_case_and_seed_twice_neither_is_measured(api: Api, cases: Path, videos: Path) -> None:
    (videos / "singleobj_1_seed0.mp4").write_bytes((videos / "singleobj_1.mp4").read_bytes())
    asked, rows = measured(api, cases, videos)
    assert {row.case_id for row in rows} == {"singleobj_2"} and asked.missing == ()
    (refused,) = asked.refused
    assert (refused.case_id, refused.seed) == ("singleobj_1", 0)
    assert "case singleobj_1 with seed 0 twice: singleobj_1.mp4 and singleobj_1_seed0.mp4" in refused.reason
    (videos / "singleobj_2.mp4").unlink()
    with pytest.raises(ImportRefused, match="case singleobj_1 with seed 0 twice"):
        measured(api, cases, videos)


def test_unknown_names_are_told(api: Api, cases: Path, videos: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="did you mean motion_amplitude"):
        api.evaluate(cases=str(cases), videos=str(videos), system="s", metrics=("motion_amplitud",))
    with pytest.raises(ImportRefused, match="is not a folder"):
        measured(api, cases, tmp_path / "nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ImportRefused, match=r"named <case id>\.mp4, as singleobj_1\.mp4"):
        measured(api, cases, empty)


def test_systems_are_kept_apart(api: Api, cases: Path, videos: Path) -> None:
    measured(api, cases, videos, system="a")
    (videos / "singleobj_2.mp4").unlink()
    _, rows = measured(api, cases, videos, system="b")
    assert {row.system for row in rows} == {"b"} and len(rows) == 2
    assert len(api.evaluation(metrics=METRICS)) == 6
    assert len(api.evaluation()) == 6, "all that was measured"


def test_what_is_unavailable_is_tried_once_a_run(workspace: Workspace, cases: Path, videos: Path) -> None:
    api = cast(Api, workspace)
    for attempt in range(2):
        job = api.evaluate(
            cases=str(cases), videos=str(videos), system="s", metrics=("temporal_flickering", "gmescore"), engine="inline"
        ).job
        while api.progress(job_id=job.job_id).state == "running":
            time.sleep(0.01)
        tried = "SELECT max(attempt), count(*) FROM work WHERE stage = 'measure_gmescore'"
        assert workspace.catalog.query(tried) == [(attempt, 2 * (attempt + 1))]
    rows = api.evaluation(metrics=("gmescore",))
    assert [row.state for row in rows] == ["unavailable", "unavailable"], "the last attempt of each"
