"""Arithmetic of boxes `(x0, y0, x1, y1)`: pixels, half-open, so that `x1 - x0` is the width."""

from collections.abc import Sequence

import numpy as np

from backend.domain import Box


def area(box: Box) -> float:
    """Square pixels; 0 for an empty or inverted box."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def intersection(a: Box, b: Box) -> Box | None:
    """The rectangle that two boxes share, None when they share no area."""
    box = (max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3]))
    return box if box[0] < box[2] and box[1] < box[3] else None


def union(a: Box, b: Box) -> Box:
    """The smallest box around both."""
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def iou(a: Box, b: Box) -> float:
    """Intersection over union in [0, 1]; 0 when both are empty."""
    shared = intersection(a, b)
    if shared is None:
        return 0.0
    overlap = area(shared)
    return overlap / (area(a) + area(b) - overlap)


def iou_matrix(a: Sequence[Box], b: Sequence[Box]) -> np.ndarray:
    """`iou` of every pair, float64 `(len(a), len(b))`."""
    rows, columns = _as_array(a)[:, None], _as_array(b)[None]
    overlap = np.clip(np.minimum(rows[..., 2:], columns[..., 2:]) - np.maximum(rows[..., :2], columns[..., :2]), 0, None)
    shared = overlap.prod(axis=-1)
    total = _areas(rows) + _areas(columns) - shared
    return np.divide(shared, total, out=np.zeros_like(total), where=total > 0)


def contain(inner: Box, outer: Box) -> float:
    """The share of `inner` that lies in `outer`, in [0, 1]; 0 when `inner` is empty."""
    shared = intersection(inner, outer)
    return 0.0 if shared is None else area(shared) / area(inner)


def clip(box: Box, bounds: Box) -> Box:
    """The box moved inside `bounds`, edge by edge; a box wholly outside becomes empty on the nearest edge."""
    x0, y0, x1, y1 = bounds
    return (
        min(max(box[0], x0), x1),
        min(max(box[1], y0), y1),
        min(max(box[2], x0), x1),
        min(max(box[3], y0), y1),
    )


def expand(box: Box, fraction: float) -> Box:
    """The box grown on each side by a fraction of that side's length; a negative fraction shrinks it."""
    dx, dy = (box[2] - box[0]) * fraction, (box[3] - box[1]) * fraction
    return box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy


def scale(box: Box, x: float, y: float) -> Box:
    """The box on a picture resized by the factors `x` and `y`."""
    return box[0] * x, box[1] * y, box[2] * x, box[3] * y


def to_pixels(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """The smallest box of whole pixels around `box`, inside a picture, at least one pixel wide and high."""
    x0 = min(max(int(np.floor(box[0])), 0), width - 1)
    y0 = min(max(int(np.floor(box[1])), 0), height - 1)
    x1 = min(max(int(np.ceil(box[2])), x0 + 1), width)
    y1 = min(max(int(np.ceil(box[3])), y0 + 1), height)
    return x0, y0, x1, y1


def nms(boxes: Sequence[Box], scores: Sequence[float], *, max_iou: float) -> list[int]:
    """Indices kept by greedy suppression, best score first; ties keep the earlier box.

    A box is dropped when its IoU with a kept box is above `max_iou`.
    """
    overlaps = iou_matrix(boxes, boxes)
    order = sorted(range(len(boxes)), key=lambda i: (-scores[i], i))
    kept: list[int] = []
    for i in order:
        if all(overlaps[i, j] <= max_iou for j in kept):
            kept.append(i)
    return kept


def border_contact(box: Box, bounds: Box, *, tolerance: float = 1.0) -> float:
    """The share of the box's outline, in [0, 1], that lies within `tolerance` pixels of the edge of `bounds`."""
    width, height = max(0.0, box[2] - box[0]), max(0.0, box[3] - box[1])
    outline = 2 * (width + height)
    if outline == 0:
        return 0.0
    touching = height * (box[0] <= bounds[0] + tolerance) + height * (box[2] >= bounds[2] - tolerance)
    touching += width * (box[1] <= bounds[1] + tolerance) + width * (box[3] >= bounds[3] - tolerance)
    return touching / outline


def of_mask(mask: np.ndarray) -> Box | None:
    """The tight box around the set pixels of a bool `(H, W)` mask, None when there are none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _as_array(boxes: Sequence[Box]) -> np.ndarray:
    return np.asarray(boxes, np.float64).reshape(len(boxes), 4)


def _areas(boxes: np.ndarray) -> np.ndarray:
    return np.clip(boxes[..., 2:] - boxes[..., :2], 0, None).prod(axis=-1)
