"""Faces and their ArcFace embeddings by insightface, from a folder of ONNX models such as buffalo_l."""

from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np

from backend.domain import ModelUnavailable
from backend.domain.roles_faces import Face
from backend.models.places import ModelPlace

DETECTION_SIZE = (320, 320)  # OpenS2V-Nexus, eval/get_facesim.py; None would merge two sizes in insightface 2
PADDING = 0.25  # the same file: a face that fills the picture is found once there is grey around it
GREY = (128, 128, 128)
PACKS = ("", "buffalo_l", "models/buffalo_l", "face_extractor/models/buffalo_l", "antelopev2", "models/antelopev2")
"""Where a pack lies in a folder: insightface's own layouts, and `face_extractor` of OpenS2V-Weight."""


class InsightFaces:
    """The detection and recognition models of an insightface pack; the pack's other models are not loaded."""

    model_id: str = "insightface-1"
    suggested: ClassVar[str] = "BestWishYsh/OpenS2V-Weight"
    published_gb: ClassVar[float] = 0.43  # antelopev2, unpacked
    licence: ClassVar[str] = "MIT code; the model packs are for non-commercial research only"
    detection_size: ClassVar[tuple[int, int]] = DETECTION_SIZE

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        pack = _pack(place)
        try:
            import onnxruntime
            from insightface.app import FaceAnalysis
        except ImportError as error:
            raise ModelUnavailable("faces need the extra: pip install 'subject-studio[models]'") from error
        # The package onnxruntime runs on the CPU only; onnxruntime-gpu stands under the same name.
        on_gpu = device != "cpu" and "CUDAExecutionProvider" in onnxruntime.get_available_providers()
        providers = ["CUDAExecutionProvider"] if on_gpu else []
        try:
            # An absolute folder: with a mere name, insightface downloads what it does not find.
            self._app: Any = FaceAnalysis(
                name=str(pack),
                allowed_modules=["detection", "recognition"],
                providers=[*providers, "CPUExecutionProvider"],
            )
        except AssertionError as error:
            raise ModelUnavailable(f"{pack} holds no face detector; put an insightface pack there") from error
        if "recognition" not in self._app.models:
            raise ModelUnavailable(f"{pack} holds no face recognition model; put an insightface pack there")
        self._app.prepare(ctx_id=0 if on_gpu else -1, det_size=self.detection_size)
        self.model_id = place.model_id(type(self).model_id)
        self._last: tuple[np.ndarray, list[Face]] | None = None

    def recognize(self, frame: np.ndarray) -> list[Face]:
        """Faces of a frame, the largest first (of equal ones, the one detected last, as upstream sorts).

        Where none is found, the frame is looked at once more with a quarter of its size in grey on every side. The last
        frame is remembered, because several features ask about it in turn.
        """
        if self._last is None or self._last[0] is not frame:
            self._last = (frame, self._found(frame))
        return self._last[1]

    def _found(self, frame: np.ndarray) -> list[Face]:
        bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
        found, shift = self._app.get(bgr), np.zeros(2, np.float32)
        if not found:
            top, left = int(frame.shape[0] * PADDING), int(frame.shape[1] * PADDING)
            padded = cv2.copyMakeBorder(bgr, top, top, left, left, cv2.BORDER_CONSTANT, value=GREY)
            found, shift = self._app.get(padded), np.array([left, top], np.float32)
        faces = [_face(each, shift) for each in found]
        return sorted(faces, key=lambda face: face.area)[::-1]


def _pack(place: ModelPlace) -> Path:
    root = place.path().absolute()
    for name in PACKS:
        if any((root / name).glob("*.onnx")):
            return root / name
    raise ModelUnavailable(f"models.{place.role} = {place.location!r} holds no *.onnx; point it at an insightface pack")


def _face(found: Any, shift: np.ndarray) -> Face:
    x0, y0, x1, y1 = (np.asarray(found.bbox, np.float32) - np.tile(shift, 2)).tolist()
    embedding = np.asarray(found.embedding, np.float32)
    return Face(
        box=(x0, y0, x1, y1),
        score=float(found.det_score),
        keypoints=np.asarray(found.kps, np.float32) - shift,
        embedding=embedding / np.linalg.norm(embedding),
    )
