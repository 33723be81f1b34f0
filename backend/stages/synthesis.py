"""S29 to S31: surroundings without their subjects, and pictures made of subjects, each measured against its origin."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np

from backend.domain import (
    Absent,
    Appearance,
    Clip,
    Context,
    Embedder,
    Failed,
    Filtered,
    ImageScorer,
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
    Subject,
    VideoTextEmbedder,
)
from backend.geometry import rle
from backend.measures.matting import foreground_on_white, grown_mask, on_white
from backend.media.images import encode_webp, read_rgba
from backend.stages.unbound import role_or_absent

QUALITY = 92  # WebP, as the cut-outs have


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintBackground:
    """A Plate of each clip: the frame on which most subjects are cut out, with all of them painted over.

    Score of the plate: `painted_fraction`, the share of the frame that is painted. The hole is the union of the masks,
    grown as OpenS2V grows it (`grown_mask`).
    """

    name: ClassVar[str] = "paint_background"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Subject, Appearance, Mask)
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
        frame = max(sorted(cut), key=lambda place: len(cut[place]))
        hole = np.zeros((cut[frame][0].height, cut[frame][0].width), bool)
        for mask in cut[frame]:
            hole |= rle.decode(mask.counts, mask.height, mask.width)
        hole = grown_mask(hole)
        try:
            picture = context.frames(item).at([frame])[0]
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        artifact = context.artifacts.put(encode_webp(painter.paint(picture, hole), quality=QUALITY), "webp")
        plate = Plate(clip_id=item.id, frame=frame, author=painter.model_id, artifact=artifact)
        producer = f"{self.name}/{self.version}:{painter.model_id}"
        share = Score(target=plate.id, name="painted_fraction", value=float(hole.mean()), producer=producer)
        return Ok(item.id, [plate, share])


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreReferences:
    """What a cut-out is worth as a reference, as OpenS2V scores each: how it looks, and whether it is what its phrase says.

    Scores of an appearance, of the cut-out on white: `crop_aesthetic` (on the scale of its producer), `crop_text_cosine`
    with the phrase, and `worth`: the mean of the two in [0, 1], or of the one that there is.
    """

    name: ClassVar[str] = "score_references"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Appearance
    gathers: ClassVar[tuple[type, ...]] = (Mask,)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ("AestheticScorer", "Gme")
    resources: ClassVar[Resources] = Resources(cpu=1.0, ram_gib=0.5)

    best_aesthetic: float = 10.0
    """Top of the scale of a learned AestheticScorer; the heuristic one ends at 1 and says so by its name."""

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        beauty, words = role_or_absent(context, "AestheticScorer"), role_or_absent(context, "Gme")
        return [self._scored(item, beauty, words, context) for item in items]

    def _scored(self, item: Item, beauty: object, words: object, context: Context) -> Result:
        if not item.all(Mask):
            return Filtered(item.id, "the appearance has no cut-out")
        picture = on_white(read_rgba(context.artifacts.get(item.all(Mask)[0].crop)))
        phrase = item.one(Subject).phrase
        looks: float | Absent = (
            Absent("unavailable") if isinstance(beauty, Absent) else cast(ImageScorer, beauty).score(picture[None])
        )
        says: float | Absent = words if isinstance(words, Absent) else Absent("not applicable: the subject has no phrase")
        if phrase and not isinstance(words, Absent):
            embedder = cast(VideoTextEmbedder, words)
            says = float(embedder.images([picture])[0] @ embedder.texts([f"{phrase}."])[0])
        best = 1.0 if getattr(beauty, "model_id", "").startswith("heuristic") else self.best_aesthetic
        known = [value for value in (_share(looks, best), _share(says, 1.0)) if value is not None]
        rows = [
            _score(item.id, "crop_aesthetic", looks, self, beauty),
            _score(item.id, "crop_text_cosine", says, self, words),
            _score(
                item.id, "worth", float(np.mean(known)) if known else Absent("unavailable: nothing is scored"), self, beauty
            ),
        ]
        return Ok(item.id, rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeReferences:
    """Pictures made of each appearance by the ReferenceSynthesizer, and how far they keep the identity.

    What is generated becomes an Appearance of origin `generated` and a Pair of kind `generated` with the appearance that
    it was made of; what is only warped and relit becomes an Appearance of origin `augmented` and no pair. Scores of the
    pair, or else of the appearance: `made_similarity` and `made_face_cosine`, cosines of both cut-outs on white.
    """

    name: ClassVar[str] = "make_references"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Appearance
    gathers: ClassVar[tuple[type, ...]] = (Mask,)
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
        if not item.all(Mask):
            return Filtered(item.id, "the appearance has no cut-out")
        synthesizer = cast(ReferenceSynthesizer, synthesizer)
        source = read_rgba(context.artifacts.get(item.all(Mask)[0].crop))
        seed = int(context.rng(item.id).integers(2**31))
        rows: list[Record] = []
        warnings = []
        for picture in synthesizer.make(source, phrase=subject.phrase or "", num=self.num, seed=seed):
            if isinstance(picture, Absent):
                warnings.append(picture.reason)
                continue
            made = Appearance(
                subject_id=subject.id,
                frame=None,
                box=(0.0, 0.0, float(picture.shape[1]), float(picture.shape[0])),
                confidence=1.0,
                origin=synthesizer.origin,
                artifact=context.artifacts.put(encode_webp(picture, quality=QUALITY), "webp"),
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
                rows.append(_score(target, name, _likeness(source, picture, embedder), self, embedder))
        if not rows and warnings:
            return Failed(item.id, "synthesis", warnings[0])
        return Ok(item.id, rows, tuple(warnings))


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


def _share(value: float | Absent, best: float) -> float | None:
    return None if isinstance(value, Absent) else min(1.0, max(0.0, value / best))


def _score(target: str, name: str, value: float | Absent, stage: object, model: object) -> Score:
    absent = isinstance(value, Absent)
    producer = f"{stage.name}/{stage.version}:{getattr(model, 'model_id', '')}"
    return Score(
        target=target,
        name=name,
        value=None if absent else value,
        producer=producer,
        reason=value.reason if absent else None,
    )
