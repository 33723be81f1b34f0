"""Runs of arms by the product's own trainer: a base a seed, and every arm from it."""

import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from backend.domain import digest
from backend.jobs.board import JobTicket
from bench.experiments import exports
from bench.experiments.exports import Exported, exported
from bench.experiments.table import ARMS, BASE, Scale, changed, settings_of
from bench.experiments.worlds import WORLDS, World
from training.building import EXPORT
from training.job import run_training
from training.observe import read_metrics

CURVE_POINTS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where runs and worlds lie."""

    runs: Path
    worlds: Path


@dataclass(frozen=True, slots=True)
class Trained:
    """A run that came to its end, and what it learned from."""

    run: Path
    exported: Exported


def trained(
    name: str, scale: Scale, *, seed: int, places: Places, worlds: Mapping[str, Callable[[], World]] = WORLDS
) -> Trained:
    """The run of an arm from the seed's base. What is done is not done again."""
    found = exported(worlds[ARMS[name].world](), places.worlds)
    run, settings = _arm_run(name, scale, seed, places)
    if not is_kept(name, scale, seed=seed, places=places):
        base_run(scale, seed=seed, places=places, worlds=worlds)
        _train(run, found.train, settings, scale.steps)
    return Trained(run, found)


def is_kept(name: str, scale: Scale, *, seed: int, places: Places) -> bool:
    """Whether the weights of an arm are there."""
    return (_arm_run(name, scale, seed, places)[0] / EXPORT).exists()


def base_run(scale: Scale, *, seed: int, places: Places, worlds: Mapping[str, Callable[[], World]] = WORLDS) -> Path:
    """What all arms of a seed start from."""
    run, settings = _base_run(scale, seed, places)
    if not (run / EXPORT).exists():
        _train(run, exported(worlds[BASE.world](), places.worlds).train, settings, scale.base_steps)
    return run


def loss_curve(run: Path) -> list[tuple[int, float]]:
    """Step and mean loss of twelve parts of a run."""
    lines = [(int(line["step"]), line["loss"]) for line in read_metrics(run) if "loss" in line]
    size = max(1, len(lines) // CURVE_POINTS)
    parts = [lines[at : at + size] for at in range(0, len(lines) - size + 1, size)]
    return [(part[-1][0], round(sum(loss for _, loss in part) / len(part), 5)) for part in parts]


def _arm_run(name: str, scale: Scale, seed: int, places: Places) -> tuple[Path, tuple[str, ...]]:
    """The folder of an arm's run, and its settings."""
    settings = settings_of(ARMS[name], scale, base=str(_base_run(scale, seed, places)[0]), seed=seed)
    return _folder(places, scale, "-".join((f"seed{seed}", name, *map(str, changed(name)))), settings), settings


def _base_run(scale: Scale, seed: int, places: Places) -> tuple[Path, tuple[str, ...]]:
    settings = settings_of(BASE, scale, base="", seed=seed)
    return _folder(places, scale, f"seed{seed}-base", settings), settings


def _folder(places: Places, scale: Scale, name: str, settings: tuple[str, ...]) -> Path:
    """Named by what decides the run, so that another config never goes on from it."""
    return places.runs / f"{scale.name}-{name}-{digest((*settings, repr(scale), str(exports.VERSION)))[:8]}"


def _train(run: Path, data: Path, settings: tuple[str, ...], steps: int) -> None:
    """What was cut off begins anew."""
    shutil.rmtree(run, ignore_errors=True)
    ticket = JobTicket(lambda stage, done, total: None, threading.Event())
    run_training(ticket, recipe="tiny", data=data, out=run, assignments=(*settings, f"run.steps={steps}"))
