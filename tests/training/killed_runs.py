"""`train` and `generate` killed before steps of theirs, in processes forked from this one, which has imported torch once.

Run by `test_killed_runs`: folder, kind and number of kills as arguments; prints what was lost as JSON.
"""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file

from backend.jobs.board import JobTicket
from backend.media.index import build_index
from backend.media.reader import VideoReader
from backend.settings import parse_assignment
from tests.chaos import killing
from tests.training.made_cases import cases_in
from tests.training.made_export import made_export
from tests.training.made_run import SMALL, trained
from training import generate as generating
from training.checkpoint import Checkpoints
from training.config import with_settings
from training.data.batches import Position
from training.data.latents import encode
from training.job import CONFIG
from training.observe import read_batches, read_metrics
from training.recipes import recipe

STEPS = ("run.steps=3", "run.save_every=1", "run.keep=2")
WEIGHTS = "export/transformer/diffusion_pytorch_model.safetensors"
SETTINGS = ("sampler.steps=1", "compute.device=cpu")
Say = Callable[[object], None]


def train(say: Say, export: Path, out: Path) -> None:
    """Begins a run, or goes on with one that was killed."""
    resume = (out / CONFIG).exists()
    trained(export, out, *(() if resume else STEPS), resume=resume)


def train_anywhere(say: Say, export: Path, out: Path) -> None:
    """The same by a trainer that forgets where in the data it was."""
    load = Checkpoints.load
    Checkpoints.load = lambda self, trained, step: replace(load(self, trained, step), position=Position())
    train(say, export, out)


def latents(say: Say, export: Path) -> None:
    """What all runs here learn from."""
    config = with_settings(recipe("tiny"), dict(parse_assignment(text) for text in SMALL))
    encode(JobTicket(lambda *_: None, threading.Event()), export=export, settings=config.data.latents)


def generate(say: Say, run: Path, cases: Path, out: Path) -> None:
    """The videos of all cases that are not there yet. Says how each case stands."""
    ticket = JobTicket(lambda *_: None, threading.Event())
    given = cases_in(cases, count=2)
    done = generating.run_generate(ticket, system=f"run:{run}", cases=given, out=out, assignments=SETTINGS)
    say([video.state for video in done.videos])


def generate_in_place(say: Say, run: Path, cases: Path, out: Path) -> None:
    """The same by a command that writes where the videos shall be."""

    @contextmanager
    def here(folder: Path) -> Iterator[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder

    generating._working_in = here
    generate(say, run, cases, out)


@cache
def undisturbed(folder: Path) -> tuple[Path, Path, tuple[str, ...]]:
    """An export, a run on it that nobody killed, and the run's steps to its last export."""
    export, whole = made_export(folder, videos=3), folder / "whole"
    killing.run(latents, export, folder=folder)
    steps = killing.run(train, export, whole, folder=whole).steps
    return export, whole, steps[: max(number for number, step in enumerate(steps, start=1) if "export" in step)]


def killed_training(folder: Path, kills: int, work: Callable[..., None]) -> tuple[int, int]:
    """How many kills, and after how many of them the run that went on was not the one that nobody killed."""
    export, whole, steps = undisturbed(folder)
    tried = lost = 0
    for number in moments(steps, kills):
        out = folder / f"{work.__name__}-{number}"
        if killing.run(work, export, out, folder=out, dies_before=number).killed:
            killing.run(work, export, out, folder=out)
            tried, lost = tried + 1, lost + (not _same_run(out, whole))
    return tried, lost


def killed_generation(folder: Path, kills: int, work: Callable[..., None]) -> tuple[int, int]:
    """How many kills, and after how many of them a video was torn, missing, or another. The second's settings are always tried."""
    run, whole = undisturbed(folder)[1], folder / f"{work.__name__}-whole"
    steps = killing.run(work, run, folder, whole, folder=whole).steps
    settings = {number for number, step in enumerate(steps, start=1) if step.endswith("square_2.json")}
    tried = lost = 0
    for number in sorted(settings | set(moments(steps, kills))):
        out = folder / f"{work.__name__}-{number}"
        if killing.run(work, run, folder, out, folder=out, dies_before=number).killed:
            again = killing.run(work, run, folder, out, folder=out)
            is_whole = set(again.said[0]) <= {"made", "kept"} and _same_videos(out, whole)
            tried, lost = tried + 1, lost + (not is_whole)
    return tried, lost


def moments(steps: tuple[str, ...], number: int) -> list[int]:
    """Numbers of steps, evenly between the first and the last."""
    return sorted({round((n + 1) * len(steps) / (number + 1)) for n in range(number)})


def _same_run(one: Path, other: Path) -> bool:
    """Figures of learning, batches, weights, and what lies there."""
    learned = [[line["loss"] for line in read_metrics(run)] for run in (one, other)]
    first, second = (load_file(run / WEIGHTS) for run in (one, other))
    return (
        learned[0] == learned[1]
        and read_batches(one) == read_batches(other)
        and all(np.array_equal(first[name], second[name]) for name in second)
        and _names(one) == _names(other)
    )


def _same_videos(one: Path, other: Path) -> bool:
    names = sorted(path.name for path in other.glob("*.mp4"))
    return _names(one) == _names(other) and all(np.array_equal(_frames(one / n), _frames(other / n)) for n in names)


def _names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def _frames(path: Path) -> np.ndarray:
    with VideoReader(str(path), build_index(path)) as reader:
        return np.stack(list(reader.at(list(range(len(reader.times_s))))))


KINDS: dict[str, tuple[Callable[..., tuple[int, int]], Callable[..., None]]] = {
    "train": (killed_training, train),
    "train_anywhere": (killed_training, train_anywhere),
    "generate": (killed_generation, generate),
    "generate_in_place": (killed_generation, generate_in_place),
}


def main() -> None:
    torch.set_num_threads(1)
    killing.fork_from_here()
    found = {}
    for each in sys.argv[2:]:
        kind, kills = each.split("=")
        check, work = KINDS[kind]
        found[kind] = check(Path(sys.argv[1]), int(kills), work)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
