"""Sequential studies: an even hold-out, trials that are chosen where votes tell most, and nothing counted twice."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain import SettingsError, Vote
from backend.domain.studies import MAIN, REPEAT, StudyDesign
from backend.studies.design import GAP, Assigned, held_out_trials, require_sequential, trials_of
from backend.studies.sequence import Standing, chosen_trial
from tests.backend.studies.made import made_design

FOUR = ("one", "two", "three", "four")
PAIRS = list(combinations(FOUR, 2))


def made(**fields) -> StudyDesign:
    return made_design(**{"systems": FOUR, "pairs": 60, "trials": 20, "sequential": True, **fields})


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def vote(design: StudyDesign, item_id: str, choice: str | None, *, rater: str = "r", trial: str = "t") -> Vote:
    item = next(item for item in design.items if item.id == item_id)
    return Vote(
        id=f"{rater}-{trial}", rev=1, study_id=design.id, trial_id=trial, item_id=item_id, rater=rater, rater_kind="person",
        question="better", choice=choice, shown_order=item.systems,
    )  # fmt: skip


def main_items(design: StudyDesign, pair: tuple[str, str]) -> list[str]:
    return [item.id for item in design.items if item.role == MAIN and item.systems == pair]


def filled(design: StudyDesign, place: int, standing: Standing, uses: Counter) -> list[Assigned]:
    """A participant's trials, each chosen in turn without an answer."""
    trials = trials_of(design, place)
    for position in range(len(trials)):
        if trials[position].is_open:
            trials[position] = chosen_trial(design, standing, uses, trials, position, rng(place))
        if trials[position].role == MAIN:
            uses[trials[position].item_id, trials[position].order] += 1
    return trials


@settings(max_examples=30, deadline=None)
@given(trials=st.integers(1, 40), share=st.floats(0, 1), people=st.integers(1, 40))
def test_the_hold_out_shows_every_item_equally_often(trials: int, share: float, people: int) -> None:
    design = made(trials=trials, hold_out=share)
    even: Counter[str] = Counter()
    for place in range(people):
        own = [one for one in trials_of(design, place) if one.role == MAIN]
        known = [one.item_id for one in own if not one.is_open]
        assert len(own) == trials
        assert (
            len(known) == len(set(known)) == held_out_trials(design, trials) == min(trials, max(1, round(share * trials)))
        )
        even.update(known)
    counts = [even[item.id] for item in design.items if item.role == MAIN]
    assert max(counts) - min(counts) <= 1


def test_both_orders_of_held_out_items_are_seen_by_as_many() -> None:
    design = made()
    orders: dict[str, Counter] = {}
    for place in range(120):
        for one in trials_of(design, place):
            if one.role == MAIN and not one.is_open:
                orders.setdefault(one.item_id, Counter())[one.order] += 1
    assert all(abs(found[0, 1] - found[1, 0]) <= 1 for found in orders.values())


def test_nobody_sees_an_item_twice_and_every_trial_is_decided() -> None:
    design = made()
    standing, uses = Standing(design), Counter()
    for place in range(10):
        trials = filled(design, place, standing, uses)
        items = [one.item_id for one in trials if one.role == MAIN]
        assert len(items) == len(set(items)) == 20
        assert not any(one.is_open for one in trials)
        assert sum(one.held_out for one in trials if one.role == MAIN) == 2


def test_chosen_items_of_a_pair_come_equally_often_on_both_sides() -> None:
    design = made(hold_out=0.0)
    standing, uses = Standing(design), Counter()
    for place in range(30):
        filled(design, place, standing, uses)
    for pair in PAIRS:
        shown = [uses[item, (0, 1)] + uses[item, (1, 0)] for item in main_items(design, pair)]
        assert max(shown) - min(shown) <= 2
        assert all(abs(uses[item, (0, 1)] - uses[item, (1, 0)]) <= 2 for item in main_items(design, pair))


def test_repeats_are_of_own_earlier_trials_once_as_they_were_and_once_exchanged() -> None:
    design = made()
    for place in range(8):
        trials = filled(design, place, Standing(design), Counter())
        first = {one.item_id: (k, one) for k, one in enumerate(trials) if one.role == MAIN}
        exchanged = []
        for position, one in enumerate(trials):
            if one.role == REPEAT:
                before, original = first[one.item_id]
                assert position - before > GAP
                exchanged.append(one.order != original.order)
        assert exchanged == [False, True]


def test_the_pair_of_which_least_is_known_is_asked_about() -> None:
    """Every pair is even after a dozen votes, but two and three were never compared."""
    design = made(hold_out=0.0, num_cases=60, pairs=240)
    standing = Standing(design)
    for pair in PAIRS:
        for k, item in enumerate(main_items(design, pair)[:12]):
            if pair != ("two", "three"):
                standing.take(vote(design, item, ("left", "right")[k % 2], trial=item))
    told = dict(zip(PAIRS, standing.information(), strict=True))
    assert max(told, key=lambda pair: told[pair]) == ("two", "three")
    trials = trials_of(design, 0)
    first = next(k for k, one in enumerate(trials) if one.is_open)
    firsts = [chosen_trial(design, standing, {}, trials, first, rng(seed)).item_id for seed in range(40)]
    pairs = Counter(next(item.systems for item in design.items if item.id == one) for one in firsts)
    assert len(pairs) == 2, "one of the best third of six pairs is drawn"
    assert ("two", "three") in pairs


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.sampled_from(["left", "right", "tie", "both_bad", None])))
)
def test_a_vote_that_was_changed_counts_once_as_it_is_now(said: list[tuple[int, int, str | None]]) -> None:
    design = made()
    items = [item.id for item in design.items if item.role == MAIN]
    standing, latest = Standing(design), {}
    for rater, trial, choice in said:
        one = vote(design, items[trial], choice, rater=str(rater), trial=str(trial))
        standing.take(one)
        latest[rater, trial] = one
    again = Standing(design)
    for one in latest.values():
        again.take(one)
    np.testing.assert_array_equal(standing.counts, again.counts)
    assert standing.counts.sum() == sum(one.choice is not None for one in latest.values())
    for rater in range(4):
        standing.drop(str(rater))
    assert not standing.counts.any()


def test_sides_do_not_matter_to_what_is_counted() -> None:
    design = made()
    item = next(item for item in design.items if item.role == MAIN)
    one = vote(design, item.id, "left")
    other = Vote(
        **{name: getattr(one, name) for name in one.__slots__} | {"shown_order": item.systems[::-1], "choice": "right"}
    )
    counts = []
    for each in (one, other):
        standing = Standing(design)
        standing.take(each)
        counts.append(standing.counts)
    np.testing.assert_array_equal(*counts)


def test_where_there_is_nothing_to_choose_a_sequential_study_is_refused() -> None:
    require_sequential(made())
    with pytest.raises(SettingsError, match="three or more systems"):
        require_sequential(made(systems=("one", "two")))
    with pytest.raises(SettingsError, match="kind rating"):
        require_sequential(made_design("rating", form="rating", aspects=("quality",), systems=FOUR))
