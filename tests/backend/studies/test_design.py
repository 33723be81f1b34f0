"""Designs: balanced samples, balanced sides, and what one participant is shown."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain import SettingsError
from backend.domain.studies import GOLD, IDENTICAL, MAIN, PRACTICE, REPEAT
from backend.studies.design import (
    GAP,
    candidates,
    checks,
    participants_needed,
    power_table,
    require_distinct,
    sample,
    trials_of,
)
from backend.studies.kinds import kind_of
from tests.backend.studies.made import made_cases, made_design, made_generations, made_items


def test_a_sample_is_even_over_categories_and_pairs_of_systems() -> None:
    drawn = sample(made_items("preference", 60, ("one", "two", "three")), 60, seed=3)
    assert Counter(item.category for item in drawn) == {"singlehuman": 30, "singleobj": 30}
    assert set(Counter(item.systems for item in drawn).values()) == {20}
    assert len({item.id for item in drawn}) == 60


def test_a_rare_category_is_taken_whole() -> None:
    items = made_items("preference", 40, ("one", "two"))
    rare = [item for item in items if item.category == "singlehuman"][:3]
    common = [item for item in items if item.category == "singleobj"]
    assert Counter(item.category for item in sample([*rare, *common], 10, seed=0)) == {"singlehuman": 3, "singleobj": 7}


def test_one_per_case_shows_no_case_twice() -> None:
    drawn = sample(made_items("preference", 30, ("one", "two", "three")), 30, seed=1, one_per_case=True)
    assert len({item.case_id for item in drawn}) == 30
    assert set(Counter(item.systems for item in drawn).values()) <= {8, 9, 10, 11, 12}


def test_a_case_without_a_systems_video_is_left_out_and_counted() -> None:
    cases = made_cases(4)
    generations = made_generations(cases, ("one", "two", "three"))
    del generations[cases[0].id, "two"]
    items, lacking = candidates(kind_of("preference"), cases, generations, ("one", "two", "three"))
    assert lacking == {"two": 1}
    assert len(items) == 3 * 4 - 2


@settings(max_examples=60, deadline=None)
@given(pairs=st.integers(1, 40), trials=st.integers(1, 50), people=st.integers(1, 30), seed=st.integers(0, 5))
def test_every_item_is_shown_equally_often_and_nobody_sees_one_twice(pairs: int, trials: int, people: int, seed: int):
    design = made_design(pairs=pairs, trials=trials, seed=seed)
    shown: Counter[str] = Counter()
    for place in range(people):
        own = [trial.item_id for trial in trials_of(design, place) if trial.role == MAIN]
        assert len(own) == len(set(own)) == min(trials, pairs)
        shown.update(own)
    counts = [shown[item.id] for item in design.items if item.role == MAIN]
    assert max(counts) - min(counts) <= 1


@settings(max_examples=30, deadline=None)
@given(pairs=st.integers(2, 40), trials=st.integers(1, 40), seed=st.integers(0, 5))
def test_both_orders_of_every_pair_are_seen_by_as_many_people(pairs: int, trials: int, seed: int) -> None:
    design = made_design(pairs=pairs, trials=trials, seed=seed)
    orders: dict[str, Counter[tuple[int, ...]]] = {}
    for place in range(30):
        for trial in trials_of(design, place):
            if trial.role == MAIN:
                orders.setdefault(trial.item_id, Counter())[trial.order] += 1
    assert all(abs(found[0, 1] - found[1, 0]) <= 1 for found in orders.values())
    starts = Counter(next(iter(found)) for found in orders.values())
    assert sum(starts.values()) == len(orders)


def test_best_of_four_shows_every_system_in_every_place_equally_often() -> None:
    systems = ("one", "two", "three", "four")
    design = made_design("best_of", form="best_of", aspects=("best",), systems=systems, pairs=24, trials=24)
    places = Counter((trial.order[0]) for place in range(4) for trial in trials_of(design, place) if trial.role == MAIN)
    assert set(places.values()) == {24}


def test_a_participant_gets_practice_first_and_the_checks_among_the_rest() -> None:
    trials = trials_of(made_design(), 5)
    roles = Counter(trial.role for trial in trials)
    assert roles == {MAIN: 12, GOLD: 2, IDENTICAL: 1, REPEAT: 2, PRACTICE: 2}
    assert [trial.role for trial in trials[:2]] == [PRACTICE, PRACTICE]
    assert trials[2].role == MAIN


@given(place=st.integers(0, 200))
def test_repeats_come_later_once_as_they_were_and_once_with_sides_exchanged(place: int) -> None:
    trials = trials_of(made_design(), place)
    first = {trial.item_id: (k, trial) for k, trial in enumerate(trials) if trial.role == MAIN}
    flipped = []
    for position, trial in enumerate(trials):
        if trial.role == REPEAT:
            before, original = first[trial.item_id]
            assert position - before > GAP
            flipped.append(trial.order != original.order)
    assert sorted(flipped) == [False, True]


def test_the_same_participant_gets_the_same_trials() -> None:
    design = made_design()
    assert trials_of(design, 7) == trials_of(design, 7)
    assert trials_of(design, 7) != trials_of(design, 8)


def test_gold_pairs_hold_a_spoilt_copy_and_ask_only_what_it_must_lose() -> None:
    items = made_items("preference", 6, ("one", "two"))
    (gold, *_) = checks(kind_of("preference"), items, ("subject_consistency", "visual_quality"), num=2, seed=0)
    assert [media.treatment for media in gold.media] == ["", "noise"]
    assert gold.media[0].path == gold.media[1].path
    assert gold.gold == (("visual_quality", ("a",)),)


def test_gold_of_identity_shows_references_of_another_category() -> None:
    items = made_items("identity", 6, ("one",))
    by_path = {item.media[0].path: item for item in items}
    for gold in checks(kind_of("identity"), items, ("same",), num=3, seed=0):
        original = by_path[gold.media[0].path]
        owner = next(item for item in items if item.references == gold.references)
        assert owner.category != original.category
        assert gold.gold == (("same", ("different",)),)


def test_power_of_the_default_design_is_worked_out() -> None:
    (row,) = [row for row in power_table(pairs=200, raters=5) if row.chosen]
    # sqrt(.25 * (.3 + .7 / 5) / 200) = .02345; times 1.96 and 2.8016
    assert (row.votes, round(row.half_width, 4), round(row.detectable, 4)) == (1000, 0.046, 0.5657)


def test_participants_needed_covers_every_item() -> None:
    design = made_design(pairs=40, trials=12, raters_per_item=5)
    needed = participants_needed(design)
    assert needed == 17
    shown = Counter(t.item_id for place in range(needed) for t in trials_of(design, place) if t.role == MAIN)
    assert min(shown.values()) >= 5


def test_two_systems_of_one_name_are_refused() -> None:
    with pytest.raises(SettingsError, match="two systems are called 'one'"):
        require_distinct(("one", "two", "one"))
