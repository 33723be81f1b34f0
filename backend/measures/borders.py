"""Black borders round a picture: letterbox above and below, pillarbox left and right.

A border ends on one straight line in every frame. So each column (row) votes for the depth at which it becomes lit
at any time during the clip; a border is a depth on which most of them agree. In a dark scene the depths differ.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from backend.domain import Box


@dataclass(frozen=True, slots=True, kw_only=True)
class BorderRules:
    """Thresholds in 8-bit levels, pixels of the given frames, and parts of the picture."""

    black_level: float = 24.0
    """A border is darker than this: full-range black is 0 (limited range 16), compression adds a few levels."""
    black_spread: float = 4.0
    """Standard deviation inside a border; sensor noise and night sky have more."""
    lit_step: int = 10
    """Levels above the border at which a pixel belongs to the picture."""
    agreement: float = 0.5
    """Least part of the lit columns (rows) that become lit at the same depth."""
    lone_agreement: float = 0.8
    """The same for a border without a partner on the other side: a dark sky has none either."""
    tolerance_px: int = 2
    """Depths this near agree: compression rings beside the edge."""
    min_depth_px: int = 3
    """Thinner borders are scaling artefacts."""
    max_part: float = 0.45
    """A border takes at most this part of the side."""


@dataclass(frozen=True, slots=True)
class Content:
    """The picture inside the borders; `confidence` is the least agreement of the borders found (1 without any)."""

    box: Box
    confidence: float
    num_borders: int


def content_of(frames: np.ndarray, *, rules: BorderRules | None = None) -> Content:
    """Where frames uint8 `(T, H, W, 3)` of one shot show a picture. A clip that is black throughout is all picture."""
    rules = rules or BorderRules()
    luma = _brightest(frames)
    height, width = luma.shape
    top, bottom = _pair(luma, luma[::-1], rules)
    left, right = _pair(luma.T, luma.T[::-1], rules)
    found = [border for border in (top, bottom, left, right) if border[0]]
    box = (float(left[0]), float(top[0]), float(width - right[0]), float(height - bottom[0]))
    return Content(box, min((agreement for _, agreement in found), default=1.0), len(found))


def _brightest(frames: np.ndarray) -> np.ndarray:
    """Luma (BT.601) that each pixel reaches in a tenth of the frames, one at least, uint8 `(H, W)`."""
    highest = [np.zeros(frames.shape[1:3], np.uint8) for _ in range(len(frames) // 10 + 1)]
    for frame in frames:
        luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        for rank, kept in enumerate(highest):
            highest[rank], luma = np.maximum(kept, luma), np.minimum(kept, luma)
    return highest[-1]


def _pair(near: np.ndarray, far: np.ndarray, rules: BorderRules) -> tuple[tuple[int, float], tuple[int, float]]:
    """Depth and agreement of the borders on two opposite sides; a side without border has depth 0."""
    borders = [_border(near, rules), _border(far, rules)]
    for side, picture in enumerate((near, far)):
        depth, agreement = borders[1 - side]
        if borders[side][0] or not depth:
            continue
        # Bars come in pairs of one depth: a dark scene may hide the edge of the second, not fill it.
        if _is_dark(picture[: depth - rules.tolerance_px], rules):
            borders[side] = depth, agreement
        elif agreement < rules.lone_agreement:
            borders[1 - side] = 0, 1.0
    return borders[0], borders[1]


def _border(luma: np.ndarray, rules: BorderRules) -> tuple[int, float]:
    """Depth in rows of the border at the top of a picture, and how well its columns agree."""
    outermost = luma[:2]
    level = float(np.percentile(outermost, 80))
    if level >= rules.black_level:
        return 0, 1.0
    lit = luma > level + rules.lit_step
    depth = lit.argmax(axis=0)[lit.any(axis=0)]
    if len(depth) < 0.1 * luma.shape[1]:
        return 0, 1.0
    votes = np.bincount(depth, minlength=len(luma))
    near = np.convolve(votes, np.ones(2 * rules.tolerance_px + 1, int), "same")
    best = int(near.argmax())
    members = depth[abs(depth - best) <= rules.tolerance_px]
    edge, agreement = int(np.median(members)), len(members) / len(depth)
    enough = agreement >= rules.agreement and rules.min_depth_px <= edge <= rules.max_part * len(luma)
    if not enough or not _is_dark(luma[: max(1, edge - rules.tolerance_px)], rules):
        return 0, 1.0
    return edge, agreement


def _is_dark(inside: np.ndarray, rules: BorderRules) -> bool:
    """Whether rows are black and flat, apart from a tenth of lit pixels (subtitles and marks stand in borders too)."""
    dark = inside[inside <= np.percentile(inside, 90)]
    return bool(dark.size) and dark.max() < rules.black_level and dark.std() <= rules.black_spread
