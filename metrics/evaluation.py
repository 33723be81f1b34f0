"""Evaluation as a plan: each metric a step over generated videos, all of them sharing the decode of the first."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import cast

from backend.domain import SettingsError, Stage
from backend.engine.context import WorkerSettings, load
from backend.engine.plan import Plan, Step
from backend.settings import nearest
from metrics.spec import Feature, Metric
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


def plan_of(names: Sequence[str], *, workers: WorkerSettings, store: Path, only: tuple[str, ...] | None = None) -> Plan:
    """The plan that measures the named metrics on the generations `only` (all without). `store` keeps features."""
    metrics = [metric(name) for name in names]
    beside: tuple[Feature, ...] = tuple(dict.fromkeys(f for one in metrics for f in one.features.values()))
    # Named by its metric, a Measure has properties where other stages have class variables.
    steps = tuple(Step(cast(Stage, Measure(one, store, beside))) for one in metrics)
    roles = {role for step in steps for role in step.stage.roles}
    return Plan(steps=steps, model_ids={role: workers.model_id(role) for role in sorted(roles)}, only=only)
