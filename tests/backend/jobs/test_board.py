"""The board: lanes, ends, what is journalled. Work is a real job kind: an export, whose function is given."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.domain import ProjectError, StudioError
from backend.domain.library import ExportSummary
from backend.jobs.board import JobBoard
from backend.store.journal import Journal

WRITTEN = ExportSummary(out="somewhere", format="manifest", pairs=2, files=3, manifest="m", left_out={"where": 1})


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def board(journal: Journal, tmp_path: Path) -> JobBoard:
    return JobBoard(journal, tmp_path / "jobs")


def finished(board: JobBoard, job_id: str) -> str:
    for thread in threading.enumerate():
        if thread.name == "export":
            thread.join(30)
    return board.progress(job_id).state


def test_job_is_journalled_from_asking_to_end(board: JobBoard, journal: Journal) -> None:
    go_on = threading.Event()

    def write() -> ExportSummary:
        go_on.wait(30)
        return WRITTEN

    job = board.submit("export", actor="ann", asked={"format": "manifest"}, out="somewhere", write=write)
    assert (job.state, board.is_busy("export"), board.is_busy("curate")) == ("running", True, False)
    with pytest.raises(ProjectError, match="export is running in this project"):
        board.submit("export", actor="bob", asked={}, write=write)
    joined = board.submit("export", actor="bob", asked={}, joins=True, write=write)
    assert joined.job_id == job.job_id
    with pytest.raises(ProjectError, match="done whole or not at all"):
        board.cancel(job.job_id)
    go_on.set()
    assert finished(board, job.job_id) == "done"
    asked, end = journal.events()
    assert (asked.kind, asked.actor, asked.id) == ("job_submitted", "ann", job.job_id)
    assert asked.body == {"job": "export", "asked": {"format": "manifest"}, "out": "somewhere"}
    assert (end.kind, end.id) == ("job_finished", job.job_id)
    assert end.body == {
        "state": "done",
        "message": "2 pairs in 3 files: somewhere",
        "stage": "export",
        "done": 0,
        "total": 0,
    }
    lines = [line[20:] for line in board.read_log(job.job_id, after=0, limit=10).lines]
    assert lines == [
        "export, asked for by ann",
        "  format = manifest",
        "1 pairs are left out: where",
        "done: 2 pairs in 3 files: somewhere",
    ]


def test_fault_of_a_job_is_its_own(board: JobBoard) -> None:
    def refuse() -> ExportSummary:
        raise StudioError("nothing to write")

    def break_down() -> ExportSummary:
        raise RuntimeError("a fault")

    for write, said in ((refuse, "nothing to write"), (break_down, "RuntimeError: a fault")):
        job = board.submit("export", actor="ann", asked={}, write=write)
        assert finished(board, job.job_id) == "failed"
        assert said in board.progress(job.job_id).message


def test_board_that_stops_waits_for_what_is_done_whole_and_takes_nothing_more(board: JobBoard) -> None:
    job = board.submit("export", actor="ann", asked={}, write=lambda: WRITTEN)
    board.stop()
    assert board.progress(job.job_id).state == "done"
    with pytest.raises(ProjectError, match="is being closed"):
        board.submit("export", actor="ann", asked={}, write=lambda: WRITTEN)
