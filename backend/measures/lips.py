"""Faces as SyncNet looks at them, and what its distances say of the sound."""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.signal import medfilt

RATE = 25.0  # frames a second that SyncNet was trained on
SOUND_HZ = 16_000
MAX_SHIFT = 15  # syncnet_python: --vshift
CROP_PX = 224
MARGIN = 0.4  # syncnet_python, run_pipeline.py: --crop_scale
SMOOTHING = 13  # the same file: frames of the median filter
FILL = 110  # the same file: grey beyond the frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One face. `offset` is how many frames the sound runs ahead of the lips, negative where it is late; `curve` the mean
    distance `(31,)` by shift."""

    confidence: float
    distance: float
    offset: int
    curve: np.ndarray


def judged(distance: np.ndarray) -> Judged:
    """Sync-D, Sync-C and offset of distances `(n, 31)`, as syncnet_python's evaluate."""
    curve = distance.astype(np.float64).mean(axis=0)
    best = int(curve.argmin())
    return Judged(
        confidence=float(np.median(curve) - curve[best]), distance=float(curve[best]), offset=MAX_SHIFT - best, curve=curve
    )


def smoothed(track: np.ndarray) -> np.ndarray:
    """Centre and half size `(n, 3)` of a track's boxes float `(n, 4)`, under a median of 13 frames."""
    x, y = (track[:, 0] + track[:, 2]) / 2, (track[:, 1] + track[:, 3]) / 2
    half = np.maximum(track[:, 2] - track[:, 0], track[:, 3] - track[:, 1]) / 2
    # Ends are repeated where upstream's filter sees zeros: its crops shrink there, which short tracks cannot spare.
    return np.stack([medfilt(np.pad(each, SMOOTHING // 2, "edge"), SMOOTHING)[SMOOTHING // 2 : -(SMOOTHING // 2)]
                     for each in (x, y, half)], axis=1)  # fmt: skip


def crop(frame: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """The face with its mouth in the middle, uint8 `(224, 224, 3)`: upstream's square, lower than the face's own."""
    x, y, half = centre
    pad = int(half * (1 + 2 * MARGIN))
    padded = np.pad(frame, ((pad, pad), (pad, pad), (0, 0)), constant_values=FILL)
    x, y = x + pad, y + pad
    top, bottom = int(y - half), int(y + half * (1 + 2 * MARGIN))
    left, right = int(x - half * (1 + MARGIN)), int(x + half * (1 + MARGIN))
    return cv2.resize(padded[max(0, top) : bottom, max(0, left) : right], (CROP_PX, CROP_PX))
