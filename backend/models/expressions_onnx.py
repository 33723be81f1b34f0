"""What faces express, by EmotiEffLib's (HSEmotion's) ONNX models of eight classes such as enet_b2_8.onnx."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

from backend.domain import ModelUnavailable
from backend.models.onnx_session import onnx_session
from backend.models.places import ModelPlace

LABELS = ("angry", "contempt", "disgust", "fear", "happy", "neutral", "sad", "surprise")
"""The order of the eight outputs: Anger, Contempt, Disgust, Fear, Happiness, Neutral, Sadness, Surprise (AffectNet)."""
MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # ImageNet's, as hsemotion-onnx normalises
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
SIDE_PX = {"_b0_": 224, "_b2_": 260}
"""Input sizes of the published models by their names, for files whose input has no fixed size."""
BATCH = 16


class EmotiEffOnnx:
    """Probabilities of the eight expressions of Gloria, in AffectNet's order."""

    model_id: str = "emotiefflib-onnx-1"
    labels: tuple[str, ...] = LABELS
    suggested: ClassVar[str] = "EmotiEffLib's enet_b2_8.onnx"
    published_gb: ClassVar[float] = 0.03
    licence: ClassVar[str] = "Apache-2.0 code; weights trained on AffectNet, for research only"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable for a file that is no model, or one without eight outputs."""
        path = _file(place)
        self._session = onnx_session(path, device=device, what="expressions")
        self._side = self._checked(path)
        self.model_id = place.model_id(type(self).model_id)

    def classify(self, faces: Sequence[np.ndarray]) -> np.ndarray:
        """Softmax of the model's outputs, float32 `(N, 8)`. Faces are scaled to the model's square, whatever their shape.

        Rows of a model that gives no numbers are NaN.
        """
        if not faces:
            return np.zeros((0, len(LABELS)), np.float32)
        found = [self._logits(faces[start : start + BATCH]) for start in range(0, len(faces), BATCH)]
        logits = np.concatenate(found).astype(np.float64)
        logits[~np.isfinite(logits).all(axis=1)] = np.nan
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)

    def _logits(self, faces: Sequence[np.ndarray]) -> np.ndarray:
        inputs = np.stack([self._prepared(face) for face in faces])
        name = self._session.get_inputs()[0].name
        if self._session.get_inputs()[0].shape[0] == 1:
            return np.concatenate([self._session.run(None, {name: one[None]})[0] for one in inputs])
        return self._session.run(None, {name: inputs})[0]

    def _prepared(self, face: np.ndarray) -> np.ndarray:
        """float32 `(3, S, S)`: RGB, bilinear without smoothing as OpenCV's default, ImageNet's mean and deviation."""
        scaled = cv2.resize(face, (self._side, self._side)).astype(np.float32) / 255
        return ((scaled - MEAN) / DEVIATION).transpose(2, 0, 1)

    def _checked(self, path: Path) -> int:
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        shape, last = inputs[0].shape, outputs[0].shape[-1:]
        if len(inputs) != 1 or len(shape) != 4 or (shape[1] not in (3, None) and not isinstance(shape[1], str)):
            raise ModelUnavailable(f"{path} takes no picture of three colours but {shape}; it is no EmotiEffLib model")
        if last != [len(LABELS)]:
            raise ModelUnavailable(
                f"{path} gives {last[0] if last else 'no'} classes and {len(LABELS)} are needed; take enet_b2_8.onnx or another _8"
            )
        if isinstance(shape[2], int):
            return shape[2]
        return next((side for mark, side in SIDE_PX.items() if mark in path.name), SIDE_PX["_b2_"])


def _file(place: ModelPlace) -> Path:
    found = place.path()
    if found.is_file():
        return found
    files = sorted(found.glob("*_8*.onnx"))
    if not files:
        raise ModelUnavailable(f"models.{place.role} = {place.location!r} holds no *_8*.onnx; put enet_b2_8.onnx there")
    return files[0]
