"""The load of the study page in small: what it counts is what was sent."""

import pytest

from bench import study_load


@pytest.mark.slow
@pytest.mark.server
def test_a_few_people_lose_nothing_and_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_load, "THINK_S", 0.3)
    monkeypatch.setattr(study_load, "DOUBLED", 1.0)
    rows = {row["name"]: row for row in study_load.run(people=5, seconds=1.0, votes=50)}
    assert rows["errors of 5 people in 1 s"]["value"] == 0
    assert rows["calls in that time"]["value"] >= 5 * 4  # two videos, and a vote twice
    assert rows["durable votes at 5 connections"]["note"].startswith("0 errors")
    assert rows["answered votes not in the journal"]["value"] == 0
    counted = rows["questions that do not count one vote"]
    assert (counted["value"], counted["note"]) == (0, "of 35 questions of all people")
    ended = rows["responses ended by two calls at once"]
    assert (ended["value"], ended["target"], ended["note"]) == (5, 5, "0 errors")
