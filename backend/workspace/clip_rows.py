"""Clips with all that the current plan keeps of them, as exports take them."""

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from backend.exports.rows import ExportAppearance, ExportClip, ExportMask, ExportPhrase, ExportScore
from backend.store.artifacts import Artifacts
from backend.workspace.snapshot import Snapshot

MASKS = """
CREATE OR REPLACE TEMP TABLE mask_shown AS
SELECT m.* FROM kept_mask k JOIN mask m ON m.id = k.id AND m.work_key = k.work_key
QUALIFY row_number() OVER (PARTITION BY m.appearance_id ORDER BY m.id) = 1
"""
"""One mask for each appearance."""

BATCH = 256  # clips read at once: their masks take some 10 MB

_CLIPS = """
SELECT c.id, c.video_id, c.start_frame, c.stop_frame, v.index, w.text, w.author, w.caption_id, p.artifact, p.frame
FROM kept_clip k JOIN clip c ON c.id = k.id AND c.work_key = k.work_key
JOIN kept_video kv ON kv.id = c.video_id JOIN video v ON v.id = kv.id AND v.work_key = kv.work_key
LEFT JOIN clip_caption w ON w.clip_id = c.id
LEFT JOIN (
    SELECT p.* FROM kept_plate k JOIN plate p ON p.id = k.id AND p.work_key = k.work_key
    QUALIFY row_number() OVER (PARTITION BY p.clip_id ORDER BY p.id) = 1
) p ON p.clip_id = c.id
ORDER BY c.video_id, c.start_frame, c.id
"""

_APPEARANCES = """
SELECT k.clip_id, a.id, a.subject_id, s.phrase, s.category, a.frame, a.box, m.height, m.width, m.counts
FROM kept_appearance k JOIN appearance a ON a.id = k.id AND a.work_key = k.work_key
JOIN kept_subject ks ON ks.id = a.subject_id JOIN subject s ON s.id = ks.id AND s.work_key = ks.work_key
LEFT JOIN mask_shown m ON m.appearance_id = a.id
WHERE a.origin = 'video' AND a.frame NOTNULL AND a.subject_id NOT IN (SELECT subject_id FROM subject_refused)
    AND k.clip_id IN (SELECT unnest(?::VARCHAR[]))
ORDER BY k.clip_id, a.frame, a.subject_id, a.id
"""

_CROPS = """
SELECT r.clip_id, r.box FROM kept_region k JOIN region r ON r.id = k.id AND r.work_key = k.work_key
WHERE r.kind IN ('content', 'crop') AND r.clip_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY r.kind = 'crop', r.id
"""
"""As stages look at a clip: what was cropped free of overlays, or else what is inside the borders."""

_SCORES = """
SELECT target, name, value, producer, reason FROM live_score WHERE target IN (SELECT unnest(?::VARCHAR[]))
ORDER BY target, name, producer
"""

_SPANS = """
SELECT target, evidence FROM live_score
WHERE name = 'face_span_frames' AND evidence NOTNULL AND target IN (SELECT unnest(?::VARCHAR[])) ORDER BY target, producer
"""


def export_clips(now: Snapshot, artifacts: Artifacts) -> Iterator[ExportClip]:
    """Every clip of the plan, in order of video and start, read as it is asked for."""
    now.query(MASKS)
    rows = iter(now.query(_CLIPS))
    while batch := list(itertools.islice(rows, BATCH)):
        yield from _batch(now, artifacts, batch)


def phrases_of(now: Snapshot, caption_ids: Sequence[str]) -> dict[str, tuple[ExportPhrase, ...]]:
    """The noun phrases of captions, in order."""
    found: dict[str, list[ExportPhrase]] = defaultdict(list)
    for caption_id, text, start, stop, role, category in now.query(
        """SELECT DISTINCT p.caption_id, p.text, p.start, p.stop, p.role, p.category FROM kept_phrase k
        JOIN phrase p ON p.id = k.id AND p.work_key = k.work_key WHERE p.caption_id IN (SELECT unnest(?::VARCHAR[]))
        ORDER BY p.caption_id, p.start""",
        [list(caption_ids)],
    ):
        found[caption_id].append(ExportPhrase(text=text, start=start, stop=stop, role=role, category=category))
    return {caption_id: tuple(phrases) for caption_id, phrases in found.items()}


def _batch(now: Snapshot, artifacts: Artifacts, rows: Sequence[tuple[Any, ...]]) -> Iterator[ExportClip]:
    clips = [row[0] for row in rows]
    shown = now.query(_APPEARANCES, [clips])
    crops = {clip_id: tuple(box) for clip_id, box in now.query(_CROPS, [clips])}
    spans = {clip_id: json.loads(artifacts.get(evidence)) for clip_id, evidence in now.query(_SPANS, [clips])}
    phrases = phrases_of(now, [row[7] for row in rows if row[7] is not None])
    scores: dict[str, list[ExportScore]] = defaultdict(list)
    for target, name, value, producer, reason in now.query(_SCORES, [[*clips, *(row[1] for row in shown)]]):
        scores[target].append(ExportScore(name=name, value=value, producer=producer, reason=reason))
    appearances: dict[str, list[ExportAppearance]] = defaultdict(list)
    for clip_id, appearance_id, subject_id, phrase, category, frame, box, height, width, counts in shown:
        mask = None if counts is None else ExportMask(height=height, width=width, counts=counts.decode("ascii"))
        appearances[clip_id].append(
            ExportAppearance(
                appearance_id=appearance_id,
                subject_id=subject_id,
                phrase=phrase,
                category=category,
                frame=frame,
                box=tuple(box),
                mask=mask,
                scores=tuple(scores[appearance_id]),
            )
        )
    for clip_id, video_id, start, stop, index, caption, author, caption_id, plate, plate_frame in rows:
        yield ExportClip(
            clip_id=clip_id,
            video_id=video_id,
            start_frame=start,
            stop_frame=stop,
            index=index,
            crop=crops.get(clip_id),
            caption=caption,
            caption_author=author,
            phrases=phrases.get(caption_id, ()),
            face_spans=tuple((start, stop) for start, stop in spans.get(clip_id, ())),
            appearances=tuple(appearances[clip_id]),
            plate=plate,
            plate_frame=plate_frame,
            scores=tuple(scores[clip_id]),
        )
