"""One video before a rater: points for each aspect, or whether it shows the subject of the reference."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from backend.domain import IDENTITY_CHOICES, SettingsError
from backend.studies.kinds import SKIP, Coded

POINTS = ("1", "2", "3", "4", "5")


class Single:
    """What both kinds share."""

    def groups(self, systems: Sequence[str]) -> list[tuple[str, ...]]:
        if not systems:
            raise SettingsError("a study needs a system; name one with --systems")
        return [(system,) for system in systems]

    def slots(self, num: int) -> tuple[str, ...]:
        assert num == 1, f"one video is shown, not {num}"
        return ("video",)

    def identical(self) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True)
class Rating(Single):
    """Five points, absolute."""

    name: ClassVar[str] = "rating"
    forms: ClassVar[tuple[str, ...]] = ("rating",)
    five_points: ClassVar[bool] = True

    def code(self, choice: str, order: Sequence[int]) -> Coded | None:
        if choice == SKIP:
            return None
        if choice not in POINTS:
            raise ValueError(f"choice {choice!r} is none of five points")
        return Coded(answer=choice, value=float(choice))

    def check(self, num: int) -> tuple[str, ...]:
        return ("noise",)

    def right(self, question: str) -> tuple[str, ...]:
        return ("1", "2") if question == "visual_quality" else ()


@dataclass(frozen=True)
class Identity(Single):
    """Identity verification: 1 when the video shows the very subject, 0 when not or when the reference was pasted in."""

    name: ClassVar[str] = "identity"
    forms: ClassVar[tuple[str, ...]] = ("shown_identity",)
    five_points: ClassVar[bool] = False

    def code(self, choice: str, order: Sequence[int]) -> Coded | None:
        if choice in (SKIP, "unsure"):
            return None
        if choice not in IDENTITY_CHOICES:
            raise ValueError(f"choice {choice!r} is none of {', '.join(IDENTITY_CHOICES)}")
        return Coded(answer=choice, value=1.0 if choice == "same" else 0.0)

    def check(self, num: int) -> tuple[str, ...]:
        return ()

    def right(self, question: str) -> tuple[str, ...]:
        return ("different",)
