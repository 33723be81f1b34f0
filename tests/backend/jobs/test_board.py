"""The board: lanes, ends, what is journalled. Work is a real job kind: an export, whose function is given."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.domain import ProjectError, StudioError
from backend.domain.library import ExportSummary
from backend.jobs.board import JobBoard
from backend.store.journal import Journal
from tests.promises import Tally

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


def flooded(board: JobBoard, journal: Journal, folder: Path, *, callers: int, calls: int) -> tuple[int, int]:
    """How many jobs too many were taken of that many calls at once, and how many calls were neither taken nor refused in words."""
    go_on, broken = threading.Event(), []

    def write() -> ExportSummary:
        go_on.wait(60)
        return WRITTEN

    def ask() -> None:
        for _ in range(calls):
            try:
                board.submit("export", actor="mallory", asked={}, write=write)
            except ProjectError as error:
                if "start export when it has ended" not in str(error):
                    broken.append(error)
            except Exception as error:  # noqa: BLE001 - whatever else a caller would meet
                broken.append(error)

    threads = [threading.Thread(target=ask) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    running = sum(thread.name == "export" for thread in threading.enumerate())
    left = max(running, len(list(journal.events())), len(list((folder / "jobs").iterdir())))
    go_on.set()
    for thread in threading.enumerate():
        if thread.name == "export":
            thread.join(60)
    return left - 1, len(broken)


@pytest.mark.promise(
    "a flood of calls for jobs starts one in each lane: the others are refused in a sentence, and no thread, log or event piles up",
    area="Service",
    goal="0 too many of 10,000 calls of 20 callers at once",
    control="tests/backend/jobs/test_board.py::test_without_its_lane_a_flood_of_jobs_is_taken",
)
def test_a_flood_of_jobs_starts_one(board: JobBoard, journal: Journal, tmp_path: Path, long: bool, tally: Tally) -> None:
    callers, calls = 20, 500 if long else 10
    surplus, broken = flooded(board, journal, tmp_path, callers=callers, calls=calls)
    tally.record(callers * calls, lost=surplus + broken)
    assert (surplus, broken) == (0, 0)


def test_without_its_lane_a_flood_of_jobs_is_taken(
    board: JobBoard, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JobBoard, "_refuse_beside", lambda self, running, kind: None)
    assert flooded(board, journal, tmp_path, callers=4, calls=2) == (7, 0)
