"""Masks as COCO compressed run lengths: column-major runs, first of zeros, written as printable bytes.

The format is that of the COCO API (`rleToString` in maskApi.c): from the fourth run on, the difference to the run two
places earlier is written; each number goes out in groups of five bits, lowest first, with a continuation bit of 32
and an offset of 48; the sign is that of bit 16 of the last group.
"""

import numpy as np

_GROUP_BITS = 5
_CONTINUES = 0x20
_SIGN = 0x10
_OFFSET = 48
_LONGEST_RUN = 2**31  # COCO keeps runs as 32-bit unsigned; no picture here has more pixels


def encode(mask: np.ndarray) -> bytes:
    """Compressed run lengths of a bool mask `(H, W)`."""
    return _write(_run_lengths(mask))


def decode(counts: bytes, height: int, width: int) -> np.ndarray:
    """The bool mask `(height, width)`. Raises ValueError when the counts are malformed or of another size."""
    runs = _sized_runs(counts, height * width)
    values = np.arange(runs.size) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T


def area(counts: bytes) -> int:
    """Number of set pixels. Raises ValueError when the counts are malformed."""
    return int(_read(counts)[1::2].sum())


def iou(a: bytes, b: bytes) -> float:
    """Intersection over union in [0, 1] of two masks of one size; 0 when both are empty.

    Raises ValueError when the counts are malformed or the sizes differ.
    """
    ends_a = np.cumsum(_read(a))
    ends_b = np.cumsum(_sized_runs(b, int(ends_a[-1]) if ends_a.size else 0))
    ends = np.union1d(ends_a, ends_b)
    lengths = np.diff(ends, prepend=0)
    set_a = np.searchsorted(ends_a, ends, side="left") % 2 == 1
    set_b = np.searchsorted(ends_b, ends, side="left") % 2 == 1
    either = int(lengths[set_a | set_b].sum())
    return int(lengths[set_a & set_b].sum()) / either if either else 0.0


def _run_lengths(mask: np.ndarray) -> np.ndarray:
    flat = np.asarray(mask, bool).ravel(order="F")
    if flat.size == 0:
        return np.zeros(0, np.int64)
    edges = np.flatnonzero(np.diff(flat)) + 1
    starts = np.concatenate(([0], edges)) if not flat[0] else np.concatenate(([0, 0], edges))
    return np.diff(starts, append=flat.size)


def _write(runs: np.ndarray) -> bytes:
    lengths: list[int] = runs.tolist()
    out = bytearray()
    for i, length in enumerate(lengths):
        number = length - lengths[i - 2] if i > 2 else length
        while True:
            group = number & (_CONTINUES - 1)
            number >>= _GROUP_BITS
            if number == (-1 if group & _SIGN else 0):
                out.append(group + _OFFSET)
                break
            out.append((group | _CONTINUES) + _OFFSET)
    return bytes(out)


def _read(counts: bytes) -> np.ndarray:
    runs: list[int] = []
    number = shift = 0
    for byte in counts:
        group = byte - _OFFSET
        if not 0 <= group < 2 * _CONTINUES:
            raise ValueError(f"run lengths hold the byte {byte}, expected {_OFFSET} to {_OFFSET + 2 * _CONTINUES - 1}")
        number |= (group & (_CONTINUES - 1)) << shift
        shift += _GROUP_BITS
        if group & _CONTINUES:
            continue
        if group & _SIGN:
            number -= 1 << shift
        if len(runs) > 2:
            number += runs[-2]
        if not 0 <= number <= _LONGEST_RUN:
            raise ValueError(f"run {len(runs)} has the length {number}, expected 0 to {_LONGEST_RUN}")
        runs.append(number)
        number = shift = 0
    if shift:
        raise ValueError("run lengths end inside a number")
    return np.asarray(runs, np.int64)


def _sized_runs(counts: bytes, size: int) -> np.ndarray:
    runs = _read(counts)
    total = sum(runs.tolist())
    if total != size:
        raise ValueError(f"run lengths cover {total} pixels, expected {size}")
    return runs
