"""Jumps of the clock as they are read: each counts once, whoever looks at the same time."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast

from backend.store.clock_events import SteadyTimes

AT = "2026-03-29T00:00:00+00:00"
A_DAY_EARLIER = "2026-03-28T00:00:00+00:00"


@dataclass
class Jump:
    """An event; whoever reads its body finds `meanwhile` called."""

    seq: int
    meanwhile: Any = lambda: None

    @property
    def body(self) -> dict[str, float]:
        self.meanwhile()
        return {"by_s": 86_400.0}


@dataclass
class JumpsRead:
    """A journal whose readers wait for one another before they get what they asked for, as long as the other may come."""

    jumps: tuple[Jump, ...]
    both: threading.Barrier = field(default_factory=lambda: threading.Barrier(2, timeout=0.5))

    def of_kind(self, kind: str, after_seq: int) -> Iterator[Jump]:
        found = [jump for jump in self.jumps if jump.seq > after_seq]
        with contextlib.suppress(threading.BrokenBarrierError):
            self.both.wait()
        return iter(found)


def test_a_jump_that_two_read_at_once_counts_once() -> None:
    times = SteadyTimes(cast(Any, JumpsRead((Jump(3),))))
    with ThreadPoolExecutor(2) as readers:
        for read in [readers.submit(times.refresh) for _ in range(2)]:
            read.result()
    assert (times.of(2, AT), times.of(4, AT)) == (AT, A_DAY_EARLIER)


def test_times_are_told_while_jumps_are_read() -> None:
    told: list[str] = []
    times = SteadyTimes(cast(Any, JumpsRead((Jump(3, lambda: told.append(times.of(4, AT))),))))
    times.refresh()
    assert (told, times.of(4, AT)) == ([AT], A_DAY_EARLIER)
