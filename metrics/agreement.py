"""How far metrics side with people: OpenS2V's agreement ratio, with ties, as a ranking of votes and of systems."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array
from scipy.stats import kendalltau

from backend.domain.calibration import MetricAgreement
from backend.domain.studies import Estimate
from backend.measures.cluster_bootstrap import NUM_DRAWS, clustered, drawn_weights
from backend.measures.noise_ceiling import noise_ceiling, normalised_alignment
from metrics.judged import Judged
from metrics.resampling import interval

LEAST_SYSTEMS = 3  # of which an order says anything


def metric_agreements(
    found: Judged, directions: Sequence[bool], *, rng: np.random.Generator, num_draws: int = NUM_DRAWS
) -> tuple[MetricAgreement, ...]:
    """Every metric by itself, on the pairs where it has both values; `directions` say of which a higher value is better."""
    ceiling = noise_ceiling(found.votes, rng=rng, num_draws=num_draws)
    signs = np.where(directions, 1.0, -1.0)
    return tuple(
        agreement(
            name, signs[k] * found.first[:, k], signs[k] * found.second[:, k], found, ceiling, rng=rng, num_draws=num_draws
        )
        for k, name in enumerate(found.metrics)
    )


def agreement(
    name: str,
    first: np.ndarray,
    second: np.ndarray,
    found: Judged,
    ceiling: Estimate,
    *,
    rng: np.random.Generator,
    num_draws: int = NUM_DRAWS,
) -> MetricAgreement:
    """Of scores `(P,)` of both videos, higher for better; pairs where one is NaN are left out. Intervals are over prompts."""
    there = np.isfinite(first) & np.isfinite(second)
    if not there.any():
        nothing = Estimate(reason="no pair has both values")
        return MetricAgreement(
            name=name, pairs=0, missing=len(first), ratio=nothing, normalised=None, majority=nothing, auc=nothing
        )
    kept = found.only(there)
    difference = (first - second)[there]
    wins, ties, losses = _counted(kept)
    ratio = _sided(difference, wins, losses, kept.prompt, rng, num_draws)
    with_ties, epsilon = tie_calibrated(difference, wins, ties, losses)
    return MetricAgreement(
        name=name,
        pairs=int(there.sum()),
        missing=int((~there).sum()),
        ratio=ratio,
        normalised=None
        if ratio.value is None or ceiling.value is None
        else normalised_alignment(ratio.value, ceiling.value),
        majority=_sided(
            difference, (wins > losses).astype(float), (losses > wins).astype(float), kept.prompt, rng, num_draws
        ),
        with_ties=with_ties,
        epsilon=epsilon,
        auc=_auc(difference, wins, losses, kept.prompt, rng, num_draws),
        kendall=_order_of_systems(first[there], second[there], kept),
    )


def tie_calibrated(
    difference: np.ndarray, wins: np.ndarray, ties: np.ndarray, losses: np.ndarray
) -> tuple[float | None, float | None]:
    """The largest share of votes `(P,)` that differences meet when those of at most epsilon count as ties, and epsilon.

    Deutsch et al. 2023 (arXiv 2305.14324). Every distinct difference is tried, equal ones together, and that nothing is
    a tie (epsilon None); of several that are as good, the smallest. A difference of 0 that is no tie meets no vote.
    """
    total = float((wins + ties + losses).sum())
    if not total:
        return None, None
    met = np.where(difference > 0, wins, np.where(difference < 0, losses, 0.0))
    sizes, place = np.unique(np.abs(difference), return_inverse=True)
    tied, sided = (np.bincount(place, of, minlength=len(sizes)).cumsum() for of in (ties, met))
    shares = np.concatenate([[sided[-1]], tied + sided[-1] - sided]) / total
    best = int(np.argmax(shares))
    return float(shares[best]), None if best == 0 else float(sizes[best - 1])


def chance_with_ties(found: Judged) -> float | None:
    """What no knowledge of the videos gives where ties count: always a tie, or a side by a coin, whichever is better."""
    wins, ties, losses = (of.sum() for of in _counted(found))
    total = wins + ties + losses
    return float(max(ties, (wins + losses) / 2) / total) if total else None


def _counted(found: Judged) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Votes for the first video, ties and votes for the second, float `(P,)` each."""
    num = len(found.pairs)
    outcome, item = found.votes.outcome, found.votes.item
    return tuple(np.bincount(item[outcome == one], minlength=num).astype(float) for one in (1.0, 0.5, 0.0))  # pyright: ignore[reportReturnType]


def _sided(
    difference: np.ndarray,
    wins: np.ndarray,
    losses: np.ndarray,
    prompt: np.ndarray,
    rng: np.random.Generator,
    num_draws: int,
) -> Estimate:
    met = np.where(difference > 0, wins, np.where(difference < 0, losses, (wins + losses) / 2))
    num = int((wins + losses).sum())
    if not num:
        return Estimate(reason="no vote prefers a side")
    spread = clustered(
        np.stack([met, wins + losses], axis=1),
        lambda sums: np.divide(sums[:, [0]], sums[:, [1]], out=np.full((len(sums), 1), np.nan), where=sums[:, [1]] > 0),
        items=prompt,
        raters=None,
        rng=rng,
        num_draws=num_draws,
    )
    share = spread.share(0, num_clusters=len(np.unique(prompt)))
    return Estimate(value=share.value, low=share.low, high=share.high, n=num, reason=share.reason)


def _auc(
    difference: np.ndarray,
    wins: np.ndarray,
    losses: np.ndarray,
    prompt: np.ndarray,
    rng: np.random.Generator,
    num_draws: int,
) -> Estimate:
    """Each vote counts from both sides, as (difference, won) and (- difference, lost), so that no side is the first."""
    if not (wins + losses).any():
        return Estimate(reason="no vote prefers a side")
    sizes, place = np.unique(np.concatenate([difference, -difference]), return_inverse=True)
    rows = np.arange(len(difference))
    shape = (len(difference), len(sizes))
    won = csr_array((wins, (rows, place[: len(rows)])), shape) + csr_array((losses, (rows, place[len(rows) :])), shape)
    _, prompts = np.unique(prompt, return_inverse=True)
    num = int(prompts.max()) + 1

    def auc(weights: np.ndarray) -> np.ndarray:
        above = weights @ won
        below = above[:, ::-1]  # what lost has the opposite difference
        smaller = below.cumsum(axis=1) - below / 2
        return (above * smaller).sum(axis=1) / above.sum(axis=1) ** 2

    value = float(auc(np.ones((1, len(rows))))[0])
    votes = int((wins + losses).sum())
    if num < 2:
        return Estimate(value=value, n=votes, reason="one prompt: nothing is known of how prompts differ")
    drawn = np.concatenate([auc(weights[:, prompts]) for weights in drawn_weights(num, num_draws, rng)])
    low, high = interval(drawn) or (None, None)
    return Estimate(value=value, low=low, high=high, n=votes)


def _order_of_systems(first: np.ndarray, second: np.ndarray, found: Judged) -> float | None:
    """Kendall's tau-b of mean scores and win rates of systems, over the same pairs."""
    num = len(found.systems)
    system = found.pairs.T.ravel()
    videos, weight = np.bincount(system, minlength=num), np.concatenate([found.num, found.num])
    votes = np.bincount(system, weight, minlength=num)
    there = votes > 0
    if there.sum() < LEAST_SYSTEMS:
        return None
    scores = np.bincount(system, np.concatenate([first, second]), minlength=num)[there] / videos[there]
    rates = np.bincount(system, np.concatenate([found.wins, found.num - found.wins]), minlength=num)[there] / votes[there]
    tau = float(np.asarray(kendalltau(scores, rates))[0])
    return tau if np.isfinite(tau) else None
