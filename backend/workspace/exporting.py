"""Exports, filled from the current plan."""

import dataclasses
import importlib.metadata
import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from backend.api import ExportSummary
from backend.domain import SettingsError, Stage
from backend.engine.context import load
from backend.engine.plan import Plan, settings_of
from backend.exports import EXPORTS
from backend.exports.licences import strictest
from backend.exports.rows import (
    ExportAbout,
    Exporter,
    ExportMask,
    ExportPair,
    ExportReference,
    ExportRows,
    ExportSample,
    ExportScore,
    ExportSide,
    ExportStage,
    ExportVideo,
)
from backend.exports.split import identities
from backend.exports.where import parse_where
from backend.jobs.board import JobTicket
from backend.settings import ProjectSettings, nearest
from backend.store.artifacts import Artifacts
from backend.workspace.anchor_rows import export_anchors
from backend.workspace.clip_rows import MASKS, export_clips, phrases_of
from backend.workspace.copies import NearDuplicates, copied_videos
from backend.workspace.export_rights import Permitted
from backend.workspace.snapshot import Snapshot

_SIDES = """
SELECT a.id, a.origin, s.uri, a.box, s.licence, s.attribution, k.subject_id, k.video_id, v.content_hash, k.clip_id,
    c.start_frame, c.stop_frame, c.start_s, c.stop_s, a.frame, a.frame / v.fps AS time_s, m.height, m.width, m.counts, coalesce(m.crop, a.artifact), w.text, w.author, w.caption_id, s.id
FROM kept_appearance k JOIN appearance a ON a.id = k.id AND a.work_key = k.work_key
LEFT JOIN kept_clip kc ON kc.id = k.clip_id LEFT JOIN clip c ON c.id = kc.id AND c.work_key = kc.work_key
LEFT JOIN kept_video kv ON kv.id = k.video_id LEFT JOIN video v ON v.id = kv.id AND v.work_key = kv.work_key
JOIN source_now s ON s.id = coalesce(v.source_id, k.source_id) LEFT JOIN clip_caption w ON w.clip_id = k.clip_id
LEFT JOIN mask_shown m ON m.appearance_id = k.id
WHERE k.id IN (SELECT unnest(?::VARCHAR[]))
"""
_SIDE_FIELDS = (
    *(
        "appearance_id",
        "origin",
        "source_uri",
        "box",
        "licence",
        "attribution",
        "subject_id",
        "video_id",
        "video_hash",
        "clip_id",
    ),
    *("start_frame", "stop_frame", "start_s", "stop_s", "frame", "time_s"),
)
"""What its first columns are of a side."""

JOINED = """
SELECT target_subject_id, reference_subject_id FROM pair_shown LEFT JOIN pair_status v USING (pair_id)
WHERE kind <> 'in_pair' AND reference_subject_id NOTNULL AND v.verdict IS DISTINCT FROM 'different'
"""
"""Subjects that accepted pairs hold for one, whichever of these pairs are exported."""


def export(
    now: Snapshot,
    plan: Plan,
    settings: ProjectSettings,
    artifacts: Artifacts,
    *,
    copies: NearDuplicates,
    project: str,
    format: str,
    out: Path,
    where: str,
    split: str,
    purpose: str,
    only: Collection[str] | None = None,
) -> ExportSummary:
    """Writes the pairs that `where` selects, with `only` those of these ids, and that may go for a purpose.

    Raises SettingsError for an unknown format or purpose, a wrong `where` or split; ProjectError when the project refuses
    exports without licences or consent.
    """
    exporter = exporter_of(format)()
    ids = chosen_pairs(now, where, only)
    total = now.query("SELECT count(*) FROM export_ready")[0][0]
    permitted = Permitted(now, settings, purpose=purpose)
    models = tuple(sorted(plan.model_ids.items()))
    pairs = permitted.pairs(export_pairs(now, ids, models), whole_clips=exporter.whole_clips)
    chosen = (("where" if only is None else "not chosen", total - len(ids)),) if total > len(ids) else ()
    about = ExportAbout(
        project=project,
        version=importlib.metadata.version("subject-studio"),
        recipe=settings.recipe,
        profile=settings.profile,
        purpose=purpose,
        where=where,
        split=split,
        gates=tuple(dict.fromkeys(gate.words for gate in plan.gates())),
        stages=tuple(_stage(plan, step.stage) for step in plan.steps),
        left_out=(*chosen, *sorted(permitted.left_out.items())),
        catalog_hash=now.catalog_hash(),
    )
    videos = export_videos(now)
    samples = export_samples(now, {pair.pair_id for pair in pairs if pair.verdict in (None, "same")})
    anchors = _sides(now, sorted({anchor.appearance_id for sample in samples for anchor in sample.anchors}))
    of_video = {video.video_id: video for video in videos}
    is_about_pairs = bool(where) or only is not None or not exporter.whole_clips
    shown = {side.clip_id for pair in pairs for side in (pair.target, pair.reference)} if is_about_pairs else None
    rows = ExportRows(
        pairs=pairs,
        videos=videos,
        about=about,
        duplicates=copied_videos(now, copies),
        samples=permitted.samples(samples, pairs, {name: side.licence for name, side in anchors.items()}),
        clips=(
            clip
            for clip in export_clips(now, artifacts)
            if (shown is None or clip.clip_id in shown) and permitted.clip(clip.clip_id, of_video.get(clip.video_id))
        ),
    )
    return exporter.write(rows, out=out, artifacts=artifacts)


def exporter_of(format: str) -> type[Exporter]:
    """What writes a format. Raises SettingsError for one that does not exist."""
    if format not in EXPORTS:
        raise SettingsError(f"export format {format!r} does not exist{nearest(format, EXPORTS)}")
    return load(EXPORTS[format])


def _stage(plan: Plan, stage: Stage) -> ExportStage:
    told = json.loads(json.dumps(settings_of(stage)))  # a reader gets lists where there were tuples
    return ExportStage(name=stage.name, version=stage.version, settings=told, models=plan.models_of(stage))


def run_export(ticket: JobTicket, *, write: Callable[[], ExportSummary]) -> str:
    """The job: one line saying what was written."""
    ticket.report("export", 0, 0)
    done = write()
    for reason, count in done.left_out.items():
        ticket.say(f"{count} pairs are left out: {reason}")
    return f"{done.pairs} pairs in {done.files} files: {done.out}"


def chosen_pairs(now: Snapshot, where: str, only: Collection[str] | None = None) -> list[str]:
    """Ids of the pairs that `where` selects, with `only` those of these ids, in order. Raises SettingsError for a wrong `where`."""
    chosen = parse_where(where)
    rows = now.query(f"SELECT pair_id FROM export_ready WHERE {chosen.sql} ORDER BY 1", chosen.parameters)
    return [name for (name,) in rows if only is None or name in only]


def export_videos(now: Snapshot) -> list[ExportVideo]:
    """Every video of the plan."""
    rows = now.query(
        """SELECT v.id, v.content_hash, s.uri, v.num_frames, v.fps, v.duration_s, v.width, v.height, s.id, s.licence, s.attribution,
        s.consent FROM kept_video k JOIN video v ON v.id = k.id AND v.work_key = k.work_key JOIN source_now s ON s.id = v.source_id"""
    )
    names = [field.name for field in dataclasses.fields(ExportVideo)]
    return [ExportVideo(**dict(zip(names, row, strict=False))) for row in rows]


def require_clips(now: Snapshot, permitted: Permitted, videos: Sequence[ExportVideo]) -> None:
    """Raises ProjectError when a clip of the plan may not be exported by itself and the project refuses exports for that."""
    of_video = {video.video_id: video for video in videos}
    for clip_id, video_id in now.query(
        "SELECT k.id, c.video_id FROM kept_clip k JOIN clip c ON c.id = k.id AND c.work_key = k.work_key"
    ):
        permitted.clip(clip_id, of_video.get(video_id))


def export_pairs(now: Snapshot, pair_ids: Sequence[str], models: tuple[tuple[str, str], ...]) -> list[ExportPair]:
    """Pairs with both sides, scores and verdicts, in the order of the ids."""
    now.query(MASKS)
    pairs = now.query(
        """SELECT pair_id, kind, coalesce(v.status, 'machine'), v.verdict, coalesce(v.num_votes, 0), category, phrase, is_living,
        target_appearance_id, reference_appearance_id, target_subject_id FROM pair_shown LEFT JOIN pair_status v USING (pair_id)
        WHERE pair_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY 1""",
        [list(pair_ids)],
    )
    sides = _sides(now, sorted({name for row in pairs for name in row[8:10]}))
    identity = identities(now.query(JOINED))
    scores: dict[str, list[ExportScore]] = {}
    for target, name, value, producer, reason in now.query(
        """SELECT target, name, value, producer, reason FROM live_score WHERE target IN (SELECT unnest(?::VARCHAR[]))
        ORDER BY target, name, producer""",
        [list(pair_ids)],
    ):
        scores.setdefault(target, []).append(ExportScore(name=name, value=value, producer=producer, reason=reason))
    return [
        ExportPair(
            pair_id=pair_id,
            kind=kind,
            status=status,
            verdict=verdict,
            num_votes=num_votes,
            category=category,
            phrase=phrase,
            is_living=is_living,
            target=sides[target],
            reference=sides[reference],
            scores=tuple(scores.get(pair_id, ())),
            models=models,
            licence=strictest((sides[target].licence, sides[reference].licence)),
            identity=identity.get(subject),
        )
        for pair_id, kind, status, verdict, num_votes, category, phrase, is_living, target, reference, subject in pairs
    ]


def export_samples(now: Snapshot, pair_ids: Collection[str]) -> list[ExportSample]:
    """Samples with those of their references whose pairs are given; none without any."""
    rows = now.query(
        """SELECT s.id, s.kind, s.clip_id, k.video_id, c.start_frame, c.stop_frame, t.text, s.subject_ids, s.reference_ids, s.pair_ids,
        p.artifact FROM kept_sample k JOIN sample s ON s.id = k.id AND s.work_key = k.work_key
        JOIN kept_clip kc ON kc.id = k.clip_id JOIN clip c ON c.id = kc.id AND c.work_key = kc.work_key
        LEFT JOIN kept_caption kt ON kt.id = s.caption_id LEFT JOIN caption t ON t.id = kt.id AND t.work_key = kt.work_key
        LEFT JOIN kept_plate kp ON kp.id = s.plate_id LEFT JOIN plate p ON p.id = kp.id AND p.work_key = kp.work_key ORDER BY 1"""
    )
    anchors = export_anchors(now)
    found = []
    for sample_id, kind, clip_id, video_id, start, stop, caption, subjects, pictures, pairs, plate in rows:
        references = tuple(
            ExportReference(subject_id=subject, appearance_id=picture, pair_id=pair)
            for subject, picture, pair in sorted(zip(subjects, pictures, pairs, strict=True))
            if pair in pair_ids
        )
        if references:
            found.append(
                ExportSample(
                    sample_id=sample_id,
                    kind=kind,
                    clip_id=clip_id,
                    video_id=video_id,
                    start_frame=start,
                    stop_frame=stop,
                    caption=caption,
                    references=references,
                    plate=plate,
                    anchors=anchors.get(clip_id, ()),
                )
            )
    return found


def _sides(now: Snapshot, appearance_ids: Sequence[str]) -> dict[str, ExportSide]:
    rows = now.query(_SIDES, [list(appearance_ids)])
    captions = sorted({caption_id for *_, caption_id, _ in rows if caption_id is not None})
    phrases = phrases_of(now, captions)
    found = {}
    for *told, height, width, counts, crop, caption, author, caption_id, source_id in rows:
        fields = dict(zip(_SIDE_FIELDS, told, strict=True))
        fields["box"] = tuple(fields["box"])
        found[fields["appearance_id"]] = ExportSide(
            **fields,
            mask=None if counts is None else ExportMask(height=height, width=width, counts=counts.decode("ascii")),
            crop=crop,
            caption=caption,
            caption_author=author,
            phrases=phrases.get(caption_id, ()),
            source_id=source_id,
        )
    return found
