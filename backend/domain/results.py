"""What a stage gives back for each item, and the item it was given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from backend.domain.records import Record

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Item:
    """A record to work on, with its ancestors and what the stage gathers, all by record type."""

    id: str
    records: Mapping[type, tuple[Any, ...]] = field(default_factory=dict)
    again: bool = False
    """Whether it failed before and somebody wants it tried again: what led to the failure is to be made anew."""

    def one(self, kind: type[R]) -> R:
        """The single record of a kind. Raises AssertionError when there is none or more than one."""
        found = self.records.get(kind, ())
        assert len(found) == 1, f"item {self.id} has {len(found)} records of {kind.__name__}, expected 1"
        return found[0]

    def all(self, kind: type[R]) -> tuple[R, ...]:
        """Every gathered record of a kind, in id order."""
        return self.records.get(kind, ())


@dataclass(frozen=True, slots=True)
class Survey:
    """What a stage that surveys is shown of the other sources: the rows of `roll[:position]` came before the item's."""

    artifact: str
    """Of the roll: JSON, `[{"id": source id, kind: [row ...] ...} ...]` in the order in which sources were listed."""
    position: int


@dataclass(frozen=True, slots=True)
class Ok:
    """The item was worked on; `rows` are the new records (maybe none), `warnings` one-line remarks."""

    item_id: str
    rows: Sequence[Record] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filtered:
    """The stage does not apply to the item (no audio, no face, not media); never a threshold."""

    item_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The item could not be worked on. `kind` is a stable word: unreadable, truncated, timeout, crash, ..."""

    item_id: str
    kind: str
    message: str


Result = Ok | Filtered | Failed


@dataclass(frozen=True, slots=True)
class Absent:
    """A value that does not exist, and why; stored as NULL with the reason."""

    reason: str
