"""Roles that metrics ask about whole pictures and videos: embeddings of images, text and video, quality, in-betweens.

Frames are RGB uint8, embeddings float32 unit vectors, as everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Prep:
    """How a picture is brought to an encoder's size; mean and deviation of the colours belong to the encoder.

    Part of every feature's key: the same network gives other embeddings after another interpolation.
    """

    short_px: int = 224
    """The shorter side after resizing, the longer one in proportion, truncated."""
    crop_px: int | None = 224
    """Side of the square cut from the middle; None keeps the whole picture."""
    kernel: Literal["bilinear", "bicubic"] = "bicubic"
    antialias: bool = True
    on: Literal["float", "uint8", "pillow", "done"] = "pillow"
    """What is interpolated: floats keep bicubic's overshoot beyond 0 and 255, the others round and clamp it. Pillow
    always smooths and has arithmetic of its own. `done`: see PREPARED."""
    crop_rounds: Literal["nearest", "down"] = "down"
    """An odd margin: `nearest` as torchvision's CenterCrop, `down` as transformers' processors."""


CLIP_PREP = Prep()
"""`CLIPProcessor` as published: OpenS2V's aesthetic score, CLIP-I, CLIP-T."""
DINO_PREP = Prep(short_px=256)
"""DINO's and DINOv2's evaluation transform (`BitImageProcessor` of facebook/dinov2)."""
VBENCH_CLIP_PREP = Prep(antialias=False, on="float", crop_rounds="nearest")
"""VBench `clip_transform` on frames held as floats: background consistency, aesthetic quality."""
VBENCH_VICLIP_PREP = Prep(antialias=False, on="uint8", crop_rounds="nearest")
"""The same transform on uint8: overall consistency. On noise it differs by up to 0.92 after normalisation."""
VBENCH_DINO_PREP = Prep(crop_px=None, kernel="bilinear", antialias=False, on="float", crop_rounds="nearest")
"""VBench `dino_transform`: no crop, so a 16:9 frame is 224 x 398."""
VBENCH_I2V_PREP = Prep(short_px=256, on="float", crop_rounds="nearest")
"""VBench i2v `dino_transform_internet`, for frames."""
VBENCH_I2V_IMAGE_PREP = Prep(short_px=256, on="pillow", crop_rounds="nearest")
"""VBench i2v `dino_transform_Image_internet`, for the reference picture."""


PREPARED = Prep(on="done")
"""For pictures that are resized and cropped already, float32 `(h, w, 3)` in about [0, 255]: several encoders share them."""


class ImageEncoder(Protocol):
    """Unit vectors of whole pictures."""

    model_id: str

    def images(self, frames: Sequence[np.ndarray], prep: Prep) -> np.ndarray:
        """float32 `(N, D)` of frames uint8 `(H, W, 3)`, each of any size; with PREPARED, of pictures prepared before."""
        ...

    def crops(self, frames: Sequence[np.ndarray], prep: Prep) -> np.ndarray:
        """As `images`, of pictures that `prep` brings to one size, each vector the same bits whichever others are asked with it."""
        ...


class TextEmbedder(Protocol):
    """Unit vectors of texts, in one space with the pictures or videos of the same role."""

    model_id: str

    def texts(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """float32 `(N, D)`, and bool `(N,)`: whether a text was longer than the encoder reads, and cut."""
        ...


class ImageTextEncoder(ImageEncoder, TextEmbedder, Protocol):
    """Pictures and texts in one space: CLIP."""


class VideoTextEncoder(TextEmbedder, Protocol):
    """Videos and texts in one space: ViCLIP."""

    num_frames: int

    def video(self, frames: Sequence[np.ndarray], prep: Prep) -> np.ndarray:
        """float32 `(D,)` of `num_frames` frames uint8 `(H, W, 3)` in order."""
        ...


class AestheticPredictor(Protocol):
    """How pleasing pictures are, from CLIP ViT-L/14 embeddings float32 `(N, 768)`: `(N,)`, about 1 to 10."""

    model_id: str

    def score(self, embeddings: np.ndarray) -> np.ndarray: ...


class ImageQuality(Protocol):
    """Technical quality of one frame uint8 `(H, W, 3)`, about 0 to 100. `longest_px` shrinks longer frames first."""

    model_id: str

    def quality(self, frame: np.ndarray, *, longest_px: int | None) -> float: ...


class FrameInterpolator(Protocol):
    """The frame uint8 `(H, W, 3)` halfway between two of the same size."""

    model_id: str

    def between(self, before: np.ndarray, after: np.ndarray) -> np.ndarray: ...
