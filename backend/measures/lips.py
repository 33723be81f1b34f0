"""Faces and sound as SyncNet takes them, and what its distances say: for curation and for Sync-C and Sync-D alike."""

from dataclasses import dataclass

import cv2
import numpy as np

RATE = 25.0  # frames a second that SyncNet was trained on
SOUND_HZ = 16_000
SAMPLES_PER_FRAME = round(SOUND_HZ / RATE)
WINDOW = 5  # frames that are judged together, with 20 cepstra of sound
MAX_SHIFT = 15  # syncnet_python: --vshift
CROP_PX = 224
MARGIN = 0.4  # syncnet_python, run_pipeline.py: --crop_scale
SMOOTHING = 13  # the same file: frames of the median filter
REACH = SMOOTHING // 2
FILL = 110  # the same file: grey beyond the frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One face. `offset` is how many frames the sound runs ahead of the lips, negative where it is late; `curve` the mean
    distance `(31,)` by shift, `of_windows` the confidence `(n,)` of each window at the best shift."""

    confidence: float
    distance: float
    offset: int
    curve: np.ndarray
    of_windows: np.ndarray


def judged(distance: np.ndarray) -> Judged:
    """Sync-D, Sync-C and offset of distances `(n, 31)`, as syncnet_python's evaluate."""
    curve = distance.astype(np.float64).mean(axis=0)
    best, middling = int(curve.argmin()), float(np.median(curve))
    return Judged(
        confidence=middling - float(curve[best]),
        distance=float(curve[best]),
        offset=MAX_SHIFT - best,
        curve=curve,
        of_windows=middling - distance[:, best].astype(np.float64),
    )


def frames_at_rate(num_frames: int, fps: float, *, rate: float = RATE) -> list[int]:
    """The frames nearest to even times, `rate` a second; frames of slower videos repeat."""
    num = max(1, round(num_frames / fps * rate))
    return [min(num_frames - 1, int(i * fps / rate + 0.5)) for i in range(num)]


def smoothed(track: np.ndarray, *, repeat_ends: bool = False) -> np.ndarray:
    """Centre and half size `(n, 3)` of a track's boxes float `(n, 4)`, under a median of 13 frames.

    Beyond its ends stand zeros, as upstream has them: the crops shrink there. A short track cannot spare that; with
    `repeat_ends` its first and last box go on.
    """
    x, y = (track[:, 0] + track[:, 2]) / 2, (track[:, 1] + track[:, 3]) / 2
    half = np.maximum(track[:, 2] - track[:, 0], track[:, 3] - track[:, 1]) / 2
    padded = np.pad(np.stack((x, y, half)), ((0, 0), (REACH, REACH)), mode="edge" if repeat_ends else "constant")
    return np.sort(np.lib.stride_tricks.sliding_window_view(padded, SMOOTHING, axis=1), axis=-1)[..., REACH].T


def crop(frame: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """The face with its mouth in the middle, uint8 `(224, 224, 3)`: upstream's square, lower than the face's own."""
    x, y, half = centre
    pad = int(half * (1 + 2 * MARGIN))
    padded = np.pad(frame, ((pad, pad), (pad, pad), (0, 0)), constant_values=FILL)
    x, y = x + pad, y + pad
    top, bottom = int(y - half), int(y + half * (1 + 2 * MARGIN))
    left, right = int(x - half * (1 + MARGIN)), int(x + half * (1 + MARGIN))
    return cv2.resize(padded[max(0, top) : bottom, max(0, left) : right], (CROP_PX, CROP_PX))
