"""Which pair of systems to ask about next, so that votes tell most."""

import numpy as np

from backend.measures.comparisons import BAD, LOSS, TIE, WIN, Comparisons, contests
from backend.measures.paired_models import davidson_shares, fit_davidson, pair_design

TOP = 3  # best pairs that one is drawn of, of few a third, so that people who answer at once are asked about several
PRIOR = 0.25  # ridge of the fit that selects: strengths of about 2 around the mean before any vote


def pair_counts(votes: Comparisons, num_systems: int) -> np.ndarray:
    """Wins, ties and losses of every pair, float `(K (K - 1) / 2, 3)`, pairs in the order of `triu_indices`."""
    kept = votes.canonical()
    table = contests(kept)
    places = np.full((num_systems, num_systems), -1)
    first, second = np.triu_indices(num_systems, 1)
    places[first, second] = np.arange(len(first))
    cells = 3 * places[kept.a, kept.b] + np.where(table.outcome == BAD, TIE, table.outcome)
    return np.bincount(cells, minlength=3 * len(first)).reshape(-1, 3).astype(float)


def pair_information(counts: np.ndarray, num_systems: int) -> np.ndarray:
    """By how much one vote on each pair narrows what is known, float `(K (K - 1) / 2,)`, of `pair_counts`.

    It is the fall of the sum of the variances of all strengths (A-optimality), `w |S d|^2 / (1 + w d'S d)`: S their covariance
    in Davidson's model with a wide prior, d the pair's contrast, w what one vote tells of the pair's difference.
    """
    i, j = np.triu_indices(num_systems, 1)
    design = pair_design(np.stack([i, j], axis=1), num_systems)
    x = fit_davidson(counts[None, :, WIN], counts[None, :, TIE], counts[None, :, LOSS], design, ridge=PRIOR)[0]
    first, _, second = davidson_shares(design @ x[:-1], x[-1])
    weight = (first + second - (first - second) ** 2) / 4
    told = design.T @ ((counts.sum(axis=1) * weight)[:, None] * design)
    spread = np.linalg.inv(told + PRIOR * np.eye(num_systems)) @ design.T
    return weight * (spread**2).sum(axis=0) / (1 + weight * (spread[i, np.arange(len(i))] - spread[j, np.arange(len(j))]))


def ranked_pairs(information: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Pairs from the one to ask about to the least: of the best ones one is drawn, the rest follow in order."""
    order = np.argsort(-information, kind="stable")
    best = order[: min(TOP, max(1, len(order) // 3))]
    chosen = int(rng.choice(best))
    return [chosen, *(int(pair) for pair in order if pair != chosen)]
