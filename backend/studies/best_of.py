"""The best of several videos of one case (Phantom-Data, appendix B: four)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from backend.domain import SettingsError
from backend.studies.kinds import SKIP, Coded

MOST = 6  # what one screen shows legibly, and as many choices as the form has


@dataclass(frozen=True)
class BestOf:
    """One choice among the videos of every system."""

    name: ClassVar[str] = "best_of"
    forms: ClassVar[tuple[str, ...]] = ("best_of",)
    five_points: ClassVar[bool] = False

    def groups(self, systems: Sequence[str]) -> list[tuple[str, ...]]:
        if not 2 <= len(systems) <= MOST:
            raise SettingsError(f"best of N takes 2 to {MOST} systems, this study has {len(systems)}; use --systems")
        return [tuple(systems)]

    def slots(self, num: int) -> tuple[str, ...]:
        return tuple(f"video_{place + 1}" for place in range(num))

    def code(self, choice: str, order: Sequence[int]) -> Coded | None:
        if choice == SKIP:
            return None
        slots = self.slots(len(order))
        if choice not in slots:
            raise ValueError(f"choice {choice!r} is none of {len(order)} videos")
        place = order[slots.index(choice)]
        return Coded(answer=str(place), value=float(place))

    def check(self, num: int) -> tuple[str, ...]:
        return ("", *("noise",) * (num - 1))

    def right(self, question: str) -> tuple[str, ...]:
        return ("0",)

    def identical(self) -> tuple[str, ...]:
        return ()
