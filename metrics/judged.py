"""Votes between two systems' videos, beside what metrics say of both videos."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from backend.domain import SettingsError
from backend.measures.comparisons import Comparisons


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPair:
    """What was compared: two systems' generations for one case. `prompt` groups pairs that are no independent witnesses."""

    item: str
    prompt: str
    systems: tuple[str, str]
    generations: tuple[str, str]
    domain: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairVote:
    """One vote: 1 for the pair's first system, 0 for the second, .5 for a tie, None for none."""

    item: str
    rater: str
    value: float | None
    first_on_left: bool = True
    both_bad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """P pairs with votes, and K metrics. The system whose name comes first is the first of its pair."""

    metrics: tuple[str, ...]
    systems: tuple[str, ...]
    first: np.ndarray
    """float `(P, K)`: raw values of the first system's video; NaN where a metric has none."""
    second: np.ndarray
    pairs: np.ndarray
    """int `(P, 2)`: places in `systems`."""
    prompt: np.ndarray
    """int `(P,)`."""
    domain: tuple[str, ...]
    votes: Comparisons
    """Their items are rows of `pairs`."""
    data_hash: str

    @property
    def wins(self) -> np.ndarray:
        """Votes for the first video, float `(P,)`: a tie is half of one."""
        return np.bincount(self.votes.item, self.votes.outcome, minlength=len(self.pairs))

    @property
    def num(self) -> np.ndarray:
        """Votes of each pair, float `(P,)`."""
        return np.bincount(self.votes.item, minlength=len(self.pairs)).astype(float)

    def with_metrics(self, columns: Sequence[int]) -> "Judged":
        """The same pairs with some of the metrics."""
        return replace(
            self,
            metrics=tuple(self.metrics[k] for k in columns),
            first=self.first[:, list(columns)],
            second=self.second[:, list(columns)],
        )

    def only(self, rows: np.ndarray) -> "Judged":
        """The pairs that a bool `(P,)` names."""
        place = np.cumsum(rows) - 1
        votes = self.votes.only(rows[self.votes.item])
        return Judged(
            metrics=self.metrics,
            systems=self.systems,
            first=self.first[rows],
            second=self.second[rows],
            pairs=self.pairs[rows],
            prompt=self.prompt[rows],
            domain=tuple(np.array(self.domain, object)[rows]),
            votes=Comparisons(
                votes.outcome, votes.a, votes.b, place[votes.item], votes.rater, votes.left_is_a, votes.both_bad
            ),
            data_hash=self.data_hash,
        )


def join(
    pairs: Sequence[JudgedPair], votes: Iterable[PairVote], values: Mapping[str, Mapping[str, float | None]]
) -> Judged:
    """Pairs that got a vote, in an order of their own. `values` are by generation, then by metric.

    Raises SettingsError where no pair has votes, or no metric has values of both videos of a pair. Votes on items that
    are no pair are passed over.
    """
    known = {pair.item: pair for pair in pairs}
    counted = [vote for vote in votes if vote.value is not None and vote.item in known]
    voted = {vote.item for vote in counted}
    kept = sorted((_sorted(known[item]) for item in voted), key=lambda pair: (pair.prompt, pair.systems, pair.item))
    if not kept:
        raise SettingsError("no vote compares two videos; a calibration needs a finished study of pairs")
    metrics = tuple(
        sorted(
            {
                name
                for pair in kept
                for name in values.get(pair.generations[0], {}).keys() & values.get(pair.generations[1], {}).keys()
            }
        )
    )
    if not metrics:
        raise SettingsError("no metric has values of the videos that were compared; run `studio-backend evaluate` on them")
    sides = [
        np.array([[_number(values.get(pair.generations[side], {}).get(name)) for name in metrics] for pair in kept])
        for side in (0, 1)
    ]
    systems = tuple(sorted({system for pair in kept for system in pair.systems}))
    prompts = {prompt: number for number, prompt in enumerate(sorted({pair.prompt for pair in kept}))}
    places = np.array([[systems.index(system) for system in pair.systems] for pair in kept])
    return Judged(
        metrics=metrics,
        systems=systems,
        first=sides[0],
        second=sides[1],
        pairs=places,
        prompt=np.array([prompts[pair.prompt] for pair in kept]),
        domain=tuple(pair.domain for pair in kept),
        votes=_comparisons(kept, counted, known, places),
        data_hash=_hash(kept, counted, known, metrics, sides),
    )


def _sorted(pair: JudgedPair) -> JudgedPair:
    if pair.systems[0] < pair.systems[1]:
        return pair
    return replace(pair, systems=pair.systems[::-1], generations=pair.generations[::-1])


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _comparisons(
    kept: Sequence[JudgedPair], votes: Sequence[PairVote], known: Mapping[str, JudgedPair], places: np.ndarray
) -> Comparisons:
    rows = {pair.item: row for row, pair in enumerate(kept)}
    raters = {rater: number for number, rater in enumerate(sorted({vote.rater for vote in votes}))}
    item = np.array([rows[vote.item] for vote in votes])
    turned = np.array([known[vote.item].systems != kept[rows[vote.item]].systems for vote in votes])
    value = np.array([_number(vote.value) for vote in votes])
    return Comparisons(
        np.where(turned, 1 - value, value),
        places[item, 0],
        places[item, 1],
        item,
        np.array([raters[vote.rater] for vote in votes]),
        np.array([vote.first_on_left for vote in votes]) ^ turned,
        np.array([vote.both_bad for vote in votes]),
    )


def _hash(
    kept: Sequence[JudgedPair],
    votes: Sequence[PairVote],
    known: Mapping[str, JudgedPair],
    metrics: Sequence[str],
    sides: Sequence[np.ndarray],
) -> str:
    """SHA-256 of votes and values in canonical order: the same however both were listed."""
    said = sorted(
        [
            vote.item,
            vote.rater,
            vote.value if known[vote.item].systems[0] < known[vote.item].systems[1] else 1 - (vote.value or 0.0),
        ]
        for vote in votes
    )
    values = [[None if math.isnan(value) else value for value in row] for side in sides for row in side.tolist()]
    about = [[pair.item, pair.prompt, *pair.systems, *pair.generations, pair.domain] for pair in kept]
    text = json.dumps([about, said, list(metrics), values], separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
