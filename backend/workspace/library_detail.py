"""One item with all that is known of it: its footage, what was found there, its scores, and what made it."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from backend.domain import PARENTS, ProjectError
from backend.domain.library import ItemDetail, ItemScore, ItemView, Marked, Origin, Trail, Value
from backend.engine.plan import COMPARISONS, Gate, Plan
from backend.engine.tables import ancestors
from backend.stages.faces import FACE_EVIDENCE
from backend.store.artifacts import Artifacts
from backend.store.schema import KINDS
from backend.workspace.library import Reading
from backend.workspace.snapshot import Snapshot

UNLABELLED = "unlabelled"  # what the embedded detector calls a thing
MAX_MARKS = 2000
"""Masks of one view; a clip has a few dozen."""

_CLIP = """
SELECT c.id, c.start_frame, v.width, v.height, v.fps, v.source_id, w.text FROM clip c JOIN video v ON v.id = c.video_id
LEFT JOIN clip_caption w ON w.clip_id = c.id WHERE c.id = ? LIMIT 1
"""
_FIRST_CLIP = "SELECT id FROM clip WHERE video_id = ? ORDER BY id IN (SELECT id FROM kept_clip) DESC, start_frame LIMIT 1"
_TRAILS = """
SELECT DISTINCT ON (t.id) t.id, t.kind, s.phrase, t.frames, t.boxes FROM track t
LEFT JOIN (SELECT DISTINCT ON (id) * FROM subject) s ON s.track_id = t.id AND s.clip_id = t.clip_id
WHERE t.clip_id = ? AND (t.id, t.work_key) IN (SELECT (id, work_key) FROM kept_track)
"""
_FACE_POINTS = "SELECT l.target, min(l.evidence) FROM live_score l WHERE l.target IN (SELECT unnest(?::VARCHAR[])) AND l.evidence LIKE '%.json' GROUP BY 1"
_MARKS = f"""
SELECT a.frame, coalesce(s.phrase, s.category, ''), a.box, m.counts, m.height, m.width FROM appearance a
JOIN (SELECT DISTINCT ON (id) * FROM subject) s ON s.id = a.subject_id
LEFT JOIN (SELECT DISTINCT ON (appearance_id) * FROM mask ORDER BY appearance_id, id) m ON m.appearance_id = a.id
WHERE a.frame NOTNULL AND a.origin = 'video' AND {{which}} QUALIFY row_number() OVER (PARTITION BY a.id ORDER BY a.work_key) = 1
ORDER BY a.frame LIMIT {MAX_MARKS}
"""
_PICTURE = """
SELECT coalesce(min(m.crop), min(a.artifact)), min(a.frame), min(a.subject_id) FROM appearance a
LEFT JOIN mask m ON m.appearance_id = a.id WHERE a.id = ?
"""
_SOURCE = "SELECT uri, licence FROM source_now WHERE id = ?"
_LISTED = "SELECT min(source_id) FROM kept_appearance WHERE id = ?"
"""The source that a picture from outside was listed as."""
_BEST = """
SELECT a.id FROM appearance a LEFT JOIN mask m ON m.appearance_id = a.id WHERE a.subject_id = ?
ORDER BY m.crop NOTNULL DESC, a.confidence DESC, a.id LIMIT 1
"""


def detail_of(reading: Reading, plan: Plan, artifacts: Artifacts, kind: str, item_id: str) -> ItemDetail:
    """Raises ProjectError for an id that is no item, SettingsError for an unknown kind."""
    values = reading.values(kind, item_id)
    if values is None:
        raise ProjectError(f"{kind} {item_id[:80]} is not in this project now; look for what is new")
    gate = str(values.get("gate") or "")
    words = {each.name: each.words for each in plan.gates()}
    return ItemDetail(
        kind=kind,
        item_id=item_id,
        title=_title(kind, values),
        state=str(values["state"]),
        held_by=words.get(gate, gate),
        values=values,
        views=_views(reading.now, artifacts, kind, item_id, values),
        scores=_scores(reading.now, plan, kind, item_id, values),
        origins=_origins(reading.now, plan, kind, item_id),
    )


def all_pass(gates: Sequence[Gate], value: float | None, *, category: str | None, producer: str) -> bool | None:
    """Whether a score passes the gates on it, a least and a most value alike; None without any."""
    return all(gate.passes(value, category=category, producer=producer) for gate in gates) if gates else None


def _title(kind: str, values: dict[str, Value]) -> str:
    said = ("name",) if kind in ("video", "clip") else ("phrase", "label", "category")
    return next((str(values[name]) for name in said if values.get(name)), "")


def _views(now: Snapshot, artifacts: Artifacts, kind: str, item_id: str, values: dict[str, Value]) -> tuple[ItemView, ...]:
    match kind:
        case "video":
            clips = now.query(_FIRST_CLIP, [item_id])
            return (_view(now, artifacts, "clip", clips[0][0]),) if clips else ()
        case "clip":
            return (_view(now, artifacts, "clip", item_id),)
        case "subject":
            best = now.query(_BEST, [item_id])
            return (_view(now, artifacts, "clip", _str(values["clip_id"]), appearance=best[0][0] if best else None),)
        case "anchor":
            clip = now.query(
                "SELECT s.clip_id FROM appearance a JOIN subject s ON s.id = a.subject_id WHERE a.id = ? LIMIT 1",
                [values["appearance_id"]],
            )
            shown = clip[0][0] if clip else _str(values["clip_id"])
            return (_view(now, artifacts, "clip", shown, appearance=_str(values["appearance_id"])),)
    sides = now.query("SELECT target_appearance_id, reference_appearance_id FROM pair WHERE id = ? LIMIT 1", [item_id])[0]
    clips = (_str(values["clip_id"]), _str(values["reference_clip_id"]))
    return tuple(
        _view(now, artifacts, slot, clip, appearance=appearance)
        for slot, clip, appearance in zip(("target", "reference"), clips, sides, strict=True)
    )


def _view(
    now: Snapshot, artifacts: Artifacts, slot: str, clip_id: str | None, *, appearance: str | None = None
) -> ItemView:
    picture, frame, subject = now.query(_PICTURE, [appearance])[0] if appearance else (None, None, None)
    shown = now.query(_CLIP, [clip_id]) if clip_id else []
    view = ItemView(
        slot=slot,
        clip_id=clip_id if shown else None,
        clip_media=f"p-{clip_id}" if shown else None,
        picture_media=f"a-{picture}" if picture else None,
        focus_frame=frame,
    )
    if not shown:
        return dataclasses.replace(view, **_source(now, now.query(_LISTED, [appearance])[0][0]))
    _, start, width, height, fps, source_id, caption = shown[0]
    which, about = ("a.subject_id = ?", subject) if subject else ("s.clip_id = ?", clip_id)
    marks = tuple(
        Marked(
            frame=at,
            label=label,
            box=tuple(box),
            counts="" if counts is None else counts.decode("ascii"),
            height=high or 0,
            width=wide or 0,
        )
        for at, label, box, counts, high, wide in now.query(_MARKS.format(which=which), [about])
    )
    focus = frame if frame is not None or not marks else marks[0].frame
    return dataclasses.replace(
        view,
        **_source(now, source_id),
        start_frame=start,
        width=width,
        height=height,
        caption=caption or "",
        focus_frame=focus,
        focus_s=None if focus is None else focus / fps,
        trails=_trails(now, artifacts, clip_id),
        marks=marks,
    )


def _source(now: Snapshot, source_id: str | None) -> dict[str, str]:
    found = now.query(_SOURCE, [source_id])
    return {"source": found[0][0], "licence": found[0][1] or ""} if found else {}


def _trails(now: Snapshot, artifacts: Artifacts, clip_id: str | None) -> tuple[Trail, ...]:
    rows = now.query(_TRAILS, [clip_id])
    points = {
        target: _points(artifacts, evidence) for target, evidence in now.query(_FACE_POINTS, [[row[0] for row in rows]])
    }
    return tuple(
        Trail(
            kind="subject" if phrase else kind,
            label=phrase or ("" if kind == UNLABELLED else kind),
            frames=tuple(frames),
            boxes=tuple(tuple(box) for box in boxes),
            points=tuple(points.get(track, {}).get(frame, ()) for frame in frames) if points.get(track) else (),
        )
        for track, kind, phrase, frames, boxes in rows
    )


def _points(artifacts: Artifacts, evidence: str) -> dict[int, tuple[tuple[float, float], ...]]:
    """Keypoints by frame of a face's evidence; none of evidence of another kind."""
    said: Any = json.loads(artifacts.get(evidence))
    if not isinstance(said, dict) or said.get("format") != FACE_EVIDENCE:
        return {}
    return {
        frame: tuple((x, y) for x, y in found)
        for frame, found in zip(said["frames"], said["keypoints"], strict=True)
        if found is not None
    }


def _scores(now: Snapshot, plan: Plan, kind: str, item_id: str, values: dict[str, Value]) -> tuple[ItemScore, ...]:
    gates: dict[str, list[Gate]] = {}
    for gate in dict.fromkeys(plan.gates()):
        if gate.record == kind and gate.comparison in COMPARISONS:
            gates.setdefault(gate.score, []).append(gate)
    category = _str(values.get("category"))
    rows = now.query(
        "SELECT name, value, reason, producer FROM live_score WHERE target = ? ORDER BY name, producer", [item_id]
    )
    return tuple(
        ItemScore(
            name=name,
            value=value,
            reason=reason or "",
            producer=producer,
            gates=tuple(gate.words for gate in gates.get(name, ())),
            passed=all_pass(gates.get(name, ()), value, category=category, producer=producer),
        )
        for name, value, reason, producer in rows
    )


def _origins(now: Snapshot, plan: Plan, kind: str, item_id: str) -> tuple[Origin, ...]:
    """The item's own record, those that it is made of, and its ancestors up to the video."""
    found = []
    for record, record_id, work_key in _lineage(now, kind, item_id):
        stage = next((s.stage for s in plan.steps if plan.stage_key(s.stage) == work_key.partition(":")[0]), None)
        runs = now.query("SELECT run_id, seconds FROM work WHERE work_key = ? ORDER BY attempt DESC LIMIT 1", [work_key])
        run_id, seconds = runs[0] if runs else ("", 0.0)
        origin = Origin(record=record, record_id=record_id, stage="", version=0, run_id=run_id or "", seconds=seconds)
        if stage is not None:
            settings = {f.name: str(getattr(stage, f.name)) for f in dataclasses.fields(stage) if f.compare}  # pyright: ignore[reportArgumentType]
            models = {role: plan.model_ids[role] for role in sorted(stage.roles) if role in plan.model_ids}
            origin = dataclasses.replace(origin, stage=stage.name, version=stage.version, settings=settings, models=models)
        found.append(origin)
    return tuple(found)


def _lineage(now: Snapshot, kind: str, item_id: str) -> Sequence[tuple[str, str, str]]:
    """(record, id, work key): the item, its parts made by other stages, then its ancestors."""
    row = now.query(f'SELECT work_key FROM "{kind}" WHERE id = ? ORDER BY rowid DESC LIMIT 1', [item_id])
    rows = [(kind, item_id, row[0][0])] if row else []
    if kind == "subject":
        rows += now.query(
            """SELECT 'track', t.id, t.work_key FROM track t JOIN subject s ON s.track_id = t.id WHERE s.id = ? LIMIT 1""",
            [item_id],
        )
        rows += now.query(
            """SELECT 'mask', m.id, m.work_key FROM mask m JOIN appearance a ON a.id = m.appearance_id WHERE a.subject_id = ?
            ORDER BY m.id LIMIT 1""",
            [item_id],
        )
    held, held_id = kind, item_id
    for ancestor in ancestors(KINDS[kind]):
        from_field = _parent_field(held)
        up = now.query(f'SELECT "{from_field}" FROM "{held}" WHERE id = ? ORDER BY rowid DESC LIMIT 1', [held_id])
        if not up or up[0][0] is None:
            break
        held, held_id = ancestor.KIND, up[0][0]
        made = now.query(f'SELECT work_key FROM "{held}" WHERE id = ? ORDER BY rowid DESC LIMIT 1', [held_id])
        if made and held != "source":
            rows.append((held, held_id, made[0][0]))
    return rows


def _parent_field(kind: str) -> str:
    return PARENTS[KINDS[kind]][0]


def _str(value: Value) -> str | None:
    return None if value is None else str(value)
