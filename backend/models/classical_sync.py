"""Whether lips follow the sound, without weights: how loud it is against how open the mouth is."""

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from backend.domain import Absent
from backend.measures.lips import MAX_SHIFT, SAMPLES_PER_FRAME, WINDOW

MOUTH = (0.34, 0.46, 0.66, 0.70)
"""Where the mouth lies in SyncNet's crop of an upright face: x0, y0, x1, y1 as shares."""
SMOOTH_FRAMES = 0.8
DRIFT_FRAMES = 12.0


@dataclass(frozen=True)
class ClassicalSync:
    """Squared differences of two standardised curves: the mouth's darkness and motion, and the sound's loudness.

    Averaged over a clip they are 2 - 2r of their correlation r (less where few frames overlap), so that the confidence of the best shift is twice the
    lead of its correlation over the middling one's. A weak witness: it hears loudness, not words.
    """

    model_id: ClassVar[str] = "embedded-sync-1 (weak)"
    least_confidence: ClassVar[float] = 1.0
    """Talkers of the sample worlds reach .8 to 1.5 on their own sound, and .7 on another's."""

    def distances(self, crops: np.ndarray, samples: np.ndarray) -> np.ndarray | Absent:
        num = min(len(crops), len(samples) // SAMPLES_PER_FRAME)
        if num < WINDOW + 1:
            return Absent(f"not applicable: {num} frames with sound are too few; {WINDOW + 1} are needed")
        mouth, sound = _standard(mouth_openness(crops[:num])), _loudness(samples, num)
        if mouth is None:
            return Absent("not applicable: the mouth does not move")
        if sound.std() < 1e-6:
            return Absent("not applicable: the sound does not change")
        rows = num - WINDOW
        found = np.empty((rows, 2 * MAX_SHIFT + 1), np.float32)
        for k in range(2 * MAX_SHIFT + 1):
            shift = k - MAX_SHIFT
            found[:, k] = _mean_difference(mouth, sound, shift, rows)
        return found


def mouth_openness(crops: np.ndarray) -> np.ndarray:
    """How open the mouth is on each crop uint8 `(T, 224, 224, 3)`, float64 `(T,)`, on a scale of the face's own.

    Dark and red within the lips' place, less what the face around it does: light falls on both.
    """
    x0, y0, x1, y1 = (round(share * crops.shape[1]) for share in MOUTH)
    values = []
    for crop in crops[:, y0:y1, x0:x1]:
        grey = cv2.GaussianBlur(cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2GRAY), (0, 0), 1.5).astype(
            np.float64
        )
        level = np.median(grey)
        values.append(np.clip(1 - grey / max(level, 1.0) - 0.2, 0, None).mean())
    return np.array(values)


def _loudness(samples: np.ndarray, num: int) -> np.ndarray:
    """Root mean square of each frame's sound, compressed by a square root as hearing is, float64 `(num,)`."""
    frames = samples[: num * SAMPLES_PER_FRAME].astype(np.float64).reshape(num, SAMPLES_PER_FRAME)
    return cv2.GaussianBlur(np.sqrt(np.sqrt((frames**2).mean(axis=1)))[None], (0, 0), SMOOTH_FRAMES)[0]


def _standard(curve: np.ndarray) -> np.ndarray | None:
    """The curve without its slow drift, at mean 0 and deviation 1; None for one that stands still."""
    smooth = cv2.GaussianBlur(curve[None], (0, 0), SMOOTH_FRAMES)[0]
    drift = cv2.GaussianBlur(curve[None], (0, 0), DRIFT_FRAMES, borderType=cv2.BORDER_REFLECT)[0]
    left = smooth - drift
    return None if left.std() < 1e-4 else (left - left.mean()) / left.std()


def _mean_difference(mouth: np.ndarray, sound: np.ndarray, shift: int, rows: int) -> np.ndarray:
    """Squared differences `(rows,)` where both are known, each part standardised by itself; their mean elsewhere."""
    start, stop = max(0, -shift), min(len(mouth), len(sound) - shift)
    if stop - start < WINDOW:
        return np.full(rows, 2.0)
    a, b = mouth[start:stop], sound[start + shift : stop + shift]
    a, b = (a - a.mean()) / max(a.std(), 1e-6), (b - b.mean()) / max(b.std(), 1e-6)
    differences = np.full(len(mouth), np.nan)
    differences[start:stop] = (a - b) ** 2
    # Rows without both get the mean, so that averaging over rows is averaging over what is known.
    # Few frames agree by chance more easily than many.
    mean = float(2 - 2 * (a * b).mean() * np.sqrt((stop - start) / len(mouth)))
    part = differences[:rows]
    known = np.isfinite(part)
    part = np.where(known, part, mean)
    return (part + (mean - part.mean())).astype(np.float32)
