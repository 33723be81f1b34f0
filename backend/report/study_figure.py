"""What one figure of a study's report is, and the cells of its table."""

from dataclasses import dataclass

from markupsafe import Markup

from backend.domain.studies import Estimate

Cell = str | int | float | None
ESTIMATE = ("value", "low", "high", "n", "reason")
"""Columns of an estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFigure:
    """A figure by the name of its files. `rows` under `head` are what it shows, and go into the CSV."""

    name: str
    section: str
    """results, metrics, raters or design."""
    caption: str
    svg: Markup
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def readable(name: str) -> str:
    """A question's or a rule's name as words."""
    return name.replace("_", " ")


def has_value(one: Estimate) -> bool:
    """Whether there is something to draw."""
    return one.value is not None


def cells(one: Estimate) -> tuple[Cell, ...]:
    """An estimate under `ESTIMATE`."""
    return one.value, one.low, one.high, one.n, one.reason
