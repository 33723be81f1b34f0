"""Works off what has no result yet, in processes that each have worlds of their own.

Only one process at a time may look into a cache of latents, and drawing a world twice is cheaper than waiting.
"""

import os
import subprocess
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from backend.domain import SettingsError, digest
from bench.experiments import exports
from bench.experiments.document import SCORED, Outcome, read_outcomes, write_outcomes
from bench.experiments.table import ARMS, BASE, COMMON, EVALUATED, EXPERIMENTS, SCALES, Row, Scale, changed
from bench.media import say

if TYPE_CHECKING:
    from bench.experiments.training import Places, Trained

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


def lacks(row: Row, outcome: Outcome | None, *, trained: bool) -> bool:
    """Whether a row is to be worked on: it has no result, or its weights are there and `evaluate` was not asked for all."""
    if outcome is None:
        return True
    return trained and any(f"{metric}{SCORED}" not in outcome.values for metric in EVALUATED[row.test])


def work_off(scale: Scale, names: list[str], seeds: list[int], workers: int, work: Path, *, again: bool = False) -> None:
    """Trains and tests the arms that lack a row of these experiments, bases first; results are kept as they come.

    `again`: also rows that have their results.
    """
    from bench.experiments import training

    done = {outcome.key: outcome for outcome in read_outcomes()}
    kept = {(arm, seed): training.is_kept(arm, scale, seed=seed, places=_places(work)) for arm in ARMS for seed in seeds}
    tasks = [
        (arm, seed)
        for seed in seeds
        for arm in ARMS
        if any(
            again or lacks(each, done.get((name, row, seed, config_of(each, scale))), trained=kept[arm, seed])
            for name, row, each in rows_of(arm, names)
        )
    ]
    if not tasks:
        say("every row that was asked for has its results")
        return
    context = get_context("spawn")
    lanes = [ProcessPoolExecutor(1, mp_context=context, initializer=_alone, initargs=(scale.name,)) for _ in range(workers)]
    bases = [("", seed) for seed in dict.fromkeys(seed for arm, seed in tasks if not kept[arm, seed])]
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
                if kept.get((arm, seed)):  # what training took is known from before
                    outcomes = [
                        replace(each, seconds=done[each.key].seconds) if each.key in done else each for each in outcomes
                    ]
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
    places = _places(Path(work), lane)
    if not arm:
        training.base_run(scale, seed=seed, places=places)
        return [], time.perf_counter() - started
    trained = training.trained(arm, scale, seed=seed, places=places)
    rows = rows_of(arm, names)
    share = (time.perf_counter() - started) / len(rows)  # rows of one arm are tests of one run
    found = [
        _outcome(
            each, trained, scale, seed=seed, share_s=share, work=Path(work), project=Path(work) / f"evaluations-{lane}"
        )
        for each in rows
    ]
    return found, time.perf_counter() - started


def _outcome(
    of: tuple[str, str, Row], trained: "Trained", scale: Scale, *, seed: int, share_s: float, work: Path, project: Path
) -> Outcome:
    from bench.experiments import evaluating, tests, training

    (experiment, name, row), started = of, time.perf_counter()
    answers = tests.answers(row, trained, scale)
    values, tested_s = tests.measured(answers), time.perf_counter() - started
    scores = evaluating.evaluated(
        answers,
        row,
        EVALUATED[row.test],
        export=trained.exported.test,
        truth=trained.exported.truth,
        system=f"{experiment}, {name}, seed {seed}",
        folder=work / "answers" / f"{scale.name}-{experiment}-{name}-seed{seed}",
        project=project,
    )
    return Outcome(
        experiment=experiment,
        row=name,
        seed=seed,
        scale=scale.name,
        steps=scale.steps,
        config=config_of(row, scale),
        commit=_commit(),
        values={**values, **evaluating.means_of(scores)},
        loss=training.loss_curve(trained.run),
        seconds=round(share_s + tested_s, 1),
        evaluate_s=round(time.perf_counter() - started - tested_s, 1),
    )


def _places(work: Path, lane: int = 0) -> "Places":
    from bench.experiments import training

    return training.Places(runs=work / "runs", worlds=work / f"worlds-{lane}")


def _commit() -> str:
    asked = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(asked, cwd=Path(__file__).parent, capture_output=True, text=True, check=False).stdout.strip()
