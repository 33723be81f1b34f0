"""Face vectors of subjects by ArcFace: the part of a person's vector that Phantom-Data takes from a face model."""

from typing import ClassVar

import numpy as np

from backend.domain import Absent, Box
from backend.models.insight_faces import InsightFaces

MIN_SCORE = 0.65  # OpenS2V-Nexus, data_process/step1_get_bbox.py: a person's face
MIN_SIDE_PX = 32  # chosen: of ArcFace's 112 px a smaller face gives less than a third, and may be anybody's


class ArcFaceOfSubject(InsightFaces):
    """ArcFace's unit vector float32 of the largest face whose middle lies on the subject's mask, inside its box.

    Absent where there is none: the face of somebody else in the box does not speak for the subject
    (Phantom-Data, section 4.2.2). Absent too where it is found at less than MIN_SCORE or has a side under MIN_SIDE_PX:
    it would decide who the subject is. One frame a call: the published detectors and recognizers run on onnxruntime, and
    the detectors' files take one picture.
    """

    model_id: str = "insightface-of-subject-2"
    space: ClassVar[str] = "face"
    suggested: ClassVar[str] = "insightface's antelopev2 or buffalo_l"
    detection_size: ClassVar[tuple[int, int]] = (640, 640)  # OpenS2V-Nexus, data_process/step1_get_bbox.py

    def embed(self, frame: np.ndarray, mask: np.ndarray, box: Box) -> np.ndarray | Absent:
        for face in self.recognize(frame):
            x, y = (face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2
            inside = box[0] <= x < box[2] and box[1] <= y < box[3]
            if inside and 0 <= x < mask.shape[1] and 0 <= y < mask.shape[0] and mask[int(y), int(x)]:
                side = round(min(face.box[2] - face.box[0], face.box[3] - face.box[1]))
                if face.score < MIN_SCORE or side < MIN_SIDE_PX:
                    return Absent(f"the face has {side} px at score {face.score:.2f}, needs {MIN_SIDE_PX} at {MIN_SCORE}")
                return face.embedding
        return Absent("no face on the subject")
