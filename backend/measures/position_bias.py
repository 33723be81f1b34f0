"""Whether the side on which a video stands sways raters."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from backend.domain import Absent
from backend.domain.studies import Estimate
from backend.measures.cluster_bootstrap import NUM_DRAWS, clustered
from backend.measures.comparisons import BAD, LOSS, TIE, WIN, Comparisons, contests, one_hot
from backend.measures.intervals import half_p
from backend.measures.paired_models import fit_davidson, outcome_margins, pair_design
from backend.measures.separation import is_separated


@dataclass(frozen=True, slots=True)
class PositionBias:
    """How much the left side gains. Without bias: .5, p about uniform, 0, 0."""

    left: Estimate
    """Share of the decided votes that went to the left side."""
    p: float
    """Of the two-sided binomial test that it is a half, each vote by itself."""
    between_orders: Estimate
    """How much more often a system wins on the left than on the right, on pairs that were shown in both orders."""
    log_odds: Estimate
    """What the left side adds to the log odds of winning, beside the strengths of both systems (Davidson's model)."""


def position_bias(votes: Comparisons, *, rng: np.random.Generator, num_draws: int = NUM_DRAWS) -> PositionBias | Absent:
    """Of all votes together. Absent without a decided vote."""
    kept = votes.canonical()
    decided = kept.only(kept.outcome != 0.5)
    if not len(decided):
        return Absent("no vote prefers a side")
    left_won = (decided.outcome == 1.0) == decided.left_is_a
    spread = clustered(
        one_hot(left_won.astype(np.int64), 2),
        lambda sums: sums[:, [1]] / np.maximum(sums.sum(axis=1, keepdims=True), 1),
        items=decided.item,
        raters=decided.rater,
        rng=rng,
        num_draws=num_draws,
    )
    return PositionBias(
        left=spread.share(0, num_clusters=len(np.unique(decided.item))),
        p=half_p(int(left_won.sum()), len(left_won)),
        between_orders=_between_orders(kept, rng, num_draws),
        log_odds=_log_odds(kept, rng, num_draws),
    )


def _between_orders(kept: Comparisons, rng: np.random.Generator, num_draws: int) -> Estimate:
    table = contests(kept)
    sides = np.zeros((len(table.pairs), 2))
    np.add.at(sides, (table.pair, kept.left_is_a.astype(int)), 1)
    both = np.asarray((sides > 0).all(axis=1))
    rows = both[table.pair]
    if not rows.any():
        return Estimate(reason="no pair of systems was shown in both orders")
    place = 2 * table.pair[rows] + kept.left_is_a[rows]
    width = 2 * len(table.pairs)
    parts = np.concatenate(
        [one_hot(place, width) * kept.outcome[rows][:, None], one_hot(place, width)],
        axis=1,
    )
    spread = clustered(
        parts,
        partial(_order_gain, both=both),
        items=kept.item[rows],
        raters=kept.rater[rows],
        rng=rng,
        num_draws=num_draws,
    )
    return spread.estimate(0)


def _order_gain(sums: np.ndarray, *, both: np.ndarray) -> np.ndarray:
    """Rates of a pair's first system on the left minus on the right, weighted by its votes: `(B, 1)`."""
    won, num = (part.reshape(len(sums), -1, 2)[:, both] for part in np.split(sums, 2, axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = won / num
    gain, weight = rates[:, :, 1] - rates[:, :, 0], num.sum(axis=2)
    there = np.isfinite(gain)
    total = (weight * there).sum(axis=1, keepdims=True)
    found = np.where(there, gain * weight, 0.0).sum(axis=1, keepdims=True)
    return np.divide(found, total, out=np.full_like(found, np.nan), where=total > 0)


def _log_odds(kept: Comparisons, rng: np.random.Generator, num_draws: int) -> Estimate:
    """Contests are split by the side on which the first system stood; the last column of the design is that side."""
    table = contests(kept)
    strengths = np.repeat(pair_design(table.pairs, int(table.pairs.max()) + 1), 2, axis=0)
    design = np.concatenate([strengths, np.tile([[-1.0], [1.0]], (len(table.pairs), 1))], axis=1)
    cells = 3 * (2 * table.pair + kept.left_is_a) + np.where(table.outcome == BAD, TIE, table.outcome)
    seen = np.bincount(cells, minlength=3 * len(design)).reshape(-1, 3)
    there = seen.any(axis=1)
    if np.linalg.matrix_rank(design[there]) == np.linalg.matrix_rank(strengths[there]):
        return Estimate(reason="systems kept their sides: what is due to the side cannot be told from their strengths")
    if is_separated(outcome_margins(seen, design, with_ties=bool(seen[:, TIE].any()))):
        return Estimate(reason="votes separate systems or sides: no finite log odds fit best")

    def gain(sums: np.ndarray) -> np.ndarray:
        counts = sums.reshape(len(sums), -1, 3)
        return fit_davidson(counts[:, :, WIN], counts[:, :, TIE], counts[:, :, LOSS], design)[:, [-2]]

    parts = one_hot(cells, seen.size)
    return clustered(parts, gain, items=kept.item, raters=kept.rater, rng=rng, num_draws=num_draws).estimate(0)
