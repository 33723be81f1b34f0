"""Each rater's quality, by hand and by what was planted."""

import numpy as np
import pytest
from scipy.stats import binomtest

from backend.measures.raters import Sittings, entropy_bits, longest_run, rater_quality

NAN = np.nan


def sittings(num: int, **columns: list) -> Sittings:
    rest = {"rater": [0] * num, "item": list(range(num)), "shown": [0] * num, "said": [0] * num}
    rest |= {name: [NAN] * num for name in ("left", "seconds", "gold")}
    return Sittings(**{name: np.array(values) for name, values in (rest | columns).items()})


def test_a_rater_by_hand() -> None:
    """Items 0 and 1 come again: 0 is answered alike and 1 is not; three of four gold trials are right."""
    (found,) = rater_quality(
        sittings(
            8,
            item=[0, 1, 2, 3, 0, 1, 4, 5],
            said=[1, 1, 0, 0, 1, 0, 2, 2],
            shown=[1, 1, 1, 0, 0, 0, 0, 2],
            left=[1, 1, 1, 0, 0, 0, NAN, 1],
            seconds=[4, 5, 6, NAN, 8, 9, 10, 11],
            gold=[1, 1, 1, 0, NAN, NAN, NAN, NAN],
        )
    )
    assert (found.rater, found.num) == (0, 8)
    assert (found.gold.value, found.gold.n) == (0.75, 4)
    assert found.gold.low == pytest.approx(0.300642, abs=1e-6)
    assert (found.consistency.value, found.consistency.n) == (0.5, 2)
    assert found.median_s == 8
    assert found.left.value == pytest.approx(4 / 7)
    assert found.left_p == pytest.approx(binomtest(4, 7).pvalue)
    assert found.longest_run == 4
    assert found.entropy_bits == pytest.approx(-(3 / 8 * np.log2(3 / 8) + 4 / 8 * np.log2(4 / 8) + 1 / 8 * np.log2(1 / 8)))


def test_an_item_of_three_answers_has_two_repeats() -> None:
    (found,) = rater_quality(sittings(3, item=[7, 7, 7], said=[1, 1, 2]))
    assert (found.consistency.value, found.consistency.n) == (0.5, 2)


def test_what_was_not_asked_is_said_to_be_unknown() -> None:
    (found,) = rater_quality(sittings(2))
    for one in (found.gold, found.consistency, found.left):
        assert one.value is None
        assert one.reason
    assert found.median_s is None
    assert found.left_p is None


def test_runs_and_entropy_of_nothing_and_of_one_key() -> None:
    assert longest_run(np.zeros(0, int)) == 0
    assert longest_run(np.array([2, 2, 2])) == 3
    assert entropy_bits(np.array([2, 2, 2])) == 0.0
    assert entropy_bits(np.array([0, 1, 2, 3])) == pytest.approx(2.0)
    assert rater_quality(sittings(0)) == ()


def test_who_presses_left_always_and_who_knows_the_answers_stand_out() -> None:
    rng = np.random.default_rng(0)
    rater = np.repeat(np.arange(20), 40)
    left = rng.integers(0, 2, 800)
    left[rater == 7] = 1
    gold = (rng.random(800) < np.where(rater == 3, 0.5, 0.95)).astype(float)
    columns = {
        "rater": rater,
        "item": np.arange(800),
        "shown": left,
        "said": left,
        "left": left.astype(float),
        "gold": gold,
    }
    found = rater_quality(Sittings(**columns, seconds=np.full(800, 5.0)))
    assert [one.rater for one in found if one.left_p is not None and one.left_p < 1e-6] == [7]
    assert [one.rater for one in found if one.gold.low is not None and one.gold.low < 0.6] == [3]
    assert found[7].entropy_bits == 0.0
    assert found[7].longest_run == 40
