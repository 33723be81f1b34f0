"""What the first reader waits for, made while a service starts."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain import ProjectError
from backend.workspace import Workspace


def prepared(workspace: Workspace) -> None:
    workspace.prepare()
    assert workspace._preparing is not None
    workspace._preparing.join(30)


def test_the_first_reader_finds_the_plan_evaluated(workspace: Workspace) -> None:
    prepared(workspace)
    made = workspace._snapshot.moment
    workspace.status()
    assert (made, workspace._snapshot.moment) == (1, 1)


@pytest.mark.parametrize(("fault", "heard"), [(ProjectError("the catalog is damaged"), []), (KeyError("x"), [KeyError])])
def test_what_a_reader_is_told_anyway_is_not_told_twice_and_a_fault_of_ours_is_not_lost(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, fault: Exception, heard: list[Any]
) -> None:
    @contextmanager
    def broken() -> Iterator[SimpleNamespace]:
        raise fault
        yield

    told: list[Any] = []
    monkeypatch.setattr(workspace, "_now", broken)
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(args.exc_type))
    prepared(workspace)
    assert told == heard
