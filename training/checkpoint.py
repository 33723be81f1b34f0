"""Checkpoints of a run: weights, optimizer, moving average and place in the data, saved while training goes on.

A checkpoint is a folder `step-00000100` of torch's distributed format with `state.json`. It is written beside under another name and
renamed when it is whole, on the disk, on every rank; only then are older ones removed. So whoever is killed, and whenever the
disk is full, the last whole checkpoint stays. Another number of ranks can read it. Noise and dropout are decided by the place in
the data (`training.data.batches`), so there is no other state of chance to keep.
"""

import dataclasses
import json
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemWriter
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import async_save

from backend.domain import ProjectError, StoreError
from backend.store.checksums import changed_files, list_files
from training.checkpoint_reader import TensorPlanner, TensorReader
from training.data.batches import Position
from training.ema import Ema
from training.model import S2VTransformer
from training.parallel import World
from training.resuming import Parts

STATE, METADATA = "state.json", ".metadata"
_PREFIX = "step-"
_DIGITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is."""

    step: int = 0
    position: Position = field(default_factory=Position)
    samples: int = 0
    tokens: int = 0
    seconds: float = 0.0
    """Of training, over all sittings."""
    parts: Parts = field(default_factory=Parts)
    """What makes a step of this sitting."""


@dataclass(slots=True, kw_only=True)
class Trained:
    """What a checkpoint holds of a model in training."""

    model: S2VTransformer
    optimizer: torch.optim.Optimizer
    ema: Ema | None = None

    def state(self) -> dict[str, Any]:
        """What learns, as sharded tensors: adapters alone where the rest is frozen."""
        options = StateDictOptions(ignore_frozen_params=True)
        found = {
            "model": get_model_state_dict(self.model, options=options),
            "optimizer": get_optimizer_state_dict(self.model, self.optimizer, options=options),
        }
        return found if self.ema is None else {**found, "ema": dict(self.ema.average)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over what `state` gave."""
        options = StateDictOptions(ignore_frozen_params=True, strict=False)
        set_model_state_dict(self.model, state["model"], options=options)
        set_optimizer_state_dict(self.model, self.optimizer, state["optimizer"], options=options)
        if self.ema is not None:
            self.ema.average = state["ema"]


class Checkpoints:
    """The checkpoints of one run folder. One is saved at a time, by a thread; errors come out at the next call."""

    def __init__(self, folder: Path, world: World, *, keep: int) -> None:
        self.folder, self.keep = folder, keep
        self._world = world
        self._group = cast(dist.ProcessGroup, dist.new_group(backend="gloo")) if world.size > 1 else None
        self._pending: tuple[Future, Path, Path, Progress] | None = None
        self._listing = ThreadPoolExecutor(1, thread_name_prefix="checksums")
        if world.is_first:
            _make(folder)
            for left in folder.glob(f".{_PREFIX}*"):
                shutil.rmtree(left, ignore_errors=True)
        world.barrier()

    def latest(self) -> int | None:
        """The step of the newest whole checkpoint."""
        return max(_steps(self.folder), default=None)

    def save(self, trained: Trained, progress: Progress) -> None:
        """Begins to save; the tensors are copied before it returns. Waits for the one before.

        Raises ProjectError where that one could not be written.
        """
        self.finish()
        final = self.folder / f"{_PREFIX}{progress.step:0{_DIGITS}d}"
        working = self.folder / f".{final.name}"
        if final.exists():
            return
        state = _copied(trained.state())
        saving = async_save(state, storage_writer=FileSystemWriter(working, sync_files=True), process_group=self._group)
        future = self._listing.submit(_listed, cast(Future, saving), working, self._world.rank)
        self._pending = (future, working, final, progress)

    def finish(self) -> None:
        """Waits for the save that is under way, names it and removes old ones. Raises ProjectError where it failed."""
        if self._pending is None:
            return
        future, working, final, progress = self._pending
        self._pending = None
        fault = ""
        try:
            future.result()
        except (OSError, RuntimeError, CheckpointException, ProjectError) as error:
            fault = _reason(error)
        if not self._any(fault) and self._world.is_first:  # every rank has listed its part before the folder has its name
            fault = _named(working, final, progress)
        if self._any(fault):
            if self._world.is_first:
                shutil.rmtree(working, ignore_errors=True)
            last = self.latest()
            raise ProjectError(
                f"checkpoint {final.name} could not be written to {self.folder}: {fault or 'another rank failed'}; "
                f"{'the last whole one is of step ' + str(last) if last is not None else 'there is none before it'}; "
                "free some space and run the command again with --resume"
            )
        if self._world.is_first:
            for step in sorted(_steps(self.folder))[: -self.keep]:
                _removed(self.folder / f"{_PREFIX}{step:0{_DIGITS}d}")

    def finish_if_done(self) -> None:
        """As `finish`, once every rank has written its part; else nothing."""
        if self._pending is not None:
            done = self._world.summed(torch.tensor([float(self._pending[0].done())], dtype=torch.float64))
            if int(done.item()) == self._world.size:
                self.finish()

    def _any(self, fault: str) -> bool:
        """Whether any rank has one."""
        return bool(self._world.summed(torch.tensor([float(bool(fault))], dtype=torch.float64)).item())

    def load(self, trained: Trained, step: int) -> Progress:
        """Takes over a checkpoint, from whatever number of ranks. Raises StoreError for one that is damaged or of another shape."""
        place = self.folder / f"{_PREFIX}{step:0{_DIGITS}d}"
        self._check(place)
        state = trained.state()
        try:
            load(state, storage_reader=TensorReader(place), planner=TensorPlanner(), process_group=self._group)
            told = json.loads((place / STATE).read_text("utf-8"))
            parts = Parts(**told.get("parts", {}))
            progress = Progress(**{**told, "position": Position(**told["position"]), "parts": parts})
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, CheckpointException) as error:
            raise StoreError(
                f"{place} cannot be taken over: {_reason(error)}; remove it to go on from the one before, or start a new run"
            ) from error
        trained.restore(state)
        return progress

    def _check(self, place: Path) -> None:
        """Raises StoreError on every rank where a file is not what was written; each rank reads some of them."""
        lists = sorted(path.name for path in place.glob("*.sha256"))
        changed = [
            problem for name in lists[self._world.rank :: self._world.size] for problem in changed_files(place, of=name)
        ]
        found = self._world.summed(torch.tensor([float(bool(changed))], dtype=torch.float64))
        if found.item():
            raise StoreError(
                f"{place} cannot be taken over: {changed[0] if changed else 'another rank found a damaged file'}; remove it to go "
                "on from the one before, or start a new run"
            )


def _listed(saving: Future, folder: Path, rank: int) -> None:
    """Waits for this rank's part, and lists its checksums; those of a checkpoint are in as many lists as there were ranks."""
    saving.result()
    list_files(folder, [path.name for path in folder.glob(f"__{rank}_*")], to=f"rank-{rank}.sha256")


def _steps(folder: Path) -> list[int]:
    return [
        int(path.name.removeprefix(_PREFIX))
        for path in folder.glob(f"{_PREFIX}*")
        if path.name.removeprefix(_PREFIX).isdigit() and (path / STATE).is_file()
    ]


def _copied(state: Any) -> Any:
    """Tensors of the CPU copied: training goes on in them while they are written."""
    if isinstance(state, Mapping):
        return {name: _copied(value) for name, value in state.items()}
    if isinstance(state, torch.Tensor) and state.device.type == "cpu":
        return state.detach().clone()
    return state


def _named(working: Path, final: Path, progress: Progress) -> str:
    """Gives a written checkpoint its name; the reason where that fails."""
    try:
        with (working / STATE).open("w", encoding="utf-8") as file:
            json.dump(dataclasses.asdict(progress), file)
            file.flush()
            os.fsync(file.fileno())
        list_files(working, (STATE, METADATA))
        working.rename(final)
    except (OSError, ProjectError) as error:
        return _reason(error)
    return ""


def _removed(place: Path) -> None:
    """First it loses its name: what a kill leaves of it is no checkpoint, and goes with the next start."""
    left = place.with_name(f".{place.name}")
    with suppress(OSError):
        place.rename(left)
        shutil.rmtree(left)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ProjectError(f"{folder} cannot be made: {error.strerror}; name another folder with --out") from error


def _reason(error: BaseException) -> str:
    """The innermost failure, in one line."""
    if isinstance(error, CheckpointException) and error.failures:
        inner = next(iter(error.failures.values()))
        error = inner[0] if isinstance(inner, tuple) else inner
    while error.__cause__ is not None:
        error = error.__cause__
    text = getattr(error, "strerror", None) or str(error)
    return (text.strip().splitlines() or [type(error).__name__])[-1]
