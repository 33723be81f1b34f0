"""Roles that metrics ask about people and sets of videos: who is seen, whether lips follow the sound, what a set looks like.

Frames are RGB uint8, embeddings float32 unit vectors, as everywhere.
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from backend.domain.records import Box
from backend.domain.results import Absent


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """One face on one frame, with who it is."""

    box: Box
    """May reach beyond the frame, where part of the face does."""
    score: float
    keypoints: np.ndarray = field(compare=False, repr=False)
    """float32 `(5, 2)`: eyes, nose, corners of the mouth, in pixels of the frame."""
    embedding: np.ndarray = field(compare=False, repr=False)
    """float32 `(D,)`, unit."""

    @property
    def area(self) -> float:
        x0, y0, x1, y1 = self.box
        return (x1 - x0) * (y1 - y0)


class FaceRecognizer(Protocol):
    """Faces on one frame uint8 `(H, W, 3)` with their identities, the largest first."""

    model_id: str

    def recognize(self, frame: np.ndarray) -> list[Face]: ...


class AlignedFaceEmbedder(Protocol):
    """Identities of faces that somebody else has found."""

    model_id: str

    def align(self, frame: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        """The face of five points float32 `(5, 2)`, uint8 `(S, S, 3)`, upright and of the model's size."""
        ...

    def embed(self, faces: np.ndarray) -> np.ndarray:
        """Unit vectors float32 `(N, D)` of aligned faces uint8 `(N, S, S, 3)`."""
        ...


class SyncScorer(Protocol):
    """How far lips and sound lie apart when the sound is moved by -15 to 15 frames."""

    model_id: str
    least_confidence: float
    """The median distance less the least one, below which no shift stands out."""

    def distances(self, crops: np.ndarray, samples: np.ndarray) -> np.ndarray | Absent:
        """Distances float32 `(n, 31)` of crops uint8 `(T, 224, 224, 3)` at 25 fps to sound int16 `(m,)` at 16 kHz.

        Row i is the i-th window of five frames, column k the sound `k - 15` frames later.
        """
        ...


class FeatureExtractor(Protocol):
    """Features float32 `(N, D)` of frames uint8 `(N, H, W, 3)`, for distances between sets of pictures."""

    model_id: str

    def features(self, frames: np.ndarray) -> np.ndarray: ...


class ClipFeatureExtractor(Protocol):
    """Features float32 `(N, D)` of clips uint8 `(N, T, H, W, 3)`, for distances between sets of videos."""

    model_id: str
    clip_frames: int
    """How many frames it looks at."""

    def features(self, clips: np.ndarray) -> np.ndarray: ...
