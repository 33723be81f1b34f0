"""The slider at the end: what a hand and keys draw passes, what a script sets does not."""

from backend.domain.sliding import slide_problem

HAND = [(60.0 * k, float(round(70 * (k / 12) ** 1.7))) for k in range(13)]  # slow first, then faster
KEYS = [(0.0, 10.0), (300.0, 20.0), (700.0, 21.0)]


def test_a_hand_and_keys_that_reach_the_target_pass() -> None:
    assert slide_problem(70, 70, HAND, by_keys=False) == ""
    assert slide_problem(70, 72, HAND, by_keys=False) == ""
    assert slide_problem(21, 21, KEYS, by_keys=True) == ""


def test_a_target_that_was_missed_is_told() -> None:
    assert slide_problem(70, 73, HAND, by_keys=False) == "missed"


def test_what_no_hand_draws_is_told() -> None:
    straight = [(50.0 * k, 5.0 * k) for k in range(15)]
    assert slide_problem(70, 70, straight, by_keys=False) == "stiff"
    assert slide_problem(70, 70, HAND[-3:], by_keys=False) == "stiff"
    assert slide_problem(70, 70, [], by_keys=False) == "stiff"
    still = [(0.0, 70.0)] * 20
    assert slide_problem(70, 70, still, by_keys=True) == "quick"


def test_too_quick_and_too_slow_are_told() -> None:
    assert slide_problem(70, 70, [(t / 4, x) for t, x in HAND], by_keys=False) == "quick"
    assert slide_problem(70, 70, [(t * 50, x) for t, x in HAND], by_keys=False) == "slow"
