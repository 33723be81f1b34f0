"""The order of a rater's pairs: asked for, drawn for audit, then the best; as a plain program would put them."""

import random
from typing import cast

import duckdb
import pyarrow as pa
import pytest

from backend.api import Api
from backend.domain import VERIFY_STUDY
from backend.stages.audit import PER_STRATUM
from backend.workspace import queue
from backend.workspace.queue import judging_order
from backend.workspace.snapshot import Snapshot

NUM_STRATA = 3
Pair = tuple[str, float | None, float | None, float | None, int | None]
"""Id, similarity, stratum, draw and when it was asked for."""


class Tables:
    """What a snapshot shows of so many pairs, in tables of their own."""

    def __init__(self, pairs: list[Pair], judged: list[str]) -> None:
        self.connection = duckdb.connect()
        columns = ("pair_id", "similarity", "audit_stratum", "audit_draw", "seq")
        rows = pa.table(dict(zip(columns, map(list, zip(*pairs, strict=True)), strict=True)))
        votes = pa.table({"id": [f"v{n}" for n in range(len(judged))], "item_id": judged})
        run = self.connection.register("rows", rows).register("votes", votes).execute
        run("CREATE TABLE subject_refused (subject_id VARCHAR)")
        run(
            "CREATE VIEW pair_shown AS SELECT *, 'cross_frame' AS kind, 'a' AS target_subject_id, 'b' AS reference_subject_id FROM rows"
        )
        run(
            f"CREATE VIEW asked AS SELECT '{VERIFY_STUDY}' AS study_id, pair_id AS item_id, seq FROM rows WHERE seq NOTNULL"
        )
        run(
            f"CREATE VIEW vote AS SELECT *, 1 AS rev, 1 AS seq, '{VERIFY_STUDY}' AS study_id, 'ann' AS rater, 'same' AS choice FROM votes"
        )

    def query(self, sql: str, given: dict[str, str]) -> list[tuple]:
        return self.connection.execute(sql, given).fetchall()


def some_pairs(*, plain: bool) -> list[Pair]:
    draw = random.Random(7)
    pairs: list[Pair] = []
    for n in range(NUM_STRATA * PER_STRATUM * 2):
        drawn = not plain and n % 9 != 0
        pairs.append((
            f"pair_{draw.getrandbits(60):015x}",
            draw.choice([None, round(draw.random(), 2)]),
            float(draw.randrange(NUM_STRATA)) if drawn else None,
            round(draw.random(), 3) if drawn else None,
            None if plain or n % 11 else draw.randrange(40),
        ))  # fmt: skip
    return pairs


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("most", [None, 0, 40])
def test_the_order_is_that_of_a_plain_program(plain: bool, most: int | None) -> None:
    pairs = some_pairs(plain=plain)
    judged = {name for name, *_ in pairs[::7]}
    also = {name for name, *_ in pairs[::50]}
    found = judging_order(cast(Snapshot, Tables(pairs, sorted(judged))), "ann", most=most, also=also)
    left = [pair for pair in pairs if pair[0] not in judged]
    left.sort(key=lambda pair: (-(pair[1] if pair[1] is not None else -1.0), pair[0]))
    asked = sorted((pair for pair in left if pair[4] is not None), key=lambda pair: -cast(int, pair[4]))
    drawn: list[tuple[int, float, str]] = []
    for stratum in range(NUM_STRATA):
        members = sorted((cast(float, pair[3]), pair[0]) for pair in left if pair[2] == stratum)[:PER_STRATUM]
        drawn += [(rank, float(stratum), name) for rank, (_, name) in enumerate(members)]
    best = [pair[0] for pair in left]
    rest = best if most is None else [*best[:most], *(name for name in best if name in also)]
    assert found == list(dict.fromkeys([*(pair[0] for pair in asked), *(name for _, _, name in sorted(drawn)), *rest]))


def test_what_comes_late_is_given_where_others_hold_what_comes_soon(
    curated_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "SOON", 1)
    monkeypatch.setattr(queue, "PER_STRATUM", 0)
    best = [row.pair_id for row in curated_api.pairs(order="best", limit=2).rows]
    given = [
        trial.item_id
        for rater in ("ann", "bob")
        for trial in curated_api.next_trials(study_id=VERIFY_STUDY, rater=rater, limit=1)
    ]
    assert given == best
    assert len(best) == 2
