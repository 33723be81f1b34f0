"""Works off what has no result yet, in processes of one thread that each have worlds of their own.

Only one process at a time may look into a cache of latents, and drawing a world twice is cheaper than waiting.
"""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from backend.domain import SettingsError, digest
from backend.engine.children import Threads
from bench.experiments import exports
from bench.experiments.document import SCORED, Outcome, Reading, read_outcomes, write_outcomes, write_readings
from bench.experiments.table import ARMS, BASE, COMMON, EVALUATED, EXPERIMENTS, SCALES, Row, Scale, changed
from bench.media import say

if TYPE_CHECKING:
    from bench.experiments.training import Places, Trained

T = TypeVar("T")
R = TypeVar("R")
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
    bases = [("", seed) for seed in dict.fromkeys(seed for arm, seed in tasks if not kept[arm, seed])]
    with Lanes(scale.name, workers) as lanes:
        for wanted in (bases, tasks):
            for (arm, seed), (outcomes, seconds) in lanes.spread(wanted, _task, scale.name, names, str(work)):
                if kept.get((arm, seed)):  # what training took is known from before
                    outcomes = [
                        replace(each, seconds=done[each.key].seconds) if each.key in done else each for each in outcomes
                    ]
                write_outcomes(outcomes)
                say(f"{scale.name}, seed {seed}, {arm or 'base'}: {seconds:.0f} s")


def read_truths(names: list[str], workers: int, work: Path) -> None:
    """Tries `evaluate` on videos whose truth is known, of these experiments' tests; readings are kept as they come."""
    from bench.experiments.truths import tests_of

    with Lanes("cpu", workers) as lanes:
        for test, found in lanes.spread(tests_of(names), _truths, str(work)):
            write_readings(found)
            say(f"{test}: {len(found)} claims")


class Lanes:
    """Processes that each do one thing at a time, on one thread; only at a GPU's size they see a GPU."""

    def __init__(self, scale_name: str, workers: int) -> None:
        context = get_context("spawn")
        self._pools = [
            ProcessPoolExecutor(1, mp_context=context, initializer=_begin, initargs=(scale_name,)) for _ in range(workers)
        ]

    def __enter__(self) -> "Lanes":
        return self

    def __exit__(self, *_: object) -> None:
        for pool in self._pools:
            pool.shutdown()

    def spread(self, tasks: Sequence[T], work: Callable[..., R], *given: object) -> Iterator[tuple[T, R]]:
        """Each task with what `work(task, lane, *given)` said of it, as they come."""
        waiting, running, free = list(tasks), dict[Future[R], tuple[int, T]](), list(range(len(self._pools)))
        while waiting or running:
            while waiting and free:
                lane, task = free.pop(0), waiting.pop(0)
                with Threads():  # read while numpy is loaded, which is when a process begins
                    running[self._pools[lane].submit(work, task, lane, *given)] = (lane, task)
            ended = wait(running, return_when=FIRST_COMPLETED).done
            for future in sorted(
                ended, key=lambda one: one.exception() is not None
            ):  # what came is kept before one breaks off
                lane, task = running.pop(future)
                free.append(lane)
                yield task, future.result()


def _begin(scale_name: str) -> None:
    if scale_name == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        return
    import torch

    if not torch.cuda.is_available():
        raise SettingsError("--device cuda needs a GPU that torch can use; leave it out for the CPU's size")


def _truths(test: str, lane: int, work: str) -> list[Reading]:
    """In a worker: every claim of a test."""
    from bench.experiments.truths import readings

    return list(readings(test, Path(work), lane))


def _task(task: Task, lane: int, scale_name: str, names: list[str], work: str) -> tuple[list[Outcome], float]:
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
