"""Rankings of systems from votes between pairs: Davidson's model with ties, and Bradley-Terry's beside it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from backend.domain import Absent
from backend.domain.studies import Estimate
from backend.measures.cluster_bootstrap import NUM_DRAWS, clustered
from backend.measures.comparisons import BAD, LOSS, TIE, WIN, Comparisons, contests, one_hot
from backend.measures.paired_models import fit_bradley_terry, fit_davidson, outcome_margins, pair_design
from backend.measures.separation import is_separated

DAVIDSON, BRADLEY_TERRY = "davidson", "bradley_terry"
ELO_SCALE, ELO_MIDDLE = 400 / math.log(10), 1000.0  # as chess federations print strengths


@dataclass(frozen=True, slots=True)
class Ranking:
    """Systems on a scale of log strengths, mean 0: `strengths[i] - strengths[j]` is the log odds that i beats j."""

    model: str
    systems: tuple[str, ...]
    strengths: tuple[Estimate, ...]
    differences: np.ndarray
    """float `(K, K, 3)`: strength i minus strength j, and the ends of its interval."""
    ranks: tuple[tuple[int, int], ...]
    """Best and worst rank of each that these intervals allow; not corrected for being many."""
    ties: Estimate
    """Davidson's nu: ties are nu / (2 + nu) of the votes between equals."""


def elo(strength: float) -> float:
    """A log strength as chess federations print it: 400 more are odds of ten to one."""
    return ELO_MIDDLE + ELO_SCALE * strength


def rank_davidson(
    votes: Comparisons, systems: Sequence[str], *, rng: np.random.Generator, num_draws: int = NUM_DRAWS
) -> Ranking | Absent:
    """The main ranking; "both are bad" is a tie. Intervals are of the bootstrap over items and raters.

    Absent where no finite strengths fit best, with the reason: no votes, ties alone, systems that were never compared,
    votes that separate systems.
    """
    return _ranked(DAVIDSON, votes, systems, rng, num_draws)


def rank_bradley_terry(
    votes: Comparisons, systems: Sequence[str], *, rng: np.random.Generator, num_draws: int = NUM_DRAWS
) -> Ranking | Absent:
    """The same with a tie as half a win for each, as arenas print it: the more ties, the narrower its scale."""
    return _ranked(BRADLEY_TERRY, votes, systems, rng, num_draws)


def _ranked(
    model: str, votes: Comparisons, systems: Sequence[str], rng: np.random.Generator, num_draws: int
) -> Ranking | Absent:
    kept = votes.canonical()
    table = contests(kept)
    cells = 3 * table.pair + np.where(table.outcome == BAD, TIE, table.outcome)
    seen = np.bincount(cells, minlength=3 * len(table.pairs)).reshape(-1, 3)
    if reason := _unrankable(model, seen, table.pairs, systems):
        return Absent(reason)
    spread = clustered(
        one_hot(cells, seen.size),
        partial(_strengths, model, pair_design(table.pairs, len(systems))),
        items=kept.item,
        raters=kept.rater,
        rng=rng,
        num_draws=num_draws,
    )
    num = len(systems)
    found = [spread.estimate(q) for q in range(len(spread.value))]
    differences = np.zeros((num, num, 3))
    for estimate, (i, j) in zip(found[num:-1], np.transpose(np.triu_indices(num, 1)), strict=True):
        value, low, high = (math.nan if end is None else end for end in (estimate.value, estimate.low, estimate.high))
        differences[i, j], differences[j, i] = (value, low, high), (-value, -high, -low)
    surely_above, surely_below = differences[:, :, 1] > 0, differences[:, :, 2] < 0
    return Ranking(
        model=model,
        systems=tuple(systems),
        strengths=tuple(found[:num]),
        differences=differences,
        ranks=tuple((1 + int(surely_below[i].sum()), num - int(surely_above[i].sum())) for i in range(num)),
        ties=_ties(model, found[-1], int(seen[:, TIE].sum())),
    )


def _strengths(model: str, design: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """Strengths, their differences in the order of `triu_indices`, and log nu, of tables `(B, 3 P)`."""
    counts = sums.reshape(len(sums), -1, 3)
    wins, ties, losses = counts[:, :, WIN], counts[:, :, TIE], counts[:, :, LOSS]
    if model == DAVIDSON:
        fitted = fit_davidson(wins, ties, losses, design)
        x, log_nu = fitted[:, :-1], fitted[:, -1:]
    else:
        x = fit_bradley_terry(wins + ties / 2, losses + ties / 2, design)
        log_nu = np.full((len(x), 1), np.nan)
    first, second = np.triu_indices(design.shape[1], 1)
    return np.concatenate([x, x[:, first] - x[:, second], log_nu], axis=1)


def _ties(model: str, log_nu: Estimate, num_ties: int) -> Estimate:
    if model != DAVIDSON:
        return Estimate(reason="a tie counts as half a win for each")
    if not num_ties:
        return Estimate(reason="no vote is a tie")
    value, low, high = (None if end is None else math.exp(end) for end in (log_nu.value, log_nu.low, log_nu.high))
    return replace(log_nu, value=value, low=low, high=high)


def _unrankable(model: str, seen: np.ndarray, pairs: np.ndarray, systems: Sequence[str]) -> str:
    """Why votes `seen` `(P, 3)` hold no finite strengths; empty when they do."""
    if not len(pairs):
        return "no votes"
    num = len(systems)
    num_groups, group = _groups(pairs, num, connection="weak")
    if num_groups > 1:
        return f"never compared with each other: {_grouped(group, systems)}"
    if not seen[:, [WIN, LOSS]].any():
        return "every vote is a tie: nothing ranks the systems"
    ahead = (seen[:, WIN] + seen[:, TIE] > 0), (seen[:, LOSS] + seen[:, TIE] > 0)
    rows = np.concatenate([pairs[ahead[0]], pairs[ahead[1]][:, ::-1]])
    num_groups, group = _groups(rows, num, connection="strong")
    if num_groups > 1:
        return f"votes separate the systems, and one that always wins has no finite strength: {_grouped(group, systems)}"
    with_ties = model == DAVIDSON and bool(seen[:, TIE].any())
    if is_separated(outcome_margins(seen, pair_design(pairs, num), with_ties=with_ties)):
        return "wins on both sides are too few beside the ties: no finite strengths fit best; gather more votes"
    return ""


def _groups(arrows: np.ndarray, num: int, *, connection: str) -> tuple[int, np.ndarray]:
    """How many components arrows `(A, 2)` make of `num` systems, and the component of each."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components  # not above: a fifth of a second of every command's start

    graph = coo_array((np.ones(len(arrows)), (arrows[:, 0], arrows[:, 1])), shape=(num, num))
    return connected_components(graph, directed=True, connection=connection)


def _grouped(group: np.ndarray, systems: Sequence[str]) -> str:
    found: dict[int, list[str]] = {}
    for one, system in zip(group.tolist(), systems, strict=True):
        found.setdefault(one, []).append(system)
    return " | ".join(", ".join(members) for members in found.values())
