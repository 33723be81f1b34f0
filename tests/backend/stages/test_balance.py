"""Weights that bring anchors to the published shares."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.stages.balance import GLORIA_SHARES, anchor_weights, weighted_shares

VIEWS = GLORIA_SHARES["viewpoint"]


def test_published_shares_are_hundreds() -> None:
    assert sum(VIEWS.values()) == pytest.approx(100)
    assert sum(GLORIA_SHARES["expression"].values()) == pytest.approx(100)


def test_anchors_in_the_published_shares_keep_weight_one() -> None:
    labels = [label for label, share in VIEWS.items() for _ in range(round(share * 10))]
    assert anchor_weights(labels, VIEWS) == pytest.approx(dict.fromkeys(VIEWS, 1.0))


def test_a_rare_side_counts_double_at_most() -> None:
    labels = ["front"] * 60 + ["left"] * 20 + ["right"] * 18 + ["back"] * 2
    weights = anchor_weights(labels, VIEWS)
    assert weights == pytest.approx({"front": 0.296 / 0.6, "left": 0.279 / 0.2, "right": 0.252 / 0.18, "back": 2.0})
    shares = weighted_shares(labels, weights)
    assert shares["back"] == pytest.approx(0.04 / (0.296 + 0.279 + 0.252 + 0.04))


def test_missing_sides_do_not_thin_out_the_others() -> None:
    assert anchor_weights(["front", "left"], VIEWS) == pytest.approx({"front": 2 * 29.6 / 57.5, "left": 2 * 27.9 / 57.5})


def test_unknown_labels_are_never_drawn() -> None:
    assert anchor_weights(["front", "above"], VIEWS) == {"front": 1.0, "above": 0.0}
    assert weighted_shares(["above"], {"above": 0.0}) == {}


@given(st.lists(st.sampled_from(sorted(VIEWS)), min_size=1, max_size=60))
def test_without_a_cap_every_share_is_met(labels: list[str]) -> None:
    shares = weighted_shares(labels, anchor_weights(labels, VIEWS, most=float("inf")))
    wanted = sum(VIEWS[label] for label in shares)
    assert shares == pytest.approx({label: VIEWS[label] / wanted for label in shares})
