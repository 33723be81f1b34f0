"""What a video cost: time on a GPU, and energy, measured where the machine tells or else an estimate that says so."""

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

MEASURED, ESTIMATED, UNKNOWN = "measured by the processor's own counter", "estimate: time x watts", "not measured"
HOUR_S = 3600.0
MICROJOULES_PER_WH = 3.6e9
RAPL = Path("/sys/class/powercap/intel-rapl:0")


def hardware(device: torch.device) -> str:
    """What a device is, in words, to read times and energy by."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {os.cpu_count()} cores, {platform.machine()}"


@dataclass(slots=True)
class Cost:
    """Of one video. `energy_wh` is None where nothing is measured and no watts are set."""

    seconds: float = 0.0
    gpu_hours: float = 0.0
    energy_wh: float | None = None
    energy_by: str = UNKNOWN


class EnergyMeter:
    """Measures what runs on the CPU by its package counter (Intel's and AMD's RAPL, the whole machine's share); estimates a
    GPU's by `watts`. `total_wh` is None until something is known."""

    def __init__(self, watts: float, *, counter: Path = RAPL) -> None:
        self._watts, self._counter = watts, counter
        self.total_wh: float | None = None
        self.source = UNKNOWN

    @contextmanager
    def measuring(self, device: torch.device) -> Iterator[Cost]:
        """Filled in at the end."""
        cost = Cost()
        before, started = self._read(), time.perf_counter()
        yield cost
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        cost.seconds = time.perf_counter() - started
        cost.gpu_hours = cost.seconds / HOUR_S if device.type == "cuda" else 0.0
        after = self._read()
        if device.type == "cpu" and before is not None and after is not None:
            cost.energy_wh, cost.energy_by = self._between(before, after) / MICROJOULES_PER_WH, MEASURED
        elif self._watts:
            cost.energy_wh, cost.energy_by = cost.seconds / HOUR_S * self._watts, f"{ESTIMATED} ({self._watts:g} W)"
        if cost.energy_wh is not None:
            self.total_wh, self.source = (self.total_wh or 0.0) + cost.energy_wh, cost.energy_by

    def _read(self) -> int | None:
        try:
            return int((self._counter / "energy_uj").read_text())
        except (OSError, ValueError):
            return None

    def _between(self, before: int, after: int) -> int:
        """The counter begins anew at its range's end."""
        if after >= before:
            return after - before
        return after - before + int((self._counter / "max_energy_range_uj").read_text())
