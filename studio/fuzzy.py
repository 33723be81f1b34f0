"""How well a few typed letters fit a title: they must come in order; starts of words and runs count more."""

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")
START, RUN, GAP = 8.0, 5.0, 0.15
"""Worth of a letter at a word's start, of one right behind the last, and what each letter skipped costs."""


def fit(typed: str, title: str) -> float | None:
    """The best score of `typed` in `title`, None when its letters do not come in order; spaces typed are ignored."""
    wanted, said = "".join(typed.lower().split()), title.lower()
    if not wanted:
        return 0.0
    best: list[float | None] = [None] * len(said)  # of matches whose last letter stands at that place
    for n, letter in enumerate(wanted):
        row: list[float | None] = [None] * len(said)
        reach: float | None = None  # the best of matches of the letters before, less what was skipped since
        for place, here in enumerate(said):
            if n and place and (before := best[place - 1]) is not None:
                reach = before if reach is None else max(reach - GAP, before)
            elif reach is not None:
                reach -= GAP
            if here != letter:
                continue
            worth = 1.0 + (START if place == 0 or not said[place - 1].isalnum() else 0.0)
            if n == 0:
                row[place] = worth - GAP * place
            elif reach is not None:
                run = best[place - 1]
                row[place] = worth + (max(reach, run + RUN) if run is not None else reach)
        best = row
    found = [score for score in best if score is not None]
    return max(found) if found else None


def ranked(typed: str, rows: Iterable[tuple[T, tuple[str, ...]]]) -> list[T]:
    """Those whose titles fit, best first (of equal ones the shorter title, then their order); each may have several titles."""
    scored = []
    for place, (row, titles) in enumerate(rows):
        fits = [(score, -len(title)) for title in titles if (score := fit(typed, title)) is not None]
        if fits:
            score, shortness = max(fits)
            scored.append((-score, -shortness if typed.strip() else 0, place, row))
    return [row for *_, row in sorted(scored, key=lambda entry: entry[:3])]
