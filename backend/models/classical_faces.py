"""Faces by OpenCV's Haar cascades: frontal, and profile toward either side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

from backend.domain import Box, Detection
from backend.geometry import boxes

FRONTAL = "haarcascade_frontalface_alt2.xml"
PROFILE = "haarcascade_profileface.xml"
EYES = "haarcascade_eye.xml"
PROFILE_SCALE = 0.625


@dataclass(frozen=True)
class ClassicalFaceAnalyzer:
    """Faces of a frame, scored by how many cascade windows agree and by the eyes found in the face."""

    model_id: ClassVar[str] = "embedded-haar-faces-2"
    long_side_px: int = 384
    """The frame is searched at this size."""
    min_side: float = 0.045
    """Smallest face searched for, as a share of the frame's shorter side."""

    def faces(self, frame: np.ndarray) -> list[Detection]:
        """Faces of an RGB uint8 frame `(H, W, 3)`, best first, in the frame's pixels; `frame` of each is 0."""
        height, width = frame.shape[:2]
        factor = min(1.0, self.long_side_px / max(height, width))
        gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        if factor < 1:
            gray = cv2.resize(gray, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        gray = cv2.createCLAHE(2.0, (4, 4)).apply(gray)
        found = self._windows(gray)
        candidates = [box for box, _ in found]
        scores = [score for _, score in found]
        kept = boxes.nms(candidates, scores, max_iou=0.3)
        return [
            Detection(
                frame=0,
                box=boxes.clip(boxes.scale(candidates[i], 1 / factor, 1 / factor), (0.0, 0.0, width, height)),
                score=scores[i],
                kind="face",
            )
            for i in kept
        ]

    def _windows(self, gray: np.ndarray) -> list[tuple[Box, float]]:
        smallest = max(20, round(self.min_side * min(gray.shape)))
        frontal = _found(FRONTAL, gray, smallest)
        # Profiles are few and large in footage worth keeping, and the cascade is slow: half the pixels do.
        small = cv2.resize(gray, None, fx=PROFILE_SCALE, fy=PROFILE_SCALE, interpolation=cv2.INTER_AREA)
        flipped = cv2.flip(small, 1)
        smallest = max(20, round(smallest * PROFILE_SCALE))
        right = [
            ((small.shape[1] - x1, y0, small.shape[1] - x0, y1), s)
            for (x0, y0, x1, y1), s in _found(PROFILE, flipped, smallest)
        ]
        profile = [
            (boxes.scale(box, 1 / PROFILE_SCALE, 1 / PROFILE_SCALE), s)
            for box, s in _found(PROFILE, small, smallest) + right
        ]
        # A profile cascade alone errs often on texture, so that it never outranks a frontal find of equal support.
        scored = [(box, 0.7 * level + 0.3 * _has_eyes(gray, box)) for box, level in frontal]
        return scored + [(box, 0.6 * level) for box, level in profile]


def _found(cascade: str, gray: np.ndarray, smallest: int) -> list[tuple[Box, float]]:
    """Boxes with a score in [0, 1] that grows with the cascade's margin at its last stage."""
    rects, _, levels = _cascade(cascade).detectMultiScale3(
        gray, scaleFactor=1.2, minNeighbors=3, minSize=(smallest, smallest), outputRejectLevels=True
    )
    return [
        ((float(x), float(y), float(x + w), float(y + h)), float(1 / (1 + np.exp(-level / 2))))
        for (x, y, w, h), level in zip(_rows(rects), np.asarray(levels).ravel().tolist(), strict=True)
    ]


def _rows(rects: Sequence | np.ndarray) -> list[list[int]]:
    return np.asarray(rects, int).reshape(-1, 4).tolist()


def _has_eyes(gray: np.ndarray, face: Box) -> bool:
    x0, y0, x1, y1 = (int(edge) for edge in face)
    upper = gray[y0 : y0 + (y1 - y0) * 3 // 5, x0:x1]
    if min(upper.shape) < 24:
        return False
    return len(_cascade(EYES).detectMultiScale(upper, scaleFactor=1.15, minNeighbors=3)) > 0


_LOADED: dict[str, cv2.CascadeClassifier] = {}


def _cascade(name: str) -> cv2.CascadeClassifier:
    if name not in _LOADED:
        _LOADED[name] = cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / name))
    return _LOADED[name]
