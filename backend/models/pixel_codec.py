"""Latents without weights: pixels sorted by place within a block, exactly invertible."""

from typing import ClassVar

import numpy as np


class PixelCodec:
    """Space to depth, 4 x 4 pixels and 4 frames to a latent of 192 channels, with Wan's causal layout in time.

    The first latent holds its one frame four times over, so that all latents have the same statistics; decoding takes
    the mean of the four. Values are from -1 to 1.
    """

    model_id: ClassVar[str] = "pixel-1"
    frames_per_latent: ClassVar[int] = 4
    pixels_per_latent: ClassVar[int] = 4
    channels: ClassVar[int] = 3 * 4 * 4 * 4

    def encode(self, frames: np.ndarray) -> np.ndarray:
        """float32 `(192, 1 + (F - 1) / 4, H / 4, W / 4)` of RGB uint8 `(F, H, W, 3)`."""
        count, height, width, _ = frames.shape
        if count % self.frames_per_latent != 1 or height % self.pixels_per_latent or width % self.pixels_per_latent:
            raise ValueError(f"{count} frames of {width} x {height}: the pixel codec takes 1 + 4 n frames, sides by 4")
        whole = np.concatenate((frames[:1].repeat(self.frames_per_latent - 1, axis=0), frames))
        scaled = whole.astype(np.float32) / 127.5 - 1
        side, depth = self.pixels_per_latent, self.frames_per_latent
        blocks = scaled.reshape(-1, depth, height // side, side, width // side, side, 3)
        return np.ascontiguousarray(blocks.transpose(6, 1, 3, 5, 0, 2, 4).reshape(self.channels, -1, *blocks.shape[2:5:2]))

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """RGB uint8 `(1 + 4 (T - 1), 4 h, 4 w, 3)`; values beyond -1 and 1 are cut off."""
        side, depth = self.pixels_per_latent, self.frames_per_latent
        _, count, rows, columns = latents.shape
        blocks = latents.reshape(3, depth, side, side, count, rows, columns).transpose(4, 1, 5, 2, 6, 3, 0)
        scaled = blocks.reshape(count * depth, rows * side, columns * side, 3)
        first = scaled[:depth].mean(axis=0, keepdims=True)
        values = (np.concatenate((first, scaled[depth:])) + 1) * 127.5
        return np.clip(np.rint(values), 0, 255).astype(np.uint8)
