"""How different the contexts of two appearances are, and whether one is a copy of the other."""

import cv2
import numpy as np

from backend.domain import Box

HASH_BITS = 64
CHANCE_BITS = 32
"""Expected Hamming distance of two unrelated 64-bit hashes."""


def frame_hash(frame: np.ndarray) -> int:
    """64-bit hash of a picture's light: signs of its lowest 8 x 8 cosine coefficients against their median."""
    grey = cv2.cvtColor(cv2.resize(frame, (32, 32), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    low = np.asarray(cv2.dct(grey.astype(np.float32)), np.float32)[:8, :8].ravel()
    bits = low > np.median(low[1:])
    return int(sum(1 << i for i in np.flatnonzero(bits).tolist()))


def hash_vector(bits: int) -> np.ndarray:
    """A 64-bit hash as a unit vector float32 `(64,)` of +-1/8: the cosine of two is `1 - Hamming / 32`."""
    signs = np.array([1.0 if bits >> i & 1 else -1.0 for i in range(HASH_BITS)], np.float32)
    return signs / np.float32(8.0)


def hash_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Hamming distance of two hash vectors, 0 to 64."""
    return float(round((1.0 - float(a @ b)) * CHANCE_BITS))


def context_diversity(background_a: np.ndarray, background_b: np.ndarray) -> float:
    """`1 - cos` of two background vectors, in [0, 2]; Kaleido, Table 1 calls it decoupling."""
    return 1.0 - float(background_a @ background_b)


def scale_ratio(a: Box, b: Box, *, frame_area_a: float, frame_area_b: float) -> float:
    """How many times larger one subject stands in its frame than the other, by length: at least 1."""
    share_a = (a[2] - a[0]) * (a[3] - a[1]) / frame_area_a
    share_b = (b[2] - b[0]) * (b[3] - b[1]) / frame_area_b
    return float(np.sqrt(max(share_a, share_b) / min(share_a, share_b)))


def copy_likeness(frame_distance: float, background_cosine: float | None) -> float:
    """How far two frames look like one picture, in [0, 1]: 1 for equal frames, 0 for unrelated ones.

    The hash speaks for the arrangement of light, the background for its colours; a copy agrees in both, so the
    smaller counts.
    """
    arrangement = max(0.0, 1.0 - frame_distance / CHANCE_BITS)
    return arrangement if background_cosine is None else min(arrangement, max(0.0, background_cosine))


def diverse_choice(similarity: np.ndarray, contexts: np.ndarray, *, num: int, weight: float = 0.5) -> list[int]:
    """Indices of up to `num` references, greedily by `similarity + weight * (1 - cos)` to the contexts chosen before.

    `similarity` is `(N,)`, `contexts` unit vectors `(N, D)`. Ties fall to the smaller index.
    """
    chosen: list[int] = []
    nearest = np.full(len(similarity), -1.0)
    while len(chosen) < min(num, len(similarity)):
        gain = similarity + weight * (1.0 - nearest)
        gain[chosen] = -np.inf
        best = int(np.argmax(gain))
        chosen.append(best)
        nearest = np.maximum(nearest, contexts @ contexts[best])
    return chosen
