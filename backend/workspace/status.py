"""What stands in the current plan: counts, the state of each source, failures, stages and gates."""

from collections.abc import Iterable
from pathlib import Path

from backend.api import Status
from backend.domain import Source
from backend.domain.score_words import gate_title
from backend.domain.status_rows import FailureRow, GateRow, RemarkRow, StageRow
from backend.engine.plan import Gate, Plan
from backend.engine.tables import GateCount
from backend.store.schema import WORK_NOW
from backend.workspace.snapshot import Snapshot

MAX_FAILURES = 1000
MAX_REMARKS = 20  # of a stage, the most frequent


def status_of(now: Snapshot, plan: Plan) -> Status:
    """The status of an evaluated plan, without people's part."""
    states, remarks = source_states(now, plan)
    stages = tuple(_stage_row(now, step.stage) for step in plan.steps)
    return Status(
        counts=now.counts(),
        states=states,
        failures=tuple(remarks + _item_failures(now, plan)),
        stages=stages,
        remarks=tuple(remark for row in stages[1:] for remark in _remarks(now, row)),
        gates=tuple(_gate_rows(now.gate_counts())),
    )


def source_states(now: Snapshot, plan: Plan) -> tuple[dict[str, int], list[FailureRow]]:
    """Sources by state (DESIGN 11), and a row for each that did not end ok, with its reason."""
    probe = plan.steps[0].stage
    assert probe.over is Source, "a plan begins with the stage that reads sources"
    videos = dict(now.query("SELECT work_key, id FROM video"))
    shown_from = dict(now.query("SELECT id, source_id FROM kept_video"))
    names = dict(now.query("SELECT id, uri FROM source"))
    with_clips = {row[0] for row in now.query("SELECT DISTINCT video_id FROM kept_clip")}
    trouble = _video_trouble(now, plan)
    states: dict[str, int] = {}
    rows = []
    for source_id, work_key, state, kind, message in now.query(
        f"""SELECT i.item_id, i.work_key, w.state, w.kind, w.message FROM item_{probe.name} i
        LEFT JOIN ({WORK_NOW}) w ON w.work_key = i.work_key ORDER BY 1"""
    ):
        video = videos.get(work_key)
        stage = probe.name
        if state is None:
            state = "pending"
        elif state == "filtered":
            state = "skipped"
        elif video in shown_from and shown_from[video] != source_id:
            state, message = "filtered", f"the same bytes as {Path(names[shown_from[video]]).name}"
        elif video is not None and state != "failed" and video not in with_clips and video in trouble:
            stage, state, kind, message = trouble[video]
        elif state == "warned":
            state = "ok_with_warning"
        label = f"failed({kind})" if state == "failed" else state
        states[label] = states.get(label, 0) + 1
        if state not in ("ok", "pending"):
            rows.append(
                FailureRow(
                    stage=stage,
                    item_id=source_id,
                    name=Path(names[source_id]).name,
                    state=state,
                    kind=kind or "",
                    message=message or "",
                )
            )
    return states, rows


def _video_trouble(now: Snapshot, plan: Plan) -> dict[str, tuple[str, str, str, str]]:
    """For videos without a kept clip: `(stage, state, kind, message)` of what took the clips away."""
    trouble: dict[str, tuple[str, str, str, str]] = {}
    words = {gate.name: gate_title(gate.words) for gate in plan.gates()}
    for video, gate, count in now.query(
        """SELECT c.video_id, g.gate, count(*) FROM gated g JOIN (SELECT DISTINCT id, video_id FROM clip) c ON c.id = g.id
        WHERE g.kind = 'clip' GROUP BY 1, 2 ORDER BY 3, 2"""
    ):
        trouble[video] = (
            "gates",
            "filtered",
            "",
            f"{count} clip{'s' if count > 1 else ''} held back by a gate: {words[gate]}",
        )
    for video, gate in now.query("SELECT id, gate FROM gated WHERE kind = 'video'"):
        trouble[video] = ("gates", "filtered", "", f"held back by a gate: {words[gate]}")
    for step in plan.steps:
        if step.stage.over.KIND == "video":
            for video, state, kind, message in now.query(
                f"""SELECT i.item_id, w.state, w.kind, w.message FROM item_{step.stage.name} i JOIN ({WORK_NOW}) w USING (work_key)
                WHERE w.state IN ('failed', 'filtered')"""
            ):
                trouble.setdefault(video, (step.stage.name, state, kind or "", message or ""))
    return trouble


def _item_failures(now: Snapshot, plan: Plan) -> list[FailureRow]:
    rows = []
    for step in plan.steps[1:]:
        stage = step.stage
        over = stage.over
        source = "k.id" if over is Source else "k.source_id"
        for item_id, kind, message, uri in now.query(
            f"""SELECT i.item_id, w.kind, w.message, s.uri FROM item_{stage.name} i JOIN ({WORK_NOW}) w USING (work_key)
            LEFT JOIN kept_{over.KIND} k ON k.id = i.item_id LEFT JOIN source s ON s.id = {source}
            WHERE w.state = 'failed' ORDER BY 1 LIMIT {MAX_FAILURES}"""
        ):
            name = f"{Path(uri).name} {item_id}" if uri else item_id
            rows.append(
                FailureRow(stage=stage.name, item_id=item_id, name=name, state="failed", kind=kind, message=message)
            )
    return rows


def _gate_rows(counts: Iterable[GateCount]) -> list[GateRow]:
    """A row for each gate, in the order of work: what several stages measure for one gate is counted together."""
    together: dict[Gate, list[GateCount]] = {}
    for count in counts:
        together.setdefault(count.gate, []).append(count)
    return [
        GateRow(
            record=gate.record,
            score=gate.score,
            comparison=gate.comparison,
            value=gate.value,
            source=gate.source,
            entering=sum(count.entering for count in found),
            dropped=sum(count.dropped for count in found),
            unmeasured=sum(count.unmeasured for count in found),
            by_category=dict(gate.by_category),
            is_own=gate.is_own,
        )
        for gate, found in together.items()
    ]


def _stage_row(now: Snapshot, stage) -> StageRow:
    states = {
        state: (count, seconds)
        for state, count, seconds in now.query(
            f"""SELECT coalesce(w.state, 'pending'), count(*), coalesce(sum(w.seconds), 0) FROM item_{stage.name} i
            LEFT JOIN ({WORK_NOW}) w USING (work_key) GROUP BY 1"""
        )
    }
    counts = {state: states.get(state, (0, 0.0))[0] for state in ("pending", "ok", "warned", "filtered", "failed")}
    return StageRow(stage=stage.name, over=stage.over.KIND, seconds=sum(s for _, s in states.values()), **counts)


def _remarks(now: Snapshot, row: StageRow) -> list[RemarkRow]:
    """The most frequent first. Sources have rows of their own (`source_states`)."""
    if not row.filtered + row.warned:
        return []
    found = now.query(
        f"""SELECT w.state, min(w.message), count(*) FROM item_{row.stage} i JOIN ({WORK_NOW}) w USING (work_key)
        WHERE w.state IN ('filtered', 'warned') AND w.message <> ''
        GROUP BY w.state, regexp_replace(w.message, '[0-9]+([.][0-9]+)?', '#', 'g') ORDER BY 3 DESC, 1, 2 LIMIT {MAX_REMARKS}"""
    )
    return [
        RemarkRow(stage=row.stage, over=row.over, state=state, reason=reason, num_items=number)
        for state, reason, number in found
    ]
