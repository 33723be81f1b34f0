"""Superset content anchoring: anchors from the whole long shot, inside and outside the clip (Gloria, section 4.1).

With anchors from inside alone a model copies them; those from outside show another moment, and have to be understood. The paper gives
the idea and the shares of categories; how often, how many and how far outside are our choices, each a setting.
Only numpy: data workers use it without torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

CATEGORY_SHARES: Mapping[str, Mapping[str, float]] = {  # percent of the anchors used in training
    "view": {"front": 29.6, "back": 17.3, "left": 27.9, "right": 25.2},  # Gloria, table 5
    "expression": {  # Gloria, table 6
        "surprise": 15.0,
        "angry": 8.2,
        "disgust": 13.7,
        "fear": 10.1,
        "contempt": 13.6,
        "sad": 8.1,
        "neutral": 14.6,
        "happy": 16.7,
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An anchor that a long shot offers."""

    id: str
    role: str
    """global, view or expression."""
    category: str = ""
    time_s: float
    """In the long shot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenAnchor:
    """A candidate and where it came from."""

    candidate: Candidate
    inside: bool
    gap_s: float
    """To the nearer end of the clip; 0 inside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupersetAnchoring:
    """How anchors are drawn for a clip. Raises ValueError for a share outside 0 to 1 or a number below 1.

    Every default but the numbers of views and expressions is our choice. `outside` 0 is training without the superset.
    """

    outside: float = 0.7
    """Probability that an anchor is taken from outside the clip where one is there; at least one is, unless 0."""
    min_gap_s: float = 1.0
    """How far from the clip an anchor counts as outside; nearer ones are not used."""
    kinds: Literal["global", "view", "expression", "one", "both"] = "one"
    """Besides the global anchor, which is always there: none, one kind, either (stage III, mixed) or both (its fine-tuning)."""
    max_views: int = 4  # Gloria, section 4.1
    max_expressions: int = 8  # Gloria, section 4.1
    dropped: float = 0.1
    """Of each view or expression."""
    all_dropped: float = 0.1
    """Of all anchors, the global one too."""
    shares: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: CATEGORY_SHARES)

    def __post_init__(self) -> None:
        for name in ("outside", "dropped", "all_dropped"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability, not {getattr(self, name)}")
        if min(self.max_views, self.max_expressions) < 1 or self.min_gap_s < 0:
            raise ValueError("max_views and max_expressions are at least 1, min_gap_s at least 0")

    def draw(
        self,
        candidates: Sequence[Candidate],
        clip_s: tuple[float, float],
        rng: np.random.Generator,
        *,
        frequencies: Mapping[str, Mapping[str, int]] | None = None,
    ) -> tuple[ChosenAnchor, ...]:
        """Anchors for the clip [start, stop) seconds of its long shot: at most one global, and one of each category.

        `frequencies`: how often each category is there in the whole data set, by role; with it, categories are drawn so that
        the anchors used come to the published shares. None: each category that is there is as likely as its share.
        """
        if rng.random() < self.all_dropped:
            return ()
        usable = [(anchor, _gap_s(anchor.time_s, clip_s)) for anchor in candidates]
        usable = [(anchor, gap) for anchor, gap in usable if gap == 0 or gap >= self.min_gap_s]
        wanted = [("global", "")]
        for role in self._roles({anchor.role for anchor, _ in usable}, rng):
            there = sorted({anchor.category for anchor, _ in usable if anchor.role == role})
            categories = self._categories(role, there, rng, (frequencies or {}).get(role))
            wanted += [(role, category) for category in categories if rng.random() >= self.dropped]
        pools = [[each for each in usable if (each[0].role, each[0].category) == name] for name in wanted]
        return self._placed([pool for pool in pools if pool], rng)

    def _roles(self, there: set[str], rng: np.random.Generator) -> list[str]:
        """The kinds of anchors that this sample has: of `one`, both are equally likely where both are there."""
        named = {"one": ("view", "expression"), "both": ("view", "expression"), "global": ()}.get(self.kinds, (self.kinds,))
        roles = [role for role in named if role in there]
        return [roles[rng.integers(len(roles))]] if self.kinds == "one" and roles else roles

    def _categories(
        self, role: str, there: Sequence[str], rng: np.random.Generator, frequencies: Mapping[str, int] | None
    ) -> list[str]:
        """1 to as many as may be, without repetition."""
        most = min(len(there), self.max_views if role == "view" else self.max_expressions)
        number = int(rng.integers(1, most + 1))
        weights = np.array([self.shares[role][name] / max((frequencies or {}).get(name, 1), 1) for name in there])
        return [str(name) for name in rng.choice(there, size=number, replace=False, p=weights / weights.sum())]

    def _placed(
        self, pools: Sequence[Sequence[tuple[Candidate, float]]], rng: np.random.Generator
    ) -> tuple[ChosenAnchor, ...]:
        """One anchor of each pool, inside or outside."""
        outer = [[each for each in pool if each[1] > 0] for pool in pools]
        inner = [[each for each in pool if each[1] == 0] for pool in pools]
        able = [index for index, pool in enumerate(outer) if pool]
        outside = {index for index in able if rng.random() < self.outside or not inner[index]}
        if self.outside > 0 and able and not outside:
            outside = {able[int(rng.integers(len(able)))]}
        if self.outside == 0:
            outside = set()
        found = []
        for index in range(len(pools)):
            pool = outer[index] if index in outside else inner[index]
            if pool:
                anchor, gap = pool[int(rng.integers(len(pool)))]
                found.append(ChosenAnchor(candidate=anchor, inside=gap == 0, gap_s=gap))
        return tuple(found)


def _gap_s(time_s: float, clip_s: tuple[float, float]) -> float:
    start, stop = clip_s
    if start <= time_s < stop:
        return 0.0
    return start - time_s if time_s < start else max(time_s - stop, np.finfo(float).tiny)
