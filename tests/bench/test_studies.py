"""Over 200 simulated studies, 95 % intervals hold what was planted about as often as they say."""

import pytest

from bench.studies import coverage, interior


@pytest.mark.thorough
@pytest.mark.slow
def test_intervals_hold_planted_rankings_ties_weights_and_rater_qualities() -> None:
    found = coverage(200, 200)
    assert set(found) == {"strengths", "tie rate", "win rates", "gold accuracy", "weights", "boundary weights"}
    assert 0.92 <= interior(found) <= 0.975
    for name, value in found.items():
        assert 0.9 <= value <= 0.99, name
