"""What the faces of a clip express (S34)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np

from backend.domain import (
    Clip,
    Context,
    ExpressionClassifier,
    Failed,
    Filtered,
    Footage,
    Item,
    MediaError,
    Ok,
    Region,
    Resources,
    Result,
    Score,
    Track,
    Video,
)
from backend.geometry import boxes

ANCHOR_LABELS = ("surprise", "angry", "disgust", "fear", "contempt", "sad", "neutral", "happy")
"""Gloria, section 3."""
AS_ANCHOR: Mapping[str, str] = {**{label: label for label in ANCHOR_LABELS}, "smile": "happy"}
"""What a classifier's word is called among anchors; `open`, a mouth that may as well speak, is none of them."""


@dataclass(frozen=True)
class ReadExpressions:
    """Scores of a clip and of each face that is followed through it.

    Of a face track: `num_expressions`, how many labels reach `min_probability` on a face of `min_face_px`. Of the clip:
    the most of any face, `source_short_px` (the video's shorter side) and `face_px` (its largest face's shorter side). The
    evidence of a track's score holds every face's probabilities (`EXPRESSION_EVIDENCE`).
    """

    name: ClassVar[str] = "read_expressions"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Region, Track)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ("ExpressionClassifier",)
    resources: ClassVar[Resources] = Resources(cpu=1.0, ram_gib=0.7)

    every: int = 2
    """Each how many sightings of a face it is read."""
    min_probability: float = 0.6  # research default
    min_face_px: float = 160.0  # research default: native 1080p, Gloria, section 3

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        classifier = cast(ExpressionClassifier, context.role("ExpressionClassifier"))
        return [self._read(item, classifier, context) for item in items]

    def _read(self, item: Item, classifier: ExpressionClassifier, context: Context) -> Result:
        tracks = [track for track in item.all(Track) if track.kind == "face"]
        if not tracks:
            return Filtered(item.id, "no face is followed in the clip")
        producer = f"{self.name}/{self.version}:{classifier.model_id}"
        rows: list[Score] = []
        warnings: list[str] = []
        try:
            footage = context.footage(item)
            for track in tracks:
                score, num_odd = self._score(track, footage, classifier, context, producer=producer)
                rows.append(score)
                warnings += [f"{num_odd} faces got no probabilities"] if num_odd else []
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        return Ok(item.id, [*rows, *self._of_clip(item, tracks, rows, producer)], tuple(warnings))

    def _of_clip(self, item: Item, tracks: Sequence[Track], rows: Sequence[Score], producer: str) -> list[Score]:
        clip, video = item.one(Clip), item.one(Video)
        counts = [row.value for row in rows if row.value is not None]
        values = {
            "num_expressions": max(counts, default=None),
            "source_short_px": float(min(video.width, video.height)),
            "face_px": max(min(x1 - x0, y1 - y0) for track in tracks for x0, y0, x1, y1 in track.boxes),
        }
        return [
            Score(
                target=clip.id,
                name=name,
                value=value,
                producer=producer,
                reason=None if value is not None else f"no face reaches {self.min_face_px:g} px",
                num_units=len(tracks),
            )
            for name, value in values.items()
        ]

    def _score(
        self, track: Track, footage: Footage, classifier: ExpressionClassifier, context: Context, *, producer: str
    ) -> tuple[Score, int]:
        seen = list(zip(track.frames, track.boxes, strict=True))[:: self.every]
        seen = [(f, box) for f, box in seen if min(box[2] - box[0], box[3] - box[1]) >= self.min_face_px]
        if not seen:
            reason = f"no face reaches {self.min_face_px:g} px"
            return Score(target=track.id, name="num_expressions", value=None, producer=producer, reason=reason), 0
        chances = np.concatenate(
            [self._chances(seen[k : k + CHUNK], footage, classifier) for k in range(0, len(seen), CHUNK)]
        )
        is_sane = np.isfinite(chances).all(axis=1) & (np.abs(chances.sum(axis=1) - 1) < 1e-3)
        sure = chances[is_sane & (chances.max(axis=1) >= self.min_probability)]
        labels = {AS_ANCHOR.get(classifier.labels[k]) for k in sure.argmax(axis=1)} - {None} if len(sure) else set()
        evidence = {
            "format": EXPRESSION_EVIDENCE,
            "labels": list(classifier.labels),
            "frames": [frame for frame, _ in seen],
            "boxes": [list(box) for _, box in seen],
            "probabilities": [
                np.round(row, 4).tolist() if sane else None for row, sane in zip(chances, is_sane, strict=True)
            ],
        }
        score = Score(
            target=track.id,
            name="num_expressions",
            value=float(len(labels)) if is_sane.any() else None,
            producer=producer,
            reason=None if is_sane.any() else "the model gave no probabilities",
            num_units=len(seen),
            coverage=float(is_sane.mean()),
            evidence=context.artifacts.put(json.dumps(evidence).encode(), "json"),
        )
        return score, int((~is_sane).sum())

    def _chances(self, seen: Sequence[tuple[int, tuple]], footage: Footage, classifier: ExpressionClassifier) -> np.ndarray:
        pictures = footage.reader.at([frame for frame, _ in seen])
        crops = []
        for picture, (_, box) in zip(pictures, seen, strict=True):
            x0, y0, x1, y1 = boxes.to_pixels(box, picture.shape[1], picture.shape[0])
            crops.append(picture[y0:y1, x0:x1])
        chances = classifier.classify(crops)
        # A model that answers with other shapes than it promised is believed nowhere.
        expected = (len(crops), len(classifier.labels))
        return chances if chances.shape == expected else np.full(expected, np.nan, np.float32)


CHUNK = 12  # frames in hand in their own size

EXPRESSION_EVIDENCE = "expressions/1"
"""JSON of a face track: `labels`, `frames`, `boxes` and `probabilities` by label, null where the model gave none."""
