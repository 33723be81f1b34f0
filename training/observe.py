"""What a run says of itself: a line of JSON a step, and the same in TensorBoard.

| name | what |
| loss | mean over the samples of the step, all ranks |
| gradient_norm | over all weights, before it is cut |
| learning_rate | of the step |
| tokens_per_s, samples_per_s | of all ranks |
| flops_per_s | forward and backward by `training.shapes.forward_flops`, three times the forward; of all ranks |
| data_wait | share of the time that this rank waited for data |
| memory_gib | peak on the GPU, or this process's memory |
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch

from backend.domain import ModelUnavailable, ProjectError

GIB = 2**30


class Metrics:
    """`metrics.jsonl` and `tensorboard/` of a run; only the first rank has one."""

    def __init__(self, folder: Path, *, from_step: int, tensorboard: bool) -> None:
        """What an interrupted sitting said of steps after `from_step` is dropped: they are done again."""
        self._path = folder / "metrics.jsonl"
        kept = [line for line in _lines(self._path) if json.loads(line)["step"] <= from_step]
        try:
            self._path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
            self._file = self._path.open("a", encoding="utf-8")
        except OSError as error:
            raise ProjectError(f"{self._path} cannot be written: {error.strerror}; free some space") from error
        self._board = _board(folder / "tensorboard", from_step) if tensorboard else None

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Raises ProjectError on a full disk."""
        try:
            self._file.write(json.dumps({"step": step, **values}) + "\n")
            self._file.flush()
        except OSError as error:
            raise ProjectError(
                f"{self._path} cannot be written: {error.strerror}; free some space and use --resume"
            ) from error
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()


def memory_gib(device: torch.device) -> float:
    """The peak on a GPU since the start; of a process on the CPU, what it has now."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / GIB
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) if Path("/proc/self/statm").exists() else 0
    return pages * os.sysconf("SC_PAGE_SIZE") / GIB


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """The lines of a run, by step."""
    return [json.loads(line) for line in _lines(folder / "metrics.jsonl")]


def _lines(path: Path) -> list[str]:
    """Whole lines: the last may have been cut by a kill."""
    if not path.exists():
        return []
    return [line for line in path.read_text("utf-8").split("\n")[:-1] if line.endswith("}")]


def _board(folder: Path, from_step: int):
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError as error:
        raise ModelUnavailable(
            "TensorBoard needs the extra: pip install 'subject-studio[train]', or set run.tensorboard=false"
        ) from error
    return SummaryWriter(str(folder), purge_step=from_step + 1 if from_step else None)
