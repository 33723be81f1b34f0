"""A disk that turns read-only under a served project: what was there is read, writing is refused in words, votes wait."""

from pathlib import Path
from typing import Any

import pytest

from tests.faults.disks import needs_loops, run_alone
from tests.promises import Tally

pytestmark = [pytest.mark.slow, pytest.mark.server]
READS = ("pairs", "votes", "status", "picture", "journal", "verify")


@pytest.mark.promise(
    "on a disk that turned read-only reading goes on, writing is refused with a sentence, and votes wait in the outbox",
    area="Durability",
    goal="0 calls that break, 0 votes lost, all sent when the disk is mended",
    control="tests/faults/test_read_only.py::test_a_careless_service_on_a_failed_disk_is_found_out",
)
def test_a_disk_that_turns_read_only_stops_nobody_from_reading(tmp_path: Path, long: bool, tally: Tally) -> None:
    needs_loops()
    for n in range(5 if long else 1):
        (tmp_path / str(n)).mkdir()
        said = run_alone("tests.faults.reading_only", tmp_path / str(n))
        wrong = broken(said)
        tally.record(len(said["refused"]) + len(said["read"]) + len(said["died"]), lost=len(wrong))
        assert wrong == []
        assert (len(said["refused"]), said["sent"], said["waiting"]) == (7, 5, 5)


def test_a_careless_service_on_a_failed_disk_is_found_out(tmp_path: Path) -> None:
    needs_loops()
    wrong = broken(run_alone("tests.faults.reading_only", tmp_path, "careless"))
    assert "votes was not refused" in wrong
    assert "10 votes are gone" in wrong
    assert any(one.startswith("report: ") for one in wrong)


def broken(said: dict[str, Any]) -> list[str]:
    """What of the promise did not hold: calls that broke or were not refused in words, reads that failed, votes that are gone."""
    found = [*said["died"], *said["problems"]]
    found += [f"{name}: {words}" for name, words in said["refused"].items() if not words_of_a_disk(words)]
    found += [f"{name} was not read" for name in READS if name not in said["read"]]
    return found + ([f"{10 - said['after']} votes are gone"] if said["after"] < 10 else [])


def words_of_a_disk(words: str) -> bool:
    return "refuses" in words or "Read-only" in words


def test_the_disk_of_the_trial_really_refuses(tmp_path: Path) -> None:
    """Else whatever is done on it would pass: a file that is open can no longer be written, only read."""
    needs_loops()
    assert run_alone("tests.faults.refusing", tmp_path) == {
        "before": "written",
        "open file": 30,
        "new file": 30,
        "read": "x",
    }
