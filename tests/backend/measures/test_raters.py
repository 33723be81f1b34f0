"""A rater's quality, by hand and by what was planted."""

import numpy as np
import pytest
from scipy.stats import binomtest

from backend.measures.raters import Sitting, entropy_bits, longest_run, rater_quality


def test_a_rater_by_hand() -> None:
    """Three of four gold trials are right, one of two repeats is alike, seven answers are for a side."""
    found = rater_quality(
        Sitting(
            keys=("left", "left", "left", "right", "right", "right", "right", "tie"),
            is_left=(True, True, True, False, False, False, False),
            seconds=(4.0, 5.0, 6.0, 8.0, 9.0, 10.0, 11.0),
            is_right=(True, True, True, False),
            is_alike=(True, False),
        )
    )
    assert (found.gold.value, found.gold.n) == (0.75, 4)
    assert found.gold.low == pytest.approx(0.300642, abs=1e-6)
    assert (found.consistency.value, found.consistency.n) == (0.5, 2)
    assert found.median_s == 8
    assert found.left.value == pytest.approx(3 / 7)
    assert found.left_p == pytest.approx(binomtest(3, 7).pvalue)
    assert found.longest_run == 4
    assert found.entropy_bits == pytest.approx(-(3 / 8 * np.log2(3 / 8) + 4 / 8 * np.log2(4 / 8) + 1 / 8 * np.log2(1 / 8)))


def test_what_was_not_asked_is_said_to_be_unknown() -> None:
    found = rater_quality(Sitting())
    for one in (found.gold, found.consistency, found.left):
        assert one.value is None
        assert one.reason
    assert found.median_s is None
    assert found.left_p is None
    assert (found.longest_run, found.entropy_bits) == (0, 0.0)


def test_runs_and_entropy_of_one_key_and_of_four() -> None:
    assert longest_run(("a", "a", "a")) == 3
    assert longest_run(("a", "b", "b", "a")) == 2
    assert entropy_bits(("a", "a", "a")) == 0.0
    assert entropy_bits(("a", "b", "c", "d")) == pytest.approx(2.0)


def test_who_presses_left_always_and_who_guesses_stand_out() -> None:
    rng = np.random.default_rng(0)
    left = rng.random((20, 40)) < 0.5
    left[7] = True
    right = rng.random((20, 40)) < np.where(np.arange(20) == 3, 0.5, 0.95)[:, None]
    found = [
        rater_quality(
            Sitting(keys=["left" if one else "right" for one in of], is_left=of.tolist(), is_right=known.tolist())
        )
        for of, known in zip(left, right, strict=True)
    ]
    assert [k for k, one in enumerate(found) if one.left_p is not None and one.left_p < 1e-6] == [7]
    assert [k for k, one in enumerate(found) if one.gold.low is not None and one.gold.low < 0.6] == [3]
    assert (found[7].entropy_bits, found[7].longest_run) == (0.0, 40)
