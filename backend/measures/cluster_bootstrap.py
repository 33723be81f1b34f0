"""Standard errors of what votes give, when votes on one item and votes of one rater are no independent witnesses.

Items, raters and single votes are drawn with replacement, each apart, and the variances combined as `items + raters -
votes` (Cameron, Gelbach, Miller 2011), never less than that of items or of raters alone. Drawing items and raters at
once and multiplying how often each came (Owen 2007) is the simpler rule; it counts the noise of a single vote three
times, so that its intervals hold too often and a study seems to need half as many votes again.

A draw is a weight on each item, rater or vote, and all that is computed of a draw are weighted sums: a thousand of them
are one matrix product.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain.studies import Estimate
from backend.measures.intervals import CONFIDENCE, wilson

NUM_DRAWS = 1000
BLOCK = 4_000_000  # weights that are held at once

Statistic = Callable[[np.ndarray], np.ndarray]
"""From sums `(B, K)` over votes, one row a draw, to quantities `(B, Q)`; NaN where a draw has none."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Quantities `(Q,)` with their standard errors and degrees of freedom; NaN errors where nothing is known."""

    value: np.ndarray
    error: np.ndarray
    freedom: np.ndarray
    num: int
    """Votes."""
    remark: str = ""
    """What the intervals leave out; becomes the reason of estimates."""

    def estimate(self, q: int) -> Estimate:
        """The q-th quantity with the symmetric interval of Student's t."""
        value, reach = float(self.value[q]), self._quantile(q) * float(self.error[q])
        known = bool(np.isfinite(reach))
        low, high = (value - reach, value + reach) if known else (None, None)
        return Estimate(value=value, low=low, high=high, n=self.num, reason=self.remark)

    def share(self, q: int, *, num_clusters: int) -> Estimate:
        """The q-th quantity as a share: Wilson's interval with the votes divided by the design effect.

        Of a share of 0 or 1 the design effect is unknown; the interval is then that of `num_clusters` votes.
        """
        value = min(1.0, max(0.0, float(self.value[q])))
        if not np.isfinite(self.error[q]):
            return Estimate(value=value, n=self.num, reason=self.remark)
        variance = float(self.error[q]) ** 2
        num = value * (1 - value) / variance if variance > 0 else 0.0
        num = min(num, self.num) if num > 0 else num_clusters
        low, high = wilson(value, num, z=self._quantile(q))
        return Estimate(value=value, low=low, high=high, n=self.num, reason=self.remark)

    def _quantile(self, q: int) -> float:
        from scipy.special import stdtrit  # not above: a fifth of a second of every command's start

        return float(stdtrit(self.freedom[q], (1 + CONFIDENCE) / 2))


def clustered(
    parts: np.ndarray,
    statistic: Statistic,
    *,
    items: np.ndarray,
    raters: np.ndarray | None,
    rng: np.random.Generator,
    num_draws: int = NUM_DRAWS,
) -> Spread:
    """What `statistic` makes of the sums of `parts` `(N, K)` over votes, and how it varies over items and raters.

    `items` and `raters` int `(N,)`; without raters (what is counted is of items, as a majority) items alone vary.
    The order of votes changes nothing. With one item or one rater the interval is of the other alone, and the remark
    says so; with one of each there is none.
    """
    value = statistic(parts.sum(axis=0, keepdims=True))[0]
    seeds = rng.spawn(3)
    by_item = _sums(parts, items)
    found = {"items": _variance(by_item, statistic, seeds[0], num_draws)} if len(by_item) > 1 else {}
    remarks = [] if found else ["one item: the interval does not say how items differ"]
    counts = {"items": len(by_item)}
    votes = np.zeros(len(value))
    if raters is not None:
        by_rater = _sums(parts, raters)
        counts["raters"] = len(by_rater)
        if len(by_rater) > 1:
            found["raters"] = _variance(by_rater, statistic, seeds[1], num_draws)
        else:
            remarks.append("one rater: the interval does not say how raters differ")
        if len(found) == 2:
            votes = _vote_variance(parts, items, raters, statistic, seeds[2], num_draws)
    if not found:
        return Spread(
            value, np.full(len(value), np.nan), np.ones(len(value)), len(parts), "one item and one rater: no interval"
        )
    variance, freedom = _combined([(found[name], counts[name]) for name in found], votes)
    return Spread(value, np.sqrt(variance), freedom, len(parts), "; ".join(remarks))


def drawn_weights(num: int, num_draws: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each of `num` clusters comes when as many are drawn with replacement: float `(B, num)`, in blocks."""
    step = max(1, BLOCK // num)
    for start in range(0, num_draws, step):
        size = min(step, num_draws - start)
        drawn = rng.integers(0, num, (size, num)) + num * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * num).reshape(size, num).astype(float)


def _combined(found: Sequence[tuple[np.ndarray, int]], votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variances and their degrees of freedom (Satterthwaite 1946) of one or two kinds of clusters."""
    most = np.max([variance for variance, _ in found], axis=0)
    variance = np.maximum(np.sum([variance for variance, _ in found], axis=0) - votes, most)
    noise = np.sum([one**2 / (num - 1) for one, num in found], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.where(noise > 0, variance**2 / noise, 1.0)
    least = min(num for _, num in found) - 1
    return variance, np.where(np.isfinite(freedom), np.maximum(freedom, least), least)


def _sums(parts: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Sums `(G, K)` over the votes of each cluster, in the order of their numbers."""
    _, place = np.unique(clusters, return_inverse=True)
    num = int(place.max(initial=-1)) + 1
    return np.stack([np.bincount(place, column, minlength=num) for column in parts.T], axis=1)


def _variance(sums: np.ndarray, statistic: Statistic, rng: np.random.Generator, num_draws: int) -> np.ndarray:
    """Of the statistic when clusters `(G, K)` are drawn with replacement, corrected for how few they are."""
    rows = [statistic(weights @ sums) for weights in drawn_weights(len(sums), num_draws, rng)]
    return _spread(np.concatenate(rows)) * len(sums) / (len(sums) - 1)


def _vote_variance(
    parts: np.ndarray,
    items: np.ndarray,
    raters: np.ndarray,
    statistic: Statistic,
    rng: np.random.Generator,
    num_draws: int,
) -> np.ndarray:
    """Of the statistic when single votes are drawn, a rater's several votes on one item together.

    Votes that say the same are drawn at once: how often each of the few different ones comes is multinomial.
    """
    cells = _sums(parts, _joint(items, raters))
    kinds, num_each = np.unique(cells, axis=0, return_counts=True)
    shares = num_each / len(cells)
    rows = []
    for start in range(0, num_draws, step := max(1, BLOCK // len(kinds))):
        weights = rng.multinomial(len(cells), shares, size=min(step, num_draws - start))
        rows.append(statistic(weights.astype(float) @ kinds))
    return _spread(np.concatenate(rows))


def _joint(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """One number for each pair of numbers."""
    _, first = np.unique(first, return_inverse=True)
    others, second = np.unique(second, return_inverse=True)
    return first * len(others) + second


def _spread(rows: np.ndarray) -> np.ndarray:
    """Variances `(Q,)` of draws `(B, Q)`; NaN where most draws have no value."""
    there = np.isfinite(rows)
    num = there.sum(axis=0)
    kept = np.where(there, rows, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = kept.sum(axis=0) / num
        found = np.where(there, (kept - mean) ** 2, 0.0).sum(axis=0) / (num - 1)
    return np.where(num > len(rows) / 2, found, np.nan)
