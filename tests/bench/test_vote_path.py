"""The vote path beside Label Studio: every answer is stored, and a figure is that of rounds in which both took turns."""

import pytest

from bench import vote_path
from bench.studio_queue import PlantQueue
from tests.backend.exports.label_studio_annotators import TOKEN, URL, with_label_studio


def test_a_row_compares_sides_round_by_round() -> None:
    told = ((2.0, 100.0), (6.0, 150.0), (3.0, 60.0))
    rounds: list[vote_path.Round] = [{"ours": {"median": one}, "Label Studio": {"median": other}} for one, other in told]
    row = vote_path._row(8, "median", rounds, "")
    assert (row["name"], row["ours"], row["peer"], row["n"]) == ("one vote, 8 callers, median", 3, 100, 3)
    assert (row["ratio"], row["spread"]) == (0.04, "0.02-0.05")
    nobody: list[vote_path.Round] = [{"ours": {"median": 2.0}, "Label Studio": {"median": float("nan")}}]
    assert "peer" not in vote_path._row(1, "median", nobody, "")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vote_path, "QUEUE", PlantQueue(clips=2, frames=6, subjects=6))  # 66 pairs


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.usefixtures("small")
def test_without_a_label_studio_ours_stands_alone_and_says_so() -> None:
    rows = vote_path.run(rounds=1, votes=16, url="", key="")
    assert len(rows) == 8
    assert all(row["note"] == vote_path.UNKNOWN and row["ours"] > 0 and "peer" not in row for row in rows)


@pytest.mark.slow
@pytest.mark.server
@with_label_studio
@pytest.mark.usefixtures("small")
def test_both_sides_store_every_answer() -> None:
    rows = vote_path.run(rounds=1, votes=8, url=URL, key=TOKEN)
    assert {row["peer_name"] for row in rows} == {"Label Studio"}
    assert all(row["peer"] > 0 and row["ratio"] > 0 for row in rows)
