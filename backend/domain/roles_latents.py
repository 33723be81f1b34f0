"""Roles that bring a sample into the spaces where a video model learns: latents, text and sound features.

What they give is kept by whoever trains, so each is deterministic: equal inputs give equal values.
"""

from typing import Protocol

import numpy as np


class LatentCodec(Protocol):
    """Frames to latents and back, causal in time: the first frame has a latent of its own, each later one holds several."""

    model_id: str
    channels: int
    frames_per_latent: int
    """Of every latent but the first."""
    pixels_per_latent: int
    """Along height and along width."""

    def encode(self, frames: np.ndarray) -> np.ndarray:
        """Latents float32 `(C, T, h, w)` of RGB uint8 `(F, H, W, 3)`; F is 1 + n * frames_per_latent, H and W multiples.

        A picture is a clip of one frame and is encoded alone. Raises ValueError for another size.
        """
        ...

    def encode_start(self, picture: np.ndarray, num_frames: int) -> np.ndarray:
        """Latents float32 `(C, T, h, w)` of a clip that begins with RGB uint8 `(H, W, 3)` and is grey (0 of -1 to 1) after it.

        What Wan I2V is told of the first frame.
        """
        ...

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """RGB uint8 `(F, H, W, 3)` of latents float32 `(C, T, h, w)` that are one stream from its first frame on."""
        ...


class TextEncoder(Protocol):
    """Texts as sequences of features."""

    model_id: str
    width: int
    max_tokens: int

    def encode(self, text: str) -> np.ndarray:
        """Features float32 `(L, width)` of the text's own tokens, at most `max_tokens`; whoever pads does so with zeros."""
        ...


class AudioEncoder(Protocol):
    """Sound as a sequence of features."""

    model_id: str
    width: int
    rate: int
    """Samples a second that `encode` takes."""

    def encode(self, samples: np.ndarray) -> np.ndarray:
        """Features float32 `(F, width)` that span mono samples float32 `(n,)` in [-1, 1]; about 50 a second."""
        ...


class PatchEncoder(Protocol):
    """A picture as a sequence of features."""

    model_id: str
    tokens: int
    width: int

    def encode(self, picture: np.ndarray) -> np.ndarray:
        """Features float32 `(tokens, width)` of RGB uint8 `(H, W, 3)`."""
        ...
