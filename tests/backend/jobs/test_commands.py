"""Commands as jobs: real children, what they say, how they end."""

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.domain import StudioError
from backend.jobs.board import JobTicket
from backend.jobs.commands import run_command
from backend.jobs.model_service import ModelService

pytestmark = pytest.mark.slow

WORLD = ("sample-world", "--videos=1", "--duration=1")


class Heard:
    """A ticket that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.steps: list[tuple[str, int, int]] = []
        self.cancelled = threading.Event()
        self.ticket = JobTicket(lambda *step: self.steps.append(step), self.cancelled, self.lines.append)

    @property
    def pid(self) -> int:
        return int(self.lines[0].removeprefix("process ").partition(":")[0])


def test_command_runs_to_its_end(tmp_path: Path) -> None:
    heard = Heard()
    assert run_command(heard.ticket, command=(*WORLD, "--", str(tmp_path / "-world"))) == "done"
    assert len(list((tmp_path / "-world" / "videos").glob("*.mp4"))) == 1
    assert heard.lines[0].endswith(f"studio-backend sample-world --videos=1 --duration=1 -- {tmp_path}/-world")


def test_command_is_told_what_room_models_made_before_it_begins(tmp_path: Path, serve: Callable[..., ModelService]) -> None:
    heard = Heard()
    with pytest.raises(StudioError, match="there is no project in"):
        run_command(heard.ticket, command=("status", f"--project={tmp_path}"), models=serve(), weight_bytes=5)
    assert heard.lines[0] == "the project holds no models on the device"
    assert heard.lines[1].startswith("process ")


def test_command_that_refuses_gives_its_sentence(tmp_path: Path) -> None:
    heard = Heard()
    with pytest.raises(StudioError, match="there is no project in") as refused:
        run_command(heard.ticket, command=("status", f"--project={tmp_path}"))
    assert refused.value.kind == "project"
    with pytest.raises(StudioError, match=r"(?s)status ended with exit code 2.*No such option"):
        run_command(Heard().ticket, command=("status", "--projekt=x"))


@pytest.mark.parametrize("grace_s", [60.0, 0.0])
def test_command_that_is_stopped_leaves_nothing_behind(tmp_path: Path, grace_s: float) -> None:
    heard = Heard()
    ended: list[str] = []
    command = ("sample-world", "--videos=4", "--duration=900", "--", str(tmp_path / "world"))  # minutes for each
    thread = threading.Thread(target=lambda: ended.append(run_command(heard.ticket, command=command, grace_s=grace_s)))
    thread.start()
    while not (tmp_path / "world").exists():
        assert thread.is_alive()
        time.sleep(0.02)
    heard.cancelled.set()
    thread.join(60)
    assert ended == ["stopped"]
    assert not Path(f"/proc/{heard.pid}").exists()
    assert any("is killed" in line for line in heard.lines) == (grace_s == 0)


def test_child_whose_owner_is_gone_does_not_begin() -> None:
    import subprocess

    done = subprocess.run([sys.executable, "-m", "backend.jobs.child", "1", "sample-world", "x"], capture_output=True)
    assert (done.returncode, done.stdout) == (1, b"")
