"""How long other processes are waited for, by a wall clock that runs as fast as the test says."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from backend.engine import patience
from backend.engine.patience import Patience

WORKS = "\nwhile True: pass"
SLEEPS = "import time; time.sleep(60)"
HAS_A_CHILD_WORK = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WORKS!r}])"


class Clock:
    """The wall's: stands until it is told to go on."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(patience, "time", made)
    return made


@pytest.fixture
def process(request: pytest.FixtureRequest) -> Iterator[int]:
    """Its parameter: what it runs."""
    child = subprocess.Popen([sys.executable, "-c", request.param], start_new_session=True)
    yield child.pid
    for one in patience.psutil.Process(child.pid).children():
        one.kill()
    child.kill()
    child.wait()


def outcome(pid: int, clock: Clock, *, limit_s: float, step_s: float, num: int) -> list[str | None]:
    """What is said of a process at so many looks; between two it gets 50 ms of processor time or a little more, or sleeps."""
    waited, said = Patience.with_process(pid), []
    for _ in range(num):
        before = patience._family_cpu_s(pid)
        give_up = time.monotonic() + 1
        while patience._family_cpu_s(pid) - before < 0.05 and time.monotonic() < give_up:
            time.sleep(0.01)
        clock.now_s += step_s
        said.append(waited.fault(limit_s))
    return said


@pytest.mark.parametrize("process", [WORKS], indirect=True)
def test_who_works_is_waited_for_however_long_the_wall_says_it_takes(process: int, clock: Clock) -> None:
    """Five looks of 100 s each: far more than the limit by the wall, a second at most by the processor."""
    assert outcome(process, clock, limit_s=5.0, step_s=100.0, num=5) == [None] * 5


@pytest.mark.parametrize("process", [WORKS], indirect=True)
def test_who_works_has_as_much_of_the_processor_as_the_limit(process: int, clock: Clock) -> None:
    said = outcome(process, clock, limit_s=0.3, step_s=100.0, num=8)
    assert said[0] is None and said[-1] == "worked for more than 0.3 s of processor time"


@pytest.mark.parametrize("process", [SLEEPS], indirect=True)
def test_who_stands_still_is_given_up_after_the_limit_by_the_wall(process: int, clock: Clock) -> None:
    """The first look sees where it stands."""
    waited, said = Patience.with_process(process), []
    for _ in range(5):
        clock.now_s += 40
        said.append(waited.fault(120.0))
    assert said == [None, None, None, "stood still for more than 120 s", "stood still for more than 120 s"]


@pytest.mark.parametrize("process", [HAS_A_CHILD_WORK], indirect=True)
def test_who_waits_for_a_child_that_works_moves(process: int, clock: Clock) -> None:
    assert outcome(process, clock, limit_s=3.0, step_s=10.0, num=5) == [None] * 5


def test_who_has_ended_used_nothing() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert (patience._own_cpu_s(child.pid), patience._family_cpu_s(child.pid)) == (0.0, 0.0)
