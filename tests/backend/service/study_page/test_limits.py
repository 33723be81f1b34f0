"""Token buckets, sealed cookies, ids that tell nothing, and the slider at the end."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.sliding import MAX_S
from backend.service.study_page import PageKeys
from backend.service.study_page.buckets import MAX_KEYS, Buckets, Rate
from backend.service.study_page.slider import VALID_S, Sliders

KEYS = PageKeys(b"k" * 32)


class Clock:
    def __init__(self) -> None:
        self.s = 1_000.0

    def __call__(self) -> float:
        return self.s


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    clock = Clock()
    buckets = Buckets(Rate(per_s=5, burst=20), now=clock)
    assert [buckets.take("a") for _ in range(20)] == [0.0] * 20
    assert buckets.take("a") == pytest.approx(0.2)
    assert buckets.take("b") == 0.0
    clock.s += 0.2
    assert buckets.take("a") == 0.0
    assert buckets.take("a") > 0
    clock.s += 1_000
    assert [buckets.take("a") == 0.0 for _ in range(21)] == [True] * 20 + [False]


@given(st.lists(st.floats(0, 3), min_size=1, max_size=200))
def test_no_calls_get_more_than_burst_and_rate(pauses: list[float]) -> None:
    clock = Clock()
    buckets = Buckets(Rate(per_s=2, burst=4), now=clock)
    taken = 0
    for pause in pauses:
        clock.s += pause
        taken += buckets.take("a") == 0.0
    assert taken <= 4 + 2 * sum(pauses) + 1e-6


def test_buckets_of_many_addresses_take_bounded_room() -> None:
    buckets = Buckets(Rate(per_s=1, burst=1))
    for number in range(MAX_KEYS + 50):
        buckets.take(str(number))
    assert len(buckets._levels) == MAX_KEYS


def test_a_seal_opens_for_its_own_use_and_text_only() -> None:
    sealed = KEYS.seal("session", "p_1\nстудия\n0")
    assert KEYS.opened("session", sealed) == "p_1\nстудия\n0"
    assert KEYS.opened("invitation", sealed) is None
    assert PageKeys(b"x" * 32).opened("session", sealed) is None
    body, _, proof = sealed.partition(".")
    assert KEYS.opened("session", f"{body}A.{proof}") is None
    for forged in ("", ".", "a.b", "\xff.\xfe", f"{body}.", f"{body}.{proof[:-1]}0x"):
        assert KEYS.opened("session", forged) is None


def test_the_secret_is_kept_for_its_owner_only(tmp_path: Path) -> None:
    first = PageKeys.of_file(tmp_path / "page.key")
    assert (tmp_path / "page.key").stat().st_mode & 0o777 == 0o600
    assert PageKeys.of_file(tmp_path / "page.key").seal("a", "b") == first.seal("a", "b")


def test_one_video_has_another_id_for_every_participant_trial_and_side() -> None:
    ids = {KEYS.media_id(who, trial, slot) for who in "pq" for trial in "12" for slot in ("left", "right")}
    assert len(ids) == 8
    assert all(len(one) == 32 for one in ids)


HAND = [(k * 40.0, 60 * (k / 20) ** 2) for k in range(21)]  # slow, then fast: 0.8 s to place 60


def slide(sliders: Sliders, clock: Clock, *, after_s: float = 1.0, who: str = "p", off: int = 0, **changes) -> str:
    asked = sliders.challenge("p")
    clock.s += after_s
    path = changes.pop("trace", [(t, x * asked.target / 60) for t, x in HAND])
    return sliders.problem(who, asked.nonce, value=asked.target + off, trace=path, by_keys=changes.pop("by_keys", False))


def test_a_hand_passes_the_slider() -> None:
    clock = Clock()
    sliders = Sliders(KEYS, now=clock)
    assert slide(sliders, clock) == ""
    assert slide(sliders, clock, off=2) == ""


def test_keys_pass_the_slider_with_three_steps() -> None:
    clock = Clock()
    steps = [(0.0, 10.0), (200.0, 20.0), (400.0, 30.0), (600.0, 40.0)]  # a key that repeats is a straight line
    assert slide(Sliders(KEYS, now=clock), clock, trace=steps, by_keys=True) == ""
    assert slide(Sliders(KEYS, now=clock), clock, trace=steps[:2], by_keys=True) == "stiff"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"off": 3}, "missed"),
        ({"who": "q"}, "stale"),
        ({"after_s": VALID_S + 1}, "stale"),
        ({"after_s": 0.1}, "quick"),
        ({"trace": HAND[:7]}, "stiff"),
        ({"trace": [(t / 10, x) for t, x in HAND]}, "quick"),
        ({"trace": [(t * 60, x) for t, x in HAND]}, "slow"),
        ({"trace": [(k * 50.0, k * 3.0) for k in range(21)]}, "stiff"),  # one speed: a script
        ({"trace": [(k * 50.0, 70.0) for k in range(21)]}, "stiff"),  # never moved
    ],
)
def test_what_no_hand_does_is_refused(changes: dict, problem: str) -> None:
    clock = Clock()
    assert max(t for t, _ in HAND) / 1000 * 60 > MAX_S
    assert slide(Sliders(KEYS, now=clock), clock, **changes) == problem


def test_a_nonce_counts_once_and_cannot_be_made_up() -> None:
    clock = Clock()
    sliders = Sliders(KEYS, now=clock)
    asked = sliders.challenge("p")
    clock.s += 1
    path = [(t, x * asked.target / 60) for t, x in HAND]
    assert sliders.problem("p", asked.nonce, value=asked.target, trace=path, by_keys=False) == ""
    assert sliders.problem("p", asked.nonce, value=asked.target, trace=path, by_keys=False) == "stale"
    for forged in ("", "a.b", PageKeys(b"x" * 32).seal("slider", "p 50 1000.0 aa"), KEYS.seal("session", "p 50 1000.0 a")):
        assert sliders.problem("p", forged, value=50, trace=path, by_keys=False) == "stale"
