"""How far raters agree: Krippendorff's alpha, Cohen's and Fleiss's kappa, plain agreement.

Answers come one a row: `units`, `raters` and `values` int `(N,)`, at most one of a rater on a unit; `values` count from 0 in
the order of the scale. Units that fewer than two raters answered say nothing.
"""

from dataclasses import dataclass, replace

import numpy as np

from backend.domain.studies import Estimate
from backend.measures.cluster_bootstrap import NUM_DRAWS, clustered

NOMINAL, ORDINAL = "nominal", "ordinal"


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers as columns int `(N,)`. Raises ValueError where a rater answers twice on a unit."""

    units: np.ndarray
    raters: np.ndarray
    values: np.ndarray

    def __post_init__(self) -> None:
        for name in ("units", "raters", "values"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.int64))
        places = np.stack([self.units, self.raters], axis=1)
        if len(np.unique(places, axis=0)) < len(places):
            raise ValueError("a rater answers twice on one unit; keep one of the answers")

    def __len__(self) -> int:
        return len(self.values)

    def without(self, rater: int) -> "Answers":
        rows = self.raters != rater
        return Answers(self.units[rows], self.raters[rows], self.values[rows])


def krippendorff_alpha(
    answers: Answers, level: str = NOMINAL, *, rng: np.random.Generator, num_draws: int = NUM_DRAWS
) -> Estimate:
    """1 for full agreement, 0 for what chance gives (Krippendorff 2011); the interval is over units.

    `level` says what a difference is: nominal (another value) or ordinal (how many answers lie between). No value where
    no two raters answered on one unit, or all gave one value.
    """
    counts = _counts(answers)
    if not len(counts):
        return Estimate(reason="no unit has answers of two raters")
    coincidences = _coincidences(counts)
    if np.count_nonzero(coincidences.sum(axis=(0, 1))) < 2:
        return Estimate(reason="every answer is the same: agreement beyond chance is not defined")
    num = counts.shape[1]

    def alpha(sums: np.ndarray) -> np.ndarray:
        return _alpha(sums.reshape(-1, num, num), level)[:, None]

    parts = coincidences.reshape(len(counts), -1)
    spread = clustered(parts, alpha, items=np.arange(len(parts)), raters=None, rng=rng, num_draws=num_draws)
    found = spread.estimate(0)
    return replace(found, high=None if found.high is None else min(1.0, found.high), n=int(counts.sum()))


def alpha_without_each(answers: Answers, level: str = NOMINAL) -> dict[int, float | None]:
    """Alpha when one rater is left out, for each; None where it is not defined then. Higher: that rater disagrees."""
    found: dict[int, float | None] = {}
    for rater in np.unique(answers.raters).tolist():
        counts = _counts(answers.without(rater))
        total = _coincidences(counts).sum(axis=0)
        several = np.count_nonzero(total.sum(axis=0)) > 1
        found[rater] = float(_alpha(total[None], level)[0]) if several else None
    return found


def cohen_kappa(answers: Answers, first: int, second: int) -> Estimate:
    """Agreement of two raters beyond chance, on the units that both answered (Cohen 1960)."""
    sides = [
        dict(zip(answers.units[rows].tolist(), answers.values[rows].tolist(), strict=True))
        for rows in (answers.raters == first, answers.raters == second)
    ]
    both = sorted(sides[0].keys() & sides[1].keys())
    if not both:
        return Estimate(reason="the two raters answered on no unit together")
    num = int(answers.values.max()) + 1
    shares = [np.bincount([side[unit] for unit in both], minlength=num) / len(both) for side in sides]
    chance = float(shares[0] @ shares[1])
    if chance == 1.0:
        return Estimate(reason="both gave one and the same value: agreement beyond chance is not defined")
    agreed = float(np.mean([sides[0][unit] == sides[1][unit] for unit in both]))
    return Estimate(value=(agreed - chance) / (1 - chance), n=len(both))


def fleiss_kappa(answers: Answers) -> Estimate:
    """Agreement of many raters beyond chance, where every unit has equally many (Fleiss 1971); alpha needs no such rule."""
    counts = _counts(answers)
    if not len(counts):
        return Estimate(reason="no unit has answers of two raters")
    sizes = np.unique(counts.sum(axis=1))
    if len(sizes) > 1:
        return Estimate(
            reason=f"units have {sizes[0]:.0f} to {sizes[-1]:.0f} raters; Fleiss's kappa needs equally many, alpha does not"
        )
    shares = counts.sum(axis=0) / counts.sum()
    chance = float(shares @ shares)
    if chance == 1.0:
        return Estimate(reason="every answer is the same: agreement beyond chance is not defined")
    value = float((_pair_shares(counts).mean() - chance) / (1 - chance))
    return Estimate(value=value, n=int(counts.sum()))


def raw_agreement(answers: Answers, *, rng: np.random.Generator, num_draws: int = NUM_DRAWS) -> Estimate:
    """Share of the pairs of answers on one unit that are equal, each unit counted once; the interval is over units."""
    counts = _counts(answers)
    if not len(counts):
        return Estimate(reason="no unit has answers of two raters")
    agreed = _pair_shares(counts)
    parts = np.stack([agreed, np.ones(len(agreed))], axis=1)
    spread = clustered(
        parts,
        lambda sums: sums[:, [0]] / sums[:, [1]],
        items=np.arange(len(parts)),
        raters=None,
        rng=rng,
        num_draws=num_draws,
    )
    return spread.share(0, num_clusters=len(parts))


def intraclass(values: np.ndarray, units: np.ndarray) -> Estimate:
    """How alike values float `(N,)` of one unit are: 0 not at all, 1 wholly; by the variances between and within units.

    The estimate of the one-way analysis of variance (Donner 1986), at least 0: what the design effect of a study needs.
    """
    kept = np.isfinite(values)
    _, place = np.unique(units[kept], return_inverse=True)
    values = values[kept]
    sizes = np.bincount(place) if len(place) else np.zeros(0)
    num, spare = len(sizes), len(values) - len(sizes)
    if num < 2 or spare < 1:
        return Estimate(reason="two units and one that was answered twice are needed")
    means = np.bincount(place, values) / sizes
    between = float((sizes * (means - values.mean()) ** 2).sum() / (num - 1))
    within = float(((values - means[place]) ** 2).sum() / spare)
    size = float((len(values) - (sizes**2).sum() / len(values)) / (num - 1))
    if between == within == 0:
        return Estimate(reason="every value is the same")
    value = (between - within) / (between + (size - 1) * within)
    return Estimate(value=max(0.0, value), n=len(values))


def _counts(answers: Answers) -> np.ndarray:
    """How often each unit got each value, float `(U, V)`, of units that two raters answered."""
    if not len(answers):
        return np.zeros((0, 1))
    units, place = np.unique(answers.units, return_inverse=True)
    num = int(answers.values.max()) + 1
    counts = np.bincount(place * num + answers.values, minlength=len(units) * num).reshape(-1, num)
    return counts[counts.sum(axis=1) > 1].astype(float)


def _coincidences(counts: np.ndarray) -> np.ndarray:
    """Ordered pairs of answers on each unit by both values, each unit weighing as many as it has answers: `(U, V, V)`."""
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(counts.shape[1])
    return pairs / (counts.sum(axis=1) - 1)[:, None, None]


def _alpha(coincidences: np.ndarray, level: str) -> np.ndarray:
    """Of summed coincidences `(B, V, V)`; NaN where only one value occurs."""
    totals = coincidences.sum(axis=2)
    num = totals.sum(axis=1)
    apart = _differences(totals, level)
    observed = (coincidences * apart).sum(axis=(1, 2))
    expected = (totals[:, :, None] * totals[:, None, :] * apart).sum(axis=(1, 2)) / np.maximum(num - 1, 1)
    return 1 - np.divide(observed, expected, out=np.full_like(observed, np.nan), where=expected > 0)


def _differences(totals: np.ndarray, level: str) -> np.ndarray:
    """How far each value is from each other: `(B, V, V)` of totals `(B, V)`."""
    num = totals.shape[1]
    match level:
        case "nominal":
            return np.broadcast_to(1 - np.eye(num), (len(totals), num, num))
        case "ordinal":
            middles = totals.cumsum(axis=1) - totals / 2
            return (middles[:, :, None] - middles[:, None, :]) ** 2
    raise ValueError(f"level {level!r} is none of {NOMINAL}, {ORDINAL}")


def _pair_shares(counts: np.ndarray) -> np.ndarray:
    """Share of equal pairs of answers on each unit, `(U,)`."""
    sizes = counts.sum(axis=1)
    return (counts * (counts - 1)).sum(axis=1) / (sizes * (sizes - 1))
