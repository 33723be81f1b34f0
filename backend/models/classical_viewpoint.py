"""From which side a person is seen, without weights: a logistic regression over what `viewpoint_cues` measures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from backend.domain import Absent, Box, Facing, Footage
from backend.geometry import boxes as box_geometry
from backend.geometry.viewpoint import SIDES
from backend.models.viewpoint_cues import Cues, cues_of
from backend.models.viewpoint_weights import BACK, FRONT, RIGHT, SIDE

MOTION_PX = 320
MOTION_FRAMES = 4


@dataclass(frozen=True)
class ClassicalViewpoint:
    """Azimuths from the chances of the four sides, pooled over the frames around; Absent where none is likely enough.

    It was fitted to drawn people: of photographed ones it knows little more than their frontal faces.
    """

    model_id: ClassVar[str] = "embedded-viewpoint-1"
    pool_frames: int = 12
    """Frames before and after whose chances are multiplied in."""
    least_chance: float = 0.6  # worlds 1000 to 1002: .93 of the named sides are right, at .5 .90
    longest_px: int = 1280

    def facing(self, footage: Footage, frames: Sequence[int], boxes: Sequence[Box]) -> list[Facing | Absent]:
        """Raises MediaError."""
        found: list[Cues | None] = []
        for start in range(0, len(frames), CHUNK):
            found += self._cues(footage, frames[start : start + CHUNK], boxes[start : start + CHUNK])
        logits = {frame: logits_of(cues) for frame, cues in zip(frames, found, strict=True) if cues is not None}
        return [
            self._answer(frame, logits) if frame in logits else Absent("too little of the person is seen")
            for frame in frames
        ]

    def _answer(self, frame: int, logits: Mapping[int, np.ndarray]) -> Facing | Absent:
        near = [chances(row) for other, row in logits.items() if abs(other - frame) <= self.pool_frames]
        pooled = chances(np.log(np.array(near) + 1e-4).mean(axis=0))
        if pooled.max() < self.least_chance:
            return Absent(f"no side is likely: {SIDES[int(pooled.argmax())]} with a chance of {pooled.max():.2f}")
        front, right, back, left = pooled
        return Facing(float(np.degrees(np.arctan2(right - left, front - back)) % 360), float(pooled.max()))

    def _cues(self, footage: Footage, frames: Sequence[int], boxes: Sequence[Box]) -> list[Cues | None]:
        reader = footage.reader
        factor = min(1.0, self.longest_px / max(reader.width, reader.height))
        size = None if factor == 1 else (max(1, round(reader.width * factor)), max(1, round(reader.height * factor)))
        inside = box_geometry.scale(footage.content, factor, factor)
        moved = moved_aside(footage, frames, boxes)
        cues = []
        for picture, box, step in zip(reader.at(frames, size=size), boxes, moved, strict=True):
            left, top, right, bottom = box_geometry.to_pixels(inside, picture.shape[1], picture.shape[0])
            x0, y0, x1, y1 = box_geometry.clip(box_geometry.scale(box, factor, factor), inside)
            local = (x0 - left, y0 - top, x1 - left, y1 - top)
            cues.append(cues_of(picture[top:bottom, left:right], local, moved=step))
        return cues


CHUNK = 16  # frames in hand: 16 of 720p are 44 MB


def logits_of(cues: Cues) -> np.ndarray:
    """Of front, right, back and left, float64 `(4,)`: a mirrored person has right and left exchanged."""
    front, back, side = (weights[""] + sum(weights[n] * v for n, v in cues.even.items()) for weights in (FRONT, BACK, SIDE))
    lean = sum(RIGHT[name] * value for name, value in cues.odd.items())
    return np.array([front, side + lean, back, side - lean])


def chances(logits: np.ndarray) -> np.ndarray:
    """Softmax."""
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def moved_aside(footage: Footage, frames: Sequence[int], boxes: Sequence[Box]) -> list[float]:
    """How far a body moves to the right against its surroundings, in its own heights a frame; 0 where nothing tells."""
    clip, reader = footage.clip, footage.reader
    around = {
        frame: [f for f in (frame - MOTION_FRAMES, frame + MOTION_FRAMES) if clip.start_frame <= f < clip.stop_frame]
        for frame in frames
    }
    factor = MOTION_PX / max(reader.width, reader.height)
    size = (max(1, round(reader.width * factor)), max(1, round(reader.height * factor)))
    wanted = sorted({*frames, *(f for near in around.values() for f in near)})
    greys = {f: cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for f, p in zip(wanted, reader.at(wanted, size=size), strict=True)}
    moved = []
    for frame, box in zip(frames, boxes, strict=True):
        small = box_geometry.scale(box, factor, factor)
        steps = [np.sign(f - frame) * _step(greys[frame], greys[f], small) for f in around[frame]]
        moved.append(float(np.mean(steps)) / MOTION_FRAMES if steps else 0.0)
    return moved


def _step(here: np.ndarray, there: np.ndarray, box: Box) -> float:
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(here, there, None)  # pyright: ignore[reportCallIssue, reportArgumentType]
    x0, y0, x1, y1 = box_geometry.to_pixels(box, here.shape[1], here.shape[0])
    outside = np.ones(here.shape, bool)
    outside[max(0, y0 - 4) : y1 + 4, max(0, x0 - 4) : x1 + 4] = False
    texture = cv2.blur(np.hypot(cv2.Sobel(here, cv2.CV_32F, 1, 0), cv2.Sobel(here, cv2.CV_32F, 0, 1)), (3, 3))
    outside &= np.asarray(texture) > np.median(np.asarray(texture, np.float32))
    height, width = y1 - y0, x1 - x0
    torso = flow[int(y0 + 0.18 * height) : int(y0 + 0.5 * height), int(x0 + 0.3 * width) : int(x1 - 0.3 * width) + 1, 0]
    if outside.sum() < 50 or torso.size < 4:
        return 0.0
    return float(np.median(np.asarray(torso)) - np.median(np.asarray(flow)[outside, 0])) / max(height, 1)
