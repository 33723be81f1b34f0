"""How often one rater agrees with the others: what no metric can be asked to exceed."""

import numpy as np

from backend.domain.studies import Estimate
from backend.measures.cluster_bootstrap import NUM_DRAWS, clustered
from backend.measures.comparisons import Comparisons, contests


def noise_ceiling(votes: Comparisons, *, rng: np.random.Generator, num_draws: int = NUM_DRAWS) -> Estimate:
    """Share of the decided votes that side with the majority of the other votes on their item, each vote left out once.

    Where the others are evenly split a vote agrees by half. Ties count for neither side, and are not asked. No value
    where no item has two decided votes.
    """
    kept = votes.canonical()
    table = contests(kept)
    _, place = np.unique(np.stack([kept.item, table.pair], axis=1), axis=0, return_inverse=True)
    place = place.reshape(-1)
    lead = 2 * kept.outcome - 1
    others = np.bincount(place, lead, minlength=1)[place] - lead if len(place) else lead
    decided = np.bincount(place, np.abs(lead), minlength=1)[place] if len(place) else lead
    asked = (lead != 0) & (decided > 1)
    if not asked.any():
        return Estimate(reason="no item has two votes that prefer a side")
    agreed = (1 + np.sign(others) * lead)[asked] / 2
    spread = clustered(
        np.stack([agreed, np.ones(len(agreed))], axis=1),
        lambda sums: np.divide(sums[:, [0]], sums[:, [1]], out=np.full((len(sums), 1), np.nan), where=sums[:, [1]] > 0),
        items=kept.item[asked],
        raters=kept.rater[asked],
        rng=rng,
        num_draws=num_draws,
    )
    return spread.share(0, num_clusters=len(np.unique(kept.item[asked])))


def normalised_alignment(agreement: float, ceiling: float) -> float | None:
    """Where an agreement stands between chance (0) and the ceiling (1); None where raters agree no more than by chance."""
    return (agreement - 0.5) / (ceiling - 0.5) if ceiling > 0.5 else None
