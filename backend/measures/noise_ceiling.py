"""How often raters agree with each other's majority: what metrics are measured against."""

import numpy as np

from backend.domain.studies import Estimate
from backend.measures.cluster_bootstrap import NUM_DRAWS, clustered
from backend.measures.comparisons import Comparisons, contests


def noise_ceiling(votes: Comparisons, *, rng: np.random.Generator, num_draws: int = NUM_DRAWS) -> Estimate:
    """Share of the decided votes that side with the majority of the other votes on their item, each vote left out once.

    Where the others are evenly split a vote agrees by half. Ties count for neither side, and are not asked. No value
    where no item has two decided votes. Few other raters are a noisy majority: a good metric can do better than they.
    """
    kept, place = _by_item(votes)
    lead = 2 * kept.outcome - 1
    others = np.bincount(place, lead)[place] - lead if len(place) else lead
    decided = np.bincount(place, np.abs(lead))[place] if len(place) else lead
    return _agreed(kept, lead, others, (lead != 0) & (decided > 1), rng, num_draws)


def majority_ceiling(votes: Comparisons, *, rng: np.random.Generator, num_draws: int = NUM_DRAWS) -> Estimate:
    """The same with the vote itself in the majority: no score of videos sides with more of these votes.

    One rater an item gives 1; the more raters, the nearer it comes to what can be reached.
    """
    kept, place = _by_item(votes)
    lead = 2 * kept.outcome - 1
    together = np.bincount(place, lead)[place] if len(place) else lead
    return _agreed(kept, lead, together, lead != 0, rng, num_draws)


def normalised_alignment(agreement: float, ceiling: float) -> float | None:
    """Where an agreement stands between chance (0) and the ceiling (1); None where raters agree no more than by chance."""
    return (agreement - 0.5) / (ceiling - 0.5) if ceiling > 0.5 else None


def _by_item(votes: Comparisons) -> tuple[Comparisons, np.ndarray]:
    """Canonical votes, and the number of the item and pair of systems of each."""
    kept = votes.canonical()
    _, place = np.unique(np.stack([kept.item, contests(kept).pair], axis=1), axis=0, return_inverse=True)
    return kept, place.reshape(-1)


def _agreed(
    kept: Comparisons, lead: np.ndarray, majority: np.ndarray, asked: np.ndarray, rng: np.random.Generator, num_draws: int
) -> Estimate:
    if not asked.any():
        return Estimate(reason="no item has two votes that prefer a side")
    agreed = (1 + np.sign(majority) * lead)[asked] / 2
    spread = clustered(
        np.stack([agreed, np.ones(len(agreed))], axis=1),
        lambda sums: np.divide(sums[:, [0]], sums[:, [1]], out=np.full((len(sums), 1), np.nan), where=sums[:, [1]] > 0),
        items=kept.item[asked],
        raters=kept.rater[asked],
        rng=rng,
        num_draws=num_draws,
    )
    return spread.share(0, num_clusters=len(np.unique(kept.item[asked])))
