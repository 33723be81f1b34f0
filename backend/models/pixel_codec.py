"""Latents without weights: pixels sorted by place within a block, exactly invertible."""

from typing import ClassVar

import numpy as np


class PixelCodec:
    """Space to depth: 4 x 4 pixels of a frame are one latent of 48 channels, values from -1 to 1. Time is kept as it is.

    With patches of 2 x 2 a token has 192 numbers, which a transformer of that width can pass on whole; packing four frames
    as Wan's VAE does would make it 768, and a smaller model could not even say what noise it sees.
    """

    model_id: ClassVar[str] = "pixel-1"
    frames_per_latent: ClassVar[int] = 1
    pixels_per_latent: ClassVar[int] = 4
    channels: ClassVar[int] = 3 * 4 * 4

    def encode(self, frames: np.ndarray) -> np.ndarray:
        """float32 `(48, F, H / 4, W / 4)` of RGB uint8 `(F, H, W, 3)`."""
        return self._packed(frames.astype(np.float32) / 127.5 - 1)

    def encode_start(self, picture: np.ndarray, num_frames: int) -> np.ndarray:
        """float32 `(48, num_frames, H / 4, W / 4)`: the picture's, then zeros."""
        values = np.zeros((num_frames, *picture.shape), np.float32)
        values[0] = picture.astype(np.float32) / 127.5 - 1
        return self._packed(values)

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """RGB uint8 `(T, 4 h, 4 w, 3)`; values beyond -1 and 1 are cut off."""
        side = self.pixels_per_latent
        _, count, rows, columns = latents.shape
        blocks = latents.reshape(3, side, side, count, rows, columns).transpose(3, 4, 1, 5, 2, 0)
        values = (blocks.reshape(count, rows * side, columns * side, 3) + 1) * 127.5
        return np.clip(np.rint(values), 0, 255).astype(np.uint8)

    def _packed(self, values: np.ndarray) -> np.ndarray:
        count, height, width, _ = values.shape
        side = self.pixels_per_latent
        if height % side or width % side:
            raise ValueError(f"{count} frames of {width} x {height}: the pixel codec takes sides by {side}")
        blocks = values.reshape(count, height // side, side, width // side, side, 3)
        ordered = blocks.transpose(5, 2, 4, 0, 1, 3)
        return np.ascontiguousarray(ordered.reshape(self.channels, count, height // side, width // side))
