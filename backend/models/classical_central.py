"""The subject of a picture that was taken or cropped for it: what stands in its middle, unlike its top and sides."""

import cv2
import numpy as np

from backend.models.classical_cut import grab_cut

WORK_PX = 160  # longer side while cutting
HALF_WIDTH, TOP = 0.55, 0.12  # where the subject is expected: of half the width from the middle, of the height downwards
EDGE = 0.04  # of the longer side, along the top and the upper sides: background
SIDES = 0.85  # of the height: below, arms and skirts of a subject cut by the picture reach the edge
ROUNDS = 4
LEAST_PART, HOLE = 0.04, 0.03  # of the largest part: smaller pieces are dropped, smaller gaps filled


def central_cut(picture: np.ndarray) -> np.ndarray:
    """Mask bool `(H, W)` of an RGB uint8 picture; empty where nothing stands out.

    Of 90 references of sample worlds 2000 to 2002 masks overlap with the truth by .79, those that the segmenter cuts out of
    the inset picture by .78, both together by .86: the one loses what is like the border, the other what is like the rest.
    """
    factor = min(1.0, WORK_PX / max(picture.shape[:2]))
    size = max(8, round(picture.shape[1] * factor)), max(8, round(picture.shape[0] * factor))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    found = grab_cut(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), _start(size[1], size[0]), rounds=ROUNDS)
    whole = cv2.resize(_whole(found), picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return whole.astype(bool)


def _start(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    labels = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    labels[(np.abs(x + 0.5 - width / 2) < HALF_WIDTH * width / 2) & (y + 0.5 > TOP * height)] = cv2.GC_PR_FGD
    edge = max(2, round(EDGE * max(height, width)))
    labels[:edge] = cv2.GC_BGD
    sides = labels[: round(SIDES * height)]
    sides[:, :edge] = cv2.GC_BGD
    sides[:, -edge:] = cv2.GC_BGD
    return labels


def _whole(mask: np.ndarray) -> np.ndarray:
    """Without small pieces and small gaps, uint8."""
    kept = mask.astype(np.uint8)
    num, labels, stats, _ = cv2.connectedComponentsWithStats(kept)
    if num <= 1:
        return kept
    areas = stats[1:, cv2.CC_STAT_AREA]
    large = 1 + np.flatnonzero(areas > LEAST_PART * areas.max())
    kept = np.isin(labels, large).astype(np.uint8)
    num, labels, stats, _ = cv2.connectedComponentsWithStats(1 - kept)
    gaps = 1 + np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] < HOLE * kept.sum())
    kept[np.isin(labels, gaps)] = 1
    return kept
