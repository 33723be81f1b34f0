"""Sizes of clips and pictures: few shapes, so that samples of one shape fill a batch."""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np

WHITE = 255  # what pictures are filled up with (Kaleido's and Phantom's code)


class Shape(NamedTuple):
    """Frames, height and width in pixels."""

    frames: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.frames} frames of {self.width} x {self.height}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipShapes:
    """Buckets of clips: every aspect with every duration. Raises ValueError for a frame count that is not 1 + 4 n."""

    fps: float = 16.0  # Wan 2.1, Phantom, Kaleido
    frames: tuple[int, ...] = (81,)  # Wan 2.1
    pixels: int = 480 * 832  # Wan 2.1 at 480p
    aspects: tuple[float, ...] = (16 / 9, 4 / 3, 1.0, 3 / 4, 9 / 16)
    """Width through height; our choice."""
    multiple: int = 16
    """Of height and width: pixels of a latent times the patch."""

    def __post_init__(self) -> None:
        if not self.frames or not self.aspects or any(count < 1 or count % 4 != 1 for count in self.frames):
            raise ValueError(f"frames {self.frames} and aspects {self.aspects}: clips have 1 + 4 n frames, and a shape")
        if self.fps <= 0 or min(self.aspects) <= 0 or self.pixels < self.multiple**2:
            raise ValueError(f"fps {self.fps:g}, aspects {self.aspects} and {self.pixels} pixels must be above 0")

    def all(self) -> tuple[Shape, ...]:
        """Every bucket."""
        sizes = [sized(aspect, self.pixels, self.multiple) for aspect in self.aspects]
        return tuple(dict.fromkeys(Shape(count, *size) for count in sorted(self.frames) for size in sizes))

    def of(self, duration_s: float, width: int, height: int) -> Shape | None:
        """The longest bucket that a clip fills, of the nearest aspect; None for a clip shorter than all."""
        step = 1 / self.fps
        fitting = [count for count in self.frames if (count - 1) * step < duration_s + step / 2]
        if not fitting:
            return None
        aspect = _nearest(width / height, self.aspects)
        return Shape(max(fitting), *sized(aspect, self.pixels, self.multiple))


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureShapes:
    """Shapes of reference pictures."""

    fit: Literal["own", "canvas"] = "own"
    """own: the nearest of `aspects`, so a reference costs what it shows. canvas: filled up to the first clip shape, as Phantom
    and Kaleido do."""
    pixels: int = 480 * 480  # our choice
    aspects: tuple[float, ...] = (1.0, 3 / 4, 4 / 3, 1 / 2)
    background: Literal["white", "own"] = "white"
    """Around the subject's mask. own: what stood there, where the export kept it."""
    augmentations: int = 0
    """Of each picture of an in-pair: variants for mode `augmented`."""
    faces: bool = False
    """Whether faces of people are cut out, for mode `face_cross_pair`."""

    def size(self, width: int, height: int, *, clips: ClipShapes) -> tuple[int, int]:
        """Height and width of the bucket of a picture."""
        if self.fit == "canvas":
            first = clips.all()[0]
            return first.height, first.width
        return sized(_nearest(width / height, self.aspects), self.pixels, clips.multiple)


def sized(aspect: float, pixels: int, multiple: int) -> tuple[int, int]:
    """Height and width of about so many pixels, both multiples."""
    height = max(1, round(math.sqrt(pixels / aspect) / multiple)) * multiple
    width = max(1, round(math.sqrt(pixels * aspect) / multiple)) * multiple
    return height, width


def covering(width: int, height: int, shape: Shape) -> tuple[int, int]:
    """Width and height of the smallest picture of an aspect that covers a shape."""
    scale = max(shape.width / width, shape.height / height)
    return max(shape.width, round(width * scale)), max(shape.height, round(height * scale))


def centred(frames: np.ndarray, shape: Shape) -> np.ndarray:
    """The middle of frames `(F, H, W, 3)`."""
    top, left = (frames.shape[1] - shape.height) // 2, (frames.shape[2] - shape.width) // 2
    return frames[:, top : top + shape.height, left : left + shape.width]


def covered(picture: np.ndarray, shape: Shape) -> np.ndarray:
    """The middle of a picture `(H, W, 3)` at a clip's height and width, as its frames are cut."""
    size = covering(picture.shape[1], picture.shape[0], shape)
    kernel = cv2.INTER_AREA if size[0] < picture.shape[1] else cv2.INTER_CUBIC
    return centred(cv2.resize(picture, size, interpolation=kernel)[None], shape)[0]


def filled(rgba: np.ndarray, size: tuple[int, int], *, background: str) -> tuple[np.ndarray, np.ndarray]:
    """A cut-out uint8 `(H, W, 4)` as large as fits into `size` (height, width): RGB uint8, and its mask uint8 0 or 1."""
    scale = min(size[0] / rgba.shape[0], size[1] / rgba.shape[1])
    height, width = (max(1, min(edge, round(side * scale))) for edge, side in zip(size, rgba.shape[:2], strict=True))
    kernel = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = cv2.resize(_over(rgba, background), (width, height), interpolation=kernel)
    alpha = cv2.resize(rgba[..., 3], (width, height), interpolation=cv2.INTER_AREA)
    picture, mask = np.full((*size, 3), WHITE, np.uint8), np.zeros(size, np.uint8)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    picture[top : top + height, left : left + width] = resized
    mask[top : top + height, left : left + width] = alpha >= 128
    return picture, mask


def augmented(rgba: np.ndarray, rng: np.random.Generator, *, may_flip: bool) -> np.ndarray:
    """A cut-out turned, scaled, flipped and lit differently, with its own size. Ranges are our choice; Phantom-Data names none."""
    height, width = rgba.shape[:2]
    angle, scale = rng.uniform(-20, 20), rng.uniform(0.7, 1.0)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
    turn[:, 2] += rng.uniform(-0.1, 0.1, 2) * (width, height)
    found = cv2.warpAffine(rgba, turn, (width, height), flags=cv2.INTER_LINEAR, borderValue=(WHITE, WHITE, WHITE, 0))
    if may_flip and rng.random() < 0.5:
        found = found[:, ::-1]
    colours = found[..., :3].astype(np.float32)
    grey = colours.mean(axis=2, keepdims=True)
    lit = (grey + (colours - grey) * rng.uniform(0.8, 1.2) - 128) * rng.uniform(0.8, 1.2) + 128 + rng.uniform(-20, 20)
    return np.ascontiguousarray(np.dstack((np.clip(lit, 0, 255).astype(np.uint8), found[..., 3])))


def _over(rgba: np.ndarray, background: str) -> np.ndarray:
    if background == "own":
        return np.ascontiguousarray(rgba[..., :3])
    alpha = rgba[..., 3:].astype(np.uint16)
    return ((rgba[..., :3] * alpha + WHITE * (255 - alpha) + 127) // 255).astype(np.uint8)


def _nearest(aspect: float, aspects: tuple[float, ...]) -> float:
    return min(aspects, key=lambda one: (abs(math.log(one / aspect)), one))
