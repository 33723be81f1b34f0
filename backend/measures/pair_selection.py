"""Which pair of systems to ask about next, and when to stop asking."""

from dataclasses import dataclass

import numpy as np

from backend.domain import Absent
from backend.measures.comparisons import BAD, LOSS, TIE, WIN, Comparisons, contests
from backend.measures.paired_models import davidson_shares, fit_davidson, pair_design
from backend.measures.rankings import Ranking

HOLD_OUT = 0.1  # share of pairs that are drawn uniformly, fit to calibrate metrics on
TOP = 3  # best pairs that one is drawn of, so that equal starts do not ask one pair alone
PRIOR = 0.25  # ridge of the fit that selects: strengths of about 2 around the mean before any vote


@dataclass(frozen=True, slots=True)
class NextPair:
    """Two systems, the lower number first. Pairs of the hold-out alone are a fair sample of all pairs."""

    a: int
    b: int
    held_out: bool


def next_pairs(
    votes: Comparisons, num_systems: int, *, num: int, rng: np.random.Generator, hold_out: float = HOLD_OUT
) -> tuple[NextPair, ...]:
    """`num` pairs, each drawn uniformly with chance `hold_out`, else from the TOP most informative ones.

    Votes of chosen pairs tell little of pairs that are easy to tell: fit metrics to the hold-out alone.
    """
    if num_systems < 2:
        raise ValueError(f"{num_systems} systems make no pair; give two or more")
    gains = pair_information(votes, num_systems)
    pairs = np.transpose(np.triu_indices(num_systems, 1))
    best = np.argsort(-gains, kind="stable")[:TOP]
    found = []
    for held_out in rng.random(num) < hold_out:
        a, b = pairs[rng.integers(len(pairs)) if held_out else rng.choice(best)].tolist()
        found.append(NextPair(a, b, bool(held_out)))
    return tuple(found)


def pair_information(votes: Comparisons, num_systems: int) -> np.ndarray:
    """What a vote on each pair would add, `p (1 - p) Var(x_i - x_j)`, float `(K (K - 1) / 2,)` as of `triu_indices`.

    p is the chance that i beats j when they do not tie, the variance that of Davidson's strengths with a wide prior.
    """
    kept = votes.canonical()
    table = contests(kept)
    cells = 3 * table.pair + np.where(table.outcome == BAD, TIE, table.outcome)
    seen = np.bincount(cells, minlength=3 * len(table.pairs)).reshape(1, -1, 3).astype(float)
    design = pair_design(table.pairs, num_systems)
    x = fit_davidson(seen[:, :, WIN], seen[:, :, TIE], seen[:, :, LOSS], design, ridge=PRIOR)[0]
    first, _, second = davidson_shares(design @ x[:-1], x[-1])
    weight = seen[0].sum(axis=1) * (first + second - (first - second) ** 2) / 4
    covariance = np.linalg.inv(design.T @ (weight[:, None] * design) + PRIOR * np.eye(num_systems))
    i, j = np.triu_indices(num_systems, 1)
    p = 0.5 * (1 + np.tanh((x[i] - x[j]) / 2))
    return p * (1 - p) * (covariance[i, i] + covariance[j, j] - 2 * covariance[i, j])


def is_narrow(ranking: Ranking | Absent, half_width: float) -> bool:
    """Whether every strength's interval is as narrow as wanted: then asking may stop. Never without a ranking."""
    if isinstance(ranking, Absent):
        return False
    ends = [(one.low, one.high) for one in ranking.strengths]
    return all(low is not None and high is not None and high - low <= 2 * half_width for low, high in ends)
