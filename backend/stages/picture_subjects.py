"""External pictures for the banks: what each shows, cut out and embedded, with the licence of its source."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, cast

import cv2
import numpy as np

from backend.domain import (
    Appearance,
    Box,
    Clip,
    Context,
    Detector,
    Embedder,
    Embedding,
    Filtered,
    Footage,
    Item,
    Mask,
    MediaError,
    Ok,
    Record,
    Resources,
    Result,
    Score,
    Segmenter,
    Source,
    Video,
)
from backend.geometry import boxes, rle
from backend.media.guard import guarded_picture
from backend.media.images import blended, encode_webp, image_size
from backend.media.probe import is_picture
from backend.stages.boxes import box_scores, rival_overlaps
from backend.stages.embedding import embed_views, see_view
from backend.stages.given_vectors import given_vector
from backend.stages.masks import CROP_QUALITY
from backend.stages.subjects import sound

GIVEN = "alpha"
"""Author of a mask that came with the picture, as its transparency."""
WHOLE = "whole"
"""Author of a mask that is all of a picture, which came with its vector."""
OPAQUE = 128
LEAST_CUT = 0.005
"""Share of transparent pixels from which the alpha channel is a mask and not an edge's smoothing."""
INSET = 0.02
"""Share of a side that is left around the subject of a picture in which no detector finds one: a product on a plain ground."""

LEAST_SIDE_PX = 8  # as `ProbeSource` wants it


@dataclass(frozen=True, slots=True)
class FindPictureSubjects:
    """An Appearance of origin `external` for each subject of a picture, with its mask and vectors.

    A transparent ground is the mask; else the Detector looks for subjects, and where it finds none the whole picture is
    taken for one; the Segmenter cuts it out. A picture that came with its vector (`given_vectors`) is one subject, and only its
    background and face are looked at by models. Scores are those of a video's appearances (`box_scores`). What cannot be read
    is Filtered: `ProbeSource` has said what is wrong with the file.
    """

    name: ClassVar[str] = "find_picture_subjects"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Source
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Appearance, Mask, Embedding, Score)
    roles: ClassVar[tuple[str, ...]] = (
        "Detector",
        "Segmenter",
        "AppearanceEmbedder",
        "BackgroundEmbedder",
        "FaceEmbedder",
    )
    resources: ClassVar[Resources] = Resources(ram_gib=1.5)

    most: int = 4
    """Subjects taken from one picture, the surest first."""

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._found(item, context) for item in items]

    def _found(self, item: Item, context: Context) -> Result:
        path = item.one(Source).uri
        try:
            if not is_picture(path):
                return Filtered(item.id, "not a picture")
            data = Path(path).read_bytes()
            shape = image_size(data)[2]
            rgba = guarded_picture(path)
            frame = blended(rgba)
        except (MediaError, OSError) as error:
            return Filtered(item.id, f"the picture cannot be read: {error}")
        if min(frame.shape[:2]) < LEAST_SIDE_PX:
            return Filtered(item.id, f"the picture's shorter side has {min(frame.shape[:2])} px, needs {LEAST_SIDE_PX}")
        artifact = context.artifacts.put(data, "".join(c for c in shape.lower() if c.isalnum())[:8] or "img")
        embedders = [cast(Embedder, context.role(role)) for role in self.roles[2:]]
        given, remark = given_vector(Path(path), space=embedders[0].space, model=embedders[0].model_id)
        rows: list[Record] = []
        warnings: list[str] = [remark] if remark else []
        if given is not None and not _is_cut(rgba):
            cut, author = [_all_of(frame)], WHOLE
        else:
            cut, remarks = self._cut(rgba, frame, context)
            warnings += remarks
            author = GIVEN if _is_cut(rgba) else cast(Segmenter, context.role("Segmenter")).model_id
        shown = [
            (Appearance(subject_id=None, frame=None, box=box, confidence=sure, origin="external", artifact=artifact), mask)
            for box, sure, mask in cut
        ]
        rivals = rival_overlaps([appearance for appearance, _ in shown])
        asked = embedders if given is None else embedders[1:]
        views = [see_view(appearance.id, frame, mask, appearance.box, asked) for appearance, mask in shown]
        for (appearance, mask), (vectors, remarks) in zip(shown, embed_views(views, asked), strict=True):
            rows += [appearance, _mask_row(appearance, mask, frame, author, context), *vectors]
            if given is not None:
                space, model = embedders[0].space, embedders[0].model_id
                rows.append(Embedding(appearance_id=appearance.id, space=space, model=model, vector=given))
            values = box_scores(appearance, frame, _whole(frame), is_person=False)
            values |= {"max_iou": rivals[appearance.id], "mask_fill": _fill(mask, appearance.box)}
            producer = f"{self.name}/{self.version}:{author}"
            rows += [Score(target=appearance.id, name=n, value=float(v), producer=producer) for n, v in values.items()]
            warnings += remarks
        return Ok(item.id, rows, tuple(warnings)) if rows else Filtered(item.id, "no subject stands out in the picture")

    def _cut(
        self, rgba: np.ndarray, frame: np.ndarray, context: Context
    ) -> tuple[list[tuple[Box, float, np.ndarray]], tuple[str, ...]]:
        """Box, confidence and mask of each subject; and what cannot be believed of the detector."""
        if _is_cut(rgba):
            mask = rgba[..., 3] >= OPAQUE
            box = boxes.of_mask(mask)
            return ([(box, 1.0, mask)] if box is not None else []), ()
        detector = cast(Detector, context.role("Detector"))
        height, width = frame.shape[:2]
        answer = detector.detect(_still(frame), [0], ())
        detections, remarks = sound(answer, [0], width=width, height=height, phrases=())
        detections = sorted(detections, key=lambda d: (-d.score, d.box))[: self.most]
        found = [(detection.box, detection.score) for detection in detections]
        if not found:
            found = [(_inset(frame), 0.0)]
        masks, _ = cast(Segmenter, context.role("Segmenter")).segment(frame, [box for box, _ in found])
        return [(box, sure, mask) for (box, sure), mask in zip(found, masks, strict=True) if mask.any()], remarks


def _inset(frame: np.ndarray) -> Box:
    height, width = frame.shape[:2]
    return width * INSET, height * INSET, width * (1 - INSET), height * (1 - INSET)


def _all_of(frame: np.ndarray) -> tuple[Box, float, np.ndarray]:
    """A whole picture as its subject, whose vector speaks of all of it."""
    height, width = frame.shape[:2]
    return (0.0, 0.0, float(width), float(height)), 1.0, np.ones((height, width), bool)


def _is_cut(rgba: np.ndarray) -> bool:
    return float((rgba[..., 3] < OPAQUE).mean()) >= LEAST_CUT


def _mask_row(appearance: Appearance, mask: np.ndarray, frame: np.ndarray, author: str, context: Context) -> Mask:
    height, width = mask.shape
    x0, y0, x1, y1 = boxes.to_pixels(appearance.box, width, height)
    cut_out = np.dstack([frame[y0:y1, x0:x1], mask[y0:y1, x0:x1].astype(np.uint8) * 255])
    return Mask(
        appearance_id=appearance.id,
        author=author,
        height=height,
        width=width,
        counts=rle.encode(mask),
        crop=context.artifacts.put(encode_webp(cut_out, quality=CROP_QUALITY), "webp"),
    )


def _fill(mask: np.ndarray, box: Box) -> float:
    x0, y0, x1, y1 = boxes.to_pixels(box, mask.shape[1], mask.shape[0])
    return float(mask[y0:y1, x0:x1].mean())


def _whole(frame: np.ndarray) -> Box:
    return 0.0, 0.0, float(frame.shape[1]), float(frame.shape[0])


def _still(frame: np.ndarray) -> Footage:
    """A picture as detectors take it: a clip of one frame."""
    height, width = frame.shape[:2]
    video = Video(
        content_hash="",
        source_id="",
        num_frames=1,
        fps=1.0,
        duration_s=1.0,
        width=width,
        height=height,
        rotation=0,
        codec="still",
        has_audio=False,
        index="",
    )
    clip = Clip(video_id=video.id, start_frame=0, stop_frame=1, start_s=0.0, stop_s=1.0, opens_with="start")
    return Footage(video, clip, _StillReader(frame), _whole(frame))


class _StillReader:
    """A `FrameReader` of one frame."""

    num_frames = 1
    times_s = np.zeros(1)

    def __init__(self, frame: np.ndarray) -> None:
        self._frame = frame
        self.height, self.width = frame.shape[:2]

    def at(self, indices: Sequence[int], *, size: tuple[int, int] | None = None) -> np.ndarray:
        if any(index != 0 for index in indices):
            raise IndexError(f"a picture has no frame {max(indices)}")
        frame = self._frame if size is None else cv2.resize(self._frame, size, interpolation=cv2.INTER_AREA)
        return np.stack([frame] * len(indices))

    def stream(
        self,
        start: int = 0,
        stop: int | None = None,
        *,
        step: int = 1,
        size: tuple[int, int] | None = None,
        chunk: int = 32,
    ) -> Iterator[tuple[int, np.ndarray]]:
        for index in range(start, 1 if stop is None else stop, step):
            yield index, self.at([index], size=size)
