"""Jumps of the wall's clock as events of the journal, so that durations between its events can be told without them.

Summer time changes no clock that counts UTC; what does is a person, a machine whose clock was wrong, or a virtual machine that
slept. A jump between two runs of the program is not seen.
"""

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from backend.store.journal_reader import JournalReader
from backend.store.journal_schema import Event

CLOCK = "clock_jumped"
LEAST_S = 2.0
"""Less is how a clock is brought right in small steps, and how long a busy machine takes between two looks."""


def steady_s() -> float:
    """Seconds that go on whatever is done to the wall's clock, sleep of the machine included where the system counts it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class ClockWatch:
    """Compares the wall's clock with a steady one, from one look to the next."""

    def __init__(self, steady: Callable[[], float]) -> None:
        self._steady = steady
        self._apart: float | None = None

    def jump(self, now: datetime) -> float:
        """By how many seconds the wall's clock has jumped since the last look; 0 where it has not."""
        before, self._apart = self._apart, now.timestamp() - self._steady()
        jumped = 0.0 if before is None else self._apart - before
        return jumped if abs(jumped) >= LEAST_S else 0.0

    @contextmanager
    def undone_on_error(self) -> Iterator[None]:
        """When the block ends by an error, a jump that was seen in it is seen again at the next look: nothing of it is stored."""
        before = self._apart
        try:
            yield
        except BaseException:
            if before is not None:  # the first look of all has seen no jump, and is what the next is measured by
                self._apart = before
            raise


def jumped_event(by_s: float) -> Event:
    """Stands before the first event of the clock's other time."""
    return Event(kind=CLOCK, actor="service", body={"by_s": round(by_s, 3)})


class SteadyTimes:
    """The server's times of events as if its clock had never jumped: right to one another, not to the wall.

    Every method may be called from any thread.
    """

    def __init__(self, journal: JournalReader) -> None:
        self._journal = journal
        self._reading = threading.Lock()
        self._jumps: tuple[tuple[int, ...], tuple[float, ...]] = (), (0.0,)
        """Numbers of the jumps' events, and by how much the clock is off before each and after all: replaced together."""

    def refresh(self) -> None:
        """Reads what jumps there have been since."""
        with self._reading:
            seqs, sums = self._jumps
            for event in self._journal.of_kind(CLOCK, seqs[-1] if seqs else 0):
                seqs, sums = (*seqs, event.seq), (*sums, sums[-1] + event.body["by_s"])
            self._jumps = seqs, sums

    def of(self, seq: int, at: str) -> str:
        """The time (ISO 8601) of the event of this number, which the journal gives as `at`."""
        seqs, sums = self._jumps
        by_s = sums[bisect_left(seqs, seq)]
        return (datetime.fromisoformat(at) - timedelta(seconds=by_s)).isoformat() if by_s else at
