"""Finds the picture inside black borders (S03)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from backend.domain import (
    KEY_FRACTIONS,
    Clip,
    Context,
    Failed,
    Footage,
    Item,
    MediaError,
    Ok,
    Region,
    Resources,
    Result,
    Score,
)
from backend.measures.borders import content_of


@dataclass(frozen=True)
class FindBorders:
    """One content region per clip, and the scores `content_fraction` (of the frame) and `content_short_px`."""

    name: ClassVar[str] = "find_borders"
    version: ClassVar[int] = 2
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Region, Score)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources(cpu=1.0, ram_gib=1.0)

    look_at: tuple[float, ...] = KEY_FRACTIONS
    max_width_px: int = 1920  # larger frames are scaled down

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._find(item, context) for item in items]

    def _find(self, item: Item, context: Context) -> Result:
        clip = item.one(Clip)
        try:
            footage = context.footage(item)
            box, confidence = self._content(footage)
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        sides = box[2] - box[0], box[3] - box[1]
        producer = f"{self.name}/{self.version}"
        area = sides[0] * sides[1] / (footage.reader.width * footage.reader.height)
        return Ok(
            item.id,
            [
                Region(clip_id=clip.id, kind="content", box=box, confidence=confidence),
                Score(target=clip.id, name="content_fraction", value=area, producer=producer, num_units=len(self.look_at)),
                Score(target=clip.id, name="content_short_px", value=min(sides), producer=producer),
            ],
        )

    def _content(self, footage: Footage) -> tuple[tuple[float, float, float, float], float]:
        reader = footage.reader
        scale = max(1.0, reader.width / self.max_width_px)
        size = None if scale == 1.0 else (self.max_width_px, max(1, round(reader.height / scale)))
        frames = reader.at(footage.fractions(self.look_at), size=size)
        found = content_of(frames)
        across, down = reader.width / frames.shape[2], reader.height / frames.shape[1]
        x0, y0, x1, y1 = found.box
        box = (float(round(x0 * across)), float(round(y0 * down)), float(round(x1 * across)), float(round(y1 * down)))
        return box, found.confidence
