"""Roles that make pictures: surroundings without their subjects, and other views of a subject."""

from typing import Protocol

import numpy as np

from backend.domain.results import Absent


class Inpainter(Protocol):
    """Paints over what a mask covers, as if it had not been there."""

    model_id: str

    def paint(self, frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """`frame` uint8 `(H, W, 3)`, `mask` bool `(H, W)`, to a picture of the same size that differs under the mask only."""
        ...


class ReferenceSynthesizer(Protocol):
    """Makes other pictures of the subject of one cut-out.

    `origin` says what they are: `augmented` (the same pixels, warped and lit anew) or `generated` (new pixels, so that
    identity has to be proved). Raises ModelUnavailable when it cannot be asked at all.
    """

    model_id: str
    origin: str

    def make(self, cut_out: np.ndarray, *, phrase: str, num: int, seed: int) -> "list[np.ndarray | Absent]":
        """Of uint8 `(H, W, 4)`, alpha the mask, `num` pictures uint8 `(h, w, 4)`; Absent where one could not be made."""
        ...
