"""Starting a service: waited for as long as it lives, and told at once when it has died."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from backend.client import begin, connect
from backend.domain import ServiceError

connecting = sys.modules["backend.client.connect"]


@pytest.fixture
def started_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has services started by a script of the shell in Python's place; `"$REAL" "$@"` in it is Python."""

    def by(script: str) -> None:
        shell = tmp_path / "python"
        shell.write_text(f"#!/bin/sh\nREAL={sys.executable}\n{script}\n")
        shell.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(shell))

    return by


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo noise >&2; echo 'studio-backend: the catalog is damaged' >&2; exit 2", "^the catalog is damaged$"),
        ("exit 3", "ended with exit code 3 before it answered"),
        ("kill -9 $$", "ended by signal 9 before it answered"),
    ],
)
def test_a_service_that_has_died_is_told_at_once(
    started_by: Callable[[str], None], tmp_path: Path, script: str, said: str
) -> None:
    started_by(script)
    began = time.monotonic()
    with pytest.raises(ServiceError, match=said):
        connect(tmp_path / "project", start=True)
    assert time.monotonic() - began < connecting.PATIENCE_S / 10


def test_a_service_that_lives_and_says_nothing_is_ended(
    started_by: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started_by("exec sleep 300")
    monkeypatch.setattr(connecting, "PATIENCE_S", 0.3)
    with pytest.raises(ServiceError, match="lives but did not answer within 0 s and was ended"):
        connect(tmp_path / "project", start=True)
    [*connecting._children.values()][-1][0].wait(10)


@pytest.mark.server
@pytest.mark.slow
def test_a_service_on_a_machine_that_is_busy_for_long_is_waited_for(
    started_by: Callable[[str], None], tmp_path: Path, long: bool
) -> None:
    started_by(f'sleep {30 if long else 2}; exec "$REAL" "$@"')
    api = cast(Any, connect(tmp_path / "project", start=True))
    assert api.about().profile == "embedded"
    api.close()
    child = [*connecting._children.values()][-1][0]
    child.stdin.close()
    assert child.wait(60) == 0


def test_a_service_that_was_begun_is_the_one_that_is_waited_for(
    started_by: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    started_by(f"echo started >> {tmp_path / 'starts'}; exec sleep 300")
    begin(project)
    begin(project)
    monkeypatch.setattr(connecting, "PATIENCE_S", 1.0)
    with pytest.raises(ServiceError, match="lives but did not answer"):
        connect(project, start=True)
    assert (tmp_path / "starts").read_text() == "started\n"


def test_after_a_service_that_was_begun_and_died_another_is_started(
    started_by: Callable[[str], None], tmp_path: Path
) -> None:
    project = tmp_path / "project"
    started_by(f"echo started >> {tmp_path / 'starts'}; exit 3")
    begin(project)
    connecting._children[project.resolve()][0].wait(10)
    with pytest.raises(ServiceError, match="ended with exit code 3"):
        connect(project, start=True)
    assert (tmp_path / "starts").read_text() == "started\n" * 2


def test_the_way_to_a_service_brings_no_command_line_of_httpx() -> None:
    code = (
        "import sys; import backend.client.remote; print([name for name in ('rich', 'click', 'pygments') if name in sys.modules]);"
        "import httpx._main; print('click' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split("\n")[:2] == ["[]", "True"], "whoever wants it has it still"
