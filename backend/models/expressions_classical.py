"""What faces express, without weights: mouths that smile, that stand open, or neither."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

FACE_PX = 160
SMILE = "haarcascade_smile.xml"
MOUTH = (0.24, 0.64, 0.76, 0.98)
"""Where the mouth lies in a face's box: x0, y0, x1, y1 as shares."""
DARK = 0.6  # of the mouth's median luma: the inside of a mouth lies below, lips above


@dataclass(frozen=True)
class ClassicalExpressions:
    """Three labels and no more: an open mouth may as well speak as be surprised, so that it is not called an expression."""

    model_id: ClassVar[str] = "embedded-mouths-1"
    labels: ClassVar[tuple[str, ...]] = ("neutral", "smile", "open")

    open_from: float = 0.105
    """The height of the mouth's inside, in faces, from which it is as likely open as neutral."""
    open_slope: float = 60.0
    smile_from: float = 0.89
    """The smile cascade's support, in [0, 1], from which a smile is as likely as none."""
    smile_slope: float = 40.0  # photographed smiles reach .91 to .93, other faces .65 to .87

    def classify(self, faces: Sequence[np.ndarray]) -> np.ndarray:
        """Probabilities float32 `(N, 3)` of face crops uint8 `(H, W, 3)`: a softmax over two measures."""
        rows = []
        for face in faces:
            opened, smile = mouth_measures(face)
            logits = np.array(
                [0.0, self.smile_slope * (smile - self.smile_from), self.open_slope * (opened - self.open_from)]
            )
            powers = np.exp(logits - logits.max())
            rows.append(powers / powers.sum())
        return np.array(rows, np.float32).reshape(len(faces), len(self.labels))


def mouth_measures(face: np.ndarray) -> tuple[float, float]:
    """How high the inside of the mouth stands, in faces, and how surely the cascade sees a smile, in [0, 1]."""
    grey = cv2.cvtColor(cv2.resize(face, (FACE_PX, FACE_PX), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    x0, y0, x1, y1 = (round(share * FACE_PX) for share in MOUTH)
    mouth = grey[y0:y1, x0:x1].astype(np.float32)
    dark = (mouth < DARK * np.median(mouth)).astype(np.uint8)
    dark = cv2.morphologyEx(dark, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    number, _, stats, _ = cv2.connectedComponentsWithStats(dark)
    opened = max((float(stats[n, cv2.CC_STAT_AREA] / stats[n, cv2.CC_STAT_WIDTH]) for n in range(1, number)), default=0.0)
    lower = cv2.createCLAHE(2.0, (4, 4)).apply(grey)[FACE_PX // 2 :]
    found, _, levels = _smiles().detectMultiScale3(
        lower, scaleFactor=1.1, minNeighbors=8, minSize=(44, 22), outputRejectLevels=True
    )
    smile = float(1 / (1 + np.exp(-np.max(levels) / 2))) if len(found) else 0.0
    return opened / FACE_PX, smile


_LOADED: dict[str, cv2.CascadeClassifier] = {}


def _smiles() -> cv2.CascadeClassifier:
    if SMILE not in _LOADED:
        _LOADED[SMILE] = cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / SMILE))
    return _LOADED[SMILE]
