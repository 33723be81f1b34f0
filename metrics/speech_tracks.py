"""Faces followed through a video at 25 frames a second, and the crops that SyncNet looks at."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.signal import medfilt

RATE = 25.0  # what SyncNet was trained on
CROP_PX = 224
MARGIN = 0.4  # syncnet_python, run_pipeline.py: --crop_scale
SMOOTHING = 13  # the same file: frames of the median filter
FILL = 110  # the same file: grey beyond the frame


@dataclass(frozen=True, slots=True)
class AtRate:
    """The frames nearest to even times, `rate` a second; frames of slower videos repeat."""

    rate: float = RATE

    def indices(self, num_frames: int, fps: float) -> list[int]:
        num = max(1, round(num_frames / fps * self.rate))
        return [min(num_frames - 1, int(i * fps / self.rate + 0.5)) for i in range(num)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """When boxes of consecutive frames are one face, and which faces are worth judging."""

    min_iou: float = 0.5  # syncnet_python, run_pipeline.py: iouThres
    max_gap: int = 25  # the same: --num_failed_det
    min_frames: int = 100  # the same: --min_track; more than this many detections
    min_size_px: float = 100.0  # the same: --min_face_size; mean width or height above it

    def tracks(self, boxes: Sequence[np.ndarray]) -> list[tuple[int, np.ndarray]]:
        """First frame and boxes float64 `(n, 4)` of each face, gaps filled evenly, from boxes `(K, 4)` a frame."""
        left = [[np.asarray(box, np.float64) for box in each] for each in boxes]
        found = []
        while (start := next((t for t, each in enumerate(left) if each), None)) is not None:
            times, chain = [start], [left[start].pop(0)]
            for t in range(start + 1, len(left)):
                if t - times[-1] > self.max_gap:
                    break
                near = next((k for k, box in enumerate(left[t]) if _iou(box, chain[-1]) > self.min_iou), None)
                if near is not None:
                    times.append(t)
                    chain.append(left[t].pop(near))
            filled = np.arange(times[0], times[-1] + 1)
            track = np.stack([np.interp(filled, times, side) for side in np.array(chain).T], axis=1)
            size = (track[:, 2:] - track[:, :2]).mean(axis=0).max()
            if len(times) > self.min_frames and size > self.min_size_px:
                found.append((start, track))
        return found


def smoothed(track: np.ndarray) -> np.ndarray:
    """Centre and half size `(n, 3)` of a track's boxes, under a median of 13 frames with zeros beyond its ends."""
    x, y = (track[:, 0] + track[:, 2]) / 2, (track[:, 1] + track[:, 3]) / 2
    half = np.maximum(track[:, 2] - track[:, 0], track[:, 3] - track[:, 1]) / 2
    return np.stack([medfilt(each, SMOOTHING) for each in (x, y, half)], axis=1)


def crop(frame: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """The face with its mouth in the middle, uint8 `(224, 224, 3)`: upstream's square, lower than the face's own."""
    x, y, half = centre
    pad = int(half * (1 + 2 * MARGIN))
    padded = np.pad(frame, ((pad, pad), (pad, pad), (0, 0)), constant_values=FILL)
    x, y = x + pad, y + pad
    top, bottom = int(y - half), int(y + half * (1 + 2 * MARGIN))
    left, right = int(x - half * (1 + MARGIN)), int(x + half * (1 + MARGIN))
    return cv2.resize(padded[max(0, top) : bottom, max(0, left) : right], (CROP_PX, CROP_PX))


def _iou(one: np.ndarray, other: np.ndarray) -> float:
    shared = np.clip(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0, None).prod()
    areas = [(box[2:] - box[:2]).prod() for box in (one, other)]
    return float(shared / (sum(areas) - shared))
