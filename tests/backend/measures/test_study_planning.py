"""How many votes to gather, which pair to ask about next, when to stop; what a metric can be asked to reach."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kendalltau

from backend.measures.comparisons import Comparisons, contests
from backend.measures.noise_ceiling import noise_ceiling, normalised_alignment
from backend.measures.pair_selection import PRIOR, pair_counts, pair_information, ranked_pairs
from backend.measures.paired_models import fit_davidson, pair_design
from backend.measures.power import design_effect, half_width
from bench.planted_votes import PlantedStudy, swapped

NOTHING = Comparisons(*(np.zeros(0),) * 6)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_five_raters_with_a_correlation_of_3_tenths_more_than_double_the_votes() -> None:
    assert design_effect(5, 0.3) == pytest.approx(2.2)


@pytest.mark.parametrize(("pairs", "expected"), [(30, 0.0947), (200, 0.0367), (400, 0.0259)])
def test_half_width_by_number_of_pairs(pairs: int, expected: float) -> None:
    """1.96 sqrt(.25 (1 + 4 x .1) / (5 pairs)), by hand."""
    assert half_width(pairs, 5, icc=0.1) == pytest.approx(expected, abs=1e-4)


def test_before_any_vote_all_pairs_are_equally_informative() -> None:
    np.testing.assert_allclose(np.ptp(pair_information(pair_counts(NOTHING, 5), 5)), 0, atol=1e-12)


def test_what_was_asked_often_and_what_is_clear_is_asked_less() -> None:
    study = PlantedStudy(strengths=(3.0, 0.1, -0.1, -3.0), items_per_pair=10)
    votes = study.votes(rng())
    without = votes.only(~((votes.a == 1) & (votes.b == 2)))
    pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    gains = dict(zip(pairs, pair_information(pair_counts(without, 4), 4), strict=True))
    assert max(gains, key=lambda pair: gains[pair]) == (1, 2)
    assert min(gains, key=lambda pair: gains[pair]) == (0, 3)
    assert pair_information(pair_counts(votes, 4), 4)[3] < gains[1, 2]


def test_information_is_the_fall_of_the_sum_of_variances_that_one_vote_brings() -> None:
    """Against the traces of two inverted matrices, the second with one vote more on the pair."""
    counts = pair_counts(PlantedStudy(items_per_pair=3).votes(rng(2)), 4)
    design = pair_design(np.transpose(np.triu_indices(4, 1)), 4)
    x = fit_davidson(counts[None, :, 0], counts[None, :, 1], counts[None, :, 2], design, ridge=PRIOR)[0]
    shares = np.exp(np.stack([design @ x[:4] / 2, np.full(6, x[4]), -design @ x[:4] / 2]))
    first, _, second = shares / shares.sum(axis=0)
    votes = (first + second - (first - second) ** 2) / 4
    known = PRIOR * np.eye(4)
    for num, told, d in zip(counts.sum(axis=1), votes, design, strict=True):
        known += num * told * np.outer(d, d)
    after = [np.trace(np.linalg.inv(known + told * np.outer(d, d))) for told, d in zip(votes, design, strict=True)]
    np.testing.assert_allclose(pair_information(counts, 4), np.trace(np.linalg.inv(known)) - after, rtol=1e-9)


def test_counts_are_of_each_pair_whatever_is_called_a() -> None:
    """0 beats 1 twice and loses once, 1 ties with 2; 0 and 2 were never compared."""
    votes = Comparisons([1, 1, 1, 0.5], [0, 0, 1, 2], [1, 1, 0, 1], range(4), range(4), [True] * 4)  # pyright: ignore
    np.testing.assert_array_equal(pair_counts(votes, 3), [[2, 0, 1], [0, 0, 0], [0, 1, 0]])


def test_one_of_the_best_pairs_is_drawn_and_the_rest_follow_in_order() -> None:
    information = np.array([0.1, 0.5, 0.3, 0.4, 0.2, 0.0, -0.1, -0.2, -0.3])
    found = [ranked_pairs(information, rng(seed)) for seed in range(60)]
    assert {order[0] for order in found} == {1, 3, 2}
    for order in found:
        assert order[1:] == [pair for pair in (1, 3, 2, 4, 0, 5, 6, 7, 8) if pair != order[0]]


def test_of_three_pairs_the_best_is_asked_about() -> None:
    """Else nothing would be chosen among three systems."""
    assert {tuple(ranked_pairs(np.array([0.1, 0.5, 0.3]), rng(seed))) for seed in range(20)} == {(1, 2, 0)}


@pytest.mark.slow
def test_chosen_pairs_rank_better_than_uniform_ones_with_as_many_votes() -> None:
    """Eight systems, 150 votes, 16 studies: mean Kendall tau to the truth."""
    true = np.linspace(-1.5, 1.5, 8)
    chosen, even = (np.mean([_tau(true, even, seed) for seed in range(16)]) for even in (False, True))
    assert chosen > even


def _tau(true: np.ndarray, even: bool, seed: int) -> float:
    made, pairs = rng(seed), np.transpose(np.triu_indices(8, 1))
    rows: list[tuple[float, int, int]] = []
    while len(rows) < 150:
        information = pair_information(pair_counts(_of(rows), 8), 8)
        for _ in range(5):
            a, b = pairs[made.integers(len(pairs)) if even else ranked_pairs(information, made)[0]].tolist()
            rows.append((float(made.random() < 1 / (1 + np.exp(true[b] - true[a]))), a, b))
    votes = _of(rows)
    table = contests(votes)
    seen = np.bincount(3 * table.pair + table.outcome, minlength=3 * len(table.pairs)).reshape(1, -1, 3).astype(float)
    x = fit_davidson(seen[:, :, 0], seen[:, :, 1], seen[:, :, 2], pair_design(table.pairs, 8), ridge=0.25)[0]
    return float(np.asarray(kendalltau(x[:8], true))[0])


def _of(rows: list[tuple[float, int, int]]) -> Comparisons:
    columns = np.array(rows).reshape(-1, 3)
    number = np.arange(len(columns))
    return Comparisons(columns[:, 0], columns[:, 1].astype(int), columns[:, 2].astype(int), number, number, number % 2 == 0)


def test_ceiling_by_hand() -> None:
    """A A B: each A has one A and one B against it (.5), B is against two (0); A A tie: both agree. Tie is not asked."""
    outcome = np.array([1, 1, 0, 1, 1, 0.5, 1])
    item = np.array([0, 0, 0, 1, 1, 1, 2])
    rater = np.array([0, 1, 2, 0, 1, 2, 0])
    votes = Comparisons(outcome, 0 * item, 0 * item + 1, item, rater, item > 0)
    found = noise_ceiling(votes, rng=rng(), num_draws=50)
    assert (found.value, found.n) == (pytest.approx((0.5 + 0.5 + 0 + 1 + 1) / 5), 5)
    assert normalised_alignment(0.55, found.value or 0) == pytest.approx(0.5)


def test_ceiling_is_what_leaving_out_each_vote_gives_whatever_is_called_a() -> None:
    votes = PlantedStudy(items_per_pair=10).votes(rng(3))
    agreed = []
    for k in np.flatnonzero(votes.outcome != 0.5):
        others = (votes.item == votes.item[k]) & (np.arange(len(votes)) != k) & (votes.outcome != 0.5)
        if others.any():
            mean = votes.outcome[others].mean()
            agreed.append(0.5 if mean == 0.5 else float((mean > 0.5) == (votes.outcome[k] == 1.0)))
    found = noise_ceiling(votes, rng=rng(), num_draws=20)
    assert found.value == pytest.approx(np.mean(agreed))
    turned = swapped(votes, rng(4).random(len(votes)) < 0.5).only(rng(5).permutation(len(votes)))
    assert noise_ceiling(turned, rng=rng(), num_draws=20) == found


def test_where_raters_agree_no_more_than_by_chance_there_is_no_ceiling() -> None:
    assert noise_ceiling(NOTHING, rng=rng()).value is None
    study = replace(PlantedStudy(), raters_per_item=1)
    assert noise_ceiling(study.votes(rng()), rng=rng()).value is None
    assert normalised_alignment(0.5, 0.5) is None
