"""Whether lips follow the sound, without weights: how loud it is against what darkens in the lower face."""

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from backend.domain import Absent
from backend.measures.lips import MAX_SHIFT, SAMPLES_PER_FRAME, WINDOW

SIDE_PX = 112
"""Crops are looked at in this size."""
EYES = (20, 5, 92, 52)
"""Where brows, eyes and nose lie in SyncNet's crop of an upright face, in pixels of that size: x0, y0, x1, y1."""
REACH_PX = 10
SAME_EYES = 0.5
"""Correlation from which a place is taken for the same eyes."""
LOWER = (16, 46, 96, 106)
"""Where the mouth may lie once the eyes stand still."""
CELL_PX = 5
MOUTH_CELLS = 6
SMOOTH_FRAMES = 0.8
DRIFT_FRAMES = 12.0


@dataclass(frozen=True)
class ClassicalSync:
    """Squared differences of two standardised curves: the sound's loudness, and the darkness of the cells that follow it.

    The face is held still by its eyes, and what lies below them is cut into cells. An open mouth is dark: at each shift
    the six cells count that darken with the sound most. Averaged over a clip the differences are 2 - 2r of their mean
    correlation r (less where few frames overlap), so that the confidence of the best shift is twice the lead of its
    correlation over the middling one's. A weak witness: it hears loudness, not words.
    """

    model_id: ClassVar[str] = "embedded-sync-2 (weak)"
    least_confidence: ClassVar[float] = 0.3
    """Seven talkers of worlds 2000 to 2004, heads given, sound moved five ways: of 29 offsets that are right 24 reach it, of
    21 with another's speech 4."""

    def distances(self, crops: np.ndarray, samples: np.ndarray) -> np.ndarray | Absent:
        num = min(len(crops), len(samples) // SAMPLES_PER_FRAME)
        if num < WINDOW + 1:
            return Absent(f"not applicable: {num} frames with sound are too few; {WINDOW + 1} are needed")
        sound = _loudness(samples, num)
        if sound.std() < 1e-6:
            return Absent("not applicable: the sound does not change")
        darkness = _without_drift(lower_face(crops[:num]))
        if darkness.std(axis=0).max() < 1e-3:
            return Absent("not applicable: the mouth does not move")
        sound = _without_drift(sound[:, None])[:, 0]
        rows = num - WINDOW
        found = np.empty((rows, 2 * MAX_SHIFT + 1), np.float32)
        for k in range(2 * MAX_SHIFT + 1):
            shift = k - MAX_SHIFT
            found[:, k] = _differences(darkness, sound, shift, rows)
        return found


def lower_face(crops: np.ndarray) -> np.ndarray:
    """Darkness of each cell below the eyes, float32 `(T, cells)`, of crops uint8 `(T, 224, 224, 3)`: less the logarithm of
    its luma over the frame's median, so that light falls on all alike."""
    x0, y0, x1, y1 = LOWER
    columns, rows = (x1 - x0) // CELL_PX, (y1 - y0) // CELL_PX
    told = []
    for picture in _steadied(crops):
        cells = cv2.resize(picture[y0:y1, x0:x1], (columns, rows), interpolation=cv2.INTER_AREA)
        told.append(-np.log(cells.ravel() / max(float(np.median(picture)), 1.0) + 0.05))
    return np.stack(told)


def _steadied(crops: np.ndarray) -> list[np.ndarray]:
    """Luma float32 `(112, 112)` of each crop, moved so that the eyes stay where they are in the middle one."""
    pictures = [
        cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA).astype(
            np.float32
        )
        for crop in crops
    ]
    x0, y0, x1, y1 = EYES
    middle = len(pictures) // 2
    steady: dict[int, np.ndarray] = {}
    for order in (range(middle, len(pictures)), range(middle, -1, -1)):
        eyes, moved = pictures[middle][y0:y1, x0:x1], np.zeros(2)
        for k in order:
            wide = np.pad(pictures[k], 2 * REACH_PX, mode="edge")
            left, top = (int(each) for each in moved + (x0, y0) + REACH_PX)
            near = wide[top : top + (y1 - y0) + 2 * REACH_PX, left : left + (x1 - x0) + 2 * REACH_PX]
            _, likeness, _, place = cv2.minMaxLoc(cv2.matchTemplate(near, eyes, cv2.TM_CCOEFF_NORMED))
            if likeness >= SAME_EYES:
                moved = np.clip(moved + place - REACH_PX, -REACH_PX, REACH_PX)
            shift = np.array([[1, 0, -moved[0]], [0, 1, -moved[1]]], np.float32)
            steady[k] = cv2.warpAffine(pictures[k], shift, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REPLICATE)
            eyes = 0.9 * eyes + 0.1 * steady[k][y0:y1, x0:x1]  # a head that turns slowly is followed
    return [steady[k] for k in range(len(pictures))]


def _loudness(samples: np.ndarray, num: int) -> np.ndarray:
    """Root mean square of the sound around each frame's time, compressed by a square root as hearing is, float64 `(num,)`."""
    centred = np.concatenate((np.zeros(SAMPLES_PER_FRAME // 2), samples))[: num * SAMPLES_PER_FRAME]
    frames = centred.reshape(num, SAMPLES_PER_FRAME)
    return np.sqrt(np.sqrt((frames**2).mean(axis=1)))


def _without_drift(curves: np.ndarray) -> np.ndarray:
    """Curves `(T, N)` a little smoothed in time, less what changes over a second."""
    given = curves.astype(np.float32)
    smooth = cv2.GaussianBlur(given, (1, 7), sigmaX=1, sigmaY=SMOOTH_FRAMES, borderType=cv2.BORDER_REFLECT)
    drift = cv2.GaussianBlur(given, (1, 73), sigmaX=1, sigmaY=DRIFT_FRAMES, borderType=cv2.BORDER_REFLECT)
    return (smooth - drift).reshape(curves.shape).astype(np.float64)


def _differences(darkness: np.ndarray, sound: np.ndarray, shift: int, rows: int) -> np.ndarray:
    """Squared differences `(rows,)` where both are known, each part standardised by itself; their mean elsewhere."""
    start, stop = max(0, -shift), min(len(darkness), len(sound) - shift)
    if stop - start < WINDOW:
        return np.full(rows, 2.0)
    heard = _standard(sound[start + shift : stop + shift, None])
    cells = _standard(darkness[start:stop])
    follows = (cells * heard).mean(axis=0)
    best = np.argsort(-follows, kind="stable")[:MOUTH_CELLS]
    mouth = _standard(cells[:, best].mean(axis=1, keepdims=True))
    differences = np.full(len(darkness), np.nan)
    differences[start:stop] = ((mouth - heard) ** 2)[:, 0]
    # Rows without both get the mean, so that averaging over rows is averaging over what is known.
    # Few frames agree by chance more easily than many.
    mean = float(2 - 2 * follows[best].mean() * np.sqrt((stop - start) / len(darkness)))
    part = differences[:rows]
    known = np.isfinite(part)
    part = np.where(known, part, mean)
    return (part + (mean - part.mean())).astype(np.float32)


def _standard(curves: np.ndarray) -> np.ndarray:
    """Curves `(T, N)` at mean 0 and deviation 1; what hardly moves stays small."""
    return (curves - curves.mean(axis=0)) / (curves.std(axis=0) + 2e-3)
