"""Masks without weights: what is unlike the surroundings of its box seeds GrabCut, edges refined on the full frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from backend.domain import Box, Footage
from backend.domain.model_work import PointPrompt
from backend.geometry.boxes import expand, scale, to_pixels
from backend.models.classical_cut import grab_cut
from backend.models.classical_motion import motion_map, unit_motion
from backend.models.classical_novelty import novelty
from backend.models.classical_prompted import prompted_cut

Pixels = tuple[int, int, int, int]

SURROUND = 0.3
"""How much of the box's own size around it serves as an example of background."""
CUT_MARGIN = 0.12  # of the box's longer side: what GrabCut sees around it, in colours of its own
LEAST_FILL = 0.12  # less than the thinnest body's share of its box: the cut has lost its subject
LEAST_PART = 0.02  # of the mask: smaller pieces apart from the rest are noise
HOLE = 0.04  # of the mask: smaller gaps are spots of the subject, not a view past an arm
SURE, DOUBTFUL = 0.9, 0.1  # chances beyond which GrabCut may not change its start

# Logistic regression over pixels of 102 boxes found in the sample world (seeds 2 and 3). Each alone orders the pixels of
# a box right with an area under the curve of .96 (novelty), .74 (place) and .78 (motion).
NOVELTY_WEIGHT, MOTION_WEIGHT = 3.9, 2.0
ACROSS_WEIGHT, DOWN_WEIGHT = -1.4, -2.2
INTERCEPT = -1.5


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a frame beside its pixels."""

    motion: np.ndarray
    """float32 in [0, 1], of the whole frame at any size: moves otherwise than the camera."""
    content: Box
    """The picture inside any borders."""
    overlays: tuple[Box, ...] = ()


@dataclass(frozen=True)
class ClassicalSegmenter:
    """GrabCut at reduced size, then a guided filter along the edges of the full-size picture."""

    model_id: ClassVar[str] = "embedded-grabcut-3"
    work_px: int = 192
    """Longer side of the box and its surroundings while cutting."""
    novelty_px: int = 96
    """Longer side while comparing with the surroundings."""
    rounds: int = 1
    edge_radius: float = 0.01
    """Radius of the edge refinement as a share of the box's longer side."""

    prompt_px: int = 480
    """Longer side of a frame on which somebody points something out."""
    motion_px: int = 320
    offset_s: float = 0.4
    """How far before and after the frame motion is looked for."""

    def segment(self, frame: np.ndarray, boxes: Sequence[Box]) -> tuple[np.ndarray, np.ndarray]:
        """Masks bool `(N, H, W)` of an RGB uint8 frame and qualities float32 `(N,)`.

        The quality is 0 for an empty mask, and 1 for one that differs from its surroundings in all its colours and
        fills its box like a body does.
        """
        height, width = frame.shape[:2]
        return self.segment_given(frame, boxes, Evidence(np.zeros((1, 1), np.float32), (0.0, 0.0, width, height)))

    def segment_moving(self, footage: Footage, frame: int, boxes: Sequence[Box]) -> tuple[np.ndarray, np.ndarray]:
        """As `segment`, helped by what moves otherwise than the camera around that frame. Raises MediaError."""
        evidence = Evidence(self._motion(footage, frame), footage.content, footage.overlays)
        return self.segment_given(footage.reader.at([frame])[0], boxes, evidence)

    def segment_given(self, frame: np.ndarray, boxes: Sequence[Box], evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
        """As `segment`, with what else is known of the frame."""
        masks = np.zeros((len(boxes), *frame.shape[:2]), bool)
        qualities = np.zeros(len(boxes), np.float32)
        for i, box in enumerate(boxes):
            masks[i], qualities[i] = self._cut(frame, box, evidence)
        return masks, qualities

    def segment_prompted(
        self, frame: np.ndarray, points: Sequence[PointPrompt], box: Box | None
    ) -> tuple[np.ndarray, float]:
        """A mask bool `(H, W)` of what points and a box show on an RGB uint8 frame, and its quality in [0, 1]."""
        height, width = frame.shape[:2]
        small = _fitted(frame, self.prompt_px)
        rough, inner = prompted_cut(small, points, box, factor=small.shape[1] / width)
        long_side = max(inner[2] - inner[0], inner[3] - inner[1]) * width / small.shape[1]
        mask = _sharp(frame, rough, max(2, round(self.edge_radius * long_side)), (0, 0, width, height))
        return mask, _quality(small, rough, inner)

    def _motion(self, footage: Footage, frame: int) -> np.ndarray:
        """Motion in [0, 1], float32, at the size of the motion search."""
        step = max(1, round(self.offset_s * footage.video.fps))
        before = [frame - step] if frame - step >= footage.clip.start_frame else []
        after = [frame + step] if frame + step < footage.clip.stop_frame else []
        factor = min(1.0, self.motion_px / max(footage.reader.width, footage.reader.height))
        size = max(1, round(footage.reader.width * factor)), max(1, round(footage.reader.height * factor))
        frames = footage.reader.at([frame, *before, *after], size=size)
        gray, *around = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in frames)
        return unit_motion(motion_map(gray, around[: len(before)], around[len(before) :])[0])

    def _cut(self, frame: np.ndarray, box: Box, evidence: Evidence) -> tuple[np.ndarray, float]:
        height, width = frame.shape[:2]
        x0, y0, x1, y1 = to_pixels(expand(box, SURROUND), width, height)
        view = np.ascontiguousarray(frame[y0:y1, x0:x1])
        small = _fitted(view, self.work_px)
        inner = _within_view(box, (x0, y0, x1, y1), small.shape)
        chance = self._chance(view, (x0, y0, x1, y1), box, evidence, frame.shape[:2])
        rough = _rough(small, inner, cv2.resize(chance, small.shape[1::-1], interpolation=cv2.INTER_LINEAR), self.rounds)
        radius = max(2, round(self.edge_radius * max(box[2] - box[0], box[3] - box[1])))
        bx0, by0, bx1, by1 = to_pixels(box, width, height)
        mask = np.zeros((height, width), bool)
        mask[by0:by1, bx0:bx1] = _sharp(view, rough, radius, (bx0 - x0, by0 - y0, bx1 - x0, by1 - y0))
        return mask, _quality(small, rough, inner)

    def _chance(
        self, view: np.ndarray, place: Pixels, box: Box, evidence: Evidence, frame_shape: tuple[int, ...]
    ) -> np.ndarray:
        """The chance in [0, 1], float32, that each pixel of the view is the subject's, at the size of the comparison."""
        small = _fitted(view, self.novelty_px)
        inner = _within_view(box, place, small.shape)
        inside = _filled(small.shape[:2], inner)
        content = _filled(small.shape[:2], _within_view(evidence.content, place, small.shape))
        # The outermost pixels inside borders are mixed with them.
        background = ~inside & cv2.erode(content.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        for overlay in evidence.overlays:
            background &= ~_filled(small.shape[:2], _within_view(overlay, place, small.shape))
        across, down = evidence.motion.shape[1] / frame_shape[1], evidence.motion.shape[0] / frame_shape[0]
        mx0, my0, mx1, my1 = to_pixels(scale(place, across, down), evidence.motion.shape[1], evidence.motion.shape[0])
        moving = cv2.resize(evidence.motion[my0:my1, mx0:mx1], small.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        x0, y0, x1, y1 = inner
        y, x = np.mgrid[: small.shape[0], : small.shape[1]].astype(np.float32)
        from_middle = np.abs(x + 0.5 - (x0 + x1) / 2) / ((x1 - x0) / 2), np.abs(y + 0.5 - (y0 + y1) / 2) / ((y1 - y0) / 2)
        logit = NOVELTY_WEIGHT * np.log(novelty(small, inside, background) + 0.2) + MOTION_WEIGHT * moving
        logit += ACROSS_WEIGHT * from_middle[0] ** 2 + DOWN_WEIGHT * from_middle[1] ** 3 + INTERCEPT
        return np.where(inside, 1 / (1 + np.exp(-logit)), 0).astype(np.float32)


def _fitted(picture: np.ndarray, long_side_px: int) -> np.ndarray:
    factor = min(1.0, long_side_px / max(picture.shape[:2]))
    size = max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if factor < 1 else picture


def _within_view(box: Box, place: Pixels, shape: tuple[int, ...]) -> Pixels:
    """A box of the frame in pixels of a view of that place, resized to the shape; never empty."""
    x0, y0, x1, y1 = place
    across, down = shape[1] / (x1 - x0), shape[0] / (y1 - y0)
    return to_pixels(scale((box[0] - x0, box[1] - y0, box[2] - x0, box[3] - y0), across, down), shape[1], shape[0])


def _filled(shape: tuple[int, ...], inner: Pixels) -> np.ndarray:
    filled = np.zeros(shape[:2], bool)
    filled[inner[1] : inner[3], inner[0] : inner[2]] = True
    return filled


def _rough(rgb: np.ndarray, inner: Pixels, chance: np.ndarray, rounds: int) -> np.ndarray:
    """Bool mask inside `inner`; everything outside is background."""
    inside = _filled(rgb.shape, inner)
    start = inside & (chance > 0.5)
    labels = np.where(start, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[chance > SURE] = cv2.GC_FGD
    labels[(chance < DOUBTFUL) | ~inside] = cv2.GC_BGD
    if not start.any():
        return inside
    cut = np.zeros(inside.shape, bool)
    margin = round(CUT_MARGIN * max(inner[2] - inner[0], inner[3] - inner[1]))
    x0, y0, x1, y1 = max(0, inner[0] - margin), max(0, inner[1] - margin), inner[2] + margin, inner[3] + margin
    cut[y0:y1, x0:x1] = grab_cut(rgb[y0:y1, x0:x1], labels[y0:y1, x0:x1], rounds=rounds)
    return _tidy(cut if cut.sum() >= LEAST_FILL * inside.sum() else start, inner)


def _tidy(mask: np.ndarray, inner: Pixels) -> np.ndarray:
    """The mask without specks, holes filled that are small against it."""
    num, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    large = [i for i in range(1, num) if stats[i, cv2.CC_STAT_AREA] >= LEAST_PART * mask.sum()]
    kept = np.isin(labels, large)
    num, labels, stats, _ = cv2.connectedComponentsWithStats((~kept).astype(np.uint8), connectivity=4)
    holes = [i for i in range(1, num) if stats[i, cv2.CC_STAT_AREA] < HOLE * kept.sum() and _within(stats[i], inner)]
    return kept | np.isin(labels, holes)


def _within(stats: np.ndarray, inner: Pixels) -> bool:
    x, y, w, h = (int(v) for v in stats[:4])
    return x > inner[0] and y > inner[1] and x + w < inner[2] and y + h < inner[3]


def _sharp(rgb: np.ndarray, rough: np.ndarray, radius: int, inner: Pixels) -> np.ndarray:
    """The rough mask of a picture, there at `inner` at the picture's size, its edge moved to the picture's.

    By a guided filter (He et al., 2010), which looks two radii around each pixel.
    """
    x0, y0, x1, y1 = inner
    left, top, reach = max(0, x0 - 2 * radius), max(0, y0 - 2 * radius), 2 * radius
    seen = slice(top, y1 + reach), slice(left, x1 + reach)
    guide = cv2.cvtColor(rgb[seen], cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    mask = cv2.resize(rough.astype(np.float32), rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)[seen]
    window = (2 * radius + 1,) * 2
    mean_guide, mean_mask = cv2.blur(guide, window), cv2.blur(mask, window)
    covariance = cv2.blur(guide * mask, window) - mean_guide * mean_mask
    variance = cv2.blur(guide * guide, window) - mean_guide**2
    slope = np.divide(covariance, variance + 1e-3, dtype=np.float32)
    offset = np.subtract(mean_mask, slope * mean_guide, dtype=np.float32)
    sharp = cv2.blur(slope, window) * guide + cv2.blur(offset, window) >= 0.5
    return sharp[y0 - top : y1 - top, x0 - left : x1 - left]


def _quality(rgb: np.ndarray, mask: np.ndarray, inner: Pixels) -> float:
    """Separation of colours across the outline, lowered when the mask fills too little or all of its box."""
    if not mask.any():
        return 0.0
    reach = max(3, max(rgb.shape[:2]) // 16)
    ring = cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1,) * 2, np.uint8)).astype(bool) & ~mask
    if not ring.any():
        return 0.5
    codes = cv2.cvtColor(rgb, cv2.COLOR_RGB2Lab).astype(np.int64) // 32
    codes = (codes[..., 0] * 8 + codes[..., 1]) * 8 + codes[..., 2]
    inside, outside = (np.bincount(codes[part], minlength=512) / part.sum() for part in (mask, ring))
    separation = 1 - float(np.sqrt(inside * outside).sum())
    fill = float(mask.sum()) / ((inner[2] - inner[0]) * (inner[3] - inner[1]))
    shape = min(1.0, fill / 0.35, max(0.0, (1 - fill) / 0.02))  # curation: fill ratio .35 to .98
    return float(np.clip(separation**0.5 * (0.4 + 0.6 * shape), 0, 1))
