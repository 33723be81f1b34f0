"""Models held in one process: what a call costs, how fast a worker is back, how fast work stops, what sharing saves."""

import contextlib
import os
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from backend.jobs.model_service import ModelService
from backend.jobs.model_worker import ModelWorkerSettings
from backend.models.borders import Interrupted
from backend.models.call_wire import BoundModel
from backend.models.places import ModelPlace
from backend.models.remote_role import ModelAddress, ModelLine, remote_role
from backend.models.states import load_state

ROWS = 2**20  # x 16 float32: 64 MiB
CLIENTS = 4
REPEATS = 200
Rows = list[dict[str, Any]]


class Timed:
    """A layer of 64 MiB, asked in different ways."""

    model_id: str = "bench"
    suggested: ClassVar[str] = "weights.safetensors"
    licence: ClassVar[str] = "Apache-2.0"
    many: ClassVar[dict[str, str]] = {"short": "short_all"}

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        import torch

        torch.set_num_threads(1)
        self._network = torch.nn.Linear(16, ROWS, bias=False)
        self._network.load_state_dict(load_state(place.path()))
        self._network.requires_grad_(False)

    def short(self, row: np.ndarray) -> np.ndarray:
        return row * 2

    def short_all(self, calls: Sequence[tuple[np.ndarray]]) -> list[np.ndarray]:
        return [row * 2 for (row,) in calls]

    def look(self, frame: np.ndarray) -> float:
        return float(frame[0, 0, 0])

    def passes(self, seconds: float) -> None:
        import torch

        stop = time.monotonic() + seconds
        while time.monotonic() < stop:
            self._network(torch.zeros(1, 16))

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def where(self) -> int:
        return os.getpid()


def run() -> Rows:
    """Figures of one worker on the CPU."""
    from safetensors.numpy import save_file

    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.safetensors"
        save_file({"weight": np.zeros((ROWS, 16), np.float32)}, weights)
        model = BoundModel("Timed", "bench.residency:Timed", str(weights), "float32")
        service = ModelService(ModelWorkerSettings(), devices=["cpu"])
        try:
            return [*_start(service, model), *_calls(service, model), *_ends(service, model), *_memory(service, model)]
        finally:
            service.close()


def _role(address: ModelAddress, model: BoundModel, cancelled: threading.Event | None = None) -> Any:
    return remote_role(ModelLine(address, cancelled=cancelled), model, Timed)


def _start(service: ModelService, model: BoundModel) -> Rows:
    started = time.perf_counter()
    _role(service.address(), model)
    return [_row("first answer of a cold worker (torch imported, 64 MiB loaded)", time.perf_counter() - started, "s")]


def _calls(service: ModelService, model: BoundModel) -> Rows:
    there = _role(service.address(), model)
    row, frame = np.zeros(16, np.float32), np.zeros((1080, 1920, 3), np.uint8)

    def client(_: int) -> None:
        mine = _role(service.address(), model)
        for _ in range(REPEATS):
            mine.short(row)

    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))
    rate = CLIENTS * REPEATS / (time.perf_counter() - started)
    return [
        _row("call with 64 bytes, median", 1000 * _median(lambda: there.short(row)), "ms"),
        _row("call with a 1080p frame, median", 1000 * _median(lambda: there.look(frame)), "ms", note="6.2 MB"),
        _row(f"calls of {CLIENTS} clients at once", rate, "per s"),
    ]


def _ends(service: ModelService, model: BoundModel) -> Rows:
    cancelled = threading.Event()
    there = _role(service.address(), model, cancelled)

    def stopped(method: Callable[[float], None]) -> float:
        cancelled.clear()
        at: list[float] = []
        timer = threading.Timer(0.3, lambda: (at.append(time.perf_counter()), cancelled.set()))
        timer.start()
        with contextlib.suppress(Interrupted):
            method(60.0)
        took = time.perf_counter() - at[0]
        cancelled.clear()
        return took

    there.where()
    cooperative = max(stopped(there.passes) for _ in range(5))
    forced = stopped(there.sleep)
    pid = there.where()
    os.kill(pid, signal.SIGKILL)
    killed = time.perf_counter()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(there.where)
        while service.rows()[0].pid in (0, pid) or service.rows()[0].state == "starting":
            time.sleep(0.002)
        ready = time.perf_counter() - killed
        answer.result()
    return [
        _row("cancelled call stops at a border, worst of 5", cooperative, "s", target="≤ 1"),
        _row("cancelled call that reaches no border ends", forced, "s", target="≤ 6"),
        _row("worker back after kill -9", ready, "s", target="< 5"),
        _row("the call under way answered after kill -9", time.perf_counter() - killed, "s", note="torch and weights anew"),
    ]


def _memory(service: ModelService, model: BoundModel) -> Rows:
    roles = [_role(service.address(), model) for _ in range(CLIENTS)]
    roles[0].where()
    (worker,) = service.rows()
    held = sum(one.num_bytes for one in worker.resident)
    assert len(worker.resident) == 1, "clients share one copy"
    return [
        _row(
            f"weights held for {CLIENTS} clients",
            held / 2**20,
            "MiB",
            note=f"{CLIENTS * ROWS * 64 / 2**20:.0f} with a copy each",
        )
    ]


def _median(call: Callable[[], Any]) -> float:
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _row(name: str, value: float, unit: str, *, target: str = "", note: str = "") -> dict[str, Any]:
    return {"name": name, "value": float(value), "unit": unit, "target": target, "n": 1, "note": note}
