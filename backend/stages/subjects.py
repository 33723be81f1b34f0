"""Finds the subjects of a clip: who or what it shows, on which frames, in which box (S12 to S16)."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np

from backend.domain import (
    Appearance,
    Clip,
    Context,
    Detection,
    Detector,
    Failed,
    Filtered,
    Footage,
    Item,
    MediaError,
    Ok,
    Phrase,
    Record,
    Region,
    Resources,
    Result,
    Score,
    Subject,
    Track,
)
from backend.geometry import boxes
from backend.models.taxonomy import load_taxonomy
from backend.stages.boxes import box_scores, rival_overlaps

PERSON_KINDS = ("person", "face")


@dataclass(frozen=True)
class FindSubjects:
    """A Track and a Subject for each thing that the detector follows, an Appearance for each of its boxes, and Scores.

    Scores of an appearance: see `backend.stages.boxes`, and `max_iou` with a surer box of its frame. Scores of a
    subject: `num_appearances`, and `phrase_by_elimination` (1 when a phrase went to the only subject left for it,
    0 when its detection answered the phrase or its kind).
    """

    name: ClassVar[str] = "find_subjects"
    version: ClassVar[int] = 2
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Region, Phrase)
    makes: ClassVar[tuple[type, ...]] = (Track, Subject, Appearance, Score)
    roles: ClassVar[tuple[str, ...]] = ("Detector",)
    resources: ClassVar[Resources] = Resources(cpu=1.0, ram_gib=1.0)

    sample_at: tuple[float, ...] = (0.05, 0.5, 0.95)  # Phantom-Data, section 4.2.1
    elimination_score: float = 0.6
    """Least confidence of a subject that takes a phrase because nothing else is left for it."""

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        detector = cast(Detector, context.role("Detector"))
        return [self._find(item, detector, context) for item in items]

    def _find(self, item: Item, detector: Detector, context: Context) -> Result:
        phrases = [phrase for phrase in item.all(Phrase) if phrase.role != "background"]
        try:
            footage = context.footage(item)
            frames = sorted(set(footage.fractions(self.sample_at)))
            texts = tuple(dict.fromkeys(p.text for p in phrases))
            detections = detector.detect(footage, frames, texts)
            pictures = dict(zip(frames, footage.reader.at(frames), strict=True))
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        width, height = footage.reader.width, footage.reader.height
        detections, warnings = sound(detections, frames, width=width, height=height, phrases=texts)
        if not detections:
            return Filtered(item.id, "; ".join((f"no subject stands out on {len(frames)} frames", *warnings)))
        groups = _groups(detections)
        links = self._links(groups, phrases)
        producer = f"{self.name}/{self.version}:{detector.model_id}"
        rows: list[Record] = []
        for group, (phrase, eliminated) in zip(groups, links, strict=True):
            rows += _rows(footage, group, phrase, producer=producer, eliminated=eliminated)
        return Ok(item.id, rows + _box_rows(rows, footage, pictures, producer=producer), warnings)

    def _links(self, groups: Sequence[Sequence[Detection]], phrases: Sequence[Phrase]) -> list[tuple[Phrase | None, bool]]:
        """The phrase of each group, and whether it is its own only because no other was left.

        A phrase that several groups could answer is given to none of them, unless it is a plural (Phantom-Data,
        section 4.2.1, drops a phrase that hits several regions): that the detector answers it with boxes of several groups
        on one frame, or that it is of the only kind that several groups are.
        """
        by_text = {phrase.text: phrase for phrase in phrases}
        doubtful = _answered_by_several(groups) - {phrase.text for phrase in phrases if phrase.is_plural}
        links: list[tuple[Phrase | None, bool]] = []
        people = [group for group in groups if group[0].kind in PERSON_KINDS]
        humans = _distinct([phrase for phrase in phrases if _is_human(phrase)])
        others = _distinct(
            [phrase for phrase in phrases if phrase.category and not _is_human(phrase) and phrase.role == "subject"]
        )
        strong = [g for g in groups if g[0].kind not in PERSON_KINDS and max(d.score for d in g) >= self.elimination_score]
        for group in groups:
            label = next((d.label for d in group if d.label in by_text), None)
            if label is not None:
                links.append((None if label in doubtful else by_text[label], False))
            elif group in people and len(humans) == 1 and (len(people) == 1 or humans[0].is_plural):
                links.append((humans[0], False))
            elif len(strong) == 1 and group is strong[0] and len(others) == 1 and not others[0].is_plural:
                links.append((others[0], True))
            else:
                links.append((None, False))
        return links


def sound(
    detections: Sequence[Detection],
    frames: Sequence[int],
    *,
    width: int,
    height: int,
    phrases: Sequence[str],
) -> tuple[list[Detection], tuple[str, ...]]:
    """What can be believed of a detector's answer, moved inside the picture; and a remark on what cannot.

    A box whose label is none of the phrases keeps its place and loses the label.
    """
    kept: list[Detection] = []
    faults: Counter[str] = Counter()
    for detection in detections:
        if detection.frame not in frames:
            faults["on frames that were not asked about"] += 1
        elif not np.isfinite((*detection.box, detection.score)).all():
            faults["with numbers that are not finite"] += 1
        elif boxes.area(inside := boxes.clip(detection.box, (0.0, 0.0, float(width), float(height)))) == 0:
            faults["empty or outside of the picture"] += 1
        else:
            label = detection.label
            if label is not None and label not in phrases:
                faults["with a label that was not asked for"] += 1
                label = None
            kept.append(dataclasses.replace(detection, box=inside, label=label))
    return kept, tuple(f"boxes {what}: {number}" for what, number in sorted(faults.items()))


def _answered_by_several(groups: Sequence[Sequence[Detection]]) -> set[str]:
    """Labels that stand on boxes of two groups or more on one frame."""
    answers = Counter((d.label, d.frame) for group in groups for d in {(d.label, d.frame): d for d in group}.values())
    return {label for (label, _), number in answers.items() if label is not None and number > 1}


def _groups(detections: Sequence[Detection]) -> list[list[Detection]]:
    """Detections by track, surest first; those without a track stand alone."""
    groups: dict[object, list[Detection]] = {}
    for i, detection in enumerate(detections):
        groups.setdefault(("alone", i) if detection.track is None else detection.track, []).append(detection)
    ordered = [sorted(group, key=lambda d: d.frame) for group in groups.values()]
    return sorted(ordered, key=lambda group: (-max(d.score for d in group), group[0].frame, group[0].box))


def _rows(
    footage: Footage, group: Sequence[Detection], phrase: Phrase | None, *, producer: str, eliminated: bool
) -> list[Record]:
    is_person = any(d.kind in PERSON_KINDS for d in group)
    kind = "person" if is_person else group[0].kind
    track = Track(
        clip_id=footage.clip.id,
        kind=kind,
        frames=tuple(d.frame for d in group),
        boxes=tuple(d.box for d in group),
        scores=tuple(d.score for d in group),
    )
    subject = Subject(
        clip_id=footage.clip.id,
        track_id=track.id,
        phrase=phrase.text if phrase else None,
        category=(phrase.category if phrase else None) or ("person" if is_person else None),
        is_living=True if is_person else (phrase.is_living if phrase else None),
    )
    scores = [Score(target=subject.id, name="num_appearances", value=float(len(group)), producer=producer)]
    if phrase is not None:
        scores.append(Score(target=subject.id, name="phrase_by_elimination", value=float(eliminated), producer=producer))
    appearances = [
        Appearance(subject_id=subject.id, frame=d.frame, box=d.box, confidence=d.score, origin="video") for d in group
    ]
    return [track, subject, *appearances, *scores]


def _box_rows(rows: Sequence[Record], footage: Footage, pictures: dict[int, np.ndarray], *, producer: str) -> list[Score]:
    people = {row.id for row in rows if isinstance(row, Subject) and row.is_living}
    appearances = [row for row in rows if isinstance(row, Appearance)]
    rivals = rival_overlaps(appearances)
    scores: list[Score] = []
    for appearance in appearances:
        assert appearance.frame is not None, "an appearance of a video has a frame"
        values = box_scores(
            appearance, pictures[appearance.frame], footage.content, is_person=appearance.subject_id in people
        )
        values["max_iou"] = rivals[appearance.id]
        scores += [Score(target=appearance.id, name=n, value=float(v), producer=producer) for n, v in values.items()]
    return scores


def _distinct(phrases: Sequence[Phrase]) -> list[Phrase]:
    """One phrase of each wording, first come."""
    return list({phrase.text.lower(): phrase for phrase in reversed(phrases)}.values())[::-1]


def _is_human(phrase: Phrase) -> bool:
    category = load_taxonomy().categories.get(phrase.category or "")
    return category is not None and category.domain == "human"
