"""Perceptual hashes of frames, and the clips that share most of them."""

import itertools
from collections.abc import Iterator, Mapping

import numpy as np

from backend.measures.diversity import HASH_BITS, frame_hash

NUM_FRAMES = 16  # frames of a clip that are hashed, evenly spaced
MAX_DISTANCE = 6  # bits of 64 in which two frames of one picture differ
MIN_SHARE = 0.8  # of the aligned frames
NUM_BANDS = 4
BAND_BITS = HASH_BITS // NUM_BANDS
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


def aligned_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Bits in which frames at the same fraction of two clips differ, uint8 `(N,)`, N the fewer of the two.

    Hashes are uint64 `(M,)` of evenly spaced frames; the longer row is read at the places of the shorter one.
    """
    num = min(len(a), len(b))
    a, b = (row[np.linspace(0, len(row) - 1, num).round().astype(int)] for row in (a, b))
    return hamming(a, b)


def near_duplicates(
    hashes: Mapping[str, np.ndarray], *, max_distance: int = MAX_DISTANCE, min_share: float = MIN_SHARE
) -> list[tuple[str, str, float]]:
    """Pairs of clips, and the share of aligned frames at most `max_distance` apart, where that is `min_share` or more.

    Every clip brings equally many hashes uint64 `(T,)`. A featureless frame matches none. No pair is missed for
    `max_distance` up to 7: among so few bits one of four bands differs in one at most, and bands are looked up with
    each of their bits flipped; and since `min_share` of the places match, looking at the other places and one more
    is enough. The pairs are sorted, each id before the later one.
    """
    if max_distance >= 2 * NUM_BANDS:
        raise ValueError(f"max_distance is {max_distance}; bands of {BAND_BITS} bits find pairs up to {2 * NUM_BANDS - 1}")
    ids = sorted(hashes)
    if len(ids) < 2:
        return []
    table = np.stack([hashes[clip] for clip in ids])
    usable = ~is_featureless(table)
    num_places = table.shape[1]
    least = int(np.ceil(min_share * num_places - 1e-9))
    if least < 1:
        raise ValueError(f"min_share is {min_share}; at least one of {num_places} frames must match")
    seen: set[tuple[int, int]] = set()
    found = []
    for place in _spread(num_places, num_places - least + 1):
        for left, right in _matches(table[:, place], usable[:, place], max_distance):
            same = (hamming(table[left], table[right]) <= max_distance) & usable[left] & usable[right]
            share = same.mean(axis=1)
            for k in np.flatnonzero(share >= least / num_places - 1e-9).tolist():
                pair = int(left[k]), int(right[k])
                if pair not in seen:
                    seen.add(pair)
                    found.append((ids[pair[0]], ids[pair[1]], float(share[k])))
    return sorted(found)


def _spread(num_places: int, num: int) -> list[int]:
    """`num` of `num_places`, away from the ends, where clips fade or were cut otherwise."""
    return sorted({int((k + 0.5) * num_places / num) for k in range(num)})


def _matches(column: np.ndarray, usable: np.ndarray, max_distance: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows `left < right`, in portions, whose hashes uint64 `(N,)` are at most `max_distance` apart; some more than once."""
    rows = np.flatnonzero(usable)
    flips = [0, *(1 << bit for bit in range(BAND_BITS))]
    for band in range(NUM_BANDS):
        keys = ((column[rows] >> np.uint64(band * BAND_BITS)) & np.uint64((1 << BAND_BITS) - 1)).astype(np.int64)
        order = np.argsort(keys, kind="stable")
        sorted_keys, sorted_rows = keys[order], rows[order]
        for flip in flips:
            first = np.searchsorted(sorted_keys, keys ^ flip, "left")
            counts = np.searchsorted(sorted_keys, keys ^ flip, "right") - first
            for some in _portions(counts):
                left = np.repeat(rows[some], counts[some])
                within = np.arange(len(left)) - np.repeat(np.cumsum(counts[some]) - counts[some], counts[some])
                right = sorted_rows[np.repeat(first[some], counts[some]) + within]
                near = (left < right) & (hamming(column[left], column[right]) <= max_distance)
                if near.any():
                    yield left[near], right[near]


def _portions(counts: np.ndarray) -> Iterator[slice]:
    """Slices of rows with about `_ROWS_AT_ONCE` partners each, so that memory stays bounded in crowded bands."""
    part = np.cumsum(counts) // _ROWS_AT_ONCE
    edges = [0, *(np.flatnonzero(np.diff(part)) + 1).tolist(), len(counts)]
    return (slice(a, b) for a, b in itertools.pairwise(edges))
