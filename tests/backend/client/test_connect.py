"""Starting a service: waited for as long as it lives, and told at once when it has died."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from backend.client import connect
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
