"""With little room on the disk no long work is begun, and votes are taken as before."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backend.domain import ProjectError
from backend.jobs.free_space import shortage
from backend.store.journal_schema import Event
from backend.workspace import Workspace
from tests.promises import Tally


@contextmanager
def opened(folder: Path) -> Iterator[Workspace]:
    workspace = Workspace(folder, create=True)
    try:
        yield workspace
    finally:
        workspace.close()


def disk_of(monkeypatch: pytest.MonkeyPatch, *, total: float, free: float) -> None:
    facts = shutil._ntuple_diskusage(int(total), int(total - free), int(free))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: facts)


@pytest.mark.promise(
    "no long work begins on a disk with little room, so that votes can still be taken",
    area="Durability",
    goal="refused under 500 MB, or 5 % of a small disk; votes taken",
    control="tests/faults/test_little_space.py::test_without_the_guard_a_job_begins_on_a_disk_that_is_almost_full",
)
def test_little_room_refuses_jobs_and_takes_votes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally: Tally) -> None:
    disks = [(250e9, 499e6), (250e9, 0), (4e9, 199e6), (48e6, 2e6)]
    with opened(tmp_path / "project") as workspace:
        for total, free in disks:
            disk_of(monkeypatch, total=total, free=free)
            with pytest.raises(ProjectError, match=r"curate is not started: .* MB free, needs \d+; free some space"):
                workspace.curate(engine="inline")
            assert "MB free" in workspace.health().problems["disk"]
            (receipt,) = workspace.journal.append([Event(kind="note", id=str(free), actor="ann", body={})])
            assert receipt.applied
            tally.record(1)
        disk_of(monkeypatch, total=250e9, free=501e6)
        assert workspace.curate(engine="inline").kind == "curate"


def test_without_the_guard_a_job_begins_on_a_disk_that_is_almost_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk_of(monkeypatch, total=250e9, free=0)
    monkeypatch.setattr("backend.jobs.board.shortage", lambda _: "")
    with opened(tmp_path / "project") as workspace:
        assert workspace.curate(engine="inline").kind == "curate"


@pytest.mark.parametrize(("total", "free"), [(250e9, 500e6), (48e6, 2.5e6), (4e12, 500e6)])
def test_a_disk_with_room_is_not_complained_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, total: float, free: float
) -> None:
    disk_of(monkeypatch, total=total, free=free)
    assert shortage(tmp_path) == ""
