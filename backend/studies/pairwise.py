"""Two videos side by side: which is better, with a tie and both bad, or on five points."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

from backend.domain import SettingsError
from backend.studies.kinds import BOTH_BAD, LEFT, RIGHT, SKIP, TIE, Coded

CHECKED = ("better", "naturalness", "visual_quality", "video_quality", "natural_degree", "motion_quality")
"""Questions that a spoilt copy of a video must lose; of others (does it follow the text?) nobody can be sure."""
_POINTS = {"left_much": (LEFT, 2), "left": (LEFT, 1), "tie": (TIE, 0), "right": (RIGHT, 1), "right_much": (RIGHT, 2)}


class Pairs:
    """What both kinds of pairs share."""

    def groups(self, systems: Sequence[str]) -> list[tuple[str, ...]]:
        if len(systems) < 2:
            raise SettingsError(f"a pair needs two systems, this study has {len(systems)}; name another with --systems")
        return list(combinations(systems, 2))

    def slots(self, num: int) -> tuple[str, ...]:
        assert num == 2, f"a pair has two videos, not {num}"
        return LEFT, RIGHT

    def check(self, num: int) -> tuple[str, ...]:
        return "", "noise"

    def right(self, question: str) -> tuple[str, ...]:
        return ("a",) if question in CHECKED else ()

    def identical(self) -> tuple[str, ...]:
        return ("tie",)


@dataclass(frozen=True)
class Preference(Pairs):
    """Left, right, as good, or both bad: OpenS2V's, Gloria's and Kaleido's studies. Both bad is a tie, counted apart."""

    name: ClassVar[str] = "preference"
    forms: ClassVar[tuple[str, ...]] = ("opens2v", "gloria", "kaleido", "ab")
    five_points: ClassVar[bool] = False

    def code(self, choice: str, order: Sequence[int]) -> Coded | None:
        if choice == SKIP:
            return None
        if choice in (TIE, BOTH_BAD):
            return Coded(answer="tie", value=0.5, both_bad=choice == BOTH_BAD)
        return _side(choice, order, strength=None)


@dataclass(frozen=True)
class Comparative(Pairs):
    """How much better, on five points; the strength is kept beside the side."""

    name: ClassVar[str] = "comparative"
    forms: ClassVar[tuple[str, ...]] = ("comparative",)
    five_points: ClassVar[bool] = True

    def code(self, choice: str, order: Sequence[int]) -> Coded | None:
        if choice == SKIP:
            return None
        if choice not in _POINTS:
            raise ValueError(f"choice {choice!r} is none of a comparison's")
        side, strength = _POINTS[choice]
        return Coded(answer="tie", value=0.5, strength=0) if side == TIE else _side(side, order, strength=strength)


def _side(choice: str, order: Sequence[int], *, strength: int | None) -> Coded:
    if choice not in (LEFT, RIGHT):
        raise ValueError(f"choice {choice!r} is none of a pair's")
    first = order[0 if choice == LEFT else 1] == 0
    return Coded(answer="a" if first else "b", value=1.0 if first else 0.0, strength=strength)
