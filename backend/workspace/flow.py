"""Items through the stages of a plan, and those that got stuck."""

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from backend.domain import PARENTS, Clip, Score, SettingsError, Source
from backend.domain.jobs import QuarantinePage, QuarantineRow, StageFlow
from backend.engine.plan import Plan, Step
from backend.engine.tables import ancestors
from backend.settings import nearest
from backend.store.schema import WORK_NOW
from backend.workspace.snapshot import Snapshot

_STATES = ("ok", "warned", "filtered", "failed")


def stage_flow(now: Snapshot, plan: Plan) -> tuple[StageFlow, ...]:
    """In the order of work."""
    items = " UNION ALL ".join(
        f"SELECT '{step.stage.name}' AS stage, work_key FROM item_{step.stage.name}" for step in plan.steps
    )
    entering = dict(now.query(f"SELECT stage, count(*) FROM ({items}) GROUP BY 1"))
    worked: dict[str, dict[str, tuple[int, float]]] = {}
    for stage, state, count, seconds in now.query(
        f"SELECT stage, w.state, count(*), sum(w.seconds) FROM ({items}) JOIN ({WORK_NOW}) w USING (stage, work_key) GROUP BY 1, 2"
    ):
        worked.setdefault(stage, {})[state] = (count, seconds)
    made = {
        record: dict(now.query(f"SELECT stage, count(*) FROM {record.KIND} JOIN ({items}) USING (work_key) GROUP BY 1"))
        for record in dict.fromkeys(record for step in plan.steps for record in step.stage.makes)
        if record is not Score
    }
    counts = iter(now.gate_counts())
    flows = []
    for step in plan.steps:
        gates = [count for _, count in zip(step.gates, counts)]
        name = step.stage.name
        flows.append(
            _flow(
                step,
                entering.get(name, 0),
                worked.get(name, {}),
                gives={one.KIND: made[one].get(name, 0) for one in step.stage.makes if one is not Score},
                held_back={count.gate.words: count.dropped for count in gates if count.dropped},
            )
        )
    return tuple(flows)


def quarantine(now: Snapshot, plan: Plan, *, stage: str, search: str, limit: int, after: str | None) -> QuarantinePage:
    """Failed items, by stage in the order of work and then by work key. Raises SettingsError for an unknown stage or place."""
    names = [step.stage.name for step in plan.steps]
    if stage and stage not in names:
        raise SettingsError(f"the plan has no stage {stage[:80]!r}{nearest(stage, names)}")
    place, key = _place(after)
    make_stuck(now, plan)
    words = search.lower().split()
    matching = " AND ".join(["true", *("contains(haystack, ?)" for _ in words)])
    counts = dict(now.query(f"SELECT stage, count(*) FROM stuck WHERE {matching} GROUP BY ALL ORDER BY min(place)", words))
    rows = now.query(
        f"""SELECT place, work_key, stage, item_id, over, name, kind, message, attempt, ended_at, clip_id FROM stuck
        WHERE {matching} AND (? = '' OR stage = ?) AND (place, work_key) > (?, ?) ORDER BY 1, 2 LIMIT ?""",
        [*words, stage, stage, place, key, limit + 1],
    )
    shown = rows[:limit]
    return QuarantinePage(
        rows=tuple(_quarantined(_Stuck(*row[1:])) for row in shown),
        total=counts.get(stage, 0) if stage else sum(counts.values()),
        by_stage=counts,
        next_after=json.dumps(shown[-1][:2]) if len(rows) > limit else None,
    )


def require_stuck(now: Snapshot, plan: Plan, work_keys: Sequence[str]) -> None:
    """Raises SettingsError naming the first work key that is not in quarantine, or where nothing is."""
    make_stuck(now, plan)
    found = {key for (key,) in now.query("SELECT work_key FROM stuck")}
    if not found:
        raise SettingsError("nothing is in quarantine; there is nothing to try again")
    others = [key for key in work_keys if key not in found]
    if others:
        raise SettingsError(f"{others[0][:120]!r} is not in quarantine; look at it again, somebody may have tried it since")


def make_stuck(now: Snapshot, plan: Plan) -> None:
    """Makes the temporary table `stuck`: what stages failed on and nobody has tried again with success."""
    now.query(f"CREATE OR REPLACE TEMP TABLE failing AS SELECT w.* FROM ({WORK_NOW}) w WHERE w.state = 'failed'")
    with_failures = {name for (name,) in now.query("SELECT DISTINCT stage FROM failing")}
    parts = [_stuck_at(place, step) for place, step in enumerate(plan.steps) if step.stage.name in with_failures]
    nothing = "SELECT 0 AS place, '' AS over, NULL AS clip_id, NULL AS uri, f.* FROM failing f WHERE false"
    now.query(
        f"""CREATE OR REPLACE TEMP TABLE stuck AS SELECT *, lower(concat_ws(' ', name, item_id, kind, message)) AS haystack FROM (
            SELECT * EXCLUDE (uri), concat_ws(' ', parse_filename(uri), CASE WHEN over <> '{Source.KIND}' OR uri IS NULL THEN item_id END)
            AS name FROM ({" UNION ALL ".join([nothing, *parts])}))"""
    )


def _flow(
    step: Step, entering: int, worked: dict[str, tuple[int, float]], *, gives: dict[str, int], held_back: dict[str, int]
) -> StageFlow:
    ok, warned, filtered, failed = (worked.get(state, (0, 0.0))[0] for state in _STATES)
    return StageFlow(
        stage=step.stage.name,
        over=step.stage.over.KIND,
        entering=entering,
        passed=ok + warned,
        filtered=filtered,
        failed=failed,
        pending=entering - ok - warned - filtered - failed,
        seconds=sum(seconds for _, seconds in worked.values()),
        gives=gives,
        held_back=held_back,
    )


def _stuck_at(place: int, step: Step) -> str:
    """What a stage failed on, with the clip and the file that it is of: also of items that a gate holds back since."""
    stage, over = step.stage, step.stage.over
    lineage = [over, *ancestors(over)]
    joins, ids = [], {over: "i.item_id"}
    for record, parent in pairwise(lineage):
        field = PARENTS[record][0]
        joins.append(
            f"""LEFT JOIN (SELECT id, any_value({field}) AS parent FROM {record.KIND} GROUP BY 1) {record.KIND}_up
            ON {record.KIND}_up.id = {ids[record]}"""
        )
        ids[parent] = f"{record.KIND}_up.parent"
    source = f"LEFT JOIN source s ON s.id = {ids[Source]}" if Source in ids else "LEFT JOIN source s ON false"
    return f"""SELECT {place} AS place, '{over.KIND}' AS over, {ids.get(Clip, "NULL")} AS clip_id, s.uri, f.*
        FROM item_{stage.name} i JOIN failing f ON f.work_key = i.work_key AND f.stage = '{stage.name}'
        {" ".join(joins)} {source}"""


class _Stuck(NamedTuple):
    """A row of the table `stuck`, as `quarantine` selects it."""

    work_key: str
    stage: str
    item_id: str
    over: str
    name: str
    failure: str | None
    message: str | None
    attempt: int
    ended_at: str | None
    clip_id: str | None


def _quarantined(row: _Stuck) -> QuarantineRow:
    return QuarantineRow(
        work_key=row.work_key,
        stage=row.stage,
        item_id=row.item_id,
        kind=row.over,
        name=row.name,
        failure=row.failure or "",
        message=row.message or "",
        attempts=row.attempt + 1,
        failed_at=row.ended_at or "",
        media_id=f"p-{row.clip_id}" if row.clip_id else "",
    )


def _place(after: str | None) -> tuple[int, str]:
    """Behind which stage and work key to go on."""
    if after is None:
        return -1, ""
    try:
        place, key = json.loads(after)
        return int(place), str(key)
    except (ValueError, TypeError) as error:
        raise SettingsError(f"after is {after[:80]!r}; give `next_after` of the page before") from error
