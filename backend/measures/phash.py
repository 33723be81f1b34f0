"""Perceptual hashes of frames, and a look-up of those that are a few bits apart."""

import itertools
from collections.abc import Iterator

import cv2
import numpy as np

from backend.measures.diversity import HASH_BITS, frame_hash

NUM_BANDS = 4
BAND_BITS = HASH_BITS // NUM_BANDS
LOW_COSINES = np.ascontiguousarray(cv2.dct(np.eye(32, dtype=np.float32), flags=cv2.DCT_ROWS).T[:8])
"""The eight lowest of 32 cosines, `(8, 32)`, as `cv2.dct` scales them."""
FEATURELESS_BITS = 16
"""A picture has about half of its bits set, being cut at the median; a flat one, all of whose coefficients are 0, fewer."""
_ROWS_AT_ONCE = 1 << 21


def phashes(frames: np.ndarray) -> np.ndarray:
    """Hashes uint64 `(T,)` of RGB uint8 frames `(T, H, W, 3)`: `frame_hash` of each."""
    return np.array([frame_hash(frame) for frame in frames], np.uint64)


def hamming(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Bits in which hashes uint64 differ, uint8, by numpy's rules of broadcasting."""
    return np.bitwise_count(a ^ b)


def is_featureless(hashes: np.ndarray) -> np.ndarray:
    """Which hashes, bool, are of flat pictures: those are alike without being copies."""
    return np.bitwise_count(hashes) < FEATURELESS_BITS


def hashes_of(low: np.ndarray) -> np.ndarray:
    """Hashes uint64 `(...)` of lowest cosine coefficients `(..., 8, 8)`, by the same rule as `frame_hash`.

    The coefficients of a grey picture `(32, 32)` are `LOW_COSINES @ picture @ LOW_COSINES.T`.
    """
    flat = low.reshape(*low.shape[:-2], HASH_BITS)
    bits = flat > np.median(flat[..., 1:], axis=-1, keepdims=True)
    return (bits.astype(np.uint64) << np.arange(HASH_BITS, dtype=np.uint64)).sum(axis=-1, dtype=np.uint64)


def near(queries: np.ndarray, bases: np.ndarray, *, max_distance: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Indices of queries and of bases, uint64 hashes, at most `max_distance` bits apart: in portions, some more than once.

    None is missed for `max_distance` up to 7: among so few bits one of four bands differs in one at most, and bands are
    looked up with each of their bits flipped.
    """
    if max_distance >= 2 * NUM_BANDS:
        raise ValueError(f"max_distance is {max_distance}; bands of {BAND_BITS} bits find pairs up to {2 * NUM_BANDS - 1}")
    flips = [0, *(1 << bit for bit in range(BAND_BITS))]
    for band in range(NUM_BANDS):
        wanted, keys = (_band(hashes, band) for hashes in (queries, bases))
        order = np.argsort(keys, kind="stable")
        sorted_keys = keys[order]
        for flip in flips:
            first = np.searchsorted(sorted_keys, wanted ^ flip, "left")
            counts = np.searchsorted(sorted_keys, wanted ^ flip, "right") - first
            for some in _portions(counts):
                left = np.repeat(np.arange(some.start, some.stop), counts[some])
                within = np.arange(len(left)) - np.repeat(np.cumsum(counts[some]) - counts[some], counts[some])
                right = order[np.repeat(first[some], counts[some]) + within]
                close = hamming(queries[left], bases[right]) <= max_distance
                if close.any():
                    yield left[close], right[close]


def _band(hashes: np.ndarray, band: int) -> np.ndarray:
    return ((hashes >> np.uint64(band * BAND_BITS)) & np.uint64((1 << BAND_BITS) - 1)).astype(np.int64)


def _portions(counts: np.ndarray) -> Iterator[slice]:
    """Slices of rows with about `_ROWS_AT_ONCE` partners each, so that memory stays bounded in crowded bands."""
    part = np.cumsum(counts) // _ROWS_AT_ONCE
    edges = [0, *(np.flatnonzero(np.diff(part)) + 1).tolist(), len(counts)]
    return (slice(a, b) for a, b in itertools.pairwise(edges))
