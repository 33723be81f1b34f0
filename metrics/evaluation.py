"""Evaluation as a plan: each metric a step over generated videos, all of them sharing the decode of the first."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import cast

from backend.domain import Case, Generation, MediaError, SettingsError, Stage
from backend.engine.context import WorkerSettings, load
from backend.engine.plan import Plan, Step
from backend.media.guard import guarded_index
from backend.models.places import REMOTE, ModelPlace
from backend.settings import nearest
from metrics.judging_cost import Budget, Forecast, Prices, Purse, forecast, read_prices
from metrics.spec import Feature, Metric, VideoFacts
from metrics.stage import Measure, roles_of
from metrics.table import METRICS, SETS


def known() -> tuple[str, ...]:
    """Every metric's id."""
    return tuple(METRICS)


@cache
def metric(metric_id: str) -> Metric:
    """A metric of the table with its defaults. Raises SettingsError for an unknown one."""
    if metric_id not in METRICS:
        raise SettingsError(f"metric {metric_id!r} does not exist{nearest(metric_id, METRICS)}")
    return load(METRICS[metric_id])()


def metric_ids(names: Sequence[str], workers: WorkerSettings) -> tuple[str, ...]:
    """Ids of the named metrics and sets; without any, every metric whose roles are all bound.

    Raises SettingsError for an unknown name.
    """
    if not names:
        return tuple(name for name in METRICS if roles_of(metric(name)) <= set(workers.roles))
    found: dict[str, None] = {}
    for name in names:
        if name not in METRICS and name not in SETS:
            raise SettingsError(f"metric {name!r} does not exist{nearest(name, [*METRICS, *SETS])}")
        found |= dict.fromkeys(SETS.get(name, (name,)))
    return tuple(found)


def forecast_of(
    names: Sequence[str],
    cases: Sequence[Case],
    generations: Sequence[Generation],
    *,
    workers: WorkerSettings,
    prices: Path | None,
) -> Forecast:
    """What judges would be asked for these videos, and what it would cost. Unreadable videos are left out.

    Raises SettingsError when the prices do not fit the judge.
    """
    by_id = {case.id: case for case in cases}
    work = []
    for made in generations:
        try:
            index = guarded_index(made.path)
        except MediaError:
            continue
        facts = VideoFacts(made.path, index.num_frames, index.fps, index.facts.width, index.facts.height, ())
        work.append((by_id[made.case_id], facts))
    return forecast([metric(name) for name in names], work, prices=prices and prices_of(prices, workers))


def prices_of(path: Path, workers: WorkerSettings) -> Prices:
    """Prices of the judge that is bound. Raises SettingsError when there is none behind an endpoint."""
    location = workers.models.get("Judge", "")
    if not location.startswith(REMOTE):
        raise SettingsError(f"models.Judge is {location!r}; prices are those of an endpoint, `openai:MODEL@URL`")
    return read_prices(path, ModelPlace("Judge", location).endpoint()[0])


def purse_of(max_cost: float, path: Path, ledger: Path, workers: WorkerSettings) -> Purse:
    """What the judge may spend in all, with what it charges."""
    return Purse(Budget(most=max_cost, ledger=ledger), prices_of(path, workers))


def plan_of(
    names: Sequence[str],
    *,
    workers: WorkerSettings,
    store: Path,
    only: tuple[str, ...] | None = None,
    purse: Purse | None = None,
) -> Plan:
    """The plan that measures the named metrics on the generations `only` (all without). `store` keeps features."""
    metrics = [metric(name) for name in names]
    beside: tuple[Feature, ...] = tuple(dict.fromkeys(f for one in metrics for f in one.features.values()))
    # Named by its metric, a Measure has properties where other stages have class variables.
    steps = tuple(Step(cast(Stage, Measure(one, store, beside, purse))) for one in metrics)
    roles = {role for step in steps for role in step.stage.roles}
    return Plan(steps=steps, model_ids={role: workers.model_id(role) for role in sorted(roles)}, only=only)
