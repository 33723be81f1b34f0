"""kill -9 before each step of an erasure: it is finished when the project is opened next, and the rest is as it was."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.domain import VERIFY_STUDY
from backend.workspace import Workspace
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.test_api import vote_on
from tests.backend.workspace.test_erasing_items import CANARY, holding, one_of, write_other_video
from tests.backend.workspace.toy_project import plan, write_toy_video


@pytest.mark.slow
def test_an_erasure_that_is_killed_at_any_step_is_finished_at_the_next_opening(tmp_path: Path) -> None:
    video = filled(tmp_path)
    ended = erase_and_kill(tmp_path / "project", video)
    assert ended == [0, *[-signal.SIGKILL] * (len(ended) - 2), 0]
    wanted = opened(tmp_path / "killed_0", video)
    assert wanted[:2] == ([], True)
    found = [opened(tmp_path / f"killed_{step}", video) for step in range(1, len(ended))]
    # Before the first step nothing was journalled: the project is as it was. From then on the erasure is carried out
    assert (len(found[0][0]) > 3, found[0][1]) == (True, True)
    assert len(found) > 10
    assert found[1:] == [wanted] * (len(found) - 1)


def filled(folder: Path) -> str:
    """A project with two videos, verdicts on both and a backup; gives the id of the one to be erased."""
    (folder / "videos").mkdir()
    write_toy_video(folder / "videos" / f"{CANARY}.mp4")
    write_other_video(folder / "videos" / "other.mp4")
    project = Workspace(folder / "project", create=True)
    project.plan = plan()
    project.ingest(paths=(str(folder / "videos"),))
    api = cast(Api, project)
    curated(api)
    api.submit_votes(votes=tuple(vote_on(t, "same") for t in api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=9)))
    api.backup()
    (video,) = one_of(api, "video", CANARY)
    project.close()
    return video


def erase_and_kill(project: Path, video: str) -> list[int]:
    script = Path(__file__).with_name("killed_erasure.py")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    command = [sys.executable, str(script), str(project), video]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def opened(project: Path, video: str) -> tuple[list[str], bool, str, int, bool]:
    """After the project was opened and closed: files that name the video, soundness, hash, number of votes, and whether a
    backup is there."""
    with_plan = Workspace(project)
    with_plan.plan = plan()
    check = with_plan.verify()
    votes = len(with_plan.votes(study_id=VERIFY_STUDY))
    backups = any(with_plan.layout.backups.iterdir())
    with_plan.close()
    return holding(project, CANARY, video), check.ok, check.catalog_hash, votes, backups
