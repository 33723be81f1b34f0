"""Face vectors without learned weights: gradient directions of an upright face window and the colours around it."""

from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

from backend.domain import Absent, Box
from backend.measures import descriptors

FACE_PX = 64
MIN_SIDE_PX = 48
SEARCH_PX = 240
FRONTAL = "haarcascade_frontalface_alt2.xml"


class ClassicalFace:
    """Face vectors float32 of the largest frontal face within the box. Absent when the cascade finds none.

    It tells hair and skin colour and coarse features apart, not people in general: a weak witness beside the others.
    """

    model_id: ClassVar[str] = "classical-face-1"
    space: ClassVar[str] = "face"

    def __init__(self) -> None:
        self._cascade = cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / FRONTAL))

    def embed(self, frame: np.ndarray, mask: np.ndarray, box: Box) -> np.ndarray | Absent:
        x0, y0, x1, y1 = (max(0, round(edge)) for edge in box)
        region = frame[y0:y1, x0:x1]
        window = self._largest(region)
        if window is None:
            return Absent("no frontal face in the box")
        return face_vector(region, window, gains=descriptors.lighting_gains(frame))

    def _largest(self, region: np.ndarray) -> tuple[int, int, int, int] | None:
        if min(region.shape[:2]) < MIN_SIDE_PX:
            return None
        scale = min(1.0, SEARCH_PX / max(region.shape[:2]))
        grey = cv2.cvtColor(cv2.resize(region, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        side = max(20, round(MIN_SIDE_PX * scale))
        found = self._cascade.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=4, minSize=(side, side))
        if len(found) == 0:
            return None
        x, y, w, h = (round(float(edge) / scale) for edge in max(found, key=lambda rect: (rect[2] * rect[3], -rect[0])))
        return x, y, w, h


def face_vector(region: np.ndarray, window: tuple[int, int, int, int], *, gains: np.ndarray) -> np.ndarray:
    """Unit vector of the window `(x, y, w, h)` of an RGB picture: half of it gradients, half colours of skin and hair."""
    x, y, w, h = window
    face = cv2.resize(region[y : y + h, x : x + w], (FACE_PX, FACE_PX), interpolation=cv2.INTER_AREA)
    grey = cv2.createCLAHE(2.0, (4, 4)).apply(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY))
    tall = cv2.resize(grey, (FACE_PX, 2 * FACE_PX))
    gradients = descriptors.shape_grid(cv2.merge([tall] * 3), np.ones(tall.shape, bool))
    top, left = max(0, y - h // 2), max(0, x - w // 5)
    head = region[top : y + h, left : x + w + w // 5]
    head = cv2.resize(head, (FACE_PX, FACE_PX * 3 // 2), interpolation=cv2.INTER_AREA)
    colours = descriptors.colour_bands(head, np.ones(head.shape[:2], bool), gains)
    return descriptors.unit(np.concatenate([gradients, colours]))
