"""Agreement of raters, against krippendorff, scikit-learn and statsmodels on the same answers."""

from typing import Literal

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import fleiss_kappa as statsmodels_fleiss

from backend.measures.agreement import (
    Answers,
    alpha_without_each,
    cohen_kappa,
    fleiss_kappa,
    intraclass,
    krippendorff_alpha,
    raw_agreement,
)
from tests.backend.measures.told import ends, values, width


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def table(seed: int, *, raters: int = 6, units: int = 30, values: int = 5, missing: float = 0.3) -> np.ndarray:
    """Values float `(raters, units)` of raters who see much the same; NaN where one did not answer."""
    made = np.random.default_rng(seed)
    true = made.integers(0, values, units)
    found = np.clip(true + made.integers(-1, 2, (raters, units)), 0, values - 1).astype(float)
    found[made.random(found.shape) < missing] = np.nan
    return found


def answers(values: np.ndarray) -> Answers:
    rater, unit = np.nonzero(np.isfinite(values))
    return Answers(unit, rater, values[rater, unit].astype(int))


@pytest.mark.parametrize("level", ["nominal", "ordinal"])
@given(seed=st.integers(0, 10_000), missing=st.floats(0, 0.7))
@settings(max_examples=30, deadline=None)
def test_alpha_agrees_with_krippendorff(level: Literal["nominal", "ordinal"], seed: int, missing: float) -> None:
    values = table(seed, missing=missing)
    found = krippendorff_alpha(answers(values), level, rng=rng(), num_draws=2)
    expected = krippendorff.alpha(values, level_of_measurement=level, value_domain=list(range(5)))
    assert found.value == pytest.approx(expected, abs=1e-9)


def test_alpha_of_a_worked_example() -> None:
    """Three coders, 15 units, 26 answers that can be paired; worked out by hand: .691."""
    rows = ["* * * * * 3 4 1 2 1 1 3 3 * 3", "1 * 2 1 3 3 4 3 * * * * * * *", "* * 2 1 3 4 4 * 2 1 1 3 3 * 4"]
    values = np.array([[np.nan if cell == "*" else float(cell) for cell in row.split()] for row in rows])
    found = krippendorff_alpha(answers(values), "nominal", rng=rng(), num_draws=50)
    assert found.value == pytest.approx(0.691, abs=5e-4)
    assert found.n == 26


def test_interval_of_alpha_holds_it_and_narrows_with_units() -> None:
    few, many = (krippendorff_alpha(answers(table(1, units=num)), "ordinal", rng=rng(), num_draws=300) for num in (15, 240))
    for one in (few, many):
        low, high = ends(one)
        assert low < values([one])[0] < high <= 1
    assert width(few) > 2 * width(many)


def test_alpha_rises_without_the_rater_who_guesses() -> None:
    values = table(2, units=80, missing=0.1)
    values[3] = np.random.default_rng(9).integers(0, 5, 80)
    without = alpha_without_each(answers(values), "ordinal")
    assert max(without, key=lambda rater: without[rater] or 0) == 3
    expected = krippendorff.alpha(np.delete(values, 3, axis=0), level_of_measurement="ordinal", value_domain=list(range(5)))
    assert without[3] == pytest.approx(expected)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_cohens_kappa_agrees_with_scikit_learn(seed: int) -> None:
    values = table(seed, raters=3, missing=0.2)
    both = np.isfinite(values[:2]).all(axis=0)
    found = cohen_kappa(answers(values), 0, 1)
    assert found.value == pytest.approx(cohen_kappa_score(values[0, both], values[1, both]), abs=1e-9)
    assert found.n == both.sum()


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_fleiss_kappa_agrees_with_statsmodels(seed: int) -> None:
    values = table(seed, missing=0.0).astype(int)
    counts = np.stack([np.bincount(unit, minlength=5) for unit in values.T])
    assert fleiss_kappa(answers(values.astype(float))).value == pytest.approx(statsmodels_fleiss(counts), abs=1e-9)


def test_raw_agreement_by_hand() -> None:
    """Unit 0: a a b, one of three pairs; unit 1: b b, one of one; unit 2 has one answer."""
    found = raw_agreement(
        Answers(np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 2, 0, 1, 0]), np.array([0, 0, 1, 1, 1, 0])),
        rng=rng(),
        num_draws=50,
    )
    assert found.value == pytest.approx((1 / 3 + 1) / 2)


def test_intraclass_correlation_is_that_of_the_plan() -> None:
    made = np.random.default_rng(0)
    unit = np.repeat(np.arange(4000), 5)
    values = np.sqrt(0.3) * made.standard_normal(4000)[unit] + np.sqrt(0.7) * made.standard_normal(20_000)
    assert intraclass(values, unit).value == pytest.approx(0.3, abs=0.02)
    assert intraclass(made.standard_normal(20_000), unit).value == pytest.approx(0.0, abs=0.01)
    assert intraclass(np.ones(10), np.arange(10)).value is None


@pytest.mark.parametrize(
    "values",
    [np.full((3, 4), np.nan), np.eye(4) * 0 + np.where(np.eye(4) > 0, 1.0, np.nan), np.ones((3, 4))],
    ids=["nothing", "one rater a unit", "one value"],
)
def test_where_nothing_can_be_said_of_agreement_there_is_a_statement(values: np.ndarray) -> None:
    given_answers = answers(values)
    found = [
        krippendorff_alpha(given_answers, rng=rng(), num_draws=5),
        fleiss_kappa(given_answers),
        cohen_kappa(given_answers, 0, 1),
    ]
    assert all(one.value is None and one.reason for one in found)
    assert all(one is None for one in alpha_without_each(given_answers).values())


def test_units_with_unequal_numbers_of_raters_have_no_kappa_of_fleiss() -> None:
    found = fleiss_kappa(answers(table(0)))
    assert found.value is None
    assert "equally many" in found.reason


def test_a_rater_who_answers_twice_on_a_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        Answers(np.array([0, 0]), np.array([1, 1]), np.array([0, 1]))
