"""Roles that say whether a picture was taken or made."""

from typing import Protocol

import numpy as np


class AuthenticityScorer(Protocol):
    """How probably a picture is a real one, by a classifier of real and generated pictures."""

    model_id: str

    def real(self, frames: np.ndarray) -> np.ndarray:
        """Probabilities float32 `(N,)` of frames uint8 `(N, H, W, 3)`."""
        ...
