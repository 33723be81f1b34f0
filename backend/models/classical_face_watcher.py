"""Faces of a video's frames without weights: OpenCV's cascades, a descriptor of gradients and colours, and symmetry."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from backend.domain import Box, SeenFace
from backend.geometry import boxes
from backend.measures import descriptors
from backend.measures.head_pose import mirror_symmetry
from backend.models.classical_embedder_face import face_vector
from backend.models.classical_faces import ClassicalFaceAnalyzer


@dataclass(frozen=True)
class ClassicalFaceWatcher:
    """The faces of `ClassicalFaceAnalyzer`, each with a descriptor that holds from frame to frame, not between clips."""

    model_id: ClassVar[str] = "embedded-face-watcher-1"
    least_score: ClassVar[float] = 0.5  # as for people: backend.models.classical_detector.PERSON_FACE
    least_cosine: ClassVar[float] = 0.75  # one drawn face a sixth of a second apart: .80 at the tenth percentile

    finder: ClassicalFaceAnalyzer = field(default_factory=lambda: ClassicalFaceAnalyzer(long_side_px=640))
    """Searched larger than single frames are: a talker shown down to the knees has a face of 50 px at 720p."""

    def watch(self, frame: np.ndarray) -> list[SeenFace]:
        """Faces of an RGB uint8 frame `(H, W, 3)`, best first."""
        found = self.finder.faces(frame)
        gains = descriptors.lighting_gains(frame) if found else np.ones(3, np.float32)
        return [_seen(frame, face.box, face.score, gains) for face in found]


def _seen(frame: np.ndarray, box: Box, score: float, gains: np.ndarray) -> SeenFace:
    x0, y0, x1, y1 = boxes.to_pixels(box, frame.shape[1], frame.shape[0])
    return SeenFace(
        box=box,
        score=score,
        descriptor=face_vector(frame, (x0, y0, x1 - x0, y1 - y0), gains=gains),
        symmetry=mirror_symmetry(frame[y0:y1, x0:x1]),
    )
