"""What a kind of study decides: which systems an item shows, how its form looks, and what an answer means."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import ClassVar, Protocol

from backend.domain import SettingsError, Vote
from backend.studies import STUDIES

SKIP = "skip"
"""The answer that a question does not apply: it counts as none."""
LEFT, RIGHT, TIE, BOTH_BAD = "left", "right", "tie", "both_bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """An answer in canonical terms. `answer` is `a`, `b` or `tie` of a pair, a place from 0, points, or a word."""

    answer: str
    value: float | None
    """As `backend.domain.studies.CodedVote.value`."""
    both_bad: bool = False
    strength: int | None = None


class StudyKind(Protocol):
    """One kind of study; an instance needs no arguments."""

    name: ClassVar[str]
    forms: ClassVar[tuple[str, ...]]
    """Shipped forms that fit, the default first."""
    five_points: ClassVar[bool]
    """Whether its answers stand on five points, so that the rule on extreme answers applies."""

    def groups(self, systems: Sequence[str]) -> list[tuple[str, ...]]:
        """The systems that one item shows, for every item of a case. Raises SettingsError when there are too few."""
        ...

    def slots(self, num: int) -> tuple[str, ...]:
        """The panels of an item of `num` videos, in shown order."""
        ...

    def code(self, choice: str, order: Sequence[int]) -> Coded | None:
        """What a choice means when place k of the screen showed the item's system `order[k]`; None for no answer."""
        ...

    def check(self, num: int) -> tuple[str, ...]:
        """Treatments of `num` videos of one system that make a gold item, the intact one first; empty for another way."""
        ...

    def right(self, question: str) -> tuple[str, ...]:
        """Canonical answers that are right for a gold item about this question; empty where it says nothing."""
        ...

    def identical(self) -> tuple[str, ...]:
        """Canonical answers that are right when every video is the same one; empty when that is no question."""
        ...


def kind_of(name: str) -> StudyKind:
    """A kind by its name. Raises SettingsError for one that does not exist."""
    if name not in STUDIES:
        raise SettingsError(f"kind {name[:80]!r} is none of {', '.join(STUDIES)}")
    module, _, found = STUDIES[name].partition(":")
    return getattr(import_module(module), found)()


def order_of(vote: Vote, systems: Sequence[str]) -> tuple[int, ...]:
    """The places in `systems` that a vote's screen showed, left first; for treated copies of one system as they came."""
    places: list[int] = []
    for shown in vote.shown_order:
        free = [place for place, system in enumerate(systems) if system == shown and place not in places]
        if not free:
            raise ValueError(f"vote {vote.id} was shown {shown!r}, which its item does not hold")
        places.append(free[0])
    return tuple(places)
