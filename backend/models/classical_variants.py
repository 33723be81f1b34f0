"""The embedded ReferenceSynthesizer: the cut-out turned, bent and lit anew. Augmentation, and called so."""

from typing import ClassVar

import cv2
import numpy as np

from backend.domain import Absent

MAX_TURN = 12.0  # degrees: people and things still stand
MAX_TILT = 0.12  # of a side, by which a corner moves in perspective
MAX_BEND = 0.04  # of a side, by which the thin plate is pulled at each of its knots
KNOTS = 3
GAMMA = (0.7, 1.4)
WARMTH = 0.12  # red against blue


class AugmentedVariants:
    """Each picture: mirrored or not, a perspective, a thin-plate bend, other light. Text is mirrored with the rest.

    These are the reference's own pixels: they train a model not to paste, they are no second view of the subject.
    """

    model_id: ClassVar[str] = "augmented-1"
    origin: ClassVar[str] = "augmented"

    def make(self, cut_out: np.ndarray, *, phrase: str, num: int, seed: int) -> list[np.ndarray | Absent]:
        """See `ReferenceSynthesizer.make`; equal seeds give equal pictures."""
        if not cut_out[..., 3].any():
            return [Absent("the cut-out is empty")] * num
        rng = np.random.default_rng(seed)
        return [self._one(cut_out, rng, mirrored=place % 2 == 0) for place in range(num)]

    def _one(self, cut_out: np.ndarray, rng: np.random.Generator, *, mirrored: bool) -> np.ndarray:
        picture = cut_out[:, ::-1] if mirrored else cut_out
        height, width = picture.shape[:2]
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        moved = corners + rng.uniform(-MAX_TILT, MAX_TILT, (4, 2)).astype(np.float32) * (width, height)
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(-MAX_TURN, MAX_TURN)), 1.0)
        moved = cv2.transform(moved[None].astype(np.float32), turn)[0]
        low, high = moved.min(axis=0), moved.max(axis=0)
        size = (max(1, int(np.ceil(high[0] - low[0]))), max(1, int(np.ceil(high[1] - low[1]))))
        mapping = cv2.getPerspectiveTransform(corners, (moved - low).astype(np.float32))
        premultiplied = picture.astype(np.float32)
        premultiplied[..., :3] *= premultiplied[..., 3:] / 255
        warped = cv2.warpPerspective(premultiplied, mapping, size, flags=cv2.INTER_LINEAR)
        bent = _bent(warped, rng)
        alpha = np.clip(bent[..., 3:], 0, 255)
        colours = bent[..., :3] / np.maximum(alpha / 255, 1e-3)
        return np.dstack([_lit(colours, rng), alpha[..., 0]]).round().astype(np.uint8)


def _bent(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture on a plate that is pulled at a grid of knots, smoothly between them."""
    height, width = picture.shape[:2]
    pulls = rng.uniform(-MAX_BEND, MAX_BEND, (2, KNOTS, KNOTS)).astype(np.float32)
    dx, dy = (cv2.resize(pull, (width, height), interpolation=cv2.INTER_CUBIC) for pull in pulls)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return cv2.remap(picture, x + dx * width, y + dy * height, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def _lit(colours: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another gamma and another warmth of the light."""
    warm = rng.uniform(-WARMTH, WARMTH)
    gains = np.array([1 + warm, 1.0, 1 - warm])
    return np.clip(255 * np.clip(colours / 255, 0, 1) ** rng.uniform(*GAMMA) * gains, 0, 255)
