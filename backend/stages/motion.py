"""Measures motion, and finds clips that show nothing: flat, frozen or random frames (S05)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from backend.domain import Clip, Context, Failed, Footage, Item, MediaError, Ok, Region, Resources, Result, Score
from backend.measures import motion


@dataclass(frozen=True)
class MeasureMotion:
    """Scores of a clip's frame pairs, spread evenly over it and `gap_s` (at least one frame) apart.

    `motion`, `camera_motion` and `local_motion` are mean lengths in picture diagonals per second: of the flow, of the
    one affine motion of the picture that fits it best, of the difference. They are a scale of their own: the 0.004 of
    OpenS2V-Nexus is taken on a motion score that its metadata brings along undescribed. `static` is 1 below
    `static_below`, else 0.
    `frozen_fraction` is the share of pairs that repeat a frame, `black_fraction` and `white_fraction` the shares of
    frames that are dark or bright all over, `temporal_correlation` the mean correlation of a pair's frames (near 0
    for noise; NULL when they are flat). A clip of one frame has no motion: NULL.
    """

    name: ClassVar[str] = "measure_motion"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Region,)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources(cpu=1.0, ram_gib=0.5)

    num_pairs: int = 16
    gap_s: float = 0.04  # one frame at 25 fps: at 240 fps the noise of neighbours would count tenfold
    static_below: float = 0.001  # diagonals per second: stills with coding noise reach .0009, a still face .003

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._measure(item, context) for item in items]

    def _measure(self, item: Item, context: Context) -> Result:
        footage = context.footage(item)
        gap = min(max(1, round(self.gap_s * footage.video.fps)), footage.num_frames - 1)
        first, last = footage.clip.start_frame, footage.clip.stop_frame - 1 - gap
        starts = np.linspace(first, last, min(self.num_pairs, last - first + 1)).round().astype(int).tolist()
        try:
            greys = _greys(footage, sorted({*starts, *(start + gap for start in starts)}))
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        values = self._of_frames([greys[start] for start in starts])
        values |= self._of_pairs(footage, greys, starts, gap) if gap else dict.fromkeys(_PAIR_SCORES)
        clip, producer = footage.clip, f"{self.name}/{self.version}"
        return Ok(
            item.id,
            [
                Score(
                    target=clip.id,
                    name=name,
                    value=value,
                    producer=producer,
                    reason=None if value is not None else "one frame only" if gap == 0 else "the frames are flat",
                    num_units=len(starts),
                )
                for name, value in values.items()
            ],
        )

    def _of_frames(self, greys: Sequence[np.ndarray]) -> dict[str, float | None]:
        return {
            "black_fraction": float(np.mean([motion.is_black(grey) for grey in greys])),
            "white_fraction": float(np.mean([motion.is_white(grey) for grey in greys])),
        }

    def _of_pairs(
        self, footage: Footage, greys: dict[int, np.ndarray], starts: Sequence[int], gap: int
    ) -> dict[str, float | None]:
        pairs = [(greys[start], greys[start + gap]) for start in starts]
        moved = [
            motion.motion_between(a, b, seconds=_seconds(footage, start, gap))
            for start, (a, b) in zip(starts, pairs, strict=True)
        ]
        correlations = [found for found in (motion.correlation(a, b) for a, b in pairs) if found is not None]
        total = float(np.mean([pair.total for pair in moved]))
        values = (
            total,
            float(np.mean([pair.camera for pair in moved])),
            float(np.mean([pair.local for pair in moved])),
            float(total < self.static_below),
            float(np.mean([motion.is_frozen(a, b) for a, b in pairs])),
            float(np.mean(correlations)) if correlations else None,
        )
        return dict(zip(_PAIR_SCORES, values, strict=True))


def small_pictures(footage: Footage, indices: Sequence[int], *, longer_px: int) -> np.ndarray:
    """Frames uint8 `(T, H, W, 3)`, read with their longer side at `longer_px` and cut to what lies inside the borders.

    Only whole pixels inside them are kept, but one at least each way. Raises MediaError.
    """
    reader = footage.reader
    scale = min(1.0, longer_px / max(reader.width, reader.height))
    width, height = max(1, round(reader.width * scale)), max(1, round(reader.height * scale))
    across, down = width / reader.width, height / reader.height
    x0, y0, x1, y1 = footage.content
    left, top = math.ceil(x0 * across), math.ceil(y0 * down)
    right, bottom = max(left + 1, int(x1 * across)), max(top + 1, int(y1 * down))
    return reader.at(indices, size=(width, height))[:, top:bottom, left:right]


_PAIR_SCORES = ("motion", "camera_motion", "local_motion", "static", "frozen_fraction", "temporal_correlation")


def _greys(footage: Footage, indices: Sequence[int]) -> dict[int, np.ndarray]:
    frames = small_pictures(footage, indices, longer_px=motion.FLOW_PX)
    return {i: cv2.cvtColor(np.ascontiguousarray(f), cv2.COLOR_RGB2GRAY) for i, f in zip(indices, frames, strict=True)}


def _seconds(footage: Footage, start: int, gap: int) -> float:
    """Time between two frames as shown; of files whose times stand still, by the mean rate."""
    shown = float(footage.reader.times_s[start + gap] - footage.reader.times_s[start])
    return shown if shown > 0 else gap / footage.video.fps
