"""How long work in another process may take, when the machine is busy too.

The wall's clock alone fails good work that seldom gets a processor. What counts is the processor's time, and the wall's
only while next to none of it is used: by one that waits for what never comes.
"""

import time
from collections.abc import Callable

import psutil

IDLE_SHARE = 0.01
"""Of a processor, over a whole limit: who uses less stands still. A process gets more beside a hundred busy ones."""
LOOKS = 8
"""In each limit; to look at a process with its children takes some 10 ms."""


class Patience:
    """With one piece of work, from the moment this is made.

    `worked_s` and `moved_s` are clocks of processor time: of the work, which is limited, and of all that shows that it
    goes on. `with_process` has those of another process.
    """

    def __init__(self, *, worked_s: Callable[[], float], moved_s: Callable[[], float]) -> None:
        self._worked_s, self._moving_s = worked_s, moved_s
        self._looked_s = self._moved_s = time.monotonic()
        self._begun_s = worked_s()
        self._last_s: float | None = None

    @classmethod
    def with_process(cls, pid: int) -> "Patience":
        """Its own processor time is limited. That of its children, which have limits of their own, only shows that it moves."""
        return cls(worked_s=lambda: _own_cpu_s(pid), moved_s=lambda: _family_cpu_s(pid))

    def fault(self, limit_s: float) -> str | None:
        """What was done for too long, as `worked for more than 120 s of processor time`; None while it may go on."""
        now = time.monotonic()
        if now - self._looked_s < limit_s / LOOKS:
            return None
        self._looked_s = now
        if self._worked_s() - self._begun_s >= limit_s:
            return f"worked for more than {limit_s:g} s of processor time"
        moving = self._moving_s()
        if self._last_s is None or moving - self._last_s >= IDLE_SHARE * limit_s:
            self._last_s, self._moved_s = moving, now
        return f"stood still for more than {limit_s:g} s" if now - self._moved_s >= limit_s else None


def _own_cpu_s(pid: int) -> float:
    """0 of a process that has ended."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system


def _family_cpu_s(pid: int) -> float:
    """Of a process, its children and theirs, those that ended too."""
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    total = 0.0
    for process in family:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total
