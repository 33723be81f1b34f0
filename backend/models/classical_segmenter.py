"""Masks without weights: GrabCut seeded by colours inside and around the box, edges refined on the full frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from backend.domain import Box, Footage
from backend.geometry.boxes import expand, scale, to_pixels
from backend.models.classical_cut import grab_cut
from backend.models.classical_motion import motion_map, unit_motion

SURROUND = 0.3
"""How much of the box's own size around it serves as an example of background."""
COLOUR_BINS = 16
NUM_BANDS = 5
START_FILL = 0.5
LEAST_FILL = 0.12  # less than the thinnest body's share of its box: the cut has lost its subject
PLACE_WEIGHT = 0.4
MOTION_WEIGHT = 1.6  # at most .8 of the prior: motion blurs over thin limbs, colours do not


@dataclass(frozen=True)
class ClassicalSegmenter:
    """GrabCut at reduced size, then a guided filter along the edges of the full-size picture."""

    model_id: ClassVar[str] = "embedded-grabcut-1"
    work_px: int = 192
    """Longer side of the box and its surroundings while cutting."""
    rounds: int = 4
    edge_radius: float = 0.02
    """Radius of the edge refinement as a share of the box's longer side."""

    motion_px: int = 320
    offset_s: float = 0.4
    """How far before and after the frame motion is looked for."""

    def segment(self, frame: np.ndarray, boxes: Sequence[Box]) -> tuple[np.ndarray, np.ndarray]:
        """Masks bool `(N, H, W)` of an RGB uint8 frame and qualities float32 `(N,)`.

        The quality is 0 for an empty mask, and 1 for one that differs from its surroundings in all its colours and
        fills its box like a body does.
        """
        return self._segment(frame, boxes, np.zeros(frame.shape[:2], np.float32))

    def segment_moving(self, footage: Footage, frame: int, boxes: Sequence[Box]) -> tuple[np.ndarray, np.ndarray]:
        """As `segment`, helped by what moves otherwise than the camera around that frame. Raises MediaError."""
        return self._segment(footage.reader.at([frame])[0], boxes, self._motion(footage, frame))

    def _motion(self, footage: Footage, frame: int) -> np.ndarray:
        """Motion in [0, 1], float32, at the size of the motion search."""
        step = max(1, round(self.offset_s * footage.video.fps))
        before = [frame - step] if frame - step >= footage.clip.start_frame else []
        after = [frame + step] if frame + step < footage.clip.stop_frame else []
        factor = min(1.0, self.motion_px / max(footage.reader.width, footage.reader.height))
        size = round(footage.reader.width * factor), round(footage.reader.height * factor)
        frames = footage.reader.at([frame, *before, *after], size=size)
        gray, *around = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in frames)
        return unit_motion(motion_map(gray, around[: len(before)], around[len(before) :])[0])

    def _segment(self, frame: np.ndarray, boxes: Sequence[Box], motion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        masks = np.zeros((len(boxes), *frame.shape[:2]), bool)
        qualities = np.zeros(len(boxes), np.float32)
        for i, box in enumerate(boxes):
            masks[i], qualities[i] = self._cut(frame, box, motion)
        return masks, qualities

    def _cut(self, frame: np.ndarray, box: Box, motion: np.ndarray) -> tuple[np.ndarray, float]:
        height, width = frame.shape[:2]
        x0, y0, x1, y1 = to_pixels(expand(box, SURROUND), width, height)
        view = np.ascontiguousarray(frame[y0:y1, x0:x1])
        factor = min(1.0, self.work_px / max(view.shape[:2]))
        small = cv2.resize(view, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else view
        across, down = motion.shape[1] / width, motion.shape[0] / height
        mx0, my0, mx1, my1 = to_pixels(scale((x0, y0, x1, y1), across, down), motion.shape[1], motion.shape[0])
        moving = cv2.resize(motion[my0:my1, mx0:mx1], small.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        inner = to_pixels(scale((box[0] - x0, box[1] - y0, box[2] - x0, box[3] - y0), factor, factor), *small.shape[1::-1])
        rough = _rough(small, inner, moving, self.rounds)
        radius = max(2, round(self.edge_radius * max(box[2] - box[0], box[3] - box[1])))
        mask = np.zeros((height, width), bool)
        mask[y0:y1, x0:x1] = _sharp(view, rough, radius)
        bx0, by0, bx1, by1 = to_pixels(box, width, height)
        clipped = np.zeros_like(mask)
        clipped[by0:by1, bx0:bx1] = mask[by0:by1, bx0:bx1]
        return clipped, _quality(small, rough, inner)


def _rough(rgb: np.ndarray, inner: tuple[int, int, int, int], motion: np.ndarray, rounds: int) -> np.ndarray:
    """Bool mask inside `inner`; everything outside is background."""
    x0, y0, x1, y1 = inner
    prior = _with_motion(_prior(rgb, inner), motion, inner)
    # A body fills about half of its box: the likelier half starts as foreground, whatever the prior's scale.
    level = max(0.4, float(np.quantile(prior[y0:y1, x0:x1], 1 - START_FILL)))
    labels = np.full(rgb.shape[:2], cv2.GC_BGD, np.uint8)
    labels[y0:y1, x0:x1] = np.where(prior[y0:y1, x0:x1] >= level, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
    start = labels == cv2.GC_PR_FGD
    if not start.any():
        start[y0:y1, x0:x1] = True
        return start
    cut = grab_cut(rgb, labels, rounds=rounds)
    return _tidy(cut if cut.sum() >= LEAST_FILL * (x1 - x0) * (y1 - y0) else start, inner)


def _with_motion(prior: np.ndarray, motion: np.ndarray, inner: tuple[int, int, int, int]) -> np.ndarray:
    """The prior mixed with motion, as far as motion tells the box from its surroundings."""
    x0, y0, x1, y1 = inner
    inside = np.zeros(prior.shape, bool)
    inside[y0:y1, x0:x1] = True
    if inside.all():
        return prior
    weight = float(np.clip(motion[inside].mean() - motion[~inside].mean(), 0, 0.5)) * MOTION_WEIGHT
    return np.where(inside, (1 - weight) * prior + weight * motion, 0)


def _prior(rgb: np.ndarray, inner: tuple[int, int, int, int]) -> np.ndarray:
    """How likely each pixel is the subject, in [0, 1]: its place in the box, and colours seldom outside it."""
    height, width = rgb.shape[:2]
    x0, y0, x1, y1 = inner
    y, x = np.mgrid[:height, :width].astype(np.float32)
    across = (x + 0.5 - (x0 + x1) / 2) / ((x1 - x0) / 2)
    down = (y + 0.5 - (y0 + y1) / 2) / ((y1 - y0) / 2)
    place = np.clip(1.2 - (np.abs(across) ** 2 + np.abs(down) ** 3), 0, 1)
    inside = np.zeros((height, width), bool)
    inside[y0:y1, x0:x1] = True
    ratio = _colour_ratio(rgb, place * inside, ~inside)
    return np.where(inside, PLACE_WEIGHT * place + (1 - PLACE_WEIGHT) * ratio, 0)


def _colour_ratio(rgb: np.ndarray, weight: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Share of each pixel's colour that lies inside, in [0, 1]; one half where there is nothing outside.

    Backgrounds are layered (sky, wall, ground), so that colours outside count most at the pixel's own height.
    """
    if not outside.any():
        return np.full(rgb.shape[:2], 0.5, np.float32)
    bins = rgb.astype(np.int64) // (256 // COLOUR_BINS)
    codes = (bins[..., 0] * COLOUR_BINS + bins[..., 1]) * COLOUR_BINS + bins[..., 2]
    height = rgb.shape[0]
    ratio = np.zeros(rgb.shape[:2], np.float32)
    total = np.zeros((height, 1), np.float32)
    rows = np.arange(height, dtype=np.float32)[:, None]
    for middle in np.linspace(0, height - 1, NUM_BANDS):
        near = np.exp(-(((rows - middle) / (height / NUM_BANDS)) ** 2))
        inner = _histogram(codes, weight * (near + 0.1))
        outer = _histogram(codes, outside * (near + 0.1))
        ratio += near * ((inner + 1e-6) / (inner + outer + 2e-6))[codes].astype(np.float32)
        total += near
    return cv2.blur(ratio / total, (3, 3))


def _histogram(codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    counts = _smooth(np.bincount(codes.ravel(), weights=weights.ravel(), minlength=COLOUR_BINS**3))
    return counts / max(float(counts.sum()), 1e-9)


def _smooth(histogram: np.ndarray) -> np.ndarray:
    cube = histogram.reshape(COLOUR_BINS, COLOUR_BINS, COLOUR_BINS)
    for axis in range(3):
        cube = cube + 0.5 * (np.roll(cube, 1, axis) + np.roll(cube, -1, axis))
    return cube.ravel()


def _tidy(mask: np.ndarray, inner: tuple[int, int, int, int]) -> np.ndarray:
    """The largest part with what is at least a sixth as large, holes filled that are small against it."""
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    num, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    if num <= 1:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA].astype(float)
    areas[0] = 0
    kept = np.isin(labels, np.flatnonzero(areas >= areas.max() / 6))
    num, labels, stats, _ = cv2.connectedComponentsWithStats((~kept).astype(np.uint8), connectivity=4)
    holes = [i for i in range(1, num) if stats[i, cv2.CC_STAT_AREA] < 0.04 * kept.sum() and _within(stats[i], inner)]
    return kept | np.isin(labels, holes)


def _within(stats: np.ndarray, inner: tuple[int, int, int, int]) -> bool:
    x, y, w, h = (int(v) for v in stats[:4])
    return x > inner[0] and y > inner[1] and x + w < inner[2] and y + h < inner[3]


def _sharp(rgb: np.ndarray, rough: np.ndarray, radius: int) -> np.ndarray:
    """The rough mask at the picture's size, its edge moved to the picture's by a guided filter (He et al., 2010)."""
    size = rgb.shape[1::-1]
    guide = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    mask = cv2.resize(rough.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    window = (2 * radius + 1,) * 2
    mean_guide, mean_mask = cv2.blur(guide, window), cv2.blur(mask, window)
    covariance = cv2.blur(guide * mask, window) - mean_guide * mean_mask
    variance = cv2.blur(guide * guide, window) - mean_guide**2
    slope = np.divide(covariance, variance + 1e-3, dtype=np.float32)
    offset = np.subtract(mean_mask, slope * mean_guide, dtype=np.float32)
    return cv2.blur(slope, window) * guide + cv2.blur(offset, window) >= 0.5


def _quality(rgb: np.ndarray, mask: np.ndarray, inner: tuple[int, int, int, int]) -> float:
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
