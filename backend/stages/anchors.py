"""S35: frames that stand for a subject inside and outside its clip: global, viewpoint and expression anchors (Gloria, section 3)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from backend.domain import (
    Anchor,
    Appearance,
    Clip,
    Context,
    Failed,
    Filtered,
    Item,
    MediaError,
    Ok,
    Pair,
    Record,
    Resources,
    Result,
    Score,
    Subject,
    Track,
    Video,
)
from backend.geometry import boxes
from backend.measures.retrieval import identity_components
from backend.media.images import encode_webp
from backend.stages.anchor_candidates import Candidate, candidates_of

EXPRESSION = "expression"
CROP_QUALITY = 92  # as masks' crops: backend.stages.masks


@dataclass(frozen=True, slots=True)
class SelectAnchors:
    """Anchors for each subject of each clip, from the clip itself and, where pairs link it, from other clips.

    Global ones are random frames of the subject, never a picture that was made of it; the choice is drawn from
    `context.rng`, so that equal seeds give equal anchors. A viewpoint's (expression's) is the frame of highest confidence and largest crop on which that side
    (label) was found; its appearance is made here, with the body's (head's) crop as its artifact. Linked subjects are
    the components of the pairs that the gates accept now. Scores of a viewpoint or expression anchor: `confidence`
    and `crop_px` (the crop's shorter side); of an expression also `expression_confidence`, `expression_labels` (how many
    its clip shows) and `expression_source_px` (the video's shorter side). What an anchor's kind does not have is NULL.
    """

    name: ClassVar[str] = "select_anchors"
    version: ClassVar[int] = 4
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = (Clip, Track, Subject, Appearance, Pair, Score)
    makes: ClassVar[tuple[type, ...]] = (Appearance, Anchor, Score)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources(ram_gib=0.3)

    inside: int = 1
    """Anchors from the clip itself, for each subject, and for each side and label."""
    outside: int = 1
    """Anchors from other clips of the same long video."""
    face_inside: float = 0.6
    """The share of a face that lies in a person's box when it is that person's."""

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._anchored(item, context) for item in items]

    def _anchored(self, item: Item, context: Context) -> Result:
        subjects = item.all(Subject)
        if not subjects:
            return Filtered(item.id, "the video shows no subject")
        frames: dict[str, list[Appearance]] = defaultdict(list)
        for appearance in item.all(Appearance):
            if appearance.subject_id is not None and appearance.frame is not None:
                frames[appearance.subject_id].append(appearance)
        linked = _linked(subjects, item.all(Pair))
        shown = candidates_of(item, context.artifacts, face_inside=self.face_inside)
        crops = _Crops(item, context)
        rows: list[Record] = []
        try:
            for subject in subjects:
                rows += self._global(subject, frames, linked, context)
                rows += self._labelled(subject, shown, linked, crops)
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        return Ok(item.id, [*crops.made.values(), *rows])

    def _global(
        self,
        subject: Subject,
        frames: Mapping[str, Sequence[Appearance]],
        linked: Mapping[str, Sequence[str]],
        context: Context,
    ) -> list[Record]:
        rng = context.rng(subject.id)
        own = frames[subject.id]
        others = [a for other in linked[subject.id] for a in frames[other]]
        rows: list[Record] = []
        for pool, num, inside in ((own, self.inside, True), (others, self.outside, False)):
            for k in rng.permutation(len(pool))[:num].tolist():
                anchor = Anchor(
                    appearance_id=pool[k].id, clip_id=subject.clip_id, kind="global", label=subject.id, inside=inside
                )
                reason = "a global anchor is drawn, not judged"
                rows += [anchor, *(_score(anchor, name, None, reason=reason) for name in SCORES)]
        return rows

    def _labelled(
        self,
        subject: Subject,
        shown: Mapping[str, Sequence[Candidate]],
        linked: Mapping[str, Sequence[str]],
        crops: "_Crops",
    ) -> list[Record]:
        rows: list[Record] = []
        others = [c for other in linked[subject.id] for c in shown.get(other, ())]
        for pool, num, inside in ((shown.get(subject.id, ()), self.inside, True), (others, self.outside, False)):
            by_label: dict[tuple[str, str], list[Candidate]] = defaultdict(list)
            for candidate in pool:
                by_label[candidate.kind, candidate.label].append(candidate)
            for (kind, label), found in sorted(by_label.items()):
                for candidate in sorted(found, key=lambda c: c.rank)[:num]:
                    appearance = crops.appearance(candidate)
                    anchor = Anchor(
                        appearance_id=appearance.id, clip_id=subject.clip_id, kind=kind, label=label, inside=inside
                    )
                    width, height = appearance.box[2] - appearance.box[0], appearance.box[3] - appearance.box[1]
                    values = {"confidence": candidate.confidence, "crop_px": min(width, height)}
                    if kind == EXPRESSION:
                        values |= {
                            "expression_confidence": candidate.confidence,
                            "expression_labels": float(candidate.num_labels),
                            "expression_source_px": float(crops.source_short_px),
                        }
                    reason = "a side needs neither an expression nor a large source"
                    rows += [anchor, *(_score(anchor, name, values.get(name), reason=reason) for name in SCORES)]
        return rows


SCORES = ("confidence", "crop_px", "expression_confidence", "expression_labels", "expression_source_px")


class _Crops:
    """Appearances made for candidates, each cut once."""

    def __init__(self, item: Item, context: Context) -> None:
        self._item, self._context, video = item, context, item.one(Video)
        self._bounds = (0.0, 0.0, float(video.width), float(video.height))
        self.source_short_px = min(video.width, video.height)
        self.made: dict[tuple, Appearance] = {}

    def appearance(self, candidate: Candidate) -> Appearance:
        """Raises MediaError when the frame cannot be decoded."""
        x0, y0, x1, y1 = (round(side, 2) for side in boxes.clip(candidate.box, self._bounds))
        key = (candidate.subject_id, candidate.frame, x0, y0, x1, y1)
        if key not in self.made:
            (picture,) = self._context.frames(self._item).at([candidate.frame])
            left, top, right, bottom = boxes.to_pixels((x0, y0, x1, y1), picture.shape[1], picture.shape[0])
            data = encode_webp(picture[top:bottom, left:right], quality=CROP_QUALITY)
            self.made[key] = Appearance(
                subject_id=candidate.subject_id,
                frame=candidate.frame,
                box=(x0, y0, x1, y1),
                confidence=candidate.confidence,
                origin="video",
                artifact=self._context.artifacts.put(data, "webp"),
            )
        return self.made[key]


def _score(anchor: Anchor, name: str, value: float | None, *, reason: str | None = None) -> Score:
    producer = f"{SelectAnchors.name}/{SelectAnchors.version}"
    return Score(target=anchor.id, name=name, value=value, producer=producer, reason=reason if value is None else None)


def _linked(subjects: Sequence[Subject], pairs: Sequence[Pair]) -> dict[str, list[str]]:
    """For each subject, the subjects of other clips that pairs join to it, directly or through others."""
    place = {subject.id: k for k, subject in enumerate(subjects)}
    edges = {
        (place[pair.target_subject_id], place[pair.reference_subject_id])
        for pair in pairs
        if pair.kind != "in_pair" and pair.reference_subject_id in place and pair.target_subject_id in place
    }
    alike = {(min(a, b), max(a, b)): 1.0 for a, b in edges}
    linked: dict[str, list[str]] = {subject.id: [] for subject in subjects}
    for group in identity_components(len(subjects), edges, alike, floor=0.0):
        for k in group:
            mine = subjects[k]
            linked[mine.id] = [subjects[o].id for o in group if subjects[o].clip_id != mine.clip_id]
    return linked
