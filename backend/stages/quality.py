"""Scores how a clip looks: aesthetic and technical quality by the bound models, and the faults by themselves (S06, S07)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np

from backend.domain import (
    KEY_FRACTIONS,
    Absent,
    Clip,
    Context,
    Failed,
    Footage,
    FootageScorer,
    ImageScorer,
    Item,
    MediaError,
    Ok,
    Region,
    Resources,
    Result,
    Score,
)
from backend.measures import technical


@dataclass(frozen=True)
class ScoreQuality:
    """`aesthetic` and `technical` on the scale of their producers, the models' ids, and means of the faults.

    `sharpness` is the variance of the Laplacian at 640 px, `blockiness` the relative excess of steps on the 8-px
    grid, `noise` a standard deviation in 8-bit levels, `clipping` a share of pixels.
    """

    name: ClassVar[str] = "score_quality"
    version: ClassVar[int] = 2
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Region,)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ("AestheticScorer", "TechnicalScorer")
    resources: ClassVar[Resources] = Resources(cpu=1.0, ram_gib=0.5)

    look_at: tuple[float, ...] = KEY_FRACTIONS
    max_width_px: int = 1920  # larger frames are scaled down, which hides their blocks: 7 frames of 8K take 700 MB

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        scorers = {
            "aesthetic": cast(ImageScorer, context.role("AestheticScorer")),
            "technical": cast(ImageScorer, context.role("TechnicalScorer")),
        }
        return [self._score(item, context, scorers) for item in items]

    def _score(self, item: Item, context: Context, scorers: dict[str, ImageScorer]) -> Result:
        footage = context.footage(item)
        try:
            frames = _pictures(footage, footage.fractions(self.look_at), self.max_width_px)
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        rows = []
        for name, scorer in scorers.items():
            by_clip = isinstance(scorer, FootageScorer)
            try:
                value = scorer.score_footage(footage) if by_clip else scorer.score(frames)
            except MediaError as error:
                return Failed(item.id, error.kind, str(error))
            absent = isinstance(value, Absent)
            rows.append(
                Score(
                    target=footage.clip.id,
                    name=name,
                    value=None if absent else value,
                    producer=scorer.model_id,
                    reason=value.reason if absent else None,
                    num_units=1 if by_clip else len(frames),
                )
            )
        greys = [technical.luma(frame) for frame in frames]
        for name, measure in _FAULTS.items():
            value = float(np.mean([measure(grey) for grey in greys]))
            producer = f"{self.name}/{self.version}"
            rows.append(Score(target=footage.clip.id, name=name, value=value, producer=producer, num_units=len(frames)))
        return Ok(item.id, rows)


_FAULTS: dict[str, Callable[[np.ndarray], float]] = {
    "sharpness": technical.focus,
    "blockiness": technical.blockiness,
    "noise": technical.noise_sigma,
    "clipping": technical.clipped_fraction,
}


def _pictures(footage: Footage, indices: Sequence[int], max_width_px: int) -> np.ndarray:
    """Frames inside the borders, uint8 `(T, H, W, 3)`, at their own size up to `max_width_px`."""
    reader = footage.reader
    scale = min(1.0, max_width_px / reader.width)
    size = None if scale == 1.0 else (max_width_px, max(1, round(reader.height * scale)))
    frames = reader.at(indices, size=size)
    x0, y0, x1, y1 = (int(side * scale) for side in footage.content)
    # The first whole block inside: a picture cut elsewhere would lose the grid that blocks are looked for on.
    x0, y0 = (-(-side // technical.BLOCK_PX) * technical.BLOCK_PX for side in (x0, y0))
    inside = frames[:, y0:y1, x0:x1]
    return inside if inside.size else frames
