"""Exports, filled from the current plan."""

import dataclasses
import importlib.metadata
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from backend.api import ExportSummary
from backend.domain import SettingsError
from backend.engine.context import load
from backend.engine.plan import Plan
from backend.exports import EXPORTS
from backend.exports.rows import (
    ExportAbout,
    ExportMask,
    ExportPair,
    ExportReference,
    ExportSample,
    ExportScore,
    ExportSide,
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
from backend.workspace.snapshot import Snapshot

_SIDES = """
SELECT a.id, a.origin, s.uri, a.box, s.licence, s.attribution, k.subject_id, k.video_id, v.content_hash, k.clip_id,
    c.start_frame, c.stop_frame, c.start_s, c.stop_s, a.frame, a.frame / v.fps AS time_s, m.height, m.width, m.counts, coalesce(m.crop, a.artifact), w.text, w.author, w.caption_id
FROM kept_appearance k JOIN appearance a ON a.id = k.id AND a.work_key = k.work_key
LEFT JOIN kept_clip kc ON kc.id = k.clip_id LEFT JOIN clip c ON c.id = kc.id AND c.work_key = kc.work_key
LEFT JOIN kept_video kv ON kv.id = k.video_id LEFT JOIN video v ON v.id = kv.id AND v.work_key = kv.work_key
JOIN source_now s ON s.id = coalesce(v.source_id, k.source_id) LEFT JOIN clip_caption w ON w.clip_id = k.clip_id
LEFT JOIN mask_shown m ON m.appearance_id = k.id
WHERE k.id IN (SELECT unnest(?::VARCHAR[]))
"""

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
    only: Collection[str] | None = None,
) -> ExportSummary:
    """Writes the pairs that `where` selects, with `only` those of these ids. Raises SettingsError for an unknown format, a wrong `where` or split."""
    if format not in EXPORTS:
        raise SettingsError(f"export format {format!r} does not exist{nearest(format, EXPORTS)}")
    ids = chosen_pairs(now, where, only)
    total = now.query("SELECT count(*) FROM export_ready")[0][0]
    about = ExportAbout(
        project=project,
        version=importlib.metadata.version("subject-studio"),
        recipe=settings.recipe,
        profile=settings.profile,
        where=where,
        split=split,
        gates=tuple(dict.fromkeys(gate.words for gate in plan.gates())),
        left_out=(("where" if only is None else "not chosen", total - len(ids)),) if total > len(ids) else (),
        catalog_hash=now.catalog_hash(),
    )
    exporter = load(EXPORTS[format])()
    models = tuple(sorted(plan.model_ids.items()))
    pairs = export_pairs(now, ids, models)
    return exporter.write(
        pairs,
        export_videos(now),
        out=out,
        artifacts=artifacts,
        about=about,
        duplicates=copied_videos(now, copies),
        samples=export_samples(now, {pair.pair_id for pair in pairs if pair.verdict in (None, "same")}),
        clips=export_clips(now, artifacts),
    )


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
    phrases = phrases_of(now, sorted({row[-1] for row in rows if row[-1] is not None}))
    found = {}
    for row in rows:
        height, width, counts = row[16:19]
        found[row[0]] = ExportSide(
            appearance_id=row[0],
            origin=row[1],
            source_uri=row[2],
            box=tuple(row[3]),
            licence=row[4],
            attribution=row[5],
            subject_id=row[6],
            video_id=row[7],
            video_hash=row[8],
            clip_id=row[9],
            start_frame=row[10],
            stop_frame=row[11],
            start_s=row[12],
            stop_s=row[13],
            frame=row[14],
            time_s=row[15],
            mask=None if counts is None else ExportMask(height=height, width=width, counts=counts.decode("ascii")),
            crop=row[19],
            caption=row[20],
            caption_author=row[21],
            phrases=phrases.get(row[22], ()),
        )
    return found
