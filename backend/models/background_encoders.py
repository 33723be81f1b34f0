"""Background vectors by a learned encoder: the frame without its subject."""

from typing import ClassVar

import numpy as np
from PIL import Image

from backend.domain import Absent, Box
from backend.models.crop_embedders import DINO_SQUARE, DinoCrops
from backend.models.dino import DinoV2
from backend.models.places import ModelPlace

BLANK = np.array([124, 116, 104], np.uint8)
"""The mean that DINO takes off a picture: the encoder sees nothing there."""
MIN_REST = 0.05
"""Share of the frame that must be left, as of the embedded profile's vectors."""


class DinoV2Background(DinoCrops):
    """DINOv2's class token of the whole frame, squeezed to a square, with nothing where the subject is."""

    model_id: str = "dino-v2-background"
    space: ClassVar[str] = "background"
    suggested: ClassVar[str] = DinoV2.suggested
    published_gb: ClassVar[float] = DinoV2.published_gb
    licence: ClassVar[str] = DinoV2.licence

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing or do not fit."""
        self._encoder = DinoV2(place, device=device, dtype=dtype)
        self.model_id = place.model_id(type(self).model_id)

    @staticmethod
    def cut(frame: np.ndarray, mask: np.ndarray, box: Box) -> np.ndarray | Absent:
        rest = 1.0 - float(mask.mean())
        if rest < MIN_REST:
            return Absent(f"the subject leaves {100 * rest:.0f} % of the frame, needs {100 * MIN_REST:.0f} %")
        side = DINO_SQUARE.short_px
        blanked = Image.fromarray(np.where(mask[..., None], BLANK, frame))
        return np.asarray(blanked.resize((side, side), Image.Resampling.BICUBIC))
