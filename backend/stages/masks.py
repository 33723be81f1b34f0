"""Cuts each appearance out of its frame and measures the cut-out (S18, S19)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np

from backend.domain import (
    Appearance,
    Clip,
    Context,
    Failed,
    Filtered,
    Item,
    Mask,
    MediaError,
    MovingSegmenter,
    Ok,
    Resources,
    Result,
    Score,
    Segmenter,
)
from backend.geometry import boxes, rle
from backend.measures import crops
from backend.media.images import encode_webp

CROP_QUALITY = 92  # WebP: below the eye's threshold beside PNG, a tenth of its bytes


@dataclass(frozen=True)
class SegmentSubjects:
    """A Mask with its cut-out crop for each appearance, and scores of both.

    `mask_quality` is the segmenter's own; `mask_fill` the share of the box that the mask covers; `mask_border` the
    share of the mask's outline on the frame's edge; `brightness`, `clipped` and `sharpness` are of the crop.
    """

    name: ClassVar[str] = "segment_subjects"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Appearance
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Mask, Score)
    roles: ClassVar[tuple[str, ...]] = ("Segmenter",)
    resources: ClassVar[Resources] = Resources(cpu=1.0, ram_gib=1.0)

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        segmenter = cast(Segmenter, context.role("Segmenter"))
        together: dict[tuple[str, int], list[Item]] = {}
        results: dict[str, Result] = {}
        for item in items:
            frame = item.one(Appearance).frame
            if frame is None:
                results[item.id] = Filtered(item.id, "the appearance is a picture of its own, not a frame")
            else:
                together.setdefault((item.one(Clip).id, frame), []).append(item)
        # Appearances on one frame share its pixels and the motion around it.
        for (_, frame), group in together.items():
            results |= {result.item_id: result for result in self._on_frame(group, frame, segmenter, context)}
        return [results[item.id] for item in items]

    def _on_frame(self, items: Sequence[Item], frame: int, segmenter: Segmenter, context: Context) -> list[Result]:
        found = [item.one(Appearance).box for item in items]
        try:
            footage = context.footage(items[0])  # one decode gives this frame, and the motion around it
            picture = footage.reader.at([frame])[0]
            if isinstance(segmenter, MovingSegmenter):
                masks, qualities = segmenter.segment_moving(footage, frame, found)
            else:
                masks, qualities = segmenter.segment(picture, found)
        except MediaError as error:
            return [Failed(item.id, error.kind, str(error)) for item in items]
        wanted = (len(items), *picture.shape[:2])
        if masks.shape != wanted or len(qualities) != len(items):
            message = f"{segmenter.model_id} gave masks of shape {masks.shape} with {len(qualities)} qualities, asked for {wanted}"
            return [Failed(item.id, "answer", message) for item in items]
        return [
            self._result(item, picture, mask, float(quality), segmenter.model_id, context)
            for item, mask, quality in zip(items, masks, qualities, strict=True)
        ]

    def _result(
        self, item: Item, frame: np.ndarray, mask: np.ndarray, quality: float, author: str, context: Context
    ) -> Result:
        appearance = item.one(Appearance)
        if not mask.any():
            return Filtered(item.id, "the segmenter found nothing in the box")
        height, width = mask.shape
        x0, y0, x1, y1 = boxes.to_pixels(appearance.box, width, height)
        crop, alpha = frame[y0:y1, x0:x1], mask[y0:y1, x0:x1]
        cut_out = np.dstack([crop, alpha.astype(np.uint8) * 255])
        row = Mask(
            appearance_id=appearance.id,
            author=author,
            height=height,
            width=width,
            counts=rle.encode(mask),
            crop=context.artifacts.put(encode_webp(cut_out, quality=CROP_QUALITY), "webp"),
        )
        scores = {
            "mask_quality": quality,
            "mask_fill": float(alpha.mean()),
            "mask_border": _border_share(mask),
            "brightness": crops.brightness(crop, alpha),
            "clipped": crops.clipped_fraction(crop, alpha),
            "sharpness": crops.sharpness(crop),
        }
        producer = f"{self.name}/{self.version}:{author}"
        return Ok(
            item.id,
            [row, *(Score(target=appearance.id, name=n, value=v, producer=producer) for n, v in scores.items())],
        )


def _border_share(mask: np.ndarray) -> float:
    """Share of the mask's outline, in pixel sides, that lies on the frame's edge."""
    padded = np.pad(mask, 1)
    outline = np.count_nonzero(padded[1:] != padded[:-1]) + np.count_nonzero(padded[:, 1:] != padded[:, :-1])
    edge = sum(int(np.count_nonzero(line)) for line in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    return edge / outline
