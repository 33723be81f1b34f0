"""What a command writes about a job while it waits."""

import json
from collections.abc import Iterator
from typing import cast

import pytest

from backend.api import Api, Progress
from backend.cli import output

STEPS = [
    ("queued", "", 0, 0),
    ("queued", "split_shots", 0, 4),
    ("running", "split_shots", 0, 4),
    ("running", "split_shots", 3, 4),
    ("running", "hash_clips", 1, 9),
    ("done", "hash_clips", 9, 9),
]


class Job:
    """A job that takes one step each time it is asked about."""

    def __init__(self) -> None:
        self._left: Iterator[Progress] = iter(
            [Progress(job_id="j", kind="curate", state=state, stage=stage, done=done, total=total)
             for state, stage, done, total in STEPS]
        )  # fmt: skip
        self.first = next(self._left)

    def progress(self, *, job_id: str) -> Progress:
        return next(self._left)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "POLL_S", 0.0)


def test_without_a_terminal_each_stage_has_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    job = Job()
    assert output.follow(cast(Api, job), job.first, as_json=False).state == "done"
    assert capsys.readouterr().err.splitlines() == ["split shots: 4 to do", "hash clips: 9 to do"]


def test_json_lines_tell_every_change(capsys: pytest.CaptureFixture[str]) -> None:
    job = Job()
    output.follow(cast(Api, job), job.first, as_json=True)
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(one["state"], one["stage"], one["done"], one["total"]) for one in told] == STEPS
