"""How far metrics side with votes: by hand, against brute force and scikit-learn, beside baselines."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from backend.domain import SettingsError
from backend.domain.studies import Estimate
from backend.measures.noise_ceiling import majority_ceiling
from bench.planted_votes import PlantedMetrics
from metrics.agreement import agreement, chance_with_ties, metric_agreements, tie_calibrated
from metrics.judged import Judged, JudgedPair, PairVote, join

NONE = Estimate()
SMALL = PlantedMetrics(num_prompts=12, num_raters=8)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def of(rows: list[tuple[str, float | None, float | None, list[float | None]]], *, turned: tuple[str, ...] = ()) -> Judged:
    """Pairs `(name, value of a, value of b, votes)` of systems a and b; `turned` ones are listed with b first."""
    pairs, votes, values = [], [], {}
    for name, first, second, given_votes in rows:
        flip = name in turned
        sides, made = (("b", "a"), (f"{name}b", f"{name}a")) if flip else (("a", "b"), (f"{name}a", f"{name}b"))
        pairs.append(JudgedPair(item=name, prompt=name, systems=sides, generations=made))
        values |= {f"{name}a": {"m": first}, f"{name}b": {"m": second}}
        votes += [
            PairVote(item=name, rater=f"r{k}", value=None if one is None else (1 - one if flip else one))
            for k, one in enumerate(given_votes)
        ]
    return join(pairs, votes, values)


ROWS: list = [
    ("p", 0.9, 0.1, [1.0, 1.0, 0.0]),
    ("q", 0.2, 0.6, [0.0, 0.5, 1.0]),
    ("r", 0.5, 0.5, [1.0, None, 0.5]),
    ("s", None, 0.4, [1.0, 1.0, 1.0]),
]


def test_ratio_by_hand() -> None:
    """p: 2 of 3, q: 1 of 2 (a tie is not asked), r: no difference, half of 1; s has no value: 3.5 of 6."""
    (found,) = metric_agreements(of(ROWS), [True], rng=rng(), num_draws=50)
    assert found.ratio.value == pytest.approx(3.5 / 6)
    assert (found.ratio.n, found.pairs, found.missing) == (6, 3, 1)
    assert found.majority.value == pytest.approx((1 + 0.5) / 2), "p sides, r by half, q has no majority"


def test_a_metric_of_which_less_is_better_sides_with_the_others() -> None:
    (found,) = metric_agreements(of(ROWS), [False], rng=rng(), num_draws=50)
    assert found.ratio.value == pytest.approx(2.5 / 6)
    assert found.auc.value is not None
    (other,) = metric_agreements(of(ROWS), [True], rng=rng(), num_draws=50)
    assert found.auc.value == pytest.approx(1 - (other.auc.value or 0))


def test_what_is_listed_first_changes_nothing() -> None:
    one, other = (
        metric_agreements(of(ROWS, turned=turned), [True], rng=rng(), num_draws=20) for turned in ((), ("q", "s"))
    )
    assert one == other
    assert of(ROWS).data_hash == of(ROWS[::-1], turned=("p", "r")).data_hash
    assert of(ROWS).data_hash != of(ROWS[:3]).data_hash


@given(seed=st.integers(0, 100_000), digits=st.sampled_from([1, 2, 8]))
@settings(max_examples=200, deadline=None)
def test_best_epsilon_is_that_of_trying_all(seed: int, digits: int) -> None:
    """Rounded differences are often equal; no epsilon may part them, and calling nothing a tie counts too."""
    made = rng(seed)
    num = int(made.integers(1, 12))
    difference = np.round(made.normal(0, 0.3, num), digits)
    wins, ties, losses = made.integers(0, 4, (3, num)).astype(float)
    share, epsilon = tie_calibrated(difference, wins, ties, losses)
    if not (wins + ties + losses).any():
        assert share is None
        return
    tried = {
        threshold: sum(
            t if threshold is not None and abs(d) <= threshold else w if d > 0 else lost if d < 0 else 0
            for d, w, t, lost in zip(difference, wins, ties, losses, strict=True)
        )
        for threshold in (None, *np.abs(difference).tolist())
    }
    total = float((wins + ties + losses).sum())
    assert share == pytest.approx(max(tried.values()) / total)
    assert tried[epsilon] == max(tried.values())


@pytest.mark.parametrize("seed", range(4))
def test_auc_agrees_with_scikit_learn_on_votes_seen_from_both_sides(seed: int) -> None:
    found = SMALL.judged(rng(seed))
    difference = np.round(found.first[:, 0] - found.second[:, 0], 1)
    said = agreement("m0", difference, 0 * difference, found, NONE, rng=rng(), num_draws=20)
    votes = found.votes.only(found.votes.outcome != 0.5)
    seen = difference[votes.item]
    expected = roc_auc_score(np.concatenate([votes.outcome, 1 - votes.outcome]), np.concatenate([seen, -seen]))
    assert said.auc.value == pytest.approx(expected)
    assert said.auc.low is not None
    assert said.auc.low < expected < (said.auc.high or 0)


def test_no_score_sides_with_more_votes_than_the_majority_does() -> None:
    found = SMALL.judged(rng(1))
    oracle = 2 * found.wins - found.num
    best = agreement("oracle", oracle, 0 * oracle, found, NONE, rng=rng(), num_draws=20)
    ceiling = majority_ceiling(found.votes, rng=rng(), num_draws=20)
    assert best.ratio.value == pytest.approx(ceiling.value)
    assert best.majority.value == 1.0
    for one in metric_agreements(found, [True] * 3, rng=rng(), num_draws=20):
        assert (one.ratio.value or 1) <= (ceiling.value or 0)


def test_the_heavier_metric_sides_more_and_noise_sides_by_chance() -> None:
    found = PlantedMetrics(weights=(0.8, 0.2, 0.0), num_prompts=150).judged(rng(2))
    heavy, light, noise = metric_agreements(found, [True] * 3, rng=rng(), num_draws=200)
    assert heavy.ratio.value > light.ratio.value  # pyright: ignore[reportOperatorIssue]
    assert heavy.ratio.low > 0.5  # pyright: ignore[reportOptionalOperand]
    assert noise.ratio.low < 0.5 < noise.ratio.high  # pyright: ignore[reportOptionalOperand, reportOperatorIssue]


def test_systems_are_ordered_by_scores_as_by_votes() -> None:
    """a beats b beats c in votes; the scores order them so (1), the other way (-1)."""
    pairs = [("a", "b"), ("b", "c"), ("a", "c")]
    listed = [JudgedPair(item="".join(p), prompt="x", systems=p, generations=(f"{p}0", f"{p}1")) for p in pairs]
    votes = [PairVote(item=one.item, rater="r", value=1.0) for one in listed]
    worth = {"a": 0.9, "b": 0.5, "c": 0.1}
    values = {g: {"m": worth[s]} for one in listed for g, s in zip(one.generations, one.systems, strict=True)}
    found = join(listed, votes, values)
    assert metric_agreements(found, [True], rng=rng(), num_draws=5)[0].kendall == pytest.approx(1.0)
    assert metric_agreements(found, [False], rng=rng(), num_draws=5)[0].kendall == pytest.approx(-1.0)


def test_chance_with_ties_is_a_coin_or_always_a_tie() -> None:
    assert chance_with_ties(of(ROWS)) == pytest.approx((3 + 3 + 2 + 3 - 2) / 2 / 11)
    assert chance_with_ties(of([("p", 0.1, 0.2, [0.5, 0.5, 1.0])])) == pytest.approx(2 / 3)


def test_ties_alone_leave_a_statement() -> None:
    (found,) = metric_agreements(of([("p", 0.1, 0.2, [0.5, 0.5])]), [True], rng=rng(), num_draws=5)
    assert found.ratio.value is None
    assert found.auc.value is None
    assert found.with_ties == 1.0
    assert found.epsilon == pytest.approx(0.1)


def test_a_metric_without_values_leaves_a_statement() -> None:
    found = SMALL.judged(rng())
    nothing = np.full(len(found.pairs), np.nan)
    said = agreement("none", nothing, nothing, found, NONE, rng=rng())
    assert said.ratio.reason == "no pair has both values"
    assert (said.pairs, said.missing) == (0, len(found.pairs))


def test_without_votes_or_values_there_is_no_join() -> None:
    pair = JudgedPair(item="p", prompt="p", systems=("a", "b"), generations=("x", "y"))
    with pytest.raises(SettingsError, match="no vote"):
        join([pair], [PairVote(item="p", rater="r", value=None)], {})
    with pytest.raises(SettingsError, match="no metric"):
        join([pair], [PairVote(item="p", rater="r", value=1.0)], {"x": {"m": 1.0}})


def test_votes_on_items_that_are_no_pair_are_passed_over() -> None:
    pair = JudgedPair(item="p", prompt="p", systems=("a", "b"), generations=("x", "y"))
    votes = [PairVote(item="p", rater="r", value=1.0), PairVote(item="gold", rater="r", value=0.0)]
    assert len(join([pair], votes, {"x": {"m": 1.0}, "y": {"m": 0.0}}).votes) == 1
    assert replace(pair, domain="open").domain == "open"
