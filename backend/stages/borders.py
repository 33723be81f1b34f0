"""Finds the picture inside black borders (S03)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from backend.domain import Clip, Context, Failed, FrameReader, Item, MediaError, Ok, Region, Resources, Result, Score
from backend.measures.borders import content_of


@dataclass(frozen=True)
class FindBorders:
    """One content region per clip, and the scores `content_fraction` (of the frame) and `content_short_px`."""

    name: ClassVar[str] = "find_borders"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Region, Score)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources(cpu=1.0, ram_gib=1.0)

    num_frames: int = 16  # research on stage S03: rows dark on 90 % of 16 frames
    max_width_px: int = 1280  # larger frames are scaled down: 16 frames of 8K would take 1.7 GB

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._find(item, context) for item in items]

    def _find(self, item: Item, context: Context) -> Result:
        clip = item.one(Clip)
        try:
            reader = context.frames(item)
            box, confidence = self._content(clip, reader)
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        sides = box[2] - box[0], box[3] - box[1]
        producer = f"{self.name}/{self.version}"
        area = sides[0] * sides[1] / (reader.width * reader.height)
        return Ok(
            item.id,
            [
                Region(clip_id=clip.id, kind="content", box=box, confidence=confidence),
                Score(target=clip.id, name="content_fraction", value=area, producer=producer, num_units=self.num_frames),
                Score(target=clip.id, name="content_short_px", value=min(sides), producer=producer),
            ],
        )

    def _content(self, clip: Clip, reader: FrameReader) -> tuple[tuple[float, float, float, float], float]:
        num = min(self.num_frames, clip.stop_frame - clip.start_frame)
        indices = np.linspace(clip.start_frame, clip.stop_frame - 1, num).round().astype(int).tolist()
        scale = max(1.0, reader.width / self.max_width_px)
        size = None if scale == 1.0 else (self.max_width_px, max(1, round(reader.height / scale)))
        frames = reader.at(indices, size=size)
        found = content_of(frames)
        across, down = reader.width / frames.shape[2], reader.height / frames.shape[1]
        x0, y0, x1, y1 = found.box
        return (round(x0 * across), round(y0 * down), round(x1 * across), round(y1 * down)), found.confidence
