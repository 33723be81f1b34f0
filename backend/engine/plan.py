"""A plan: stages in order, each with the gates that hold for everything after it."""

import dataclasses
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backend.domain import Anchor, Appearance, Embedding, Mask, Pair, Stage, Subject, digest

COMPARISONS = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}
TOP = "top"
"""The comparison of a gate whose value is a number of records: those of the highest scores, of equal ones the first ids."""
OF_A_SUBJECT = frozenset(kind.KIND for kind in (Subject, Appearance, Mask, Anchor, Embedding, Pair))
"""Kinds of records that are about one subject, whose category a gate may heed."""


def scale_of(producer: str) -> str:
    """What two producers of a score share where stages measure it alike: the model, which is named after the stage."""
    return producer.partition(":")[2] or producer


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A threshold on a stored score. It belongs to the recipe and enters no work key, so moving it re-runs no model."""

    record: str
    """The kind of record that the score is about, and that is held back."""
    score: str
    comparison: str
    value: float
    source: str
    """Where the value comes from."""
    unmeasured: str = "keep"
    """What happens to a record whose score is NULL: keep or drop."""
    by_category: tuple[tuple[str, float], ...] = ()
    """Other values for records about subjects of these categories."""
    fitted_to: tuple[str, ...] = ()
    """The producers whose scores those values were fitted to; on other scales they say nothing."""
    is_own: bool = True
    """Whether the value was fitted to, or published for, the model that measures; `source` says what it is otherwise."""

    def __post_init__(self) -> None:
        if self.comparison not in (*COMPARISONS, TOP):
            raise ValueError(
                f"gate {self.record}.{self.score}: comparison {self.comparison!r} is none of {', '.join((*COMPARISONS, TOP))}"
            )
        if not math.isfinite(self.value):
            raise ValueError(f"gate {self.record}.{self.score}: value {self.value} is not finite")
        for category, value in self.by_category:
            if not math.isfinite(value):
                raise ValueError(f"gate {self.record}.{self.score}: value {value} of {category} is not finite")
        if self.by_category and (self.record not in OF_A_SUBJECT or self.comparison == TOP):
            raise ValueError(
                f"gate {self.record}.{self.score} cannot differ by category; those on {', '.join(sorted(OF_A_SUBJECT))} can"
            )
        if self.unmeasured not in ("keep", "drop"):
            raise ValueError(f"gate {self.record}.{self.score}: unmeasured is {self.unmeasured!r}; choose keep or drop")

    @property
    def name(self) -> str:
        """`record.score.min`, `.max` or `.top`: how settings and people call it."""
        if self.comparison == TOP:
            return f"{self.record}.{self.score}.{TOP}"
        return f"{self.record}.{self.score}.{'min' if '>' in self.comparison else 'max'}"

    @property
    def words(self) -> str:
        """`pair.similarity >= 0.5 (dog 0.62, mug 0.55)`: what holds, for people."""
        own = ", ".join(f"{category} {value:.12g}" for category, value in self.by_category)
        return f"{self.record}.{self.score} {self.comparison} {self.value:.12g}{f' ({own})' if own else ''}"

    def cut(self, category: str | None, producer: str) -> float:
        """The value that holds for a score of this producer, about a subject of this category."""
        own = dict(self.by_category).get(category or "", self.value)
        return own if producer in self.fitted_to else self.value

    def passes(self, value: float | None, *, category: str | None = None, producer: str = "") -> bool:
        """Whether a record of this score passes by itself; None is a score that is there and unmeasured."""
        assert self.comparison != TOP, "who is among the highest is known of all together"
        if value is None:
            return self.unmeasured == "keep"
        return COMPARISONS[self.comparison](
            math.inf if math.isnan(value) else value, self.cut(category, producer)
        )  # as SQL orders NaN


@dataclass(frozen=True, slots=True)
class Step:
    """A stage and the gates on scores that it makes."""

    stage: Stage
    gates: tuple[Gate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Steps in order. `model_ids` names the implementation bound to each role: it enters the stages' keys."""

    steps: tuple[Step, ...]
    model_ids: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, ...] | None = None
    """Ids of the generations that the plan is about; None for all."""

    def stage_key(self, stage: Stage) -> str:
        """Hash of a stage's name, version, settings and model ids; half of every work key of the stage."""
        return digest((stage.name, stage.version, settings_of(stage), self.models_of(stage)), num_bytes=8)

    def models_of(self, stage: Stage) -> tuple[tuple[str, str], ...]:
        """The stage's roles, by name, and the id of each one's model."""
        return tuple((role, self.model_ids.get(role, "")) for role in sorted(stage.roles))

    def gates(self) -> tuple[Gate, ...]:
        return tuple(gate for step in self.steps for gate in step.gates)

    def with_gates(self, values: Mapping[str, float]) -> "Plan":
        """The plan with other gate values, by gate name. Raises KeyError for an unknown name."""
        unknown = set(values) - {gate.name for gate in self.gates()}
        if unknown:
            raise KeyError(sorted(unknown)[0])
        steps = tuple(
            Step(step.stage, tuple(_moved(gate, values[gate.name]) if gate.name in values else gate for gate in step.gates))
            for step in self.steps
        )
        return dataclasses.replace(self, steps=steps)

    def with_thresholds(self, tables: Mapping[str, tuple[Sequence[str], Mapping[str, float]]]) -> "Plan":
        """The plan with gates that differ by category: by gate name, the producers they were fitted to and values by category.

        Raises KeyError for an unknown name, ValueError for a gate on what has no category.
        """
        unknown = set(tables) - {gate.name for gate in self.gates()}
        if unknown:
            raise KeyError(sorted(unknown)[0])

        def told(gate: Gate) -> Gate:
            if gate.name not in tables:
                return gate
            producers, values = tables[gate.name]
            return dataclasses.replace(gate, fitted_to=tuple(producers), by_category=tuple(sorted(values.items())))

        steps = tuple(Step(step.stage, tuple(map(told, step.gates))) for step in self.steps)
        return dataclasses.replace(self, steps=steps)


def _moved(gate: Gate, value: float) -> Gate:
    """The gate at a value that somebody chose for what measures here."""
    return dataclasses.replace(gate, value=value, is_own=True)


def settings_of(stage: Stage) -> dict[str, Any]:
    """What a stage was told that changes its results, by name."""
    return {f.name: getattr(stage, f.name) for f in dataclasses.fields(stage) if f.compare}  # pyright: ignore[reportArgumentType]
