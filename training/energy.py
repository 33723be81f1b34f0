"""What a video cost: time on a GPU, and energy, measured where the machine tells or else an estimate that says so."""

import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

MEASURED, ESTIMATED, UNKNOWN = "measured by the processor's own counter", "estimate: time x watts", "not measured"
MEASURED_GPU = "measured by the GPU's own counter"
LIMIT = "estimate: time x power limit"
HOUR_S = 3600.0
MICROJOULES_PER_WH = 3.6e9
MILLIJOULES_PER_WH = 3.6e6
ASKED_S = 5.0
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


class Gpu:
    """What the driver tells of one GPU: by NVML where its Python module is installed, else by `nvidia-smi`; None for what it does not.

    `nvidia-smi` says the limit alone, so that what is made of it is an estimate.
    """

    def __init__(self, device: torch.device) -> None:
        self._uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"  # numbers may mean other devices to NVML

    def read_mj(self) -> int | None:
        """Millijoules since the driver was loaded (Volta and later)."""
        return self._asked(lambda nvml, gpu: nvml.nvmlDeviceGetTotalEnergyConsumption(gpu))

    def limit_w(self) -> float | None:
        """The power limit that is enforced."""
        told = self._asked(lambda nvml, gpu: nvml.nvmlDeviceGetEnforcedPowerLimit(gpu))
        return _limit_by_tool(self._uuid) if told is None else told / 1000.0

    def _asked(self, question: Callable[[Any, Any], int]) -> int | None:
        try:
            nvml: Any = import_module("pynvml")
        except ImportError:  # no extra of ours brings it
            return None
        try:
            nvml.nvmlInit()
            return int(question(nvml, nvml.nvmlDeviceGetHandleByUUID(self._uuid)))
        except nvml.NVMLError:
            return None


class EnergyMeter:
    """Measures what runs on the CPU by its package counter (Intel's and AMD's RAPL, the whole machine's share), and a GPU by its
    own. Where there is none it estimates: by `watts` where they are set, else by the GPU's power limit. `total_wh` is None until
    something is known."""

    def __init__(self, watts: float, *, counter: Path = RAPL, gpu: Callable[[torch.device], Gpu] = Gpu) -> None:
        self._watts, self._counter, self._gpu = watts, counter, gpu
        self.total_wh: float | None = None
        self.source = UNKNOWN

    @contextmanager
    def measuring(self, device: torch.device) -> Iterator[Cost]:
        """Filled in at the end."""
        cost = Cost()
        gpu = self._gpu(device) if device.type == "cuda" else None
        _settled(device)
        before = gpu.read_mj() if gpu is not None else self._read()
        started = time.perf_counter()
        yield cost
        _settled(device)
        cost.seconds = time.perf_counter() - started
        after = gpu.read_mj() if gpu is not None else self._read()
        hours = cost.seconds / HOUR_S
        cost.gpu_hours = hours if gpu is not None else 0.0
        if before is not None and after is not None:
            if gpu is not None:
                cost.energy_wh, cost.energy_by = (after - before) / MILLIJOULES_PER_WH, MEASURED_GPU
            else:
                cost.energy_wh, cost.energy_by = self._between(before, after) / MICROJOULES_PER_WH, MEASURED
        elif self._watts:
            cost.energy_wh, cost.energy_by = hours * self._watts, f"{ESTIMATED} ({self._watts:g} W)"
        elif gpu is not None and (limit := gpu.limit_w()):
            cost.energy_wh, cost.energy_by = hours * limit, f"{LIMIT} ({limit:g} W)"
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


def _settled(device: torch.device) -> None:
    """Waits for what was sent to a GPU, so that its counter holds it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _limit_by_tool(uuid: str) -> float | None:
    asked = ["nvidia-smi", f"--id={uuid}", "--query-gpu=enforced.power.limit", "--format=csv,noheader,nounits"]
    try:
        return float(subprocess.run(asked, capture_output=True, text=True, timeout=ASKED_S, check=True).stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
