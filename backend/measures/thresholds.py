"""Lower bounds by category, fitted to people's verdicts: the lowest score above which pairs are right often enough.

"Often enough" is the lower end of Wilson's interval of the precision, so that ten right pairs of ten do not prove
a precision of .95, and few verdicts give a high bound or none. The whole curve is kept beside each bound.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from backend.domain import SettingsError
from backend.measures.intervals import Z95, wilson

FORMAT = "subject-studio-thresholds"
VERSION = 1
ALL = ""
"""The category of bounds that are fitted to all verdicts together."""
RIGHT, WRONG = frozenset({"same", "near_duplicate"}), frozenset({"different"})
"""Verdicts that say that both sides are one, and that they are not; `unsure` says neither."""
MOST_POINTS = 200
"""Of a kept curve; more than a plot shows."""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Of the pairs whose score is at least `score`: how many, how many of them right, and what that says."""

    score: float
    num: int
    num_right: int
    precision: float
    precision_low: float
    """Lower end of Wilson's interval."""
    recall: float
    """Share of the right pairs of the category that are kept."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A category's bound. `score` is None where no bound reaches the precision wanted; `reason` says why."""

    category: str
    score: float | None
    reason: str
    num: int
    num_right: int
    curve: tuple[CurvePoint, ...]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Bounds on one score of one producer, by category, and "" for all together."""

    score_name: str
    producer: str
    precision: float
    z: float
    by_category: Mapping[str, Threshold]

    def bound(self, category: str | None) -> float | None:
        """The category's bound, or that of all together where it has none of its own; None where nothing is proved."""
        for name in (category or ALL, ALL):
            found = self.by_category.get(name)
            if found is not None and found.score is not None:
                return found.score
        return None

    def to_json(self) -> str:
        """As `thresholds.json` holds it: every number of the curves, keys in order."""
        found = {name: asdict(threshold) for name, threshold in sorted(self.by_category.items())}
        about = {"score_name": self.score_name, "producer": self.producer, "precision": self.precision, "z": self.z}
        return json.dumps({"format": FORMAT, "version": VERSION, **about, "by_category": found}, indent=1) + "\n"

    @staticmethod
    def from_json(text: str) -> "Thresholds":
        """Reads what `to_json` wrote. Raises SettingsError for anything else, naming what is wrong."""
        try:
            raw = json.loads(text)
            if raw["format"] != FORMAT or raw["version"] > VERSION:
                raise SettingsError(
                    f"thresholds of format {raw['format']!r:.40}, version {raw['version']!r:.10}; fit them again"
                )
            found = {name: _threshold(about) for name, about in raw["by_category"].items()}
            values = {name: float(raw[name]) for name in ("precision", "z")}
            return Thresholds(str(raw["score_name"]), str(raw["producer"]), by_category=found, **values)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SettingsError(f"thresholds cannot be read ({type(error).__name__}: {error}); fit them again") from error


def fit_thresholds(
    rows: Iterable[tuple[float, str | None, str]],
    *,
    precision: float = 0.95,
    least: int = 50,
    z: float = Z95,
    score_name: str = "similarity",
    producer: str = "",
) -> Thresholds:
    """Bounds from rows of score, category and verdict, at the precision wanted.

    A category with fewer than `least` sure verdicts has no bound of its own. Rows with the verdict `unsure`, or a score
    that is no number, say nothing. Raises ValueError for a precision outside (0, 1) or an unknown verdict.
    """
    if not 0.0 < precision < 1.0:
        raise ValueError(f"precision is {precision}; choose one between 0 and 1, as .95")
    judged: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    judged[ALL] = []
    for score, category, verdict in rows:
        if verdict not in RIGHT | WRONG | {"unsure"}:
            raise ValueError(f"verdict {verdict!r} is none of same, near_duplicate, different, unsure")
        if verdict != "unsure" and math.isfinite(score):
            for name in {ALL, category or ALL}:
                judged[name].append((float(score), verdict in RIGHT))
    found = {name: _fitted(name, pairs, precision, least, z) for name, pairs in judged.items()}
    return Thresholds(score_name, producer, precision, z, found)


def wilson_low(num_right: int, num: int, *, z: float = Z95) -> float:
    """Lower end of Wilson's interval of a share; 0 of no trials."""
    return wilson(num_right / num if num else 0.0, num, z=z)[0]


def precision_curve(scores: Sequence[float], is_right: Sequence[bool], *, z: float = Z95) -> tuple[CurvePoint, ...]:
    """A point for each distinct score, from the highest down: equal scores stand or fall together."""
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    sorted_scores, right = np.asarray(scores, np.float64)[order], np.cumsum(np.asarray(is_right, bool)[order])
    lasts = np.flatnonzero(np.diff(sorted_scores, append=-np.inf))
    total = max(1, int(right[-1])) if len(right) else 1
    return tuple(
        CurvePoint(
            score=float(sorted_scores[k]),
            num=k + 1,
            num_right=int(right[k]),
            precision=int(right[k]) / (k + 1),
            precision_low=wilson_low(int(right[k]), k + 1, z=z),
            recall=int(right[k]) / total,
        )
        for k in lasts.tolist()
    )


def _fitted(category: str, pairs: Sequence[tuple[float, bool]], precision: float, least: int, z: float) -> Threshold:
    curve = precision_curve([score for score, _ in pairs], [right for _, right in pairs], z=z)
    num_right = sum(right for _, right in pairs)
    reached = [point for point in curve if point.precision_low >= precision]
    score = None
    if len(pairs) < least:
        reason = f"{len(pairs)} sure verdicts, {least} are needed"
    elif not reached:
        best = max((point.precision_low for point in curve), default=0.0)
        reason = f"the precision that is proved reaches {best:.3f}, {precision:.3f} is wanted"
    else:
        last = min(reached, key=lambda point: point.score)
        score, reason = last.score, f"{last.num_right} of {last.num} right from here on"
    return Threshold(category, score, reason, len(pairs), num_right, _thinned(curve, score))


def _thinned(curve: tuple[CurvePoint, ...], score: float | None) -> tuple[CurvePoint, ...]:
    """At most MOST_POINTS points, evenly over the pairs, the bound's own among them."""
    if len(curve) <= MOST_POINTS:
        return curve
    kept = set(np.linspace(0, len(curve) - 1, MOST_POINTS - 1).round().astype(int).tolist())
    kept |= {k for k, point in enumerate(curve) if point.score == score}
    return tuple(curve[k] for k in sorted(kept))


def _threshold(about: Mapping[str, Any]) -> Threshold:
    curve = tuple(CurvePoint(**point) for point in about["curve"])
    return Threshold(**{**about, "curve": curve})
