"""Workers of a crew that die, hang and run out of memory: each item its own verdict, and the owner goes on."""

import faulthandler
import os
import resource
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Timer
from typing import Any

import psutil
import pytest

from backend.domain import Failed
from backend.engine.context import WorkerSettings
from backend.engine.crews import Inline, Process
from backend.engine.work import Batch, Outcome
from tests.promises import Tally
from tests.workers.faulty import MIX, SHORT_MIX, batches, verdicts, wrong

pytestmark = pytest.mark.slow
PATIENCE_S = 60.0
"""What a busy machine gets on top in the short version; the long one asserts the times that are promised."""
REPLACED_S, BORDER_S, GRACE_S = 5.0, 1.0, 6.0


@pytest.fixture
def settings(tmp_path: Path) -> WorkerSettings:
    (tmp_path / "artifacts").mkdir()
    return WorkerSettings(artifacts=tmp_path / "artifacts", roles={})


@pytest.fixture(params=[2.0])
def crew(settings: WorkerSettings, request: pytest.FixtureRequest) -> Iterator[Process]:
    """Its parameter: seconds that an item may take."""
    made = Process(settings, num_workers=2, seconds_per_item=request.param)
    yield made
    made.close()
    assert workers() == []


def workers() -> list[psutil.Process]:
    """Spawned processes of this one; Python's own tracker of resources is none."""
    return [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


@pytest.mark.promise(
    "every item of a crew whose workers fault ends in its own verdict, and its neighbours in theirs",
    area="Workers",
    goal="40/40 right: 14 fine, 3 segmentation faults, 2 exits, 7 hangs, 6 out of memory, 8 bad inputs",
    control="tests/workers/test_crew_faults.py::test_a_crew_of_the_owner_itself_dies_of_its_first_fault",
)
def test_a_mix_of_faults_ends_in_the_right_verdicts(crew: Process, long: bool, tally: Tally) -> None:
    mix = MIX if long else SHORT_MIX
    lost = wrong(verdicts(crew, batches(mix, size=4)), mix)
    tally.record(len(mix), lost=len(lost))
    assert lost == []


def test_work_that_seldom_gets_a_processor_is_waited_for(crew: Process) -> None:
    assert wrong(verdicts(crew, batches(["plod"], size=1)), ["plod"]) == []


def test_a_crew_of_the_owner_itself_dies_of_its_first_fault(settings: WorkerSettings) -> None:
    """Who works without workers: the check sees items without an end, and a verdict that is not the one that was due."""
    child = os.fork()
    if not child:
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os._exit(min(9, len(wrong(verdicts(Inline(settings), batches(SHORT_MIX, size=4)), SHORT_MIX))))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0
    harmless = ("fine", "raise", "refuse", "allocate")
    assert wrong(verdicts(Inline(settings), batches(harmless, size=4)), harmless) == []
    assert len(wrong(verdicts(Inline(settings), batches(harmless, size=4)), (*harmless, "hang"))) == 1
    assert len(wrong([("fine", "crash", "")], ["fine"])) == 1


@pytest.mark.promise(
    "an item that kills its worker is found in its batch and quarantined; nothing else of the batch is lost",
    area="Workers",
    goal="15 neighbours of a poisoned item done, in each of 3 ways to die",
    control="tests/workers/test_crew_faults.py::test_a_crew_that_buries_whole_batches_loses_the_neighbours",
)
@pytest.mark.parametrize("what", ["segfault", "exit", "kill"])
@pytest.mark.parametrize("crew", [120.0], indirect=True)  # nothing hangs, but the machine may be busy
def test_a_poisoned_item_is_quarantined_alone(crew: Process, what: str, tally: Tally) -> None:
    mix = ["fine"] * 16
    mix[11] = what
    found = list(verdicts(crew, batches(mix, size=16)))
    lost = wrong(found, mix)
    tally.record(len(mix), lost=len(lost))
    assert lost == []
    (message,) = (message for name, _, message in found if name == what)
    assert {"segfault": "SIGSEGV", "exit": "exit code 7", "kill": "runs out of memory"}[what] in message
    assert "twice" in message


@pytest.mark.parametrize("crew", [120.0], indirect=True)
def test_a_crew_that_buries_whole_batches_loses_the_neighbours(crew: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    def bury(
        self: Process, worker: Any, again: deque[Batch], deaths: dict[str, int], fault: str | None
    ) -> Iterator[tuple[Batch, Outcome]]:
        worker.process.join()
        worker.pipe.close()
        self._workers.remove(worker)
        suspect, *waiting = worker.batches
        again.extend(waiting)
        notes = tuple(Failed(item.id, "crash", "") for item in suspect.items)
        yield suspect, Outcome(notes=notes, tables={}, seconds=0.0)

    monkeypatch.setattr(Process, "_bury", bury)
    mix = ["fine"] * 15 + ["segfault"]
    assert len(wrong(verdicts(crew, batches(mix, size=16)), mix)) == 15


@pytest.mark.promise(
    "a worker that was killed is replaced within seconds, the import of torch included",
    area="Workers",
    goal="under 5 s",
    control="tests/workers/test_crew_faults.py::test_a_worker_that_starts_late_is_found",
)
def test_a_killed_worker_is_replaced(settings: WorkerSettings, long: bool, tally: Tally) -> None:
    took = replaced(settings, "import torch", times=5 if long else 2)
    late = later(took, REPLACED_S + PATIENCE_S * (not long))
    tally.record(len(took), lost=len(late), note=f"at most {max(took):.1f} s")
    assert late == []


def test_a_worker_that_starts_late_is_found(settings: WorkerSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    hire = Process._hire

    def late(self: Process) -> Any:
        time.sleep(REPLACED_S + 0.5 if self._started else 0.0)
        return hire(self)

    monkeypatch.setattr(Process, "_hire", late)
    assert len(later(replaced(settings, "fine", times=1), REPLACED_S)) == 1


def replaced(settings: WorkerSettings, what: str, *, times: int) -> list[float]:
    """Seconds from the death of a crew's only worker to the next item that another one has done."""
    crew, took = Process(settings, num_workers=1), list[float]()
    (one,) = batches([what], size=1)
    list(verdicts(crew, [one]))
    for _ in range(times):
        (worker,) = workers()
        worker.kill()
        started = time.monotonic()
        assert [kind for _, kind, _ in verdicts(crew, [one])] == ["ok"]
        took.append(time.monotonic() - started)
    crew.close()
    return took


def later(took: list[float], limit_s: float) -> list[float]:
    """Times beyond what is promised."""
    return [one for one in took if one >= limit_s]


@pytest.mark.promise(
    "a crew that is called off ends at the next border of its work, or is ended after a grace",
    area="Workers",
    goal="within 1 s at a border, 6 s where there is none; what was given up is pending",
    control="tests/workers/test_crew_faults.py::test_without_borders_or_grace_a_crew_ends_late",
)
@pytest.mark.parametrize(("what", "limit_s"), [("waits", BORDER_S), ("hang", GRACE_S)])
def test_a_crew_that_is_called_off_ends(
    settings: WorkerSettings, what: str, limit_s: float, long: bool, tally: Tally
) -> None:
    took = [called_off(settings, what) for _ in range(5 if long else 1)]
    late = later(took, limit_s + PATIENCE_S * (not long))
    note = f"{tally.note}, " if tally.note else ""
    tally.record(len(took), lost=len(late), note=f"{note}{max(took):.1f} s of {limit_s:g}")
    assert late == []


@pytest.mark.parametrize(("grace_s", "limit_s"), [(5.0, BORDER_S), (600.0, GRACE_S)], ids=["borders", "grace"])
def test_without_borders_or_grace_a_crew_ends_late(
    settings: WorkerSettings, monkeypatch: pytest.MonkeyPatch, grace_s: float, limit_s: float
) -> None:
    """Work that comes to no border is waited for, as long as the grace; without a grace for as long as its item may take."""
    monkeypatch.setattr("backend.engine.crews.GRACE_S", grace_s)
    took = called_off(settings, "hang", seconds_per_item=8.0 if grace_s > GRACE_S else 120.0)
    assert later([took], limit_s) == [took]


def called_off(settings: WorkerSettings, what: str, *, seconds_per_item: float = 120.0) -> float:
    """Seconds from calling a crew off, which is at work, to its end."""
    crew, cancelled, at = Process(settings, num_workers=1, seconds_per_item=seconds_per_item), Event(), []
    list(verdicts(crew, batches(["fine"], size=1)))

    def call_off() -> None:
        at.append(time.monotonic())
        cancelled.set()

    Timer(1.0, call_off).start()
    assert list(verdicts(crew, batches([what, what], size=1), cancelled)) == []
    took = time.monotonic() - at[0]
    crew.close()
    return took
