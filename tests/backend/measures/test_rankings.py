"""Rankings: equal to other programs on the same votes, the same whatever is called A, silent where nothing is known."""

from dataclasses import replace

import choix
import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from backend.domain import Absent
from backend.measures.comparisons import Comparisons
from backend.measures.paired_models import fit_bradley_terry, fit_davidson, pair_design
from backend.measures.rankings import Ranking, elo, rank_bradley_terry, rank_davidson
from bench.planted_votes import PlantedStudy, swapped
from tests.backend.measures.told import values

SMALL = PlantedStudy(items_per_pair=8, raters_per_item=3, num_raters=9)
NAMES = ("ours", "vace", "phantom", "kling")


def of(rows: list[tuple[int, int, float]]) -> Comparisons:
    """Votes `(a, b, outcome)`, each on an item and by a rater of its own."""
    a, b, outcome = (np.array(column) for column in zip(*rows, strict=True)) if rows else (np.zeros(0, int),) * 3
    number = np.arange(len(rows))
    return Comparisons(outcome, a, b, number, number, number % 2 == 0)


def ranked(votes: Comparisons, *, model=rank_davidson, seed: int = 0, num_draws: int = 50) -> Ranking:
    found = model(votes, NAMES, rng=np.random.default_rng(seed), num_draws=num_draws)
    assert isinstance(found, Ranking)
    return found


def reason(votes: Comparisons, model=rank_davidson) -> str:
    found = model(votes, NAMES[:3], rng=np.random.default_rng(0), num_draws=20)
    assert isinstance(found, Absent)
    return found.reason


@pytest.mark.parametrize("seed", range(5))
def test_bradley_terry_agrees_with_choix(seed: int) -> None:
    votes = replace(SMALL, log_nu=-50.0).votes(np.random.default_rng(seed))
    won = votes.outcome == 1.0
    data = list(zip(np.where(won, votes.a, votes.b).tolist(), np.where(won, votes.b, votes.a).tolist(), strict=True))
    expected = choix.opt_pairwise(4, data, alpha=1e-8)
    found = values(ranked(votes, model=rank_bradley_terry).strengths)
    np.testing.assert_allclose(found, expected - expected.mean(), atol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_bradley_terry_with_half_ties_agrees_with_a_logistic_regression(seed: int) -> None:
    votes = SMALL.votes(np.random.default_rng(seed))
    design = pair_design(np.stack([votes.a, votes.b], axis=1), 4)[:, 1:]  # the first system is the base
    both = np.concatenate([design, design]), np.concatenate([np.ones(len(votes)), np.zeros(len(votes))])
    weights = np.concatenate([votes.outcome, 1 - votes.outcome])
    fitted = sm.GLM(both[1], both[0], family=sm.families.Binomial(), freq_weights=weights).fit()
    expected = np.concatenate([[0.0], fitted.params])
    found = values(ranked(votes, model=rank_bradley_terry).strengths)
    np.testing.assert_allclose(found, expected - expected.mean(), atol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_davidson_is_the_maximum_of_the_likelihood_as_davidson_wrote_it(seed: int) -> None:
    votes = SMALL.votes(np.random.default_rng(seed))

    def loss(x: np.ndarray) -> float:
        worth, nu = np.exp(x[:4]), np.exp(x[4])
        i, j = worth[votes.a], worth[votes.b]
        share = np.select([votes.outcome == 1.0, votes.outcome == 0.0], [i, j], nu * np.sqrt(i * j))
        return -np.log(share / (i + j + nu * np.sqrt(i * j))).sum()

    expected = minimize(loss, np.zeros(5), method="BFGS", options={"gtol": 1e-7}).x
    found = ranked(votes)
    np.testing.assert_allclose(values(found.strengths), expected[:4] - expected[:4].mean(), atol=2e-4)
    assert found.ties.value == pytest.approx(np.exp(expected[4]), abs=2e-4)


def test_two_systems_by_hand() -> None:
    """8 wins, 4 losses, 6 ties: log odds log 2; nu = ties / sqrt(wins losses)."""
    found = rank_davidson(
        of([(0, 1, 1.0)] * 8 + [(0, 1, 0.0)] * 4 + [(0, 1, 0.5)] * 6), NAMES[:2], rng=np.random.default_rng(0), num_draws=50
    )
    assert isinstance(found, Ranking)
    assert found.differences[0, 1, 0] == pytest.approx(np.log(2), abs=1e-4)
    assert found.ties.value == pytest.approx(6 / np.sqrt(32), abs=1e-4)


@given(seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_what_is_called_a_and_the_order_of_votes_change_nothing(seed: int) -> None:
    votes = SMALL.votes(np.random.default_rng(seed))
    rng = np.random.default_rng(seed + 1)
    other = swapped(votes, rng.random(len(votes)) < 0.5).only(rng.permutation(len(votes)))
    for model in (rank_davidson, rank_bradley_terry):
        first, second = (ranked(one, model=model, num_draws=10) for one in (votes, other))
        assert first.strengths == second.strengths
        assert first.ties == second.ties
        np.testing.assert_array_equal(first.differences, second.differences)


def test_renumbering_systems_renumbers_the_ranking() -> None:
    votes = SMALL.votes(np.random.default_rng(3))
    other = replace(votes, a=3 - votes.a, b=3 - votes.b)
    found, turned = (values(ranked(v).strengths) for v in (votes, other))
    np.testing.assert_allclose(found, turned[::-1], atol=1e-9)


def test_skipped_votes_are_no_votes() -> None:
    votes = SMALL.votes(np.random.default_rng(4))
    skipped = replace(votes, outcome=np.where(np.arange(len(votes)) % 5 == 0, np.nan, votes.outcome))
    assert ranked(skipped).strengths == ranked(votes.only(np.arange(len(votes)) % 5 != 0)).strengths


def test_both_bad_ranks_as_a_tie() -> None:
    votes = SMALL.votes(np.random.default_rng(5))
    bad = replace(votes, both_bad=votes.outcome == 0.5)
    assert ranked(bad).strengths == ranked(votes).strengths


def test_systems_that_differ_clearly_have_ranks_of_their_own_and_alike_ones_share() -> None:
    clear = replace(SMALL, strengths=(2.0, 0.7, -0.7, -2.0), items_per_pair=60, num_raters=40)
    assert ranked(clear.votes(np.random.default_rng(0)), num_draws=200).ranks == ((1, 1), (2, 2), (3, 3), (4, 4))
    alike = ranked(replace(SMALL, strengths=(0.0,) * 4).votes(np.random.default_rng(1)), num_draws=200)
    assert sum(one == (1, 4) for one in alike.ranks) >= 2


def test_elo_gives_400_points_for_odds_of_ten_to_one() -> None:
    assert elo(np.log(10)) == pytest.approx(1400.0)


@pytest.mark.parametrize("model", [rank_davidson, rank_bradley_terry])
def test_without_votes_there_is_a_statement(model) -> None:
    assert reason(of([]), model) == "no votes"
    assert reason(of([(0, 1, np.nan)]), model) == "no votes"


@pytest.mark.parametrize("model", [rank_davidson, rank_bradley_terry])
def test_ties_alone_rank_nothing(model) -> None:
    rows = [(a, b, 0.5) for a, b in ((0, 1), (1, 2), (0, 2))] * 4
    assert "every vote is a tie" in reason(of(rows), model)


@pytest.mark.parametrize("model", [rank_davidson, rank_bradley_terry])
def test_systems_that_were_never_compared_are_named(model) -> None:
    assert reason(of([(0, 1, 1.0), (0, 1, 0.0)]), model) == "never compared with each other: ours, vace | phantom"


@pytest.mark.parametrize("model", [rank_davidson, rank_bradley_terry])
def test_a_system_that_always_wins_has_no_strength(model) -> None:
    rows = [(0, 1, 1.0), (0, 2, 1.0), (1, 2, 1.0), (1, 2, 0.0), (1, 2, 0.5)] * 3
    assert "separate" in reason(of(rows), model)
    assert reason(of(rows), model).endswith("vace, phantom | ours") or reason(of(rows), model).endswith(
        "ours | vace, phantom"
    )


def test_wins_on_one_side_beside_ties_hold_no_strength_of_davidsons() -> None:
    """Ties can be told by a large nu and wins by a larger difference, without end; with ties as halves they hold."""
    votes = of([(0, 1, 1.0)] * 5 + [(0, 1, 0.5)] * 5)
    found = rank_davidson(votes, NAMES[:2], rng=np.random.default_rng(0), num_draws=20)
    assert isinstance(found, Absent)
    assert "no finite" in found.reason
    other = rank_bradley_terry(votes, NAMES[:2], rng=np.random.default_rng(0), num_draws=20)
    assert isinstance(other, Ranking)
    assert other.differences[0, 1, 0] == pytest.approx(np.log(3), abs=1e-3)


def test_without_ties_davidson_is_bradley_terry() -> None:
    votes = replace(SMALL, log_nu=-50.0).votes(np.random.default_rng(7))
    found, other = ranked(votes), ranked(votes, model=rank_bradley_terry)
    np.testing.assert_allclose(values(found.strengths), values(other.strengths), atol=1e-3)
    assert found.ties.value is None
    assert found.ties.reason == "no vote is a tie"


def test_one_rater_is_ranked_with_a_remark_and_one_rater_on_one_item_has_no_interval() -> None:
    votes = SMALL.votes(np.random.default_rng(8))
    alone = ranked(replace(votes, rater=np.zeros(len(votes), int)))
    assert alone.strengths[0].low is not None
    assert "one rater" in alone.strengths[0].reason
    single = ranked(replace(votes, rater=np.zeros(len(votes), int), item=np.zeros(len(votes), int)))
    assert single.strengths[0].value is not None
    assert single.strengths[0].low is None
    assert single.ranks == ((1, 4),) * 4


def test_many_tables_are_fitted_as_each_alone() -> None:
    rng = np.random.default_rng(0)
    design = pair_design(np.array([[0, 1], [1, 2], [0, 2]]), 3)
    wins, ties, losses = rng.integers(1, 20, (3, 40, 3)).astype(float)
    together = fit_davidson(wins, ties, losses, design)
    alone = np.concatenate([fit_davidson(wins[[k]], ties[[k]], losses[[k]], design) for k in range(40)])
    np.testing.assert_allclose(together, alone, atol=1e-9)
    extreme = fit_bradley_terry(np.array([[1e6, 0.0, 5.0]]), np.array([[0.0, 1e6, 5.0]]), design)
    assert np.isfinite(extreme).all()
