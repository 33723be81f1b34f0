"""Pairs that are chosen by information give as narrow intervals as even ones, with fewer votes."""

import pytest

from bench.sequential import Panel, run, votes_for


def test_votes_between_looks_are_read_from_what_grows_as_votes_do() -> None:
    """A width that falls as one over the root of votes: 2 / sqrt(30 people x 10) at any number of people."""
    marks = (10, 20, 40)
    widths = [2 / (10 * people) ** 0.5 for people in marks]
    assert votes_for(2 / 300**0.5, marks, widths, 10) == pytest.approx(300)


@pytest.mark.thorough
@pytest.mark.slow
def test_chosen_pairs_need_fewer_votes_for_the_same_width_and_intervals_still_hold() -> None:
    panel = Panel(strengths=(3.0, 1.8, 0.6, -0.6, -1.8, -3.0))
    strengths, neighbours, held = run(8, (8, 12, 16, 20, 24), panel)
    assert strengths["value"] < 600
    assert neighbours["value"] < 600
    assert 0.85 <= held["value"] <= 1.0
