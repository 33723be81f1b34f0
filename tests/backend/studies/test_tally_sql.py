"""A dashboard's counts are those of counting the current votes one by one."""

from collections import Counter
from statistics import median

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain.dashboards import Dashboard
from backend.store.schema import VOTE_SCHEMA, create_statements
from backend.studies.tally_sql import DASHBOARD, dashboard

SYSTEMS = ("a", "b", "c")
CHOICES = ("left", "right", "tie", "both_bad", "skip", "left_much", None)


def rows(seed: int) -> list[dict]:
    """Votes of two studies; some were changed, some of these undone, in whatever order their revisions came."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(int(rng.integers(0, 60))):
        shown = [SYSTEMS[k] for k in rng.permutation(3)[:2]]
        about = {"id": f"v{number}", "study_id": "s" if rng.random() < 0.9 else "other", "item_id": f"i{rng.integers(8)}"}
        about |= {"rater": f"r{rng.integers(4)}", "question": f"q{rng.integers(2)}", "shown_order": shown}
        first = int(rng.integers(0, 2))
        for rev in range(first, first + int(rng.integers(1, 4))):
            choice = CHOICES[int(rng.integers(len(CHOICES)))]
            found.append({**about, "rev": rev, "choice": choice, "visible_ms": int(rng.integers(1000, 9000))})
    return [{**found[k], "seq": seq} for seq, k in enumerate(rng.permutation(len(found)))]


def counted(votes: list[dict], *, raters: int = 10) -> Dashboard:
    with duckdb.connect() as opened:
        for statement in create_statements():
            opened.execute(statement)
        if votes:
            kept = pa.schema([VOTE_SCHEMA.field(name) for name in votes[0]])
            opened.register("given_votes", pa.Table.from_pylist(votes, schema=kept))
            opened.execute("INSERT INTO vote BY NAME SELECT * FROM given_votes")
        return dashboard(opened.execute(DASHBOARD, ["s", raters]).fetchall())


@pytest.mark.slow
@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_counts_are_those_of_the_last_revisions(seed: int) -> None:
    votes = rows(seed)
    last: dict[str, dict] = {}
    for vote in sorted(votes, key=lambda vote: vote["rev"]):
        last[vote["id"]] = vote
    now = [vote for vote in last.values() if vote["study_id"] == "s" and vote["choice"] is not None]
    found = counted(votes)
    wins: Counter = Counter()
    for vote in now:
        side = vote["choice"].removesuffix("_much")
        if side in ("left", "right"):
            winner = vote["shown_order"][side == "right"]
            wins[vote["question"], winner, *sorted(vote["shown_order"])] += 1
    for one in found.pairs:
        assert one.wins == wins[one.question, one.a, one.a, one.b]
        assert one.losses == wins[one.question, one.b, one.a, one.b]
    told = Counter(vote["choice"] for vote in now)
    assert sum(one.ties for one in found.pairs) == told["tie"]
    assert sum(one.both_bad for one in found.pairs) == told["both_bad"]
    assert sum(one.skipped for one in found.pairs) == told["skip"]
    assert sum(one.num_left for one in found.pairs) == told["left"] + told["left_much"]
    for rater in found.busiest:
        own = [vote for vote in now if vote["rater"] == rater.rater]
        assert rater.votes == len(own)
        assert rater.median_s == pytest.approx(median(vote["visible_ms"] for vote in own) / 1000)
    assert found.num_raters == len({vote["rater"] for vote in now})
    each = Counter((vote["item_id"], vote["question"]) for vote in now)
    assert found.coverage == dict(sorted(Counter(each.values()).items()))


def test_only_the_busiest_raters_are_told_and_all_are_counted() -> None:
    votes = rows(1)
    all_of_them = counted(votes)
    few = counted(votes, raters=2)
    assert few.busiest == all_of_them.busiest[:2]
    assert few.num_raters == all_of_them.num_raters > 2


def test_no_votes_are_counted_as_none() -> None:
    found = counted([])
    assert found == Dashboard(pairs=(), busiest=(), num_raters=0, coverage={})


def test_a_rate_counts_ties_by_half() -> None:
    about = {"study_id": "s", "item_id": "i", "rater": "r", "question": "q", "rev": 1, "visible_ms": 1000}
    votes = [
        {**about, "id": str(k), "seq": k, "choice": choice, "shown_order": shown}
        for k, (choice, shown) in enumerate(
            (("right", ["b", "a"]), ("left", ["b", "a"]), ("tie", ["a", "b"]), ("left", ["a", "b"]))
        )
    ]
    (found,) = counted(votes).pairs
    assert (found.a, found.b, found.wins, found.losses, found.ties, found.num_left) == ("a", "b", 2, 1, 1, 2)
    assert found.rate == pytest.approx(2.5 / 4)
