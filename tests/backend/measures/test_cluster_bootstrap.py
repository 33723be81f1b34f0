"""Standard errors over items and raters, against formulas in closed form; and the columns that votes come in."""

import numpy as np
import pytest

from backend.measures.cluster_bootstrap import clustered
from backend.measures.comparisons import Comparisons, one_hot

DRAWS = 4000


def mean(sums: np.ndarray) -> np.ndarray:
    return sums[:, [0]] / sums[:, [1]]


def columns(seed: int, *, items: int = 40, raters: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values of six raters on each item, alike on an item and of a rater."""
    rng = np.random.default_rng(seed)
    item = np.repeat(np.arange(items), 6)
    rater = np.concatenate([rng.choice(raters, 6, replace=False) for _ in range(items)])
    values = rng.normal(0, 0.6, items)[item] + rng.normal(0, 0.4, raters)[rater] + rng.normal(0, 1, len(item))
    return values, item, rater


def in_closed_form(values: np.ndarray, clusters: np.ndarray, *, corrected: bool = True) -> float:
    """Variance of a mean by squared sums of residuals of clusters (Liang and Zeger 1986)."""
    sums = np.bincount(clusters, values - values.mean())
    num = len(np.unique(clusters))
    return float((sums**2).sum() / len(values) ** 2 * (num / (num - 1) if corrected else 1))


@pytest.mark.parametrize("seed", range(3))
def test_variance_is_that_of_items_plus_raters_less_votes(seed: int) -> None:
    values, item, rater = columns(seed)
    parts = np.stack([values, np.ones(len(values))], axis=1)
    found = clustered(parts, mean, items=item, raters=rater, rng=np.random.default_rng(0), num_draws=DRAWS)
    votes = in_closed_form(values, np.arange(len(values)), corrected=False)
    expected = in_closed_form(values, item) + in_closed_form(values, rater) - votes
    assert found.error[0] == pytest.approx(np.sqrt(expected), rel=0.05)
    assert found.value[0] == pytest.approx(values.mean())


def test_over_items_alone_variance_is_theirs() -> None:
    values, item, _ = columns(4)
    parts = np.stack([values, np.ones(len(values))], axis=1)
    found = clustered(parts, mean, items=item, raters=None, rng=np.random.default_rng(0), num_draws=DRAWS)
    assert found.error[0] == pytest.approx(np.sqrt(in_closed_form(values, item)), rel=0.05)
    assert found.freedom[0] == pytest.approx(39)


def test_error_is_never_below_that_of_items_or_raters_alone() -> None:
    """Alternating answers on each item: items vary less than chance would have it, and the sum would be below zero."""
    item, rater = np.repeat(np.arange(30), 2), np.tile([0, 1], 30)
    parts = one_hot(np.tile([0, 1], 30), 2)
    share = clustered(
        parts,
        lambda s: s[:, [1]] / s.sum(axis=1, keepdims=True),
        items=item,
        raters=rater,
        rng=np.random.default_rng(0),
        num_draws=500,
    )
    assert share.error[0] == pytest.approx(0.5, rel=0.1)  # two raters of 0 and 1: variance 1/4 / 2 * 2 / (2 - 1)


def test_equal_seeds_give_equal_errors_in_any_order_and_under_any_numbers() -> None:
    rng = np.random.default_rng(5)
    item, rater, codes = rng.integers(0, 20, 200), rng.integers(0, 9, 200), rng.integers(0, 3, 200)
    order = rng.permutation(200)
    shares = lambda sums: sums / sums.sum(axis=1, keepdims=True)  # noqa: E731
    first, second = (
        clustered(
            one_hot(codes[rows], 3),
            shares,
            items=scale * item[rows] + 7,
            raters=rater[rows],
            rng=np.random.default_rng(1),
            num_draws=50,
        )
        for rows, scale in ((np.arange(200), 1), (order, 13))
    )
    np.testing.assert_array_equal(first.error, second.error)
    np.testing.assert_array_equal(first.value, second.value)


def test_a_share_of_one_has_the_interval_of_as_many_votes_as_there_are_items() -> None:
    parts = one_hot(np.ones(60, int), 2)
    found = clustered(
        parts,
        lambda s: s[:, [1]] / s.sum(axis=1, keepdims=True),
        items=np.repeat(np.arange(12), 5),
        raters=np.tile(np.arange(5), 12),
        rng=np.random.default_rng(0),
        num_draws=50,
    )
    estimate = found.share(0, num_clusters=12)
    assert estimate.value == estimate.high == 1.0
    assert estimate.low is not None
    assert estimate.low < 12 / (12 + 1.96**2)  # Wilson's of 12 with the normal quantile; Student's is wider


def test_a_statistic_that_most_draws_lack_has_no_error() -> None:
    parts = np.eye(6)
    found = clustered(
        parts,
        lambda s: np.where(s[:, [0]] > 2, 1.0, np.nan),
        items=np.arange(6),
        raters=None,
        rng=np.random.default_rng(0),
        num_draws=200,
    )
    assert np.isnan(found.error[0])
    assert found.estimate(0).low is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"outcome": [0.7]}, "none of"),
        ({"a": [1]}, "against itself"),
        ({"item": [0, 1]}, "rows"),
        ({"both_bad": [True]}, "both_bad"),
    ],
)
def test_columns_that_mean_nothing_are_refused(changed: dict, message: str) -> None:
    columns = {"outcome": [1.0], "a": [0], "b": [1], "item": [0], "rater": [0], "left_is_a": [True], "both_bad": [False]}
    with pytest.raises(ValueError, match=message):
        Comparisons(**{name: np.array(value) for name, value in (columns | changed).items()})
