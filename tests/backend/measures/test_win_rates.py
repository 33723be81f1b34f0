"""Shares of votes with intervals, points by majority, best of several."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from backend.measures.comparisons import Comparisons
from backend.measures.intervals import wilson
from backend.measures.win_rates import best_of_shares, head_to_heads, majority_points, win_rates
from bench.planted_votes import PlantedStudy, swapped
from tests.backend.measures.told import ends, width

SMALL = PlantedStudy(items_per_pair=8, raters_per_item=3, num_raters=9)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def on_items(rows: list[tuple[int, list[float]]]) -> Comparisons:
    """Votes of systems 0 and 1 by item; the k-th vote of an item is rater k's."""
    item = np.array([number for number, given in rows for _ in given])
    rater = np.array([k for _, given in rows for k in range(len(given))])
    outcome = np.array([one for _, given in rows for one in given])
    return Comparisons(outcome, 0 * item, 0 * item + 1, item, rater, item % 2 == 0)


@given(num=st.integers(1, 500), share=st.floats(0, 1))
def test_wilson_agrees_with_statsmodels(num: int, share: float) -> None:
    right = round(share * num)
    assert wilson(right / num, num) == pytest.approx(proportion_confint(right, num, method="wilson"), abs=1e-6)


def test_votes_of_a_pair_are_counted_from_the_first() -> None:
    votes = on_items([(0, [1.0, 1.0, 0.5]), (1, [0.0, 0.5, np.nan])])
    votes = replace(votes, both_bad=np.array([False, False, True, False, False, False]))
    (found,) = head_to_heads(votes, rng=rng(), num_draws=50)
    assert found.counts == (2, 1, 1, 1)
    assert found.rate.value == pytest.approx(0.6)
    assert (found.wilson.low, found.wilson.high) == pytest.approx(proportion_confint(3, 5, method="wilson"), abs=1e-6)


def test_interval_of_clustered_votes_is_wider_than_wilsons_and_of_independent_ones_about_as_wide() -> None:
    for alike, widest in ((0.6, 3.5), (0.0, 1.25)):
        study = PlantedStudy(strengths=(0.2, -0.2), items_per_pair=60, num_raters=40, alike_items=alike, alike_raters=0.0)
        (found,) = head_to_heads(study.votes(np.random.default_rng(1)), rng=rng(), num_draws=300)
        ratio = width(found.rate) / width(found.wilson)
        # ties make half votes, which vary less than whole ones
        assert (1.2 if alike else 0.7) < ratio < widest


@given(seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_what_is_called_a_and_the_order_of_votes_change_nothing(seed: int) -> None:
    votes = SMALL.votes(np.random.default_rng(seed))
    other = np.random.default_rng(seed + 1)
    turned = swapped(votes, other.random(len(votes)) < 0.5).only(other.permutation(len(votes)))
    assert head_to_heads(votes, rng=rng(), num_draws=10) == head_to_heads(turned, rng=rng(), num_draws=10)
    for rates in (win_rates, majority_points):
        assert rates(votes, 4, rng=rng(), num_draws=10) == rates(turned, 4, rng=rng(), num_draws=10)


def test_win_rates_of_two_systems_add_up_to_one() -> None:
    votes = PlantedStudy(strengths=(0.4, -0.4), items_per_pair=12).votes(np.random.default_rng(2))
    first, second = win_rates(votes, 2, rng=rng(), num_draws=50)
    assert first.value is not None
    assert second.value == pytest.approx(1 - first.value)
    assert ends(second) == pytest.approx((1 - ends(first)[1], 1 - ends(first)[0]), abs=0.02)


def test_points_go_to_the_majority_of_each_item() -> None:
    """Gloria: 1 to whom most prefer, 0 to the other, .5 without a majority: here 1, 0, .5, .5, .5."""
    votes = on_items([(0, [1.0, 1.0, 0.5]), (1, [0.0, 0.0, 1.0]), (2, [1.0, 0.0]), (3, [0.5, 0.5, 1.0]), (4, [1.0, 0.5])])
    first, second = majority_points(votes, 2, rng=rng(), num_draws=50)
    assert (first.value, second.value) == pytest.approx((0.5, 0.5))
    one, other = majority_points(votes.only(votes.item < 1), 2, rng=rng(), num_draws=50)
    assert (one.value, other.value) == (1.0, 0.0)


def test_one_rater_gives_points_of_each_vote() -> None:
    votes = on_items([(0, [1.0]), (1, [0.5]), (2, [0.0]), (3, [1.0])])
    assert majority_points(votes, 2, rng=rng(), num_draws=50)[0].value == pytest.approx(0.625)


def test_phantom_datas_shares_of_the_best_of_four() -> None:
    """76, 11, 7, 6 % of 6 raters on 50 groups; of independent votes Wilson's interval of 76 % is .71 to .80; six raters alone widen it."""
    chosen = np.repeat([0, 1, 2, 3], [228, 33, 21, 18])
    order = np.random.default_rng(0).permutation(300)
    item, rater = np.divmod(np.arange(300), 6)
    found = best_of_shares(chosen[order], item, rater, 4, rng=rng(), num_draws=500)
    assert [one.value for one in found] == pytest.approx([0.76, 0.11, 0.07, 0.06])
    assert found[0].low == pytest.approx(0.71, abs=0.05)
    assert found[0].high == pytest.approx(0.80, abs=0.05)


def test_without_votes_there_is_a_statement() -> None:
    nothing = on_items([(0, [np.nan])])
    assert head_to_heads(nothing, rng=rng()) == ()
    for found in (win_rates(nothing, 2, rng=rng()), majority_points(nothing, 2, rng=rng())):
        assert [(one.value, one.reason) for one in found] == [(None, "no votes")] * 2
    empty = np.zeros(0, int)
    assert best_of_shares(empty, empty, empty, 2, rng=rng())[0].reason == "no votes"


def test_a_system_without_votes_has_no_rate_and_all_ties_make_a_half() -> None:
    votes = on_items([(number, [0.5, 0.5]) for number in range(4)])
    first, _, third = win_rates(votes, 3, rng=rng(), num_draws=50)
    assert first.value == 0.5
    assert third.value is None
