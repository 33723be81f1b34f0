"""What work costs: processor time and peak memory of this process and of all the processes it has work for it.

Videos are decoded in children (`backend.media.guard`), so that a process's own figures are not the whole of its work.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

LOOK_S = 0.05
"""How often children are looked for: what one that ends between two looks held in its last moments is not seen."""


def cpu_s() -> float:
    """Seconds of processor time of this process and its children so far, of those that ended too; for differences."""
    own = psutil.Process()
    times = own.cpu_times()
    total = time.process_time() + times.children_user + times.children_system
    for child in own.children(recursive=True):
        try:
            spent = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += spent.user + spent.system + spent.children_user + spent.children_system
    return total


def cpu_and_peak(work: Callable[[], object]) -> dict[str, float]:
    """CPU ms of a call, and its peak memory in MiB over what is held now, children counted.

    The peak is the sum of each process's own, whenever it came, and memory that two share counts for both: the most that
    can have been held at once. A child that is there before counts by what it holds more, one that is started by all.
    """
    peaks = _Peaks()
    started = cpu_s()
    with peaks:
        kept = work()
        found = {"cpu_ms": (cpu_s() - started) * 1e3}
    del kept
    return {**found, "peak_mib": peaks.over_baseline()}


class _Peaks:
    """Peaks of this process and its children from entering to leaving; those of children are looked at again and again."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self._held: dict[int, float] = {}
        self._peak: dict[int, float] = {}

    def __enter__(self) -> None:
        for process in _family():
            try:
                # Forgets the peak, which a process inherits in part from its parent (proc(5), clear_refs).
                Path(f"/proc/{process}/clear_refs").write_text("5")
            except (FileNotFoundError, ProcessLookupError):
                continue
            self._held[process] = _status_mib(process, "VmRSS") or 0.0
        self._thread.start()

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()
        self._look()

    def over_baseline(self) -> float:
        return sum(peak - self._held.get(process, 0.0) for process, peak in self._peak.items())

    def _look_on(self) -> None:
        while not self._over.wait(LOOK_S):
            self._look()

    def _look(self) -> None:
        for process in _family():
            peak = _status_mib(process, "VmHWM")
            if peak is not None:
                self._peak[process] = max(peak, self._peak.get(process, 0.0))


def _family() -> list[int]:
    own = psutil.Process()
    return [own.pid, *(child.pid for child in own.children(recursive=True))]


def _status_mib(process: int, field: str) -> float | None:
    """None of one that has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(field)), None)
