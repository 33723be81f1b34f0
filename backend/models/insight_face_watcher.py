"""Faces of a video's frames by insightface, as OpenS2V-Nexus's data pipeline takes them."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from backend.domain import Face, SeenFace
from backend.measures.head_pose import head_angles
from backend.models.insight_faces import InsightFaces


class InsightFaceWatcher(InsightFaces):
    """Faces with their ArcFace embedding, key points and the head's angles."""

    model_id: str = "insightface-watcher-1"
    suggested: ClassVar[str] = "insightface's antelopev2 or buffalo_l"
    published_gb: ClassVar[float] = 0.43  # antelopev2, unpacked
    detection_size: ClassVar[tuple[int, int]] = (640, 640)  # OpenS2V-Nexus, data_process/step1_get_bbox.py
    least_score: ClassVar[float] = 0.65  # the same file
    least_cosine: ClassVar[float] = 0.35  # research default; upstream's .1 links strangers: random faces reach .2

    def watch(self, frame: np.ndarray) -> list[SeenFace]:
        """Faces of an RGB uint8 frame `(H, W, 3)`, surest first."""
        faces: Sequence[Face] = sorted(self._found(frame), key=lambda face: -face.score)
        return [_seen(face, frame) for face in faces]


def _seen(face: Face, frame: np.ndarray) -> SeenFace:
    angles = head_angles(face.keypoints, width=frame.shape[1], height=frame.shape[0])
    return SeenFace(
        box=face.box,
        score=face.score,
        descriptor=face.embedding,
        keypoints=face.keypoints,
        yaw_deg=None if angles is None else angles[0],
        pitch_deg=None if angles is None else angles[1],
    )
