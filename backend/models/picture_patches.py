"""Features of a picture without weights: its own pixels, patch by patch."""

from typing import ClassVar

import cv2
import numpy as np

SIDE, PATCH = 32, 8  # pixels


class PicturePatches:
    """The picture scaled to 32 x 32, cut into 16 patches of 8 x 8 pixels, row by row; values from -1 to 1."""

    model_id: ClassVar[str] = "patches-1"
    tokens: ClassVar[int] = (SIDE // PATCH) ** 2
    width: ClassVar[int] = 3 * PATCH * PATCH

    def encode(self, picture: np.ndarray) -> np.ndarray:
        """float32 `(16, 192)` of RGB uint8 `(H, W, 3)`."""
        small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 127.5 - 1
        rows = SIDE // PATCH
        patches = small.reshape(rows, PATCH, rows, PATCH, 3).transpose(0, 2, 1, 3, 4)
        return np.ascontiguousarray(patches.reshape(self.tokens, self.width))
