"""Whether two clips show the same footage: small pictures of their frames, laid over each other.

A copy may be scaled, coded again, brightened, letterboxed, cropped on any sides, of another frame rate, and cut a
little earlier or later. One window of one clip then explains the other, the same for all frames.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from backend.measures import phash

NUM_FRAMES = 16  # frames of a clip that are compared, evenly spaced
SIDE_PX = 32  # each is squeezed to a square of this side, so that a copy of another shape lies over its original
MAX_DISTANCE = 6  # bits of 64 in which some frame of the one clip differs from some window of the other
PLACES = (2, 6, 9, 13)  # frames that are looked up, away from the ends, where clips fade or were cut otherwise
MIN_SHARE = 0.8  # of the frames must match (curation table, S01)
SLACK = 1  # frames before or after the one at the same place that may be the one
MIN_DETAIL = 0.75  # worlds 2000 and 2001: copies .85 and more, others under .4; takes of one place in real video reach .71
DETAIL_PX = 1.5  # what is coarser than this deviation is light, which unlike places share
MIN_DETAIL_LEVELS = 1.0  # deviation of the detail, in levels of 255, under which a frame is flat
MAX_TINT = 0.03  # difference of chromaticity of one cell
TINT_CELLS = 4  # cells across and down
MIN_TINT_SHARE = 0.9  # of the cells: copies with an overlay keep .94, the same pose in another dress (real video) .88
MIN_LIGHT = 16.0  # mean level of 255 under which a frame is black (curation table, S03)
SHADOW = 30.0  # light of three channels under which chromaticity fades to grey, where it is noise
SMALLEST = 0.75  # side of the window that a crop leaves, as a share
_COARSE = (0.95, 0.9, 0.85)
_FIRST_STEP, _LAST_STEP = 0.025, 0.005


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a picture: left, top and side as shares of its width and height."""

    x: float = 0.0
    y: float = 0.0
    side: float = 1.0


def small_frames(frames: np.ndarray) -> np.ndarray:
    """Frames uint8 `(T, H, W, 3)` as squares uint8 `(T, SIDE_PX, SIDE_PX, 3)`."""
    size = (SIDE_PX, SIDE_PX)
    return np.stack([cv2.resize(np.ascontiguousarray(f), size, interpolation=cv2.INTER_AREA) for f in frames])


def windows() -> tuple[Window, ...]:
    """The whole picture first, then parts of it, of which one lies near any crop of up to a sixth."""
    parts = [Window()]
    for number, side in enumerate(_COARSE, start=2):
        starts = [float(start) for start in np.linspace(0.0, 1.0 - side, number)]
        parts += [Window(x, y, side) for x in starts for y in starts]
    return tuple(parts)


def window_hashes(frames: np.ndarray) -> np.ndarray:
    """Hashes uint64 `(len(windows()), len(PLACES))` of a clip's small frames; 0 where a window is featureless."""
    grey = _grey(frames[list(PLACES)])
    hashes = phash.hashes_of(_low(0) @ grey @ _low(1).swapaxes(-1, -2))
    hashes[phash.is_featureless(hashes) | (grey.mean(axis=(1, 2)) < MIN_LIGHT)] = 0
    return hashes


def near_duplicates(
    hashes: Mapping[str, np.ndarray], frames_of: Callable[[str], np.ndarray]
) -> list[tuple[str, str, float]]:
    """Pairs of clips that share footage, with the share of matching frames, sorted, each id before the later one.

    `hashes` are the `window_hashes` of clips; `frames_of` gives the small frames of one. Candidates have a whole frame
    at most MAX_DISTANCE bits from a window of the frame at the same place of the other; all are found. They are then
    laid over each other (`shared_frames`).
    """
    ids = sorted(hashes)
    if len(ids) < 2:
        return []
    table = np.stack([hashes[clip] for clip in ids])
    frames = lru_cache(maxsize=512)(frames_of)
    found = []
    for a, b in _candidates(table):
        share = shared_frames(frames(ids[a]), frames(ids[b]))
        if share >= MIN_SHARE:
            found.append((ids[a], ids[b], share))
    return sorted(found)


def shared_frames(a: np.ndarray, b: np.ndarray) -> float:
    """Share of the frames of two clips, small frames uint8 `(T, SIDE_PX, SIDE_PX, 3)`, that show the same picture."""
    (forward, window), (backward, other) = _best_window(a, b), _best_window(b, a)
    source, part, window = (a, b, window) if forward >= backward else (b, a, other)
    seen = _through(source.astype(np.float32), window)
    detail, wanted = _detail(_grey(seen)), _detail(_grey(part))
    tints, wanted_tints = _tints(seen), _tints(part.astype(np.float32))
    matches = 0
    for t in range(len(part)):
        near = range(max(0, t - SLACK), min(len(seen), t + SLACK + 1))
        matches += any(
            float((detail[k] * wanted[t]).sum()) >= MIN_DETAIL and _same_tint(tints[k], wanted_tints[t]) for k in near
        )
    return matches / len(part)


def _candidates(table: np.ndarray) -> list[tuple[int, int]]:
    """Rows `a < b` of hashes `(N, W, P)` of which one's whole frame is like a window of the other's."""
    num, num_windows, num_places = table.shape
    found: set[tuple[int, int]] = set()
    for place in range(num_places):
        whole, parts = table[:, 0, place], table[:, :, place].ravel()
        queries, bases = np.flatnonzero(whole), np.flatnonzero(parts)
        for left, right in phash.near(whole[queries], parts[bases], max_distance=MAX_DISTANCE):
            one, other = queries[left], bases[right] // num_windows
            apart = one != other
            keys = np.unique(np.minimum(one, other)[apart] * num + np.maximum(one, other)[apart])
            found.update((int(key) // num, int(key) % num) for key in keys)
    return sorted(found)


def _best_window(source: np.ndarray, part: np.ndarray) -> tuple[float, Window]:
    """Likeness of `part` to the window of `source` that explains it best, on the looked-up frames."""
    grey, wanted = _grey(source[list(PLACES)]), _grey(part[list(PLACES)])
    seen = _unit(np.einsum("wij,tjk,wlk->wtil", _rows(), grey, _columns(), optimize=True))
    best = windows()[int((seen * _unit(wanted)).sum(axis=(1, 2, 3)).argmax())]
    wanted = _detail(wanted)

    def likeness(window: Window) -> float:
        return float((_detail(_through(grey, window)) * wanted).sum() / len(wanted))

    score, step = likeness(best), _FIRST_STEP
    while step >= _LAST_STEP:
        tried = [(likeness(window), window) for window in _beside(best, step)]
        better = max(tried, key=lambda found: found[0])
        if better[0] > score:
            score, best = better
        else:
            step /= 2
    return score, best


def _beside(window: Window, step: float) -> list[Window]:
    moves = itertools.product((-1, 0, 1), repeat=3)
    found = []
    for dx, dy, grow in moves:
        if abs(dx) + abs(dy) + abs(grow) == 1:
            side = min(1.0, max(SMALLEST, window.side + grow * step))
            middle = (window.side - side) / 2
            x, y = window.x + middle + dx * step, window.y + middle + dy * step
            found.append(Window(min(max(0.0, x), 1.0 - side), min(max(0.0, y), 1.0 - side), side))
    return found


def _through(frames: np.ndarray, window: Window) -> np.ndarray:
    """The window of frames float32 `(T, S, S)` or `(T, S, S, 3)`, enlarged to the whole."""
    rows, columns = _axis(window.y, window.side), _axis(window.x, window.side)
    return np.einsum("ij,tjk...,lk->til...", rows, frames, columns, optimize=True)


@lru_cache(maxsize=4096)
def _axis(start: float, side: float) -> np.ndarray:
    """Matrix `(S, S)` that reads S evenly spaced points of a window of a line of S, linearly."""
    at = np.clip((start + (np.arange(SIDE_PX) + 0.5) / SIDE_PX * side) * SIDE_PX - 0.5, 0, SIDE_PX - 1)
    below = np.floor(at).astype(int)
    matrix = np.zeros((SIDE_PX, SIDE_PX), np.float32)
    matrix[np.arange(SIDE_PX), below] += 1 - (at - below)
    matrix[np.arange(SIDE_PX), np.minimum(below + 1, SIDE_PX - 1)] += at - below
    return matrix


@lru_cache(maxsize=2)
def _low(axis: int) -> np.ndarray:
    """Lowest cosines of each window, `(W, 1, 8, S)`, along rows (0) or columns (1)."""
    return (phash.LOW_COSINES @ (_columns() if axis else _rows()))[:, None]


@lru_cache(maxsize=1)
def _rows() -> np.ndarray:
    return np.stack([_axis(window.y, window.side) for window in windows()])


@lru_cache(maxsize=1)
def _columns() -> np.ndarray:
    return np.stack([_axis(window.x, window.side) for window in windows()])


def _grey(frames: np.ndarray) -> np.ndarray:
    return np.asarray(frames @ np.array([0.299, 0.587, 0.114], np.float32), np.float32)


def _detail(grey: np.ndarray) -> np.ndarray:
    """What is finer than DETAIL_PX, of unit length; zero for a flat or black frame, which is like nothing."""
    light = grey.mean(axis=(1, 2), keepdims=True) >= MIN_LIGHT
    fine = grey * light - np.stack(
        [cv2.GaussianBlur(g, (0, 0), DETAIL_PX, borderType=cv2.BORDER_REFLECT) for g in grey * light]
    )
    return _unit(fine)


def _unit(pictures: np.ndarray) -> np.ndarray:
    centred = pictures - pictures.mean(axis=(-2, -1), keepdims=True)
    lengths = np.sqrt((centred**2).sum(axis=(-2, -1), keepdims=True))
    return np.where(lengths >= MIN_DETAIL_LEVELS * SIDE_PX, centred / np.maximum(lengths, 1e-6), 0.0)


def _tints(frames: np.ndarray) -> np.ndarray:
    """Chromaticity `(T, cells, cells, 2)` of float32 frames, free of brightness."""
    size = SIDE_PX // TINT_CELLS
    cells = frames.reshape(len(frames), TINT_CELLS, size, TINT_CELLS, size, 3).mean(axis=(2, 4))
    return (cells[..., :2] + SHADOW / 3) / (cells.sum(axis=-1, keepdims=True) + SHADOW)


def _same_tint(a: np.ndarray, b: np.ndarray) -> bool:
    return float((np.abs(a - b).max(axis=-1) <= MAX_TINT).mean()) >= MIN_TINT_SHARE
