"""Shares of votes: wins, ties and losses of pairs, win rates of systems, points by majority, best of several."""

from dataclasses import dataclass

import numpy as np

from backend.domain.studies import Estimate
from backend.measures.cluster_bootstrap import NUM_DRAWS, clustered
from backend.measures.comparisons import BAD, LOSS, TIE, WIN, Comparisons, contests, one_hot
from backend.measures.intervals import wilson

NO_VOTES = Estimate(reason="no votes")
RATE = 4  # place of the rate behind the shares of the four outcomes


@dataclass(frozen=True, slots=True)
class HeadToHead:
    """Two systems, seen from `a`, by the votes that were not skipped."""

    a: int
    b: int
    counts: tuple[int, int, int, int]
    """Wins, ties, losses, and votes that both are bad."""
    rate: Estimate
    """Wins and half the ties; a vote that both are bad is a tie."""
    wilson: Estimate
    """The rate as if each vote were an independent witness: narrower than the truth."""


def head_to_heads(votes: Comparisons, *, rng: np.random.Generator, num_draws: int = NUM_DRAWS) -> tuple[HeadToHead, ...]:
    """Every pair that has votes, by number; the intervals allow for items and raters that differ."""
    kept = votes.canonical()
    table = contests(kept)
    found = []
    for number, (a, b) in enumerate(table.pairs.tolist()):
        rows = table.pair == number
        spread = clustered(
            one_hot(table.outcome[rows], 4),
            _outcome_shares,
            items=kept.item[rows],
            raters=kept.rater[rows],
            rng=rng,
            num_draws=num_draws,
        )
        num_items = len(np.unique(kept.item[rows]))
        found.append(
            HeadToHead(
                a=a,
                b=b,
                counts=tuple(np.bincount(table.outcome[rows], minlength=4).tolist()),
                rate=spread.share(RATE, num_clusters=num_items),
                wilson=_as_if_independent(float(spread.value[RATE]), int(rows.sum())),
            )
        )
    return tuple(found)


def win_rates(
    votes: Comparisons, num_systems: int, *, rng: np.random.Generator, num_draws: int = NUM_DRAWS
) -> tuple[Estimate, ...]:
    """Of each system: wins and half the ties, of the votes that it took part in. No value without any.

    What it says depends on whom the system met; a ranking does not.
    """
    kept = votes.canonical()
    found: list[Estimate] = []
    for system in range(num_systems):
        rows = (kept.a == system) | (kept.b == system)
        if not rows.any():
            found.append(NO_VOTES)
            continue
        won = np.where(kept.a[rows] == system, kept.outcome[rows], 1 - kept.outcome[rows])
        spread = clustered(
            one_hot(np.rint(2 - 2 * won).astype(np.int64), 4),
            _outcome_shares,
            items=kept.item[rows],
            raters=kept.rater[rows],
            rng=rng,
            num_draws=num_draws,
        )
        found.append(spread.share(RATE, num_clusters=len(np.unique(kept.item[rows]))))
    return tuple(found)


def majority_points(
    votes: Comparisons, num_systems: int, *, rng: np.random.Generator, num_draws: int = NUM_DRAWS
) -> tuple[Estimate, ...]:
    """Mean points of each system over its items: 1 where most raters preferred it, 0 where most did not, else .5.

    Gloria, section 7.3. A side has the majority when more raters chose it than chose the other, and more than tied.
    Intervals are over items: how raters differ is inside each majority.
    """
    kept = votes.canonical()
    if not len(kept):
        return (NO_VOTES,) * num_systems
    table = contests(kept)
    tests, place = np.unique(np.stack([kept.item, table.pair], axis=1), axis=0, return_inverse=True)
    outcome = np.where(table.outcome == BAD, TIE, table.outcome)
    counts = np.bincount(3 * place.reshape(-1) + outcome, minlength=3 * len(tests)).reshape(-1, 3)
    won = counts[:, WIN] > np.maximum(counts[:, TIE], counts[:, LOSS])
    lost = counts[:, LOSS] > np.maximum(counts[:, TIE], counts[:, WIN])
    points = np.where(won, WIN, np.where(lost, LOSS, TIE))
    pairs = table.pairs[tests[:, 1]]
    found: list[Estimate] = []
    for system in range(num_systems):
        rows = (pairs == system).any(axis=1)
        if not rows.any():
            found.append(NO_VOTES)
            continue
        own = np.where(pairs[rows, 0] == system, points[rows], 2 - points[rows])
        items = tests[rows, 0]
        spread = clustered(one_hot(own, 4), _outcome_shares, items=items, raters=None, rng=rng, num_draws=num_draws)
        found.append(spread.share(RATE, num_clusters=len(np.unique(items))))
    return tuple(found)


def best_of_shares(
    chosen: np.ndarray,
    items: np.ndarray,
    raters: np.ndarray,
    num_systems: int,
    *,
    rng: np.random.Generator,
    num_draws: int = NUM_DRAWS,
) -> tuple[Estimate, ...]:
    """How often each system was chosen as the best of all, from choices int `(N,)`. Phantom-Data, appendix B."""
    if not len(chosen):
        return (NO_VOTES,) * num_systems
    parts = one_hot(np.asarray(chosen, np.int64), num_systems)
    spread = clustered(parts, _shares, items=items, raters=raters, rng=rng, num_draws=num_draws)
    return tuple(spread.share(q, num_clusters=len(np.unique(items))) for q in range(num_systems))


def _as_if_independent(rate: float, num: int) -> Estimate:
    low, high = wilson(rate, num)
    return Estimate(value=rate, low=low, high=high, n=num)


def _shares(sums: np.ndarray) -> np.ndarray:
    total = sums.sum(axis=1, keepdims=True)
    return np.divide(sums, total, out=np.full_like(sums, np.nan), where=total > 0)


def _outcome_shares(sums: np.ndarray) -> np.ndarray:
    """Shares of wins, ties, losses and both bad, and the rate, of tables `(B, 4)`."""
    shares = _shares(sums)
    rate = shares[:, WIN] + (shares[:, TIE] + shares[:, BAD]) / 2
    return np.concatenate([shares, rate[:, None]], axis=1)
