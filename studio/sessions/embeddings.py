"""Which points of a map are chosen, and how they are told apart. No widget, thread or network."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from backend.domain.figures import EmbeddingMap
from backend.domain.library import Selection

MOST_GROUPS = 11
"""Groups with a shape of their own; the rest share one."""
RADIUS = 0.06  # of the map's wider side, at first
STEP = 0.25  # of the radius, for a move by key


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Points that are drawn alike; `name` is empty where nobody knows a category, `is_rest` those of groups too small."""

    name: str
    places: tuple[int, ...]
    is_rest: bool = False


@dataclass(slots=True, kw_only=True)
class MapSession:
    """State of one person at a map: `by` is category or identity; the circle is what keys choose with."""

    found: EmbeddingMap | None = None
    by: str = "category"
    chosen: set[int] = field(default_factory=set)
    centre: tuple[float, float] = (0.0, 0.0)
    radius: float = 1.0

    def know(self, found: EmbeddingMap) -> None:
        """Another map: nothing is chosen, the circle is around the point nearest to its middle."""
        self.found, self.chosen = found, set()
        if found.x:
            away = np.hypot(np.array(found.x) - np.median(found.x), np.array(found.y) - np.median(found.y))
            nearest = int(away.argmin())
            self.centre = (found.x[nearest], found.y[nearest])
            self.radius = RADIUS * max(np.ptp(found.x), np.ptp(found.y)) or 1.0

    def groups(self) -> tuple[Group, ...]:
        """The largest groups first; those without a shape of their own last, as one."""
        if self.found is None:
            return ()
        said = self.found.categories if self.by == "category" else [f"#{n + 1}" for n in self.found.identities]
        sizes = Counter(said)
        largest = sorted(sizes, key=lambda name: (-sizes[name], name))[:MOST_GROUPS]
        found = [Group(name=name, places=tuple(n for n, one in enumerate(said) if one == name)) for name in largest]
        rest = tuple(n for n, one in enumerate(said) if one not in largest)
        return (*found, Group(name="", places=rest, is_rest=True)) if rest else tuple(found)

    def move(self, right: int, up: int) -> None:
        """Moves the circle by steps."""
        step = self.radius * STEP
        self.centre = (self.centre[0] + right * step, self.centre[1] + up * step)

    def grow(self, factor: float) -> None:
        self.radius *= factor

    def choose_circle(self) -> int:
        """Chooses what lies in the circle as well; gives how many points are chosen now."""
        if self.found is not None:
            away = np.hypot(np.array(self.found.x) - self.centre[0], np.array(self.found.y) - self.centre[1])
            self.chosen |= set(np.flatnonzero(away <= self.radius).tolist())
        return len(self.chosen)

    def choose_within(self, lasso: Sequence[tuple[float, float]]) -> int:
        """Chooses what a drawn line encloses as well."""
        if self.found is not None:
            inside = enclosed(np.array(self.found.x), np.array(self.found.y), np.array(lasso, float).reshape(-1, 2))
            self.chosen |= set(np.flatnonzero(inside).tolist())
        return len(self.chosen)

    def selection(self) -> Selection | None:
        """The subjects of the chosen points; None while none is chosen."""
        if self.found is None or not self.chosen:
            return None
        ids = dict.fromkeys(self.found.subject_ids[n] for n in sorted(self.chosen))
        return Selection(kind="subject", ids=tuple(ids))


def enclosed(x: np.ndarray, y: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Which points `(N,)` lie within a closed polygon `(M, 2)`, by the even-odd rule."""
    inside = np.zeros(len(x), bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y0 != y1:
            crosses = (y0 > y) != (y1 > y)
            inside ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside
