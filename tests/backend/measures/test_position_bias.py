"""The pull of the left side: recovered when planted, told from strengths, silent where it cannot be told."""

from dataclasses import replace

import numpy as np
import pytest

from backend.domain import Absent
from backend.measures.comparisons import Comparisons
from backend.measures.position_bias import PositionBias, position_bias
from bench.planted_votes import PlantedStudy, swapped
from tests.backend.measures.told import ends

STUDY = PlantedStudy(items_per_pair=60, raters_per_item=4, num_raters=40)


def found(votes: Comparisons, num_draws: int = 100) -> PositionBias:
    bias = position_bias(votes, rng=np.random.default_rng(0), num_draws=num_draws)
    assert isinstance(bias, PositionBias)
    return bias


def test_planted_pull_is_recovered() -> None:
    bias = found(replace(STUDY, left_log_odds=0.4).votes(np.random.default_rng(0)))
    low, high = ends(bias.log_odds)
    assert 0.15 < low < 0.4 < high < 0.65
    assert ends(bias.left)[0] > 0.5
    assert bias.p < 1e-4
    assert ends(bias.between_orders)[0] > 0


def test_without_a_pull_nothing_is_found() -> None:
    bias = found(STUDY.votes(np.random.default_rng(1)))
    for one, middle in ((bias.left, 0.5), (bias.between_orders, 0.0), (bias.log_odds, 0.0)):
        low, high = ends(one)
        assert low < middle < high


def test_shares_by_hand() -> None:
    """Left wins 3 of 4 decided votes; on the left A wins 2 of 2, on the right 1 of 3 and a tie: 1 - 1.5 / 3."""
    outcome = np.array([1.0, 1.0, 1.0, 0.0, 0.5])
    left = np.array([True, True, False, False, False])
    number = np.arange(5)
    bias = found(Comparisons(outcome, 0 * number, 0 * number + 1, number, number, left))
    assert bias.left.value == pytest.approx(3 / 4)
    assert bias.p == pytest.approx(0.625)  # 2 (1 + 4) / 16
    assert bias.between_orders.value == pytest.approx(0.5)


def test_what_is_called_a_changes_nothing() -> None:
    votes = STUDY.votes(np.random.default_rng(2))
    rng = np.random.default_rng(3)
    turned = swapped(votes, rng.random(len(votes)) < 0.5).only(rng.permutation(len(votes)))
    assert found(votes, 10) == found(turned, 10)


def test_systems_that_keep_their_sides_hide_the_pull() -> None:
    votes = replace(STUDY, strengths=(0.3, -0.3)).votes(np.random.default_rng(4))
    bias = found(replace(votes, left_is_a=votes.a < votes.b))
    assert bias.between_orders.value is None
    assert bias.log_odds.value is None
    assert "sides" in bias.log_odds.reason


def test_ties_alone_say_nothing() -> None:
    votes = STUDY.votes(np.random.default_rng(5))
    bias = position_bias(replace(votes, outcome=np.full(len(votes), 0.5)), rng=np.random.default_rng(0))
    assert isinstance(bias, Absent)


def test_votes_that_always_go_left_have_no_finite_pull() -> None:
    votes = STUDY.votes(np.random.default_rng(6))
    bias = found(replace(votes, outcome=votes.left_is_a.astype(float)))
    assert bias.left.value == 1.0
    assert bias.log_odds.value is None
