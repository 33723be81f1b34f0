"""Networks of a few kilobytes with real weight files, and models that misbehave as real ones do."""

import os
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from backend.domain import Absent, Footage, ModelUnavailable
from backend.models.borders import border
from backend.models.call_wire import BoundModel
from backend.models.places import ModelPlace
from backend.models.states import load_state

HERE = "tests.backend.jobs.tiny_models"
WIDTH = 64  # bytes of one row of weights: 16 float32


def write_weights(path: Path, rows: int, *, seed: int = 0) -> str:
    """A safetensors file of `rows` x 16 float32 (64 bytes a row), and a name for it in [models]."""
    import torch
    from safetensors.torch import save_file

    save_file({"weight": torch.randn(rows, 16, generator=torch.Generator().manual_seed(seed))}, path)
    return str(path)


def bound(name: str, location: str, *, role: str = "") -> BoundModel:
    return BoundModel(role or name, f"{HERE}:{name}", location, "float32")


class Linear:
    """Rows of 16 numbers against its weights. `many` sums each row apart, so that neighbours change no bit."""

    model_id: str = "tiny-linear"
    suggested: ClassVar[str] = "weights.safetensors"
    licence: ClassVar[str] = "Apache-2.0"
    many: ClassVar[dict[str, str]] = {"project": "project_all"}
    space: ClassVar[str] = "tiny"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        import torch

        state = load_state(place.path())
        if "weight" not in state:
            raise ModelUnavailable(f"{place.path()} holds no weight")
        self._network = torch.nn.Linear(16, len(state["weight"]), bias=False)
        self._network.load_state_dict(state)
        self._network.eval().requires_grad_(False)
        self.model_id = place.model_id(type(self).model_id)
        self.num_rows = len(state["weight"])
        self.most_together = 0

    def project(self, row: np.ndarray) -> np.ndarray:
        """float32 `(rows,)` of float32 `(16,)`."""
        import torch

        return self._network(torch.from_numpy(row)[None])[0].numpy()

    def project_all(self, calls: Sequence[tuple[np.ndarray]]) -> list[np.ndarray]:
        self.most_together = max(self.most_together, len(calls))
        return [self.project(row) for (row,) in calls]

    def together(self) -> int:
        return self.most_together

    def brightness(self, footage: Footage, frames: Sequence[int]) -> np.ndarray | Absent:
        """Mean of each frame, read where the frames lie."""
        if not frames:
            return Absent("no frame was asked for")
        first, pictures = next(footage.reader.stream(frames[0], frames[-1] + 1, chunk=2))
        assert (pictures[0] == footage.reader.at([first])[0]).all()
        return footage.reader.at(frames).mean(axis=(1, 2, 3)).astype(np.float32)

    def doubled(self, numbers: Iterable[float], *, plus: float = 0.0) -> list[float]:
        return [2 * number + plus for number in numbers]


class OtherLinear(Linear):
    model_id: str = "tiny-other"


RUNGS = ("cache emptied", "8 at a time instead of 16", "4 at a time instead of 8", "2 at a time instead of 4")
"""What `Hungry.own_batches` takes, alone in its memory."""


def not_climbed(said: Sequence[str]) -> list[str]:
    """Rungs that were not said, or not in their turn."""
    wanted = [f"Hungry: {rung}" for rung in RUNGS]
    return [rung for place, rung in enumerate(wanted) if list(said[place : place + 1]) != [rung]]


class Hungry(Linear):
    """Runs out of memory on more calls at once, or a larger batch of its own, than it has room for."""

    model_id: str = "tiny-hungry"
    room: ClassVar[int] = 2

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        super().__init__(place, device=device, dtype=dtype)
        self.batch = 16
        self.attempts: list[int] = []

    def project_all(self, calls: Sequence[tuple[np.ndarray]]) -> list[np.ndarray]:
        import torch

        self.attempts.append(len(calls))
        if len(calls) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return [self.project(row) for (row,) in calls]

    def own_batches(self, rows: np.ndarray) -> np.ndarray:
        import torch

        if self.batch > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return np.stack([self.project(row) for row in rows])

    def endless(self, row: np.ndarray) -> np.ndarray:
        raise MemoryError(f"{row.shape} is too much")

    def tried(self) -> list[int]:
        return self.attempts


class Troubled(Linear):
    """Does what models should not."""

    model_id: str = "tiny-troubled"

    def act(self, what: str, seconds: float = 0.0) -> str:
        until_s = time.thread_time() + seconds
        match what:
            case "raise":
                raise ValueError("3 boxes for 2 phrases")
            case "segfault":
                sys.stderr.write("about to die\n")
                sys.stderr.flush()
                os.kill(os.getpid(), signal.SIGSEGV)
            case "exit":
                os._exit(7)
            case "endless":
                raise MemoryError("one call is too much")
            case "sleep":  # a kernel that reaches no border
                time.sleep(seconds)
            case "work":  # the same, of so much processor time
                while time.thread_time() < until_s:
                    pass
            case "steps":  # a diffusion: a border each step
                for _ in range(int(seconds / 0.02)):
                    border()
                    time.sleep(0.02)
            case "passes":  # forward passes of a network are borders by themselves
                for _ in range(int(seconds / 0.02)):
                    self.project(np.ones(16, np.float32))
                    time.sleep(0.02)
            case "strange":
                return object()  # type: ignore[return-value]
        return what

    def where(self) -> int:
        return os.getpid()


class Greedy(Linear):
    """Lives on a GPU and takes shares of its memory."""

    model_id: str = "tiny-greedy"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        super().__init__(place, device=device, dtype=dtype)
        self._device = device
        self._network.to(device)
        self.batch = 16

    def device_name(self) -> str:
        return str(next(self._network.parameters()).device)

    def on_device(self, row: np.ndarray) -> np.ndarray:
        import torch

        return self._network(torch.from_numpy(row).to(self._device)[None])[0].cpu().numpy()

    def take(self, num: int, parts: float) -> np.ndarray:
        """One for each of `num` shares of 1 / `parts` of the device's memory, `batch` of them held at a time."""
        import torch

        share = int(torch.cuda.mem_get_info(self._device)[1] / parts)
        found = []
        for first in range(0, num, self.batch):
            held = [torch.empty(share, dtype=torch.uint8, device=self._device) for _ in range(min(self.batch, num - first))]
            found += [1.0 for _ in held]
            del held
        return np.array(found, np.float32)

    def break_context(self) -> None:
        import torch

        index = torch.tensor([10**9], device=self._device)
        torch.zeros(4, device=self._device)[index].cpu()


def die_at_once(*_: object) -> None:
    """In the place of a worker's life."""
    sys.stderr.write("no driver\n")
    os._exit(3)
