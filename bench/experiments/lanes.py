"""Works off what has no result yet, in processes that each have worlds of their own.

Only one process at a time may look into a cache of latents, and drawing a world twice is cheaper than waiting.
"""

import os
import subprocess
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from backend.domain import SettingsError, digest
from bench.experiments import exports
from bench.experiments.document import Outcome, read_outcomes, write_outcomes
from bench.experiments.table import ARMS, BASE, COMMON, EXPERIMENTS, SCALES, Row, Scale, changed
from bench.media import say

if TYPE_CHECKING:
    from bench.experiments.training import Trained

Task = tuple[str, int]
"""An arm (none: the base) and a seed."""


def rows_of(arm: str, names: list[str]) -> list[tuple[str, str, Row]]:
    """Experiment, name and row of all that tests an arm."""
    return [
        (experiment, name, row)
        for experiment in names
        for name, row in EXPERIMENTS[experiment].rows.items()
        if row.arm == arm
    ]


def config_of(row: Row, scale: Scale) -> str:
    """Names everything that decides a row's result but for its seed."""
    about = (asdict(BASE), asdict(ARMS[row.arm]), COMMON, asdict(row), asdict(scale), exports.VERSION, *changed(row.arm))
    return digest(tuple(map(repr, about)))[:12]


def work_off(scale: Scale, names: list[str], seeds: list[int], workers: int, work: Path) -> None:
    """Trains and tests the arms that lack a row of these experiments, bases first; results are kept as they come."""
    done = {outcome.key for outcome in read_outcomes()}
    tasks = [
        (arm, seed)
        for seed in seeds
        for arm in ARMS
        if any((name, row, seed, config_of(each, scale)) not in done for name, row, each in rows_of(arm, names))
    ]
    if not tasks:
        say("every row that was asked for has its results")
        return
    context = get_context("spawn")
    lanes = [ProcessPoolExecutor(1, mp_context=context, initializer=_alone, initargs=(scale.name,)) for _ in range(workers)]
    bases = [("", seed) for seed in dict.fromkeys(seed for _, seed in tasks)]
    for wanted in (bases, tasks):
        waiting, running = list(wanted), dict[Future, tuple[int, Task]]()
        free = list(range(workers))
        while waiting or running:
            while waiting and free:
                lane, task = free.pop(0), waiting.pop(0)
                running[lanes[lane].submit(_task, task, scale.name, names, str(work), lane)] = (lane, task)
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                lane, (arm, seed) = running.pop(future)
                free.append(lane)
                outcomes, seconds = future.result()
                write_outcomes(outcomes)
                say(f"{scale.name}, seed {seed}, {arm or 'base'}: {seconds:.0f} s")
    for lane in lanes:
        lane.shutdown()


def _alone(device: str) -> None:
    """One thread; and no GPU where none was asked for."""
    os.environ["OMP_NUM_THREADS"] = "1"
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if device == "cuda" and not torch.cuda.is_available():
        raise SettingsError("--device cuda needs a GPU that torch can use; leave it out for the CPU's size")


def _task(task: Task, scale_name: str, names: list[str], work: str, lane: int) -> tuple[list[Outcome], float]:
    """In a worker: a base (no arm), or an arm with all its rows."""
    from bench.experiments import training

    scale, started, (arm, seed) = SCALES[scale_name], time.perf_counter(), task
    places = training.Places(runs=Path(work) / "runs", worlds=Path(work) / f"worlds-{lane}")
    if not arm:
        training.base_run(scale, seed=seed, places=places)
        return [], time.perf_counter() - started
    trained = training.trained(arm, scale, seed=seed, places=places)
    rows = rows_of(arm, names)
    share = (time.perf_counter() - started) / len(rows)  # rows of one arm are tests of one run
    found = [_outcome(each, trained, scale, seed=seed, share_s=share) for each in rows]
    return found, time.perf_counter() - started


def _outcome(of: tuple[str, str, Row], trained: "Trained", scale: Scale, *, seed: int, share_s: float) -> Outcome:
    from bench.experiments import tests, training

    (experiment, name, row), started = of, time.perf_counter()
    return Outcome(
        experiment=experiment,
        row=name,
        seed=seed,
        scale=scale.name,
        steps=scale.steps,
        config=config_of(row, scale),
        commit=_commit(),
        values=tests.measured(row, trained, scale),
        loss=training.loss_curve(trained.run),
        seconds=round(share_s + time.perf_counter() - started, 1),
    )


def _commit() -> str:
    asked = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(asked, cwd=Path(__file__).parent, capture_output=True, text=True, check=False).stdout.strip()
