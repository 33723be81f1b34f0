"""Training as a project's job: real children, followed, stopped, killed, gone on with; and the owner's end with one running."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import psutil
import pytest

from backend.api import Api
from backend.client import connect
from backend.domain import ProjectError, ServiceError, StudioError
from backend.domain.jobs import JobRow
from backend.workspace import Workspace
from tests.training.made_export import made_export
from tests.training.made_run import SMALL

pytestmark = pytest.mark.slow

ENDLESS = {"run.steps": "1000000", "run.save_every": "1000000"}
WAIT_S = 180.0


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_export(tmp_path_factory.mktemp("squares"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where a project will be."""
    return tmp_path / "project"


def settings(export: Path, **more: str) -> dict[str, str]:
    given = [text.partition("=") for text in SMALL]
    return {**{name: value for name, _, value in given}, "data": str(export), "recipe": "tiny", **more}


def started(api: Api, export: Path, **more: str) -> JobRow:
    return api.start_job(kind="train", settings=settings(export, **more), rater="ann")


def when(api: Api, job_id: str, holds: Callable[[JobRow], bool]) -> JobRow:
    """The job's row once something holds of it."""
    deadline = time.monotonic() + WAIT_S
    while True:
        (row,) = [row for row in api.jobs() if row.job_id == job_id]
        if holds(row):
            return row
        if row.state != "running" or time.monotonic() > deadline:
            raise AssertionError("\n".join([str(row), *api.job_log(job_id=job_id).lines]))
        time.sleep(0.05)


def trains(row: JobRow) -> bool:
    return row.stage == "train" and row.done >= 2


def has_ended(row: JobRow) -> bool:
    return row.state != "running"


def child_of(api: Api, job_id: str) -> psutil.Process:
    line = next(line for line in api.job_log(job_id=job_id).lines if " process " in line)
    return psutil.Process(int(line.split(" process ")[1].partition(":")[0]))


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_run_is_trained_looked_at_and_compared_with_itself(export: Path, place: Path, tmp_path: Path) -> None:
    with_videos = {
        "validation.every": "2",
        "validation.videos": "2",
        "validation.samples": "2",
        "validation.sampling_steps": "2",
    }
    project = Workspace(place, create=True)
    try:
        api = cast(Api, project)
        job = started(api, export, **with_videos, **{"run.steps": "4", "run.save_every": "2"})
        row = when(api, job.job_id, has_ended)
        assert (row.state, row.done, row.total) == ("done", 4, 4)
        (run,) = api.training_runs()
        assert (run.run, run.recipe, run.state) == (str(place / "runs" / "tiny-1"), "tiny", "done")
        assert (run.step, run.steps, run.checkpoints, run.samples, run.exported) == (4, 4, (2, 4), (2, 4), True)
        curves = api.training_curves(run=run.run)
        assert curves.steps["loss"] == (1, 2, 3, 4)
        assert curves.steps["validation/loss"] == (2, 4)
        videos = api.validation_videos(run=run.run, step=2)
        assert [(video.step, video.caption[:20]) for video in videos] == [
            (2, "A square of colour 0"),
            (2, "A square of colour 1"),
        ]
        shown = api.media(media_id=videos[0].media_id)
        assert (shown.num_frames, shown.fps) == (9, 12.0)
        with pytest.raises(ProjectError, match="there are of: 2, 4"):
            api.validation_videos(run=run.run, step=3)
        for other in (str(export), "/etc"):
            with pytest.raises(ProjectError, match="is no training run"):
                api.training_curves(run=other)
        study = api.compare_checkpoints(run=run.run, steps=(2, 4))
        assert (study.kind, study.systems, study.items) == ("preference", ("step 2", "step 4"), 2)
        blind = api.consent(participant=api.take_part(study=study.name, login="ann").id, text="yes")
        for trial in api.study_trials(participant=blind.id, limit=20).trials:
            assert not any(word in str(trial) for word in ("step", "tiny", videos[0].name, videos[1].name, str(tmp_path)))
        with pytest.raises(ProjectError, match="given twice"):
            api.compare_checkpoints(run=run.run, steps=(2, 2))
        with pytest.raises(ProjectError, match="there are of: 2, 4"):
            api.compare_checkpoints(run=run.run, steps=(2, 5))
    finally:
        project.close()


@pytest.mark.thorough
def test_cancelled_training_keeps_a_checkpoint_and_goes_on(export: Path, place: Path) -> None:
    project = Workspace(place, create=True)
    try:
        api = cast(Api, project)
        job = started(api, export, **ENDLESS)
        when(api, job.job_id, trains)
        child = child_of(api, job.job_id)
        with pytest.raises(ProjectError, match="train is running in this project"):
            started(api, export)
        api.cancel(job_id=job.job_id)
        row = when(api, job.job_id, has_ended)
        assert row.state == "cancelled"
        assert is_gone(child)
        (run,) = api.training_runs()
        assert run.state == "stopped"
        assert run.step >= 2
        assert run.checkpoints == (run.step,)
        again = {**row.asked, "out": row.out, "resume": "true", "run.steps": str(run.step + 1)}
        row = when(api, api.start_job(kind="train", settings=again).job_id, has_ended)
        assert (row.state, row.done) == ("done", run.step + 1)
        assert [one.state for one in api.training_runs()] == ["done"], "one run, two jobs"
    finally:
        project.close()


@pytest.mark.thorough
def test_killed_child_fails_its_job_and_nothing_else(export: Path, place: Path) -> None:
    project = Workspace(place, create=True)
    try:
        api = cast(Api, project)
        job = started(api, export, **ENDLESS)
        when(api, job.job_id, trains)
        child_of(api, job.job_id).kill()
        row = when(api, job.job_id, has_ended)
        assert row.state == "failed"
        assert "died of SIGKILL" in row.message
        assert api.training_runs()[0].state == "failed"
    finally:
        project.close()


def test_closing_the_project_stops_training_and_leaves_no_orphan(export: Path, place: Path) -> None:
    project = Workspace(place, create=True)
    try:
        api = cast(Api, project)
        job = started(api, export, **ENDLESS)
        when(api, job.job_id, trains)
        child = child_of(api, job.job_id)
    finally:
        project.close()
    assert is_gone(child)
    again = Workspace(place)
    try:
        (row,) = again.jobs()
        assert row.state == "interrupted"
        (run,) = again.training_runs()
        assert (run.state, run.checkpoints) == ("stopped", (run.step,))
    finally:
        again.close()


@pytest.mark.thorough
def test_training_of_a_killed_owner_keeps_a_checkpoint_and_ends(export: Path, place: Path) -> None:
    command = [sys.executable, "-m", "backend.cli", "serve", "--project", str(place)]
    owner = subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    child = None
    try:
        api = connected(place)
        job = started(api, export, **ENDLESS)
        when(api, job.job_id, trains)
        child = child_of(api, job.job_id)
        owner.send_signal(signal.SIGKILL)
        owner.wait(20)
        deadline = time.monotonic() + WAIT_S
        while not is_gone(child):
            assert time.monotonic() < deadline, "the child outlives its owner"
            time.sleep(0.05)
    finally:
        owner.kill()
        if child is not None and not is_gone(child):
            child.kill()
    again = Workspace(place)
    try:
        (row,) = again.jobs()
        assert (row.state, row.message) == ("interrupted", "its owner ended before it did")
        (run,) = again.training_runs()
        assert len(run.checkpoints) == 1, "the kernel asked it to stop, and it kept what it had"
    finally:
        again.close()


@pytest.mark.thorough
def test_service_of_a_closed_studio_stays_until_training_has_ended(export: Path, place: Path) -> None:
    script = (
        "import json, sys, time; from pathlib import Path; from backend.client import connect\n"
        "api = connect(Path(sys.argv[1]), start=True)\n"
        "job = api.start_job(kind='train', settings=json.loads(sys.argv[2]))\n"
        "while not api.progress(job_id=job.job_id).done: time.sleep(0.05)\n"
    )
    asked = settings(export, **{"run.steps": "60"})
    command = [sys.executable, "-c", script, str(place), json.dumps(asked)]
    studio = subprocess.run(command, timeout=WAIT_S, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert studio.returncode == 0, "it closed while training ran"
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            again = Workspace(place)
            break
        except ProjectError:  # the service still owns it
            assert time.monotonic() < deadline, "the service stays for ever"
            time.sleep(0.1)
    try:
        (row,) = again.jobs()
        assert (row.state, row.done) == ("done", 60)
        assert again.training_runs()[0].exported
    finally:
        again.close()


@pytest.mark.thorough
def test_latents_and_videos_are_jobs_too(export: Path, place: Path, tmp_path: Path) -> None:
    project = Workspace(place, create=True)
    try:
        api = cast(Api, project)
        encoders = {
            name.removeprefix("data.latents."): value for name, value in settings(export).items() if "latents" in name
        }
        job = api.start_job(kind="latents", settings={**encoders, "data": str(export)})
        row = when(api, job.job_id, has_ended)
        assert row.state == "done"
        assert row.message.endswith(".latents, 0 failed")
        with pytest.raises(StudioError, match="cases is missing"):
            api.start_job(kind="generate", settings={"system": "run:nowhere"})
        cases = tmp_path / "cases.json"
        cases.write_text('{"one_1": {"img_paths": ["a.png"], "prompt": "a square", "class_label": ["square"]}}')
        job = api.start_job(kind="generate", settings={"system": "run:/nowhere", "cases": str(cases)})
        row = when(api, job.job_id, has_ended)
        assert row.state == "failed"
        assert "has exported no model yet" in row.message
    finally:
        project.close()


def connected(project: Path) -> Api:
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            return connect(project)
        except ServiceError:
            assert time.monotonic() < deadline, "no owner answers"
            time.sleep(0.05)
