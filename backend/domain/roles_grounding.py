"""Roles that find what a reference picture shows. Boxes of what words name are the role `Detector`, masks `Segmenter`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np


@dataclass(frozen=True, slots=True)
class ReferencePicture:
    """A reference with the name that boxes found elsewhere know it by."""

    pixels: np.ndarray
    """uint8 `(H, W, 3)`, RGB."""
    content_hash: str


@dataclass(frozen=True, slots=True)
class ShownFrame:
    """A frame of a generated video with the names that boxes found elsewhere know it by."""

    pixels: np.ndarray
    """uint8 `(H, W, 3)`, RGB."""
    video_hash: str
    index: int


@dataclass(frozen=True, slots=True)
class FoundBoxes:
    """Where one reference was found on one frame, surest first."""

    boxes: np.ndarray
    """float32 `(N, 4)`: x0, y0, x1, y1 in pixels of the frame, inside it."""
    scores: np.ndarray
    """float32 `(N,)` in [0, 1]."""


class ReferenceDetector(Protocol):
    """Boxes of what reference pictures show, on frames of a video."""

    model_id: ClassVar[str]

    def learn(self, references: Sequence[ReferencePicture]) -> np.ndarray:
        """What `find` needs to know of the references, one row each: computed once, whatever videos follow."""
        ...

    def find(
        self, frames: Sequence[ShownFrame], prompts: np.ndarray, *, min_score: float, max_iou: float, most: int
    ) -> list[list[FoundBoxes]]:
        """For each frame, the boxes of each row of `prompts`: at most `most`, scores above `min_score`.

        Of two boxes of one reference that overlap by more than `max_iou`, the less sure is left out.
        """
        ...
