"""Embeddings without learned weights: appearance by colour, texture and shape; background by colour and texture."""

from collections.abc import Mapping
from typing import ClassVar

import cv2
import numpy as np

from backend.domain import Absent, Box
from backend.measures import descriptors
from backend.measures.retrieval import Fusion

BLOCKS: tuple[tuple[str, int, float], ...] = (("colour", 168, 0.5), ("texture", 60, 0.25), ("shape", 288, 0.25))
"""Name, length and share of the cosine of each block of an appearance vector, in order."""
MIN_MASK_PX = 256
MIN_REST = 0.05
MASK_MARGIN = 0.04
"""How far the mask is widened before it is cut from the background, as a share of the box's longer side."""


class ClassicalAppearance:
    """Appearance vectors float32 `(516,)`: `BLOCKS`, each of length `sqrt(share)`.

    The frame's light is made half neutral first, so that evening and noon lie nearer. Absent when the mask holds
    fewer than MIN_MASK_PX pixels.
    """

    model_id: ClassVar[str] = "classical-appearance-1"
    space: ClassVar[str] = "appearance"

    def embed(self, frame: np.ndarray, mask: np.ndarray, box: Box) -> np.ndarray | Absent:
        inside = _within(mask, box)
        cut = descriptors.masked_crop(frame, inside)
        if cut is None or inside.sum() < MIN_MASK_PX:
            return Absent(f"the mask holds {int(inside.sum())} px, needs {MIN_MASK_PX}")
        crop, shape = cut
        blocks = (
            descriptors.colour_bands(crop, shape, descriptors.lighting_gains(frame)),
            descriptors.texture_bands(crop, shape),
            descriptors.shape_grid(crop, shape),
        )
        return descriptors.unit(np.concatenate([np.sqrt(share) * b for (_, _, share), b in zip(BLOCKS, blocks)]))


def appearance_parts(a: np.ndarray, b: np.ndarray) -> Mapping[str, np.ndarray]:
    """Cosines of each block of two banks of classical appearance vectors, `(N, D)` and `(M, D)`: name to `(N, M)`."""
    parts, start = {}, 0
    for name, length, _ in BLOCKS:
        block = slice(start, start + length)
        parts[name] = _unit_rows(a[:, block]) @ _unit_rows(b[:, block]).T
        start += length
    return parts


FUSION = Fusion(
    weights={
        "colour_cosine": 12.0,
        "texture_cosine": 4.0,
        "shape_cosine": 3.0,
        "subject_cosine": 6.0,
        "face_cosine": 4.0,
        "log_inliers": 1.0,
    },
    bias=-22.5,
    means={
        "colour_cosine": 0.7,
        "texture_cosine": 0.95,
        "shape_cosine": 0.85,
        "subject_cosine": 0.78,
        "face_cosine": 0.7,
        "log_inliers": 0.3,
    },
)


def same_subject(evidence: Mapping[str, np.ndarray]) -> np.ndarray:
    """The chance in [0, 1] that two appearances show one subject, from the evidence that `PairSubjects` gathers."""
    return FUSION({**evidence, "log_inliers": np.log1p(np.asarray(evidence["keypoint_inliers"], np.float64))})


class ClassicalBackground:
    """Background vectors float32 `(188,)` of what the mask leaves of the frame. Absent when under 5 % is left."""

    model_id: ClassVar[str] = "classical-background-1"
    space: ClassVar[str] = "background"

    def embed(self, frame: np.ndarray, mask: np.ndarray, box: Box) -> np.ndarray | Absent:
        margin = max(1, round(MASK_MARGIN * max(box[2] - box[0], box[3] - box[1])))
        kernel = np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)
        covered = cv2.dilate(mask.astype(np.uint8), kernel).astype(bool)
        if 1.0 - covered.mean() < MIN_REST:
            return Absent(f"the subject leaves {100 * (1 - covered.mean()):.0f} % of the frame, needs 5 %")
        return descriptors.background_layout(frame, covered)


def _within(mask: np.ndarray, box: Box) -> np.ndarray:
    inside = np.zeros_like(mask)
    x0, y0, x1, y1 = (max(0, round(edge)) for edge in box)
    inside[y0:y1, x0:x1] = mask[y0:y1, x0:x1]
    return inside


def _unit_rows(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
