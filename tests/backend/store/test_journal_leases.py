"""Leases: several raters share a queue without meeting; progress is kept beside them."""

from pathlib import Path

import pytest

from backend.store.journal import Journal
from backend.store.leases import LONGEST_S, Leases

ITEMS = ("p1", "p2", "p3", "p4")


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def leases(tmp_path: Path, clock: Clock):
    with Journal(tmp_path / "journal.sqlite") as journal:
        yield Leases(journal, clock=clock)


def test_two_raters_get_different_items(leases: Leases):
    assert leases.acquire("s", ITEMS, rater="ann", limit=2) == ("p1", "p2")
    assert leases.acquire("s", ITEMS, rater="bob", limit=3) == ("p3", "p4")
    assert leases.acquire("other", ITEMS, rater="bob", limit=1) == ("p1",)
    assert leases.held("s") == {"p1": ("ann",), "p2": ("ann",), "p3": ("bob",), "p4": ("bob",)}


def test_overlap_lets_several_hold_one_item(leases: Leases):
    leases.acquire("s", ITEMS, rater="ann", limit=1, holders=2)
    assert leases.acquire("s", ITEMS, rater="bob", limit=1, holders=2) == ("p1",)
    assert leases.acquire("s", ITEMS, rater="cyd", limit=1, holders=2) == ("p2",)


def test_what_a_rater_holds_is_given_again(leases: Leases):
    assert leases.acquire("s", ITEMS, rater="ann", limit=1) == ("p1",)
    assert leases.acquire("s", ITEMS, rater="ann", limit=2) == ("p1", "p2")


def test_a_lease_ends_after_ten_minutes(leases: Leases, clock: Clock):
    leases.acquire("s", ITEMS, rater="ann", limit=1)
    clock.now += 599
    assert leases.acquire("s", ITEMS[:1], rater="bob", limit=1) == ()
    clock.now += 1
    assert leases.acquire("s", ITEMS[:1], rater="bob", limit=1) == ("p1",)
    assert leases.renew("s", ["p1"], rater="ann") == ()


def test_a_sign_of_life_prolongs_a_lease(leases: Leases, clock: Clock):
    leases.acquire("s", ITEMS, rater="ann", limit=2)
    clock.now += 500
    assert leases.renew("s", ["p1"], rater="ann") == ("p1",)
    clock.now += 500
    assert leases.held("s") == {"p1": ("ann",)}


def test_released_items_are_free(leases: Leases):
    leases.acquire("s", ITEMS, rater="ann", limit=2)
    leases.release("s", ["p1", "p9"], rater="ann")
    leases.release("s", ["p2"], rater="bob")
    assert leases.held("s") == {"p2": ("ann",)}


def test_a_clock_set_back_frees_what_was_leased_before(leases: Leases, clock: Clock):
    leases.acquire("s", ITEMS, rater="ann", limit=1)
    clock.now -= 86_400
    assert leases.acquire("s", ITEMS, rater="bob", limit=1) == ("p1",)


@pytest.mark.parametrize("seconds", [0, -1, LONGEST_S + 1])
def test_an_odd_length_is_refused(leases: Leases, seconds: float):
    with pytest.raises(ValueError, match="a lease of"):
        leases.acquire("s", ITEMS, rater="ann", limit=1, seconds=seconds)


def test_leases_and_progress_stay_out_of_the_chain(tmp_path: Path):
    with Journal(tmp_path / "journal.sqlite") as journal:
        Leases(journal).acquire("s", ITEMS, rater="ann", limit=4)
        journal.set_progress("job1", {"done": 1, "total": 9})
        journal.set_progress("job1", {"done": 2, "total": 9})
        assert journal.progress("job1") == {"done": 2, "total": 9}
        assert journal.progress("job2") is None
        assert journal.head().seq == 0
        assert journal.verify_chain().ok
