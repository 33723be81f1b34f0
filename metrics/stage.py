"""A metric as a stage over generated videos: its rows, its work key, its place in a chain that shares one decode."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, cast

import numpy as np

from backend.domain import Absent, Case, Context, Failed, Generation, Item, Judge, Ok, Resources, Result, Score, digest
from backend.models.kept_answers import KeptAnswers
from metrics.judging_cost import Purse
from metrics.planner import Planner
from metrics.spec import Entry, Feature, Measured, Metric
from metrics.store import FeatureStore

FAILED, UNAVAILABLE = "failed: ", "unavailable"
WITHOUT_ROW = (UNAVAILABLE, "over budget")  # states in which an item is tried again whenever it is asked for
JUDGE = "Judge"
NEEDS = {
    "references": lambda case: bool(case.references),
    "prompt": lambda case: bool(case.prompt.strip()),
    "audio": lambda case: bool(case.audio),
    "first_frame": lambda case: bool(case.first_frame),
}


@dataclass(frozen=True)
class Measure:
    """One metric on generated videos: a score each, NULL with its reason where there is none.

    A reason begins with its state: `not applicable`, `no detection`, `too short` (the video), `unavailable` (a model is
    missing), `over budget` or `failed`. An item that failed and is to be tried again is measured with what is kept of its
    features, which others may have made since; if it fails all the same, with nothing that was kept.
    `beside` are features of other metrics that are computed along when the video is decoded.
    """

    metric: Metric
    store: Path = field(compare=False)
    beside: tuple[Feature, ...] = field(default=(), compare=False)
    purse: Purse | None = field(default=None, compare=False)
    """What judges may spend; None sets no limit."""

    over: ClassVar[type] = Generation
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Score,)
    resources: ClassVar[Resources] = Resources(cpu=1.0, ram_gib=2.0)

    @property
    def name(self) -> str:
        return f"measure_{self.metric.id}"

    @property
    def version(self) -> int:
        return self.metric.version

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(sorted(roles_of(self.metric)))

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._measure(item, context) for item in items]

    def _measure(self, item: Item, context: Context) -> Result:
        entry = Entry(item.one(Case), item.one(Generation))
        planner = self._planner(context, again=item.again)
        measured = self._value(entry, planner, self.beside)
        if item.again and _failed(measured) and planner.took(entry, list(self.metric.features.values())):
            measured = self._value(entry, self._planner(context, again=True, anew=True))
        value = measured.value
        if isinstance(value, Absent) and value.reason.startswith(WITHOUT_ROW):
            return Failed(item.id, UNAVAILABLE, value.reason)
        arrays = {**measured.per_frame, **measured.evidence}
        models = {role: context.model_id(role) for role in self.roles}
        score = Score(
            target=entry.generation.id,
            name=self.metric.id,
            value=None if isinstance(value, Absent) else float(value),
            producer=f"{self.metric.id}/{self.version}:{digest((self.metric, models), num_bytes=6)}",
            reason=value.reason if isinstance(value, Absent) else None,
            num_units=measured.num_units,
            coverage=measured.coverage,
            evidence=context.artifacts.put(_packed(arrays), "npz") if arrays else None,
        )
        return Ok(item.id, [score], (score.reason,) if score.reason and _failed(measured) else ())

    def _planner(self, context: Context, *, again: bool, anew: bool = False) -> Planner:
        def role(name: str) -> object:
            found = context.role(name)
            if name != JUDGE:
                return found
            judge = cast(Judge, found)
            return KeptAnswers(judge if self.purse is None else self.purse.judge(judge), context.answers, again=again)

        return Planner(store=FeatureStore(self.store), roles=role, model_id=context.model_id, anew=anew)

    def _value(self, entry: Entry, planner: Planner, beside: tuple[Feature, ...] = ()) -> Measured:
        for need in self.metric.needs:
            if not NEEDS[need](entry.case):
                return _nothing(f"not applicable: case {entry.case.name} has no {need.replace('_', ' ')}")
        wanted = dict(self.metric.features)
        found = dict(zip(wanted, planner.features(entry, list(wanted.values()), beside), strict=True))
        for given in found.values():
            if isinstance(given, Absent):
                return _nothing(given.reason)
        measured = self.metric.combine(entry, {name: given for name, given in found.items() if isinstance(given, dict)})
        if not isinstance(measured.value, Absent) and not math.isfinite(measured.value):
            fault = Absent(f"{FAILED}{self.metric.id} is {measured.value}; a model gave a number that is none")
            return replace(measured, value=fault)
        return measured


def roles_of(metric: Metric) -> set[str]:
    """Every role that a metric's features ask for."""

    def of(feature: Feature) -> set[str]:
        return set(feature.roles).union(*(of(needed) for needed in feature.inputs.values()))

    return set().union(*(of(feature) for feature in metric.features.values()))


def _failed(measured: Measured) -> bool:
    return isinstance(measured.value, Absent) and measured.value.reason.startswith(FAILED)


def _nothing(reason: str) -> Measured:
    return Measured(value=Absent(reason), num_units=0, coverage=0.0)


def _packed(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
