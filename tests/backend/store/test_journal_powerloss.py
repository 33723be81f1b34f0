"""Acknowledged events survive a power cut, simulated from a record of every write and sync (tests.chaos.power)."""

from pathlib import Path

import pytest

from backend.domain import StudioError
from backend.store.journal import Journal
from backend.store.journal_schema import Event
from tests.chaos.power import Step, cuts, files_of, laid_out, needs_strace, record
from tests.promises import Tally

pytestmark = [pytest.mark.slow, needs_strace]

WRITING = """
import os, sys, threading
from pathlib import Path
from backend.store.journal import Journal
from backend.store.journal_schema import Event

journal = Journal(Path(sys.argv[1]) / "journal.sqlite")
journal._writing.execute(f"pragma synchronous = {sys.argv[2]}")
journal._writing.execute("pragma wal_autocheckpoint = 25")

def say(thread):
    for number in range(40):
        (receipt,) = journal.append([Event(kind="note", id=f"{thread}-{number}", actor="ann", body={"text": "x" * 300})])
        os.write(1, f"{receipt.seq} {receipt.hash}\\n".encode())

threads = [threading.Thread(target=say, args=(thread,)) for thread in range(2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
os._exit(0)
"""


def wrong_after_cuts(steps: list[Step], before: dict[str, bytes], *, states: int) -> list[str]:
    """What was wrong with each disk that did not hold all that was acknowledged when the power went."""
    wrong = []
    for files, said in cuts(steps, before, states=states):
        try:
            with laid_out(files) as root, Journal(root / "journal.sqlite") as journal:
                stored = {f"{event.seq} {event.hash}" for event in journal.stream()}
                lost = set(said) - stored
                wrong += [f"lost {len(lost)}"] if lost else journal.verify_chain().problems[:1]
        except StudioError as error:
            wrong.append(str(error))
    return wrong


@pytest.fixture
def before(tmp_path: Path) -> dict[str, bytes]:
    folder = tmp_path / "run"
    folder.mkdir()
    with Journal(folder / "journal.sqlite") as journal:
        journal.append([Event(kind="note", id=f"old{number}", actor="ann", body={}) for number in range(20)])
    return files_of(folder)


@pytest.mark.promise(
    "An event with a receipt survives a cut of power, whatever of the unsynced writes is lost, reordered or torn",
    area="Durability",
    goal="0 lost in 5,000 simulated cuts",
    control="tests/backend/store/test_journal_powerloss.py::test_the_simulation_sees_that_normal_loses_events",
)
def test_no_acknowledged_event_is_lost_in_a_power_cut(tmp_path: Path, before: dict[str, bytes], long: bool, tally: Tally):
    steps = record(WRITING, tmp_path / "run", "full")
    assert sum(step.what == "said" for step in steps) == 80
    assert {step.name for step in steps if step.what == "sync"} >= {"journal.sqlite", "journal.sqlite-wal", "journal.head"}
    states = 5000 if long else 120
    wrong = wrong_after_cuts(steps, before, states=states)
    tally.record(states, lost=len(wrong))
    assert wrong == []


def test_the_simulation_sees_that_normal_loses_events(tmp_path: Path, before: dict[str, bytes]):
    steps = record(WRITING, tmp_path / "run", "normal")
    assert len(wrong_after_cuts(steps, before, states=40)) > 5
