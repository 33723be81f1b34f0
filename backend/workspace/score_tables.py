"""Scores as tables to draw from: one for each score that is looked at, made once per moment of the snapshot.

`score_N` has a row for each item of a kind that the plan keeps or one of its gates holds back, and that the score was
asked of: `id`, `value` (NULL where it could not be measured), `kept` and `producer`.
"""

from collections import OrderedDict
from collections.abc import Sequence

from backend.domain import SettingsError
from backend.domain.figures import Cut, CutOutcome, NearItem, ScoreSpread, StoredScore
from backend.engine.plan import COMPARISONS, TOP, Plan
from backend.measures.intervals import wilson
from backend.measures.thresholds import RIGHT, WRONG
from backend.settings import nearest
from backend.workspace.snapshot import Snapshot

SCORED = ("video", "clip", "subject", "appearance", "anchor", "pair")
"""Kinds whose scores are shown: those with a picture of an item."""
KEPT_TABLES = 6
"""Of a score of a million items, 60 MB."""
MAX_BINS, MAX_NEAR = 400, 60

_ITEMS = """SELECT id, true AS kept FROM kept_{kind} UNION ALL
SELECT DISTINCT g.id, false FROM gated g ANTI JOIN kept_{kind} k ON k.id = g.id WHERE g.kind = '{kind}'"""
_VERDICT = "LEFT JOIN pair_status p ON p.pair_id = s.id"


class ScoreTables:
    """The tables of the moment that was read last."""

    def __init__(self) -> None:
        self._moment = -1
        self._made: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._number = 0

    def of(self, now: Snapshot, kind: str, score: str) -> str:
        """The name of the table of a score. Raises SettingsError for an unknown kind, and a score that no item has."""
        if kind not in SCORED:
            raise SettingsError(
                f"scores of {kind[:40]!r} are not shown{nearest(kind, SCORED)}; those of {', '.join(SCORED)} are"
            )
        if self._moment != now.moment:
            self._moment = now.moment
            self._made.clear()
        if (kind, score) not in self._made:
            self._make(now, kind, score)
        self._made.move_to_end((kind, score))
        return self._made[kind, score]

    def _make(self, now: Snapshot, kind: str, score: str) -> None:
        self._number += 1
        name = f"score_{self._number}"
        now.query(
            f"""CREATE OR REPLACE TEMP TABLE {name} AS SELECT i.id, l.value, i.kept, l.producer
            FROM ({_ITEMS.format(kind=kind)}) i JOIN live_score l ON l.target = i.id WHERE l.name = ?""",
            [score],
        )
        if not now.query(f"SELECT 1 FROM {name} LIMIT 1"):
            now.query(f"DROP TABLE {name}")
            known = [each.name for each in stored_scores(now, ()) if each.kind == kind]
            raise SettingsError(f"no {kind} has a score {score[:80]!r}{nearest(score, known)}; look at another")
        self._made[kind, score] = name
        while len(self._made) > KEPT_TABLES:
            _, old = self._made.popitem(last=False)
            now.query(f"DROP TABLE {old}")


def stored_scores(now: Snapshot, gates: Sequence[tuple[str, str, str]]) -> tuple[StoredScore, ...]:
    """Every score by kind and name; `gates` are (kind, score, name) of bounds that can be moved."""
    found = []
    for kind in SCORED:
        for name, measured in now.query(
            f"""SELECT l.name, count(l.value) FROM live_score l SEMI JOIN ({_ITEMS.format(kind=kind)}) i ON i.id = l.target
            GROUP BY 1 HAVING count(l.value) > 0 ORDER BY 1"""
        ):
            own = tuple(dict.fromkeys(gate for k, score, gate in gates if (k, score) == (kind, name)))
            found.append(StoredScore(kind=kind, name=name, measured=measured, gates=own))
    return tuple(found)


def movable_gates(plan: Plan) -> list[tuple[str, str, str]]:
    """Kind, score and name of the plan's bounds; a gate on the number of records has no place on a score's axis."""
    return [(gate.record, gate.score, gate.name) for gate in plan.gates() if gate.comparison != TOP]


def spread(now: Snapshot, table: str, *, kind: str, score: str, bins: int) -> ScoreSpread:
    """The histogram of a score's table, in `bins` bins of one width over what was measured."""
    if not 1 <= bins <= MAX_BINS:
        raise SettingsError(f"bins is {bins}; ask for 1 to {MAX_BINS}")
    measured, unmeasured, low, high = now.query(
        f"""SELECT count(value), count(*) - count(value), min(value) FILTER (isfinite(value)),
        max(value) FILTER (isfinite(value)) FROM {table}"""
    )[0]
    low, high = (0.0, 1.0) if low is None else (low, high)
    if low == high:
        low, high, bins = low - 0.5, high + 0.5, 1
    width = (high - low) / bins
    rows = {
        row[0]: row[1:]
        for row in now.query(
            f"""SELECT least(greatest(floor((s.value - ?) / ?), 0), ?)::INTEGER, count(*), count(*) FILTER (s.kept),
            {_said(kind, RIGHT)}, {_said(kind, WRONG)}
            FROM {table} s {_VERDICT if kind == "pair" else ""} WHERE isfinite(s.value) GROUP BY 1""",
            [low, width, bins - 1],
        )
    }
    counts, kept, right, wrong = (tuple(rows.get(n, (0,) * 4)[place] for n in range(bins)) for place in range(4))
    producers = tuple(name for (name,) in now.query(f"SELECT DISTINCT producer FROM {table} ORDER BY 1"))
    edges = tuple(low + width * n for n in range(bins)) + (high,)
    return ScoreSpread(
        kind=kind,
        score=score,
        edges=edges,
        counts=counts,
        kept=kept,
        right=right,
        wrong=wrong,
        measured=measured,
        unmeasured=unmeasured,
        producers=producers,
    )


def outcome(now: Snapshot, table: str, *, kind: str, cuts: Sequence[Cut], around: int, near: int) -> CutOutcome:
    """What the cuts keep of what was measured. Raises SettingsError for a comparison or place that is none."""
    for cut in cuts:
        if cut.comparison not in COMPARISONS:
            raise SettingsError(f"comparison {cut.comparison[:20]!r} is none of {', '.join(COMPARISONS)}")
    if not 0 <= near <= MAX_NEAR or (near and not 0 <= around < len(cuts)):
        raise SettingsError(f"{near} items around cut {around} of {len(cuts)}; ask for up to {MAX_NEAR} around one of them")
    holds = " AND ".join(f"s.value {cut.comparison} ?" for cut in cuts) or "true"
    bounds = [cut.value for cut in cuts]
    passing, measured, right, wrong = now.query(
        f"""SELECT count(*) FILTER (passes), count(*), count(*) FILTER (passes AND is_right), count(*) FILTER (passes AND is_wrong)
        FROM (SELECT {holds} AS passes, {_is(kind, RIGHT)} AS is_right, {_is(kind, WRONG)} AS is_wrong
            FROM {table} s {_VERDICT if kind == "pair" else ""} WHERE s.value NOTNULL)""",
        bounds,
    )[0]
    judged = right + wrong
    low, high = wilson(right / judged, judged) if judged else (None, None)
    return CutOutcome(
        passing=passing,
        measured=measured,
        judged=judged,
        right=right,
        precision=right / judged if judged else None,
        precision_low=low,
        precision_high=high,
        inside=_near(now, table, kind, cuts[around], near, inside=True) if near else (),
        outside=_near(now, table, kind, cuts[around], near, inside=False) if near else (),
    )


def _near(now: Snapshot, table: str, kind: str, cut: Cut, number: int, *, inside: bool) -> tuple[NearItem, ...]:
    """The items nearest to a cut on one side of it, of equal ones the first ids."""
    holds = f"s.value {cut.comparison} ?"
    rows = now.query(
        f"""SELECT s.id, s.value, {"p.verdict" if kind == "pair" else "NULL"} FROM {table} s {_VERDICT if kind == "pair" else ""}
        WHERE isfinite(s.value) AND {holds if inside else f"NOT ({holds})"} ORDER BY abs(s.value - ?), s.id LIMIT ?""",
        [cut.value, cut.value, number],
    )
    return tuple(NearItem(item_id=row[0], value=row[1], verdict=row[2]) for row in rows)


def _is(kind: str, verdicts: frozenset[str]) -> str:
    named = ", ".join(f"'{name}'" for name in sorted(verdicts))
    return f"coalesce(p.verdict IN ({named}), false)" if kind == "pair" else "false"


def _said(kind: str, verdicts: frozenset[str]) -> str:
    return f"count(*) FILTER ({_is(kind, verdicts)})"
