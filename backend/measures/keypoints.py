"""Local evidence that two crops show the same surface: SIFT points that one plane-to-plane mapping explains."""

from dataclasses import dataclass

import cv2
import numpy as np

MAX_SIDE_PX = 320
MAX_POINTS = 400
RATIO = 0.8  # Lowe 2004, section 7.1
REPROJECTION_PX = 5.0
MIN_MATCHES = 6
MAX_SCALE = 4.0
"""A mapping that enlarges or shrinks more than this is a collapse of RANSAC, not a view of the same thing."""


@dataclass(frozen=True, slots=True)
class Keypoints:
    """Points float32 `(N, 2)` in pixels of the described picture and root-SIFT descriptors float32 `(N, 128)`."""

    points: np.ndarray
    descriptors: np.ndarray
    scale: float
    """Pixels of the described picture per pixel of the original."""


NONE = Keypoints(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32), 1.0)
"""What a picture without structure has."""


@dataclass(frozen=True, slots=True)
class Match:
    """How well one mapping explains two sets of points: `inliers` of `matches`; `mapping` `(2, 3)` from a to b or None."""

    inliers: int
    matches: int
    mapping: np.ndarray | None = None

    @property
    def ratio(self) -> float:
        """Share of the matches that the mapping explains, in [0, 1]."""
        return self.inliers / self.matches if self.matches else 0.0


def describe(image: np.ndarray, mask: np.ndarray | None = None) -> Keypoints:
    """Up to MAX_POINTS points of an RGB uint8 picture, inside the bool mask `(H, W)` when one is given."""
    scale = min(1.0, MAX_SIDE_PX / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    grey = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    inside = None
    if mask is not None:
        inside = cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_NEAREST)
    found, descriptors = cv2.SIFT_create(nfeatures=MAX_POINTS, contrastThreshold=0.02).detectAndCompute(grey, inside)  # type: ignore[attr-defined]
    if descriptors is None or len(found) == 0:
        return NONE
    points = np.array([point.pt for point in found[:MAX_POINTS]], np.float32)
    rooted = np.sqrt(descriptors[:MAX_POINTS] / np.maximum(descriptors[:MAX_POINTS].sum(axis=1, keepdims=True), 1e-6))
    return Keypoints(points, rooted.astype(np.float32), scale)


def match(a: Keypoints, b: Keypoints) -> Match:
    """Mutual nearest descriptors that pass the ratio test, and how many of them one similarity mapping explains.

    A similarity (turn, scale, shift) has four unknowns where a homography has eight, so that fewer chance matches
    agree with it; small perspective falls within REPROJECTION_PX. RANSAC is seeded by OpenCV: equal inputs, equal result.
    """
    if len(a.points) < 2 or len(b.points) < 2:
        return Match(0, 0)
    likeness = a.descriptors @ b.descriptors.T
    forward, backward = likeness.argmax(axis=1), likeness.argmax(axis=0)
    rows = np.arange(len(forward))
    mutual = backward[forward] == rows
    distance = np.sqrt(np.maximum(2.0 - 2.0 * np.sort(likeness, axis=1)[:, -2:], 0.0))
    kept = mutual & (distance[:, 1] < RATIO * np.maximum(distance[:, 0], 1e-6))
    source, target = a.points[kept], b.points[forward[kept]]
    unique = np.unique(np.hstack([source, target]).round(), axis=0, return_index=True)[1] if len(source) else []
    source, target = source[unique], target[unique]
    if len(source) < MIN_MATCHES:
        return Match(0, len(source))
    mapping, inside = cv2.estimateAffinePartial2D(
        source, target, method=cv2.RANSAC, ransacReprojThreshold=REPROJECTION_PX, maxIters=1000, confidence=0.995
    )
    if mapping is None:
        return Match(0, len(source))
    growth = float(np.hypot(mapping[0, 0], mapping[1, 0]))
    if not 1.0 / MAX_SCALE <= growth <= MAX_SCALE:
        return Match(0, len(source))
    return Match(int(inside.sum()), len(source), mapping)
