"""What a run says of itself: figures as a line of JSON a step and in TensorBoard, and what each step was shown.

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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from backend.domain import ModelUnavailable, ProjectError
from training.data.batches import Batch, Drawn

GIB = 2**30


class Metrics:
    """`metrics.jsonl`, `batches.jsonl` and `tensorboard/` of a run; only the first rank has one."""

    def __init__(self, folder: Path, *, from_step: int, tensorboard: bool) -> None:
        """What an interrupted sitting said of steps after `from_step` is dropped: they are done again."""
        self._figures = _StepLines(folder / "metrics.jsonl", from_step)
        self._shown = _StepLines(folder / "batches.jsonl", from_step)
        self._board = _board(folder / "tensorboard", from_step) if tensorboard else None

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Raises ProjectError on a full disk."""
        self._figures.write({"step": step, **values})
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def showed(self, step: int, batches: Sequence[Batch]) -> None:
        """The samples of a step with their pictures, and where each anchor was drawn from. Raises ProjectError on a full disk."""
        self._shown.write({"step": step, "samples": [told(sample) for batch in batches for sample in batch.samples]})

    def close(self) -> None:
        self._figures.close()
        self._shown.close()
        if self._board is not None:
            self._board.close()


def told(sample: Drawn) -> dict[str, Any]:
    """A sample as `batches.jsonl` has it."""
    return {
        "clip": sample.example.clip_id,
        "mode": sample.example.mode,
        "shown": [
            {
                "picture": each.picture.subject_id,
                "file": each.picture.target,
                "variant": each.variant,
                "role": each.segment.role,
                "category": each.segment.category,
                **({} if each.inside is None else {"inside": each.inside, "gap_s": each.gap_s}),
            }
            for each in sample.shown
        ],
    }


class _StepLines:
    """A file with a line of JSON a step."""

    def __init__(self, path: Path, from_step: int) -> None:
        self._path = path
        try:
            if path.exists():
                _cut(path, from_step)
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise ProjectError(f"{path} cannot be written: {error.strerror}; free some space") from error

    def write(self, line: Mapping[str, Any]) -> None:
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        except OSError as error:
            raise ProjectError(
                f"{self._path} cannot be written: {error.strerror}; free some space and use --resume"
            ) from error

    def close(self) -> None:
        self._file.close()


def memory_gib(device: torch.device) -> float:
    """The peak on a GPU since the start; of a process on the CPU, what it has now."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / GIB
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) if Path("/proc/self/statm").exists() else 0
    return pages * os.sysconf("SC_PAGE_SIZE") / GIB


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """The figures of a run, by step."""
    return [json.loads(line) for line in _lines(folder / "metrics.jsonl")]


def read_batches(folder: Path) -> list[dict[str, Any]]:
    """What a run was shown, by step: `told` of each sample."""
    return [json.loads(line) for line in _lines(folder / "batches.jsonl")]


def _cut(path: Path, from_step: int) -> None:
    """Drops the steps after one, in a copy that takes the file's place when it is on the disk: a kill leaves the one or the other."""
    beside = path.with_name(f".{path.name}.cut")
    try:
        with beside.open("w", encoding="utf-8") as file:
            for line in _lines(path):
                if json.loads(line)["step"] <= from_step:
                    file.write(f"{line}\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _lines(path: Path) -> Iterator[str]:
    """Whole lines, one by one: the last may have been cut by a kill."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("}\n"):
                yield line.removesuffix("\n")


def _board(folder: Path, from_step: int):
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError as error:
        raise ModelUnavailable(
            "TensorBoard needs the extra: pip install 'subject-studio[train]', or set run.tensorboard=false"
        ) from error
    return SummaryWriter(str(folder), purge_step=from_step + 1 if from_step else None)
