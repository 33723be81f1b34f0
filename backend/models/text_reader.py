"""What stands written on pictures, by rapidocr: its wheel carries PP-OCR's small models, so nothing is to be fetched."""

from typing import Any, ClassVar

import numpy as np

from backend.domain import ModelUnavailable
from backend.domain.roles_words import ReadText


class RapidOcrReader:
    """Latin and Chinese lines of a picture. Runs on the CPU through onnxruntime."""

    model_id: ClassVar[str] = "rapidocr-1"
    licence: ClassVar[str] = "Apache-2.0"

    def __init__(self) -> None:
        """Raises ModelUnavailable when the package is missing or broken."""
        try:
            import rapidocr  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise ModelUnavailable("on-screen words need the extra: pip install 'subject-studio[ocr]'") from error
        one_thread = {
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
        try:
            self._engine: Any = rapidocr.RapidOCR(params={"Global.log_level": "critical", **one_thread})
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ModelUnavailable(f"rapidocr cannot be started: {error}; install it anew") from error

    def read(self, frame: np.ndarray) -> list[ReadText]:
        """The lines of an RGB picture uint8 `(H, W, 3)`, from top to bottom."""
        found = self._engine(np.ascontiguousarray(frame[..., ::-1]))  # it takes arrays for OpenCV's BGR
        if found.boxes is None or found.txts is None:
            return []
        lines = []
        for corners, text, score in zip(found.boxes, found.txts, found.scores, strict=True):
            (x0, y0), (x1, y1) = np.min(corners, axis=0), np.max(corners, axis=0)
            lines.append(ReadText(text, (float(x0), float(y0), float(x1), float(y1)), float(score)))
        return lines
