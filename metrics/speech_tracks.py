"""Faces followed through a video at 25 frames a second as it is decoded."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.measures.lips import RATE, REACH, frames_at_rate, smoothed


@dataclass(frozen=True, slots=True)
class AtRate:
    """The frames nearest to even times, `rate` a second; frames of slower videos repeat."""

    rate: float = RATE

    def indices(self, num_frames: int, fps: float) -> list[int]:
        return frames_at_rate(num_frames, fps, rate=self.rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """When boxes of consecutive frames are one face, and which faces are worth judging."""

    min_iou: float = 0.5  # syncnet_python, run_pipeline.py: iouThres
    max_gap: int = 25  # the same: --num_failed_det
    min_frames: int = 100  # the same: --min_track; more than this many detections
    min_size_px: float = 100.0  # the same: --min_face_size; mean width or height above it

    def is_worth(self, track: "Track") -> bool:
        """Whether a face was seen long and large enough."""
        boxes = np.stack(track.boxes)
        size = (boxes[:, 2:] - boxes[:, :2]).mean(axis=0).max()
        return track.num_seen > self.min_frames and bool(size > self.min_size_px)


@dataclass(slots=True, eq=False)
class Track:
    """One face: the place of its first frame, and its boxes float64 `(4,)` from there on, gaps filled evenly."""

    start: int
    boxes: list[np.ndarray]
    num_seen: int = 1
    is_over: bool = False

    @property
    def last(self) -> int:
        """The place at which it was seen last."""
        return self.start + len(self.boxes) - 1

    def goes_on(self, place: int, box: np.ndarray) -> None:
        between = np.arange(self.last + 1, place)
        sides = [np.interp(between, (self.last, place), pair) for pair in zip(self.boxes[-1], box, strict=True)]
        self.boxes += [*np.stack(sides, axis=1), box]
        self.num_seen += 1


class Follower:
    """Faces of frames that are shown one after the other, at places that rise by one."""

    def __init__(self, following: Following) -> None:
        self._following = following
        self.tracks: list[Track] = []
        """Those that go on, and those that are over and worth judging, in the order in which they began."""

    def see(self, place: int, boxes: Sequence[np.ndarray]) -> None:
        """Each face, the one that began first before others, takes the first box that is near where it was last."""
        left = [np.asarray(box, np.float64) for box in boxes]
        for track in self.tracks:
            track.is_over = track.is_over or place - track.last > self._following.max_gap
            if track.is_over:
                continue
            near = next((k for k, box in enumerate(left) if _iou(box, track.boxes[-1]) > self._following.min_iou), None)
            if near is not None:
                track.goes_on(place, left.pop(near))
        self._drop_unworthy()
        self.tracks += [Track(place, [box]) for box in left]

    def end(self) -> None:
        """No frame follows."""
        for track in self.tracks:
            track.is_over = True
        self._drop_unworthy()

    def _drop_unworthy(self) -> None:
        self.tracks = [track for track in self.tracks if not track.is_over or self._following.is_worth(track)]


def centre_at(track: Track, number: int) -> np.ndarray:
    """`smoothed` of the whole track at its n-th box, from as many neighbours as that needs."""
    first = max(0, number - REACH)
    return smoothed(np.stack(track.boxes[first : number + REACH + 1]))[number - first]


def _iou(one: np.ndarray, other: np.ndarray) -> float:
    shared = np.clip(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0, None).prod()
    areas = [(box[2:] - box[:2]).prod() for box in (one, other)]
    return float(shared / (sum(areas) - shared))
