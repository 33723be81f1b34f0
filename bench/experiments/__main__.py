"""`make experiments`: trains and tests what has no result yet, and writes tables and plots into docs/experiments.md.

`python -m bench.experiments [A B ...]` does single experiments; `--seeds 0` a single seed. What is done is not done again, as long as
neither configs nor worlds have changed; a killed command goes on.
"""

import argparse
import os
import subprocess
import tempfile
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

from backend.domain import SettingsError, digest
from bench.experiments import exports
from bench.experiments.document import Outcome, read_outcomes, write_document, write_outcomes
from bench.experiments.table import ARMS, BASE, COMMON, EXPERIMENTS, SCALES, Row, Scale
from bench.media import say

WORK = Path(tempfile.gettempdir()) / "subject-studio-experiments"
Task = tuple[str, int]
"""An arm and a seed."""


def main() -> None:
    """Everything that is asked for and not there."""
    parser = argparse.ArgumentParser(prog="python -m bench.experiments")
    parser.add_argument("experiments", nargs="*", help=f"of: {', '.join(EXPERIMENTS)}; all without")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--device", choices=tuple(SCALES), default="cpu", help="cuda: larger models on a GPU")
    parser.add_argument("--workers", type=int, default=0, help="runs at a time; 0: one a core on the CPU, one on a GPU")
    parser.add_argument("--work", type=Path, default=WORK, help="where worlds and runs lie")
    parser.add_argument("--document-only", action="store_true", help="write the tables of what is there")
    arguments = parser.parse_args()
    unknown = set(arguments.experiments) - set(EXPERIMENTS)
    if unknown:
        parser.error(f"no experiment is called {sorted(unknown)[0]!r}; there are {', '.join(EXPERIMENTS)}")
    scale = SCALES[arguments.device]
    if not arguments.document_only:
        names = arguments.experiments or list(EXPERIMENTS)
        seeds = [int(seed) for seed in arguments.seeds.split(",")]
        workers = arguments.workers or (len(os.sched_getaffinity(0)) if scale.name == "cpu" else 1)
        _work_off(scale, names, seeds, workers, arguments.work)
    write_document(read_outcomes())


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
    about = (asdict(BASE), asdict(ARMS[row.arm]), COMMON, asdict(row), asdict(scale), exports.VERSION)
    return digest(tuple(map(repr, about)))[:12]


def _work_off(scale: Scale, names: list[str], seeds: list[int], workers: int, work: Path) -> None:
    """Each worker has worlds of its own, since only one process at a time may look into a cache of latents."""
    done = {outcome.key for outcome in read_outcomes() if outcome.step == outcome.steps}
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
    from bench.experiments import tests, training

    scale, started, (arm, seed) = SCALES[scale_name], time.perf_counter(), task
    places = training.Places(runs=Path(work) / "runs", worlds=Path(work) / f"worlds-{lane}")
    if not arm:
        training.base_run(scale, seed=seed, places=places)
        return [], time.perf_counter() - started
    found = []
    for trained in training.trained(arm, scale, seed=seed, places=places):
        for experiment, name, row in rows_of(arm, names):
            found.append(
                Outcome(
                    experiment=experiment,
                    row=name,
                    seed=seed,
                    scale=scale.name,
                    step=trained.step,
                    steps=scale.steps,
                    config=config_of(row, scale),
                    commit=_commit(),
                    values=tests.measured(row, trained, scale),
                    loss=training.loss_curve(trained.run),
                )
            )
    return found, time.perf_counter() - started


def _commit() -> str:
    asked = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(asked, cwd=Path(__file__).parent, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    main()
