"""Embeddings without learned weights: appearance by colour, texture and shape; background by colour and texture."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import cv2
import numpy as np

from backend.domain import Absent, Box, resource
from backend.measures import descriptors
from backend.measures.retrieval import Fusion

BLOCKS: tuple[tuple[str, int, float], ...] = (("colour", 168, 0.6), ("texture", 60, 0.2), ("shape", 288, 0.2))
"""Name, length and share of the cosine of each block of an appearance vector, in order."""
MIN_MASK_PX = 256
CHANCE_INLIERS = 4
"""Unrelated cut-outs share up to this many inliers: two points fix the mapping, and one or two more fall in by chance."""
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
        blocks = raw_blocks(crop, shape, descriptors.lighting_gains(frame))
        means = calibration().means
        parts = [np.sqrt(share) * descriptors.unit(blocks[name] - means[name]) for name, _, share in BLOCKS]
        return descriptors.unit(np.concatenate(parts))


def raw_blocks(crop: np.ndarray, mask: np.ndarray, gains: np.ndarray) -> dict[str, np.ndarray]:
    """Each block of a cut-out before what subjects have in common is taken away."""
    return {
        "colour": descriptors.colour_bands(crop, mask, gains),
        "texture": descriptors.texture_bands(crop, mask),
        "shape": descriptors.shape_grid(crop, mask),
    }


def appearance_parts(a: np.ndarray, b: np.ndarray) -> Mapping[str, np.ndarray]:
    """Cosines of each block of two banks of classical appearance vectors, `(N, D)` and `(M, D)`: name to `(N, M)`."""
    parts, start = {}, 0
    for name, length, _ in BLOCKS:
        block = slice(start, start + length)
        parts[name] = _unit_rows(a[:, block]) @ _unit_rows(b[:, block]).T
        start += length
    return parts


def same_subject(evidence: Mapping[str, np.ndarray]) -> np.ndarray:
    """The chance in [0, 1] that two subjects of one long video are one, from the evidence that `PairSubjects` gathers."""
    excess = np.maximum(0.0, np.asarray(evidence["keypoint_inliers"], np.float64) - CHANCE_INLIERS)
    return calibration().fusion({**evidence, "log_inliers": np.log1p(excess)})


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was fitted on sample worlds: the mean of each block, and the fusion of evidence."""

    means: Mapping[str, np.ndarray]
    """What subjects have in common, float32 of each block's length; a block is measured as its departure from it."""
    fusion: Fusion


@cache
def calibration() -> Calibration:
    """The shipped calibration. `python -m bench.accuracy_pairs --fit` makes it again from sample worlds."""
    raw = json.loads(resource("classical_appearance.json").read_text(encoding="utf-8"))
    means = {name: np.array(raw["means"][name], np.float32) for name, _, _ in BLOCKS}
    return Calibration(means, Fusion(weights=raw["weights"], bias=raw["bias"], means=raw["evidence_means"]))


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
