"""Following an item from stage to stage while its frames are still decoded.

A run goes step by step, so that each step sees all that the one before it made. But most steps look at one item at a
time: what such a step needs is known as soon as its own item is through the steps before. A chain is a row of such
steps; each outcome of one is followed by a batch of the next, on the same worker as a rule, whose reader still holds
the frames. What a chain cannot follow is left to the step's own turn.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from backend.domain import Filtered, Item, Ok, Record, Score, Stage, Subject, SurveyingStage
from backend.engine.plan import TOP, Gate, Plan, Step
from backend.engine.tables import LISTED, ancestors, passing_states, work_key
from backend.engine.work import Batch, Outcome
from backend.store.schema import KINDS, from_arrow

Known = dict[type, tuple[Any, ...]]
"""An item's records by type: its own, its ancestors, and what it gathered or was made on the way."""


def chain_from(plan: Plan, start: Step) -> tuple[Step, ...]:
    """`start` and the steps after it that its items can be followed through."""
    first = plan.steps.index(start)
    over = start.stage.over
    known = {*LISTED, *start.stage.gathers, *(kind for kind in start.stage.makes if _first_maker(plan, kind) >= first)}
    chain = [start]
    for step in plan.steps[first + 1 :]:
        if any(gate.comparison == TOP for gate in chain[-1].gates):
            break
        held_back = {gate.record for gate in chain[-1].gates}
        needed = set(step.stage.gathers)
        if step.stage.over is not over or held_back - {over.KIND} or Score in needed or needed - known:
            break
        if isinstance(step.stage, SurveyingStage):
            break  # it needs what the steps before made of other items
        known |= {kind for kind in step.stage.makes if _first_maker(plan, kind) >= first}
        chain.append(step)
    return tuple(chain)


class Feed:
    """Batches to be worked on: followers first, since their frames are at hand, then the next of `batches`."""

    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches = batches
        self._followers: deque[Batch] = deque()

    def follow(self, batch: Batch) -> None:
        self._followers.append(batch)

    def take(self) -> Batch | None:
        """None when there is none at present; one that is worked on may still be followed."""
        return self._followers.popleft() if self._followers else next(self._batches, None)


@dataclass(slots=True, kw_only=True)
class Follower:
    """Makes the batch that follows an outcome. `is_done` gives which of a stage's work keys are finished already."""

    plan: Plan
    chain: Sequence[Step]
    is_done: Callable[[str, Sequence[str]], set[str]]
    _known: dict[str, Known] = field(default_factory=dict)

    def left(self, batch: Batch) -> int:
        """How many steps of the chain come after this batch's."""
        return len(self.chain) - 1 - self._position(batch)

    def after(self, batch: Batch, outcome: Outcome) -> Batch | None:
        """The next step's batch of those items that its gates let through; None at the chain's end or without any."""
        known = {item.id: self._known.pop(item.id, None) or dict(item.records) for item in batch.items}
        position = self._position(batch)
        if position == len(self.chain) - 1:
            return None
        following = self.chain[position + 1].stage
        wanted = {kind for step in self.chain[position + 1 :] for kind in step.stage.gathers}
        for (item_id, kind), rows in _rows(batch, outcome, wanted).items():
            known[item_id][kind] = tuple(sorted((*known[item_id].get(kind, ()), *rows), key=lambda row: row.id))
        passed = [item.id for item in _passed(self.chain[position].gates, outcome, batch.items)]
        stage_key = self.plan.stage_key(following)
        keys = {item_id: work_key(stage_key, item_id, _members(following, known[item_id])) for item_id in passed}
        done = self.is_done(following.name, list(keys.values()))
        pending = [item_id for item_id in passed if keys[item_id] not in done]
        if not pending:
            return None
        self._known |= {item_id: known[item_id] for item_id in pending}
        kinds = (following.over, *ancestors(following.over), *following.gathers)
        items = [Item(item_id, {kind: known[item_id].get(kind, ()) for kind in kinds}) for item_id in pending]
        return Batch(stage=following, items=tuple(items), work_keys=tuple(keys[item_id] for item_id in pending))

    def _position(self, batch: Batch) -> int:
        return next(n for n, step in enumerate(self.chain) if step.stage is batch.stage)


def _first_maker(plan: Plan, kind: type) -> int:
    return next(n for n, step in enumerate(plan.steps) if kind in step.stage.makes)


def _members(stage: Stage, known: Known) -> list[str] | None:
    return [row.id for kind in stage.gathers for row in known.get(kind, ())] if stage.gathers else None


def _rows(batch: Batch, outcome: Outcome, wanted: set[type]) -> dict[tuple[str, type], list[Record]]:
    """New rows of the wanted record types, by item id and type."""
    item_of = {key: item.id for key, item in zip(batch.work_keys, batch.items, strict=True)}
    found: dict[tuple[str, type], list[Record]] = defaultdict(list)
    for name, table in outcome.tables.items():
        if KINDS[name] in wanted:
            for key, row in zip(table.column("work_key").to_pylist(), from_arrow(KINDS[name], table), strict=True):
                found[item_of[key], KINDS[name]].append(row)
    return found


def _passed(gates: Sequence[Gate], outcome: Outcome, items: Sequence[Item]) -> list[Item]:
    """Items that no gate holds back, as `PlanTables.leave` decides it: unfinished ones without the first gate's score are."""
    if not gates:
        return list(items)
    over = (Ok, Filtered) if "filtered" in passing_states(gates) else Ok
    finished = {note.item_id for note in outcome.notes if isinstance(note, over)}
    values: dict[tuple[str, str], list[tuple[float | None, str]]] = defaultdict(list)
    scores = outcome.tables.get(Score.KIND)
    if scores is not None:
        columns = (scores.column(name).to_pylist() for name in ("target", "name", "value", "producer"))
        for target, name, value, producer in zip(*columns, strict=True):
            values[target, name].append((value, producer))
    return [
        item
        for item in items
        if (item.id in finished or (item.id, gates[0].score) in values)
        and all(
            gate.passes(value, category=_category(item), producer=producer)
            for gate in gates
            for value, producer in values.get((item.id, gate.score), ())
        )
    ]


def _category(item: Item) -> str | None:
    subjects = item.all(Subject)
    return subjects[0].category if len(subjects) == 1 else None
