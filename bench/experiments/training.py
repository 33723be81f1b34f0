"""Runs of arms by the product's own trainer: a base a seed, and every arm from it, stopped on the way to be looked at."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from backend.domain import digest
from backend.jobs.board import JobTicket
from bench.experiments import exports
from bench.experiments.exports import Exported, exported
from bench.experiments.table import ARMS, BASE, Scale, settings_of
from bench.experiments.worlds import WORLDS
from training.building import EXPORT
from training.job import CONFIG, run_training
from training.observe import read_metrics

LOOKS = (1 / 3, 1.0)
"""At which shares of its steps a run is tested."""
CURVE_POINTS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where runs and worlds lie."""

    runs: Path
    worlds: Path


@dataclass(frozen=True, slots=True)
class Trained:
    """A run after so many steps."""

    run: Path
    exported: Exported
    step: int


def trained(name: str, scale: Scale, *, seed: int, places: Places) -> Iterator[Trained]:
    """The run of an arm after each look's steps, from the seed's base. A look that a killed command went past is left out."""
    base, arm = base_run(scale, seed=seed, places=places), ARMS[name]
    found = exported(WORLDS[arm.world](), places.worlds)
    settings = settings_of(arm, scale, base=str(base), seed=seed)
    run = _folder(places, scale, f"seed{seed}-{name}", settings)
    for share in LOOKS:
        steps = max(1, round(scale.steps * share))
        if _reached(run) <= steps:
            _train(run, found.train, settings, steps)
            yield Trained(run, found, steps)


def base_run(scale: Scale, *, seed: int, places: Places) -> Path:
    """What all arms of a seed start from."""
    settings = settings_of(BASE, scale, base="", seed=seed)
    run = _folder(places, scale, f"seed{seed}-base", settings)
    _train(run, exported(WORLDS[BASE.world](), places.worlds).train, settings, scale.base_steps)
    return run


def loss_curve(run: Path) -> list[tuple[int, float]]:
    """Step and mean loss of twelve parts of a run."""
    lines = [(int(line["step"]), line["loss"]) for line in read_metrics(run) if "loss" in line]
    size = max(1, len(lines) // CURVE_POINTS)
    parts = [lines[at : at + size] for at in range(0, len(lines) - size + 1, size)]
    return [(part[-1][0], round(sum(loss for _, loss in part) / len(part), 5)) for part in parts]


def _folder(places: Places, scale: Scale, name: str, settings: tuple[str, ...]) -> Path:
    """Named by what decides the run, so that another config never goes on from it."""
    return places.runs / f"{scale.name}-{name}-{digest((*settings, repr(scale), str(exports.VERSION)))[:8]}"


def _reached(run: Path) -> int:
    return max((int(line["step"]) for line in read_metrics(run)), default=0)


def _train(run: Path, data: Path, settings: tuple[str, ...], steps: int) -> None:
    """Up to so many steps; what is done is not done again."""
    if _reached(run) >= steps and (run / EXPORT).exists():
        return
    os.environ["OMP_NUM_THREADS"] = str(torch.get_num_threads())  # what `train` goes by
    resume = (run / CONFIG).exists()
    given = (*(() if resume else settings), f"run.steps={steps}")
    ticket = JobTicket(lambda stage, done, total: None, threading.Event())
    run_training(ticket, recipe="tiny", data=data, out=run, assignments=given, resume=resume)
