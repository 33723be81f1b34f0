"""Lower bounds by category from verdicts, against hand-worked intervals."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from backend.domain import SettingsError
from backend.measures.intervals import half_p
from backend.measures.thresholds import Thresholds, fit_thresholds, precision_curve, wilson_low


@pytest.mark.parametrize(("right", "num"), [(10, 10), (95, 100), (0, 7), (1, 1), (180, 200)])
def test_wilson_agrees_with_scipy(right: int, num: int) -> None:
    expected = binomtest(right, num).proportion_ci(confidence_level=0.95, method="wilson").low
    assert wilson_low(right, num) == pytest.approx(expected, abs=1e-6)


def test_no_trials_prove_nothing() -> None:
    assert wilson_low(0, 0) == 0.0


def test_ten_of_ten_do_not_prove_a_precision_of_95() -> None:
    found = fit_thresholds([(0.9, "mug", "same")] * 10, precision=0.95, least=10)
    assert found.bound("mug") is None
    assert "0.722" in found.by_category["mug"].reason  # 10 / (10 + 1.96 ** 2)


def rows(category: str, wrong_under: float, num: int = 400) -> list[tuple[float, str, str]]:
    return [(s, category, "same" if s >= wrong_under else "different") for s in np.linspace(0, 1, num).tolist()]


def test_each_category_has_its_own_bound() -> None:
    found = fit_thresholds(rows("mug", 0.3) + rows("car", 0.6), precision=0.9)
    mug, car = found.bound("mug"), found.bound("car")
    assert mug is not None
    assert car is not None
    assert mug < 0.3 < car < 0.6  # a few wrong ones under the true bound fit into the precision wanted
    assert found.by_category["car"].num == 400
    assert found.bound("boat") == found.bound(None)  # all verdicts together speak for a category without any


def test_the_bound_is_the_lowest_that_keeps_the_precision() -> None:
    found = fit_thresholds(rows("mug", 0.3), precision=0.9).by_category["mug"]
    assert found.score is not None
    kept = [point for point in found.curve if point.score >= found.score]
    assert min(kept, key=lambda point: point.score).precision_low >= 0.9
    below = max((point for point in found.curve if point.score < found.score), key=lambda point: point.score)
    assert below.precision_low < 0.9


def test_few_verdicts_give_no_bound_of_their_own() -> None:
    found = fit_thresholds(rows("mug", 0.0, num=300) + rows("owl", 0.0, num=20), precision=0.9)
    assert found.by_category["owl"].score is None
    assert found.by_category["owl"].reason == "20 sure verdicts, 50 are needed"
    assert found.bound("owl") == found.by_category[""].score


def test_unsure_verdicts_and_missing_scores_say_nothing() -> None:
    noise = [(0.5, "mug", "unsure"), (math.nan, "mug", "different")] * 50
    assert fit_thresholds(rows("mug", 0.3) + noise) == fit_thresholds(rows("mug", 0.3))


def test_a_near_duplicate_is_the_same_subject() -> None:
    found = fit_thresholds([(0.9, None, "near_duplicate")] * 100)
    assert found.by_category[""].num_right == 100


@pytest.mark.parametrize("precision", [0.0, 1.0, -1.0, math.nan])
def test_an_impossible_precision_is_refused(precision: float) -> None:
    with pytest.raises(ValueError, match="precision"):
        fit_thresholds([], precision=precision)


def test_an_unknown_verdict_is_refused() -> None:
    with pytest.raises(ValueError, match="maybe"):
        fit_thresholds([(0.5, None, "maybe")])


def test_equal_scores_stand_or_fall_together() -> None:
    curve = precision_curve([0.5, 0.5, 0.9], [True, False, True])
    assert [(p.score, p.num, p.num_right, p.recall) for p in curve] == [(0.9, 1, 1, 0.5), (0.5, 3, 2, 1.0)]


@given(st.lists(st.tuples(st.floats(-1, 1), st.sampled_from(["same", "different", "unsure"])), max_size=80))
def test_what_lies_over_a_bound_is_as_right_as_wanted(judged: list[tuple[float, str]]) -> None:
    found = fit_thresholds([(score, None, verdict) for score, verdict in judged], precision=0.6, least=5)
    bound = found.bound(None)
    if bound is not None:
        kept = [verdict for score, verdict in judged if score >= bound and verdict != "unsure"]
        assert wilson_low(kept.count("same"), len(kept)) >= 0.6


def test_json_gives_back_the_same() -> None:
    found = fit_thresholds(rows("mug", 0.3, num=900), score_name="face_cosine", producer="arcface@1")
    assert len(found.by_category["mug"].curve) <= 201
    assert Thresholds.from_json(found.to_json()) == found


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "other", "version": 1}', '{"format": 3}'])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="fit them again"):
        Thresholds.from_json(text)


@pytest.mark.parametrize("num", [1, 2, 5, 37])
def test_the_test_of_a_half_agrees_with_scipy(num: int) -> None:
    for left in range(num + 1):
        assert half_p(left, num) == pytest.approx(binomtest(left, num).pvalue, rel=1e-9)
