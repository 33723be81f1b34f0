"""How long work in another process may take, when the machine is busy too.

The wall's clock alone fails good work that seldom gets a processor. What counts is the processor's time, and the wall's
only while next to none of it is used: by one that waits for what never comes.
"""

import time

import psutil

IDLE_SHARE = 0.01
"""Of a processor, over a whole limit: who uses less stands still. A process gets more beside a hundred busy ones."""
LOOKS = 8
"""In each limit; to look at a process with its children takes some 10 ms."""


class Patience:
    """With one piece of work of one process, from the moment this is made."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._looked_s = self._moved_s = time.monotonic()
        self._own_cpu_s = _own_cpu_s(pid)
        self._family_cpu_s: float | None = None

    def fault(self, limit_s: float) -> str | None:
        """What the process did for too long, as `worked for more than 120 s of processor time`; None while it may go on.

        Its own processor time is limited. That of its children, which have limits of their own, only shows that it moves.
        """
        now = time.monotonic()
        if now - self._looked_s < limit_s / LOOKS:
            return None
        self._looked_s = now
        if _own_cpu_s(self._pid) - self._own_cpu_s >= limit_s:
            return f"worked for more than {limit_s:g} s of processor time"
        family = _family_cpu_s(self._pid)
        if self._family_cpu_s is None or family - self._family_cpu_s >= IDLE_SHARE * limit_s:
            self._family_cpu_s, self._moved_s = family, now
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
