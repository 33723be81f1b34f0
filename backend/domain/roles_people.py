"""Roles that watch people in clips: faces to follow, the side that is seen, what a face expresses.

Frames are RGB uint8, boxes pixels of the frame, as everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from backend.domain.records import Box
from backend.domain.results import Absent
from backend.domain.roles import Footage


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFace:
    """A face on one frame, with what following it and judging its pose needs."""

    box: Box
    score: float
    """In [0, 1], on the implementation's own scale."""
    descriptor: np.ndarray = field(compare=False, repr=False)
    """float32 `(D,)`, unit: near the same face's on another frame."""
    keypoints: np.ndarray | None = field(default=None, compare=False, repr=False)
    """float32 `(5, 2)`: eyes, nose, corners of the mouth, in pixels of the frame."""
    yaw_deg: float | None = None
    """Positive when the face is turned to the image's right."""
    pitch_deg: float | None = None
    """Positive when it looks up."""
    symmetry: float | None = None
    """In [-1, 1]: how like its mirror image it is, where no angles can be had."""


class FaceWatcher(Protocol):
    """Faces of one frame uint8 `(H, W, 3)` as a video is followed frame by frame, best first."""

    model_id: str
    least_score: float
    """Faces below it do not start or hold a track."""
    least_cosine: float
    """Descriptors of two frames less alike are two people."""

    def watch(self, frame: np.ndarray) -> list[SeenFace]: ...


@dataclass(frozen=True, slots=True)
class Facing:
    """From where a body is seen: `backend.geometry.viewpoint`'s azimuth, and a confidence in [0, 1]."""

    azimuth_deg: float
    confidence: float


class PoseEstimator(Protocol):
    """From where one person is seen, on chosen frames of a clip with the person's box on each."""

    model_id: str

    def facing(self, footage: Footage, frames: Sequence[int], boxes: Sequence[Box]) -> list[Facing | Absent]:
        """One answer a frame. Raises MediaError."""
        ...


class ExpressionClassifier(Protocol):
    """What faces express."""

    model_id: str
    labels: tuple[str, ...]

    def classify(self, faces: Sequence[np.ndarray]) -> np.ndarray:
        """Probabilities float32 `(N, len(labels))`, rows summing to 1, of face crops uint8 `(H, W, 3)` of any size."""
        ...
