"""The part of a workspace that takes what people put right."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

import numpy as np

from backend.domain import (
    ANCHORS_STUDY,
    SUBJECTS_STUDY,
    VERIFY_STUDY,
    Box,
    ItemErased,
    ProjectError,
    Receipt,
    SettingsError,
)
from backend.domain.corrections import CORRECTED, OF_APPEARANCE, OF_CASE, OF_CLIP, OF_SUBJECT, Correction, Outline
from backend.geometry import boxes, rle
from backend.media.images import encode_webp
from backend.models.taxonomy import load_taxonomy
from backend.settings import nearest
from backend.stages.masks import CROP_QUALITY
from backend.store.artifacts import Artifacts
from backend.store.correction_events import CORRECTED as CORRECTION_EVENT
from backend.store.correction_events import corrected_event
from backend.store.erasing_events import Erased
from backend.store.journal import Journal
from backend.store.journal_schema import Event, EventRefused
from backend.workspace import case_approving
from backend.workspace.segmenting import FrameSegmenter
from backend.workspace.snapshot import Snapshot
from backend.workspace.subject_queue import BEST_APPEARANCE

MAX_LETTERS = {"caption": 100_000, "prompt": 100_000, "phrase": 500, "category": 100}
"""The longest prompt that a benchmark file was seen with is 5,000 words."""

_APPEARANCES_OF = {
    (VERIFY_STUDY, "target"): "SELECT target_appearance_id FROM pair_shown WHERE pair_id = ?",
    (VERIFY_STUDY, "reference"): "SELECT reference_appearance_id FROM pair_shown WHERE pair_id = ?",
    (SUBJECTS_STUDY, "subject"): f"SELECT appearance_id FROM ({BEST_APPEARANCE}) WHERE subject_id = ?",
    (ANCHORS_STUDY, "anchor"): "SELECT appearance_id FROM anchor WHERE id = ? LIMIT 1",
}
"""By study and slot: which appearance a panel shows."""

_OUTLINE = """
SELECT a.id, s.id, c.id, a.frame, c.start_frame, v.width, v.height, a.box, m.counts, m.crop, s.phrase, s.category, w.text
FROM appearance a JOIN subject s ON s.id = a.subject_id JOIN clip c ON c.id = s.clip_id JOIN video v ON v.id = c.video_id
LEFT JOIN mask m ON m.appearance_id = a.id LEFT JOIN clip_caption w ON w.clip_id = c.id
WHERE a.id = ? AND a.frame NOTNULL ORDER BY m.id LIMIT 1
"""


class _Opened(Protocol):
    journal: Journal
    artifacts: Artifacts
    erased: Erased
    _segmenter: FrameSegmenter

    def _now(self) -> AbstractContextManager[Snapshot]: ...


class CorrectionOperations:
    """Operations of the Api for corrections."""

    def outline(self: _Opened, *, study_id: str, item_id: str, slot: str = "") -> Outline:
        sql = _APPEARANCES_OF.get((study_id, slot))
        with self._now() as now:
            rows = now.query(sql, [item_id]) if sql else []
            found = _outline(now, rows[0][0]) if rows and rows[0][0] is not None else None
        if found is None:
            raise ProjectError(f"{slot or 'item'} of {item_id[:80]} in {study_id[:40]!r} shows nothing of a clip; skip it")
        return found

    def correct(self: _Opened, *, corrections: tuple[Correction, ...]) -> tuple[Receipt, ...]:
        events: list[Event] = []
        with self._now() as now:
            changed: dict[str, Outline] = {}
            for said in corrections:
                _check(said)
                if self.erased.is_item(said.item_id):
                    raise ItemErased(f"{said.item_id[:80]} was erased from this project; it cannot be corrected any more")
                known = _stored(self.journal, said)
                events.append(known or _event(now, said, changed, self._segmenter.frame, self.artifacts))
        return self.journal.append(events, one_actor=True)

    def categories(self: _Opened) -> tuple[str, ...]:
        return tuple(sorted(load_taxonomy().categories))


def _stored(journal: Journal, said: Correction) -> Event | None:
    """The event of a correction that came before: what it is cut from may look otherwise since."""
    found = journal.stored(CORRECTION_EVENT, said.id, said.rev)
    if found is None or found.is_redacted:
        return None
    body = found.body
    before = (found.actor, body["what"], body["item_id"], body["counts"], body["withdrawn"], tuple(body["box"] or ()))
    now = (said.rater, said.kind, said.item_id, said.counts, said.withdrawn, tuple(said.box or ()))
    if said.kind in OF_CASE:
        before, now = (*before, body["text"]), (*now, said.text.strip())
    if before != now:
        return None  # another one under its id and revision, which the journal refuses
    return Event(kind=found.kind, id=found.id, rev=found.rev, actor=found.actor, body=body, client_time=found.client_time)


def _outline(now: Snapshot, appearance_id: str) -> Outline | None:
    """None for a picture that is no frame of a clip, and for what the project does not have."""
    rows = now.query(_OUTLINE, [appearance_id])
    if not rows:
        return None
    name, subject, clip, frame, start, width, height, box, counts, crop, phrase, category, caption = rows[0]
    people = now.query(
        "SELECT DISTINCT what FROM correction_now WHERE item_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY 1",
        [[name, subject, clip]],
    )
    return Outline(
        appearance_id=name,
        subject_id=subject,
        clip_id=clip,
        clip_media=f"p-{clip}",
        picture_media=f"a-{crop}" if crop else None,
        frame=frame,
        start_frame=start,
        width=width,
        height=height,
        box=tuple(box),
        counts="" if counts is None else counts.decode("ascii"),
        phrase=phrase or "",
        category=category or "",
        caption=caption or "",
        corrected=tuple(what for (what,) in people),
    )


def _check(said: Correction) -> None:
    if said.kind not in CORRECTED:
        raise SettingsError(f"{said.kind[:40]!r} cannot be corrected{nearest(said.kind, CORRECTED)}")
    if not said.rater.strip() or len(said.rater) > 100:
        raise SettingsError(f"rater is {said.rater[:100]!r}; give the name of the person who corrects, up to 100 letters")
    longest = MAX_LETTERS.get(said.kind)
    if longest and not said.withdrawn and not 0 < len(said.text.strip()) <= longest:
        raise SettingsError(f"{said.kind} {said.text[:40]!r} has {len(said.text)} letters; write 1 to {longest}")
    if any("\ud800" <= letter <= "\udfff" for letter in said.text):
        raise SettingsError(f"{said.kind} {said.text[:40]!r} holds half of a letter pair; write valid Unicode")
    if said.kind == "box" and not said.withdrawn and (said.box is None or not all(map(math.isfinite, said.box))):
        raise SettingsError(f"box is {said.box}; give four numbers")


def _event(
    now: Snapshot,
    said: Correction,
    changed: dict[str, Outline],
    read: Callable[[str, int], np.ndarray],
    artifacts: Artifacts,
) -> Event:
    """The event of a correction; `changed` holds appearances as the corrections before it in this call leave them."""
    if said.kind in OF_CASE:
        return case_approving.edited(now, said)
    if said.kind in OF_APPEARANCE:
        before = changed.get(said.item_id) or _outline(now, said.item_id)
        if before is None:
            raise EventRefused(f"appearance {said.item_id[:80]} is no frame of this project's clips; look for what is new")
        after = _withdrawn(now, before, said) if said.withdrawn else _changed(before, said)
        changed[said.item_id] = after
        return corrected_event(said, text="", living=None, crop=_cut_out(after, read, artifacts))
    table = "subject" if said.kind in OF_SUBJECT else "caption"
    column = "id" if said.kind in OF_SUBJECT else "clip_id"
    if not now.query(f"SELECT 1 FROM {table} WHERE {column} = ? LIMIT 1", [said.item_id]):
        what = "has no caption to correct" if said.kind in OF_CLIP else "is no subject of this project"
        raise EventRefused(f"{said.item_id[:80]} {what}; look for what is new")
    if said.kind != "category" or said.withdrawn:
        return corrected_event(said, text=said.text.strip(), living=None, crop=None)
    taxonomy = load_taxonomy()
    found = taxonomy.categories.get(said.text.strip()) or taxonomy.lookup(said.text)
    if found is None:
        raise SettingsError(f"category {said.text[:40]!r} is not known{nearest(said.text, taxonomy.categories)}")
    return corrected_event(said, text=found.id, living=found.living, crop=None)


def _changed(before: Outline, said: Correction) -> Outline:
    """Raises SettingsError for a box or a mask that the frame cannot have."""
    if said.kind == "box":
        assert said.box is not None, "checked before"
        x0, y0, x1, y1 = said.box
        if not (0 <= x0 < x1 <= before.width and 0 <= y0 < y1 <= before.height):
            raise SettingsError(f"box {said.box} is empty or outside the frame of {before.width} x {before.height}")
        return replace(before, box=said.box)
    if not before.counts:
        raise EventRefused(f"appearance {said.item_id[:80]} has no mask to correct; curate the project to its end first")
    try:
        mask = rle.decode(said.counts.encode("ascii"), before.height, before.width)
    except ValueError as error:
        raise SettingsError(f"the mask cannot be read: {error}; send run lengths of the whole frame") from error
    if not mask.any():
        raise SettingsError("the mask is empty; mark at least a pixel, or withdraw the correction")
    return replace(before, counts=said.counts)


def _withdrawn(now: Snapshot, before: Outline, said: Correction) -> Outline:
    """As it was before the person's word: that of another person, or the machine's."""
    ((catalog,),) = now.query("SELECT current_database()")
    column, table, key = ("box", "appearance", "id") if said.kind == "box" else ("counts", "mask", "appearance_id")
    others = now.query(
        """SELECT box, counts FROM (SELECT * FROM correction QUALIFY row_number() OVER (PARTITION BY id ORDER BY rev DESC, seq DESC) = 1)
        WHERE NOT withdrawn AND what = ? AND item_id = ? AND id <> ? ORDER BY seq DESC LIMIT 1""",
        [said.kind, said.item_id, said.id],
    )
    if others:
        box, counts = others[0]
        return replace(before, box=tuple(box)) if said.kind == "box" else replace(before, counts=counts)
    (machine,) = now.query(f'SELECT {column} FROM "{catalog}".main.{table} WHERE {key} = ? LIMIT 1', [said.item_id])[0]
    return replace(before, box=tuple(machine)) if said.kind == "box" else replace(before, counts=machine.decode("ascii"))


def _cut_out(after: Outline, read: Callable[[str, int], np.ndarray], artifacts: Artifacts) -> str | None:
    """The picture of the box, cut along the mask; None without a mask. Raises SettingsError when they do not meet."""
    if not after.counts:
        return None
    mask = rle.decode(after.counts.encode("ascii"), after.height, after.width)
    frame = read(after.clip_id, after.frame)
    box: Box = after.box
    x0, y0, x1, y1 = boxes.to_pixels(box, after.width, after.height)
    alpha = mask[y0:y1, x0:x1]
    if not alpha.any():
        raise SettingsError(
            f"nothing of the mask lies in the box {tuple(round(edge) for edge in box)}; correct both together"
        )
    cut_out = np.dstack([frame[y0:y1, x0:x1], alpha.astype(np.uint8) * 255])
    return artifacts.put(encode_webp(cut_out, quality=CROP_QUALITY), "webp")
