"""What somebody points out, cut by colours and edges: discs around the points are sure, what lies outside a box is not it."""

from collections.abc import Sequence

import cv2
import numpy as np

from backend.domain import Box
from backend.domain.model_work import PointPrompt
from backend.geometry.boxes import scale, to_pixels
from backend.models.classical_cut import grab_cut

Pixels = tuple[int, int, int, int]

DISC = 0.015  # of the longer side: what a finger or a mouse surely meant
ROUNDS = 3
ALIKE = 12.0  # distance in Lab within which a pixel is likely of what was pointed to (about five just noticeable ones)


def prompted_cut(
    rgb: np.ndarray, points: Sequence[PointPrompt], box: Box | None, *, factor: float
) -> tuple[np.ndarray, Pixels]:
    """Bool mask `(H, W)` on a picture that was scaled by `factor`, and the rectangle that it lies in.

    Points and box are in pixels before scaling. With points to include, pieces without any of them are left out.
    """
    height, width = rgb.shape[:2]
    radius = max(2, round(DISC * max(height, width)))
    labels = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    included = [_place(point, factor, rgb.shape) for point in points if point.include]
    inner = None if box is None else to_pixels(scale(box, factor, factor), width, height)
    if inner is not None:
        x0, y0, x1, y1 = inner
        labels[:] = cv2.GC_BGD
        labels[y0:y1, x0:x1] = cv2.GC_PR_FGD
    else:
        labels[_like(rgb, included, radius)] = cv2.GC_PR_FGD
        labels[0], labels[-1], labels[:, 0], labels[:, -1] = (cv2.GC_BGD,) * 4
    for point in points:
        x, y = _place(point, factor, rgb.shape)
        cv2.circle(labels, (x, y), radius, cv2.GC_FGD if point.include else cv2.GC_BGD, -1)
    mask = grab_cut(rgb, labels, rounds=ROUNDS)
    if included:
        _, pieces = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        wanted = {int(pieces[y, x]) for x, y in included} - {0}
        mask = np.isin(pieces, list(wanted))
    return mask, inner or _around(mask)


def _place(point: PointPrompt, factor: float, shape: tuple[int, ...]) -> tuple[int, int]:
    return min(shape[1] - 1, int(point.x * factor)), min(shape[0] - 1, int(point.y * factor))


def _like(rgb: np.ndarray, places: Sequence[tuple[int, int]], radius: int) -> np.ndarray:
    """Where colours are those around one of the places."""
    lab = np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2Lab), np.float32)
    alike = np.zeros(rgb.shape[:2], bool)
    for x, y in places:
        around = lab[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1].reshape(-1, 3)
        alike |= np.linalg.norm(lab - np.median(around, axis=0), axis=2) < ALIKE
    return alike


def _around(mask: np.ndarray) -> Pixels:
    """The rectangle of a mask; the whole picture for an empty one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return 0, 0, mask.shape[1], mask.shape[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
