"""Runs as their folders stand: curves thinned without losing a peak, folders cut short by a kill."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import ProjectError, SettingsError
from backend.domain.jobs import JobRow
from backend.workspace.training_runs import (
    comparison_cases,
    curves,
    run_folders,
    run_named,
    thinned,
    training_medium,
    validation_videos,
)


def job(out: Path, *, state: str = "done", kind: str = "train", **more) -> JobRow:
    return JobRow(job_id="j", kind=kind, state=state, out=str(out), asked={"recipe": "tiny", "data": "/nowhere"}, **more)


def run_in(folder: Path, *, steps: int = 10):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"recipe": "tiny", "run": {"steps": steps}}))
    (found,) = run_folders([job(folder)])
    return found


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400), st.integers(10, 60))
def test_thinned_curve_keeps_its_ends_and_its_extremes(values: list[float], limit: int) -> None:
    points = list(enumerate(values))
    kept = thinned(points, limit)
    assert len(kept) <= limit
    assert kept == sorted(set(kept)), "in order, none twice"
    assert set(kept) <= set(points)
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert min(value for _, value in kept) == min(values)
    assert max(value for _, value in kept) == max(values)
    assert len(kept) == len(points) or len(kept) >= limit // 2, "as many as asked for, but where highest is lowest"


def test_curves_are_read_up_to_the_last_whole_line(tmp_path: Path) -> None:
    run = run_in(tmp_path / "run")
    lines = [json.dumps({"step": n, "loss": 1 / n, "epoch": 1}) for n in (1, 2, 3)]
    lines.insert(2, json.dumps({"step": 2, "validation/loss": 0.5, "broken": float("nan")}))
    (run.path / "metrics.jsonl").write_text("\n".join(lines) + '\n{"step": 4, "lo')
    found = curves(run, limit=100)
    assert found.steps == {"loss": (1, 2, 3), "epoch": (1, 2, 3), "validation/loss": (2,)}
    assert found.values["loss"] == (1.0, 0.5, 1 / 3)
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('ss": 0.25}\n')
    assert curves(run, limit=100).values["loss"] == (1.0, 0.5, 1 / 3, 0.25), "what was added is read"
    with pytest.raises(SettingsError, match="ask for 10 points or more"):
        curves(run, limit=1)


def test_run_without_anything_said_yet_is_empty(tmp_path: Path) -> None:
    run = run_in(tmp_path / "run")
    assert curves(run, limit=10).values == {}
    summary = run.summary()
    assert (summary.step, summary.steps, summary.checkpoints, summary.samples, summary.exported) == (0, 10, (), (), False)
    with pytest.raises(ProjectError, match="there are of: none yet"):
        validation_videos(run, 5)


def test_run_of_several_jobs_is_one_and_its_state_is_the_last_ones(tmp_path: Path) -> None:
    last = job(tmp_path / "a", state="interrupted", stage="train", done=7)
    first, second = run_folders([last, job(tmp_path / "b"), job(tmp_path / "a", state="failed")])
    assert (first.path, second.path) == (tmp_path / "a", tmp_path / "b")
    assert (first.summary().state, first.summary().step) == ("stopped", 7)
    assert run_named([first, second], str(tmp_path / "b")) is second
    with pytest.raises(ProjectError, match="is no training run"):
        run_named([first, second], str(tmp_path))


def test_unfinished_folders_and_files_are_left_out(tmp_path: Path) -> None:
    run = run_in(tmp_path / "run")
    for name in ("step-00000002", ".step-00000004", "step-3", "notes"):
        (run.path / "checkpoints" / name).mkdir(parents=True)
        (run.path / "samples" / name).mkdir(parents=True)
    (run.path / "samples" / "step-00000002" / "a.mp4").write_bytes(b"video")
    (run.path / "samples" / "step-00000002" / "b.mp4").write_bytes(b"")
    summary = run.summary()
    assert (summary.checkpoints, summary.samples) == ((2,), (2,))
    (video,) = validation_videos(run, 2)
    assert (video.name, video.caption) == ("a", ""), "an export that is gone leaves no captions"
    with pytest.raises(ProjectError, match="does not exist in this project"):
        training_medium([run], "r-" + "0" * 40)
    with pytest.raises(ProjectError, match="of the same clip"):
        (run.path / "samples" / "step-00000006").mkdir()
        (run.path / "samples" / "step-00000006" / "c.mp4").write_bytes(b"video")
        comparison_cases(run, (2, 6))
    with pytest.raises(ProjectError, match="export that run learned from cannot be read"):
        (run.path / "samples" / "step-00000006" / "a.mp4").write_bytes(b"video")
        comparison_cases(run, (2, 6))
