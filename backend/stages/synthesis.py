"""S29 to S31: surroundings without their subjects, and pictures made of references, each measured against its origin."""

import contextlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np

from backend.domain import (
    Absent,
    Anchor,
    Appearance,
    Clip,
    Context,
    Embedder,
    Failed,
    Filtered,
    Inpainter,
    Item,
    Mask,
    MediaError,
    Ok,
    Pair,
    Plate,
    Record,
    ReferenceSynthesizer,
    Resources,
    Result,
    Score,
    StudioError,
    Subject,
    Track,
    digest,
)
from backend.geometry import rle
from backend.measures.matting import foreground_on_white, grown_mask, on_white
from backend.media.images import encode_webp, read_rgba
from backend.stages.people_count import Bodies
from backend.stages.references import REFERENCE, score_row
from backend.stages.unbound import role_or_absent

QUALITY = 92  # WebP, as the cut-outs have


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintBackground:
    """A Plate of each clip: the frame that leaves the fewest people and has most subjects cut out, all painted over.

    Scores of the plate: `painted_fraction`, the share of the frame that is painted; `people_left`, how many of the
    people who are followed there still show, as one whose face alone was cut out. The hole is the union of the masks, grown as
    OpenS2V grows it (`grown_mask`).
    """

    name: ClassVar[str] = "paint_background"
    version: ClassVar[int] = 3
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Subject, Appearance, Mask, Track)
    makes: ClassVar[tuple[type, ...]] = (Plate, Score)
    roles: ClassVar[tuple[str, ...]] = ("Inpainter",)
    resources: ClassVar[Resources] = Resources(cpu=1.0, ram_gib=1.0)

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        painter = role_or_absent(context, "Inpainter")
        return [self._painted(item, painter, context) for item in items]

    def _painted(self, item: Item, painter: object, context: Context) -> Result:
        if isinstance(painter, Absent):
            return Filtered(item.id, painter.reason)
        painter = cast(Inpainter, painter)
        frames = {a.id: a.frame for a in item.all(Appearance) if a.frame is not None}
        cut: dict[int, list[Mask]] = defaultdict(list)
        for mask in item.all(Mask):
            if mask.appearance_id in frames:
                cut[frames[mask.appearance_id]].append(mask)
        if not cut:
            return Filtered(item.id, "no subject of the clip is cut out")
        bodies = Bodies(item.all(Track), item.all(Subject))
        holes = {place: _hole(masks) for place, masks in sorted(cut.items())}
        left = {place: bodies.left(place, hole) for place, hole in holes.items()}
        frame = min(holes, key=lambda place: (left[place], -len(cut[place])))
        hole = holes[frame]
        try:
            picture = context.frames(item).at([frame])[0]
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        artifact = context.artifacts.put(encode_webp(painter.paint(picture, hole), quality=QUALITY), "webp")
        plate = Plate(clip_id=item.id, frame=frame, author=painter.model_id, artifact=artifact)
        producer = f"{self.name}/{self.version}:{painter.model_id}"
        values = {"painted_fraction": float(hole.mean()), "people_left": float(left[frame])}
        scores = [Score(target=plate.id, name=name, value=value, producer=producer) for name, value in values.items()]
        return Ok(item.id, [plate, *scores])


def _hole(masks: Sequence[Mask]) -> np.ndarray:
    hole = np.zeros((masks[0].height, masks[0].width), bool)
    for mask in masks:
        hole |= rle.decode(mask.counts, mask.height, mask.width)
    return grown_mask(hole)


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeReferences:
    """Pictures made of the chosen references by the ReferenceSynthesizer, and how far they keep the identity.

    An appearance is worked on when an Anchor of kind `reference` stands for it (`ChooseReferences`).

    What is generated becomes an Appearance of origin `generated` and a Pair of kind `generated` with the appearance that
    it was made of; what is only warped and relit becomes an Appearance of origin `augmented` and no pair. Scores of the
    pair, or else of the appearance: `made_similarity` and `made_face_cosine`, cosines of both cut-outs on white. What is
    generated may be paid for, so that it is kept as soon as it is there: a run that was killed asks for none of it again.
    """

    name: ClassVar[str] = "make_references"
    version: ClassVar[int] = 2
    over: ClassVar[type] = Appearance
    gathers: ClassVar[tuple[type, ...]] = (Mask, Anchor)
    makes: ClassVar[tuple[type, ...]] = (Appearance, Pair, Score)
    roles: ClassVar[tuple[str, ...]] = ("ReferenceSynthesizer", "AppearanceEmbedder", "FaceEmbedder")
    resources: ClassVar[Resources] = Resources(cpu=1.0, ram_gib=1.0)

    num: int = 1
    """Pictures of each appearance; Kaleido and the curation table take up to 4."""

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        synthesizer = role_or_absent(context, "ReferenceSynthesizer")
        return [self._made(item, synthesizer, context) for item in items]

    def _made(self, item: Item, synthesizer: object, context: Context) -> Result:
        appearance, subject = item.one(Appearance), item.one(Subject)
        if isinstance(synthesizer, Absent):
            return Filtered(item.id, synthesizer.reason)
        if not any(anchor.kind == REFERENCE for anchor in item.all(Anchor)):
            return Filtered(item.id, "not chosen as a reference")
        if not item.all(Mask):
            return Filtered(item.id, "the appearance has no cut-out")
        synthesizer = cast(ReferenceSynthesizer, synthesizer)
        crop = item.all(Mask)[0].crop
        source = read_rgba(context.artifacts.get(crop))
        seed = int(context.rng(item.id).integers(2**31))
        rows: list[Record] = []
        warnings = []
        for name in self._pictures(source, crop, subject.phrase or "", seed, synthesizer, context):
            if isinstance(name, Absent):
                warnings.append(name.reason)
                continue
            picture = read_rgba(context.artifacts.get(name))
            made = Appearance(
                subject_id=subject.id,
                frame=None,
                box=(0.0, 0.0, float(picture.shape[1]), float(picture.shape[0])),
                confidence=1.0,
                origin=synthesizer.origin,
                artifact=name,
            )
            rows.append(made)
            target = made.id
            if synthesizer.origin == "generated":
                pair = Pair(
                    target_subject_id=subject.id,
                    target_appearance_id=appearance.id,
                    reference_subject_id=subject.id,
                    reference_appearance_id=made.id,
                    kind="generated",
                )
                rows.append(pair)
                target = pair.id
            for name, role in (("made_similarity", "AppearanceEmbedder"), ("made_face_cosine", "FaceEmbedder")):
                embedder = role_or_absent(context, role)
                rows.append(score_row(target, name, _likeness(source, picture, embedder), self, embedder))
        if not rows and warnings:
            return Failed(item.id, "synthesis", warnings[0])
        return Ok(item.id, rows, tuple(warnings))

    def _pictures(
        self, source: np.ndarray, crop: str, phrase: str, seed: int, synthesizer: ReferenceSynthesizer, context: Context
    ) -> list[str | Absent]:
        """Artifacts of the pictures, or why there is none; those kept by an earlier call of equal words, if they are whole."""
        key = digest(("made", synthesizer.model_id, crop, phrase, self.num, seed))
        kept = context.answers.get(key) if synthesizer.origin == "generated" else None
        if kept is not None:
            names = json.loads(kept["raw"])
            with contextlib.suppress(StudioError):  # lost or damaged since: it is made again
                for name in names:
                    read_rgba(context.artifacts.get(name))
                return names
        made = [
            picture if isinstance(picture, Absent) else context.artifacts.put(encode_webp(picture, quality=QUALITY), "webp")
            for picture in synthesizer.make(source, phrase=phrase, num=self.num, seed=seed)
        ]
        if synthesizer.origin == "generated" and not any(isinstance(name, Absent) for name in made):
            told = {"raw": json.dumps(made), "model": synthesizer.model_id, "phrase": phrase, "cut_out": crop}
            context.answers.put(key, told)
        return made


def _likeness(a: np.ndarray, b: np.ndarray, embedder: object) -> float | Absent:
    """Cosine of two pictures uint8 `(H, W, 4)`, each cut out on white."""
    if isinstance(embedder, Absent):
        return embedder
    vectors = []
    for picture in (a, b):
        flat = on_white(picture)
        mask = picture[..., 3] > 127 if picture[..., 3].min() < 255 else foreground_on_white(flat)
        if not mask.any():
            return Absent("not applicable: the picture is empty")
        box = (0.0, 0.0, float(mask.shape[1]), float(mask.shape[0]))
        vector = cast(Embedder, embedder).embed(flat, mask, box)
        if isinstance(vector, Absent):
            return vector
        vectors.append(vector)
    return float(vectors[0] @ vectors[1])
