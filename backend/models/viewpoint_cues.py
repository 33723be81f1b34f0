"""What tells the side that a person shows: where head and feet lie, skin and dark features on them, faces found on them.

Everything stands in heads: the height of the head is guessed from the box, and all else measured beside it.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from backend.domain import Box

HEADS_PER_BODY = 7.4  # a standing adult; drawn ones have as many
SMALL_HEAD_PX, HEAD_PX, FACE_PX = 24, 64, 72
FRONTAL, PROFILE = "haarcascade_frontalface_alt2.xml", "haarcascade_profileface.xml"
WINDOW = 0.72  # half the side of the head's window, in heads


@dataclass(frozen=True, slots=True)
class Cues:
    """Evidence of one frame. `even` says nothing of left and right, `odd` turns its sign in a mirror."""

    even: dict[str, float]
    odd: dict[str, float]


def cues_of(picture: np.ndarray, box: Box, *, moved: float) -> Cues | None:
    """Cues of the person in `box` on a frame uint8 `(H, W, 3)`; None when too little of it is seen.

    `moved` is how far the body moves to the right against its surroundings, in its own heights a frame.
    """
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    if min(width, height) < 24:
        return None
    is_cut = y1 >= 0.985 * picture.shape[0]
    head = float(np.clip(0.5 * width, height / HEADS_PER_BODY, 0.38 * height)) if is_cut else height / HEADS_PER_BODY
    margin = 0.25
    left, top = max(0, int(x0 - margin * width)), max(0, int(y0 - margin * height))
    right, bottom = int(x1 + margin * width), int(y1 + margin * height)
    crop = picture[top:bottom, left:right]
    local = (x0 - left, y0 - top, x1 - left, y1 - top)
    x, y, shoulders = _head_place(crop, local, head)
    window = _window(crop, x - WINDOW * head, y - 0.2 * head, 2 * WINDOW * head)
    face = cv2.resize(window, (HEAD_PX, HEAD_PX), interpolation=cv2.INTER_AREA)
    even, odd = _on_head(face)
    frontal, to_left, to_right = _cascades(_window(crop, x - 1.32 * head, y - 0.6 * head, 2.64 * head), head)
    foot = 0.0 if is_cut else _toes(crop, local, head)
    walks = float(width / height > 0.36 and not is_cut)
    hidden = 1 - frontal
    even |= {"frontal": frontal, "profile": max(to_left, to_right), "aspect": width / height, "cut": float(is_cut)}
    even |= {"toes": abs(foot), "walks": walks, "shoulders": float(np.clip(shoulders, 0, 3))}
    for name in ("skin_offset", "dark_offset", "edge_offset"):
        even[f"{name}_hidden"] = abs(odd[name]) * hidden
        odd[f"{name}_hidden"] = odd[name] * hidden
    even |= {name: even[of] * hidden for name, of in _HIDDEN.items()}
    even["skin_offset"] = abs(odd["skin_offset"])
    even |= {"bare": float(even["skin"] > 0.7) * hidden, "covered": float(even["skin"] < 0.12)}
    going = float(np.clip(moved / 0.005, -1, 1)) * walks
    odd |= {"toes": foot, "toes_hidden": foot * hidden, "going": going, "going_hidden": going * hidden}
    odd["profile"] = to_left - to_right
    return Cues(even, odd)


_HIDDEN = {"skin_hidden": "skin", "least_skin_hidden": "least_skin"}


def _head_place(crop: np.ndarray, box: Box, head: float) -> tuple[float, float, float]:
    """Middle and top of the head in pixels of the crop, and the breadth of the shoulders in heads.

    A head stands out from its surroundings, is narrower than what lies under it, and nothing lies over it. A raised arm
    is the box's top as well, but thinner.
    """
    factor = SMALL_HEAD_PX / head
    upper = crop[: min(crop.shape[0], int(box[1] + 4.5 * head))]
    small = cv2.resize(upper, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    x0, y0, x1 = box[0] * factor, box[1] * factor, box[2] * factor
    rows, columns = np.mgrid[: small.shape[0], : small.shape[1]]
    around = (columns < x0 - 1) | (columns > x1 + 1) | (rows < y0 - 1)
    if around.sum() < 40:
        around = (columns < x0 + 3) | (columns > x1 - 3)
    middle = (x0 + x1) / 2
    inside = ((columns >= x0) & (columns <= x1) & (rows >= y0)) * np.exp(-(((columns - middle) / (0.35 * (x1 - x0))) ** 2))
    likely = _foreground(small, inside, around.astype(float))
    likely[around] *= 0.5
    sums, k = cv2.integral(np.pad(likely, SMALL_HEAD_PX)), SMALL_HEAD_PX
    tops = np.arange(y0 - 2, max(y0 - 1, min(y0 + 2.2 * k, small.shape[0] - k)), 2)
    lefts = np.arange(x0 - 2, max(x0 - 1, x1 - 16), 2)
    y, x = (grid.ravel() for grid in np.meshgrid(tops, lefts, indexing="ij"))
    value = _mean_in(sums, x + 2, y + 2, 16, 20) + 0.5 * _mean_in(sums, x - 4, y + 26, 28, 16)
    value -= 0.35 * (_mean_in(sums, x - 7, y, 5, 20) + _mean_in(sums, x + 22, y, 5, 20))
    value -= 0.25 * _mean_in(sums, x + 2, y - 6, 16, 5) + 0.011 * (y - y0) + 0.006 * np.abs(x + 10 - middle)
    best = int(value.argmax())
    band = likely[int(y[best] + 1.45 * k) : int(y[best] + 1.9 * k)]
    shoulders = float(band.sum() / len(band) / k) if len(band) else 1.5
    return (x[best] + 10) / factor, y[best] / factor, shoulders


def _on_head(face: np.ndarray) -> tuple[dict[str, float], dict[str, float]]:
    """Skin, dark features and edges on a head's window uint8 `(64, 64, 3)`, and on which side of it they lie."""
    unit = (np.arange(HEAD_PX) + 0.5) / HEAD_PX * 2 - 1
    across, down = np.meshgrid(unit, unit)
    radius = np.hypot(across / 0.62, (down + 0.03) / 0.8)
    ring = ((np.abs(across) > 0.82) | (down < -0.85)) & (down < 0.55)
    likely = _foreground(face, (radius < 0.75).astype(float), ring.astype(float)) * (radius < 1.35)
    mask = (cv2.GaussianBlur(likely, (0, 0), 1.5) > 0.5) & (radius < 1.3)
    number, labels = cv2.connectedComponents(mask.astype(np.uint8))
    if number > 1:
        mask = labels == 1 + int(np.argmax([((radius < 0.75) & (labels == n)).sum() for n in range(1, number)]))
    skin = _skin(face)
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.float32)
    inner = cv2.erode(mask.astype(np.uint8), np.ones((7, 7), np.uint8)) * cv2.dilate(
        (skin > 0.5).astype(np.uint8), np.ones((5, 5), np.uint8)
    )
    edges = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)) / 60
    edges = np.minimum(edges, 2) * inner
    dark = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, np.ones((9, 9), np.uint8)) / 40 * inner
    band = slice(int(0.28 * HEAD_PX), int(0.82 * HEAD_PX))
    head, bare = mask[band].astype(float), skin[band] * mask[band]
    total = max(float(head.sum()), 1.0)
    filled = np.flatnonzero(head.sum(axis=0) > 3)
    start, stop = (filled[0], filled[-1] + 1) if len(filled) >= 8 else (16, 48)
    thirds = np.linspace(start, stop, 4).astype(int)
    shares = [float(bare[:, a:b].sum() / max(head[:, a:b].sum(), 1)) for a, b in itertools.pairwise(thirds)]
    half = int((start + stop) / 2)

    def offset(values: np.ndarray) -> float:
        return float((values[band][:, half:stop].sum() - values[band][:, start:half].sum()) / total)

    share, darkness = float(bare.sum() / total), float(dark[band].sum() / total)
    even = {"skin": share, "middle_skin": shares[1], "most_skin": max(shares[0], shares[2])}
    even |= {"least_skin": min(shares[0], shares[2]), "dark": darkness, "dark_in_skin": min(darkness / (share + 0.15), 2.0)}
    even["edges"] = float(edges[band].sum() / total)
    odd = {"skin_offset": shares[2] - shares[0], "dark_offset": offset(dark), "edge_offset": offset(edges)}
    return even, odd


def _cascades(window: np.ndarray, head: float) -> tuple[float, float, float]:
    """How surely a face looks at us, to the image's left and to its right, in [0, 1]."""
    factor = FACE_PX / head
    grey = cv2.resize(
        cv2.cvtColor(window, cv2.COLOR_RGB2GRAY),
        None,
        fx=factor,
        fy=factor,
        interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC,
    )
    grey = cv2.createCLAHE(2.0, (4, 4)).apply(grey)
    return _level(FRONTAL, grey), _level(PROFILE, grey), _level(PROFILE, cv2.flip(grey, 1))


def _toes(crop: np.ndarray, box: Box, head: float) -> float:
    """How far the feet reach to the right of the shins, about in heads, in [-1, 1]."""
    width = box[2] - box[0]
    left, right = max(0, int(box[0] - 0.2 * width)), int(box[2] + 0.2 * width) + 1
    feet = crop[max(0, int(box[3] - 1.2 * head)) : int(box[3]) + 1, left:right]
    factor = SMALL_HEAD_PX / head
    feet = cv2.resize(feet, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    height, width_px = feet.shape[:2]
    inside, around = np.zeros((height, width_px)), np.zeros((height, width_px))
    inside[: int(0.75 * height), int(0.2 * width_px) : int(0.8 * width_px)] = 1
    edge = max(1, int(0.12 * width_px))
    around[:, :edge] = around[:, -edge:] = 1
    likely = _foreground(feet, inside, around) * (around == 0)

    def middle(start: float, stop: float) -> float:
        rows = likely[int(start * height) : max(int(stop * height), int(start * height) + 1)]
        return float((rows.sum(axis=0) * np.arange(width_px)).sum() / max(float(rows.sum()), 1e-3))

    return float(np.clip((middle(0.85, 1.0) - middle(0.35, 0.6)) / 8, -1, 1))


def _foreground(picture: np.ndarray, inside: np.ndarray, around: np.ndarray) -> np.ndarray:
    """The chance float32 `(H, W)` that a pixel's colour is of `inside` rather than `around`, weights of that shape."""
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2Lab).astype(np.int64)
    chroma = np.clip((lab[..., 1:] - 128) * 2 + 128, 0, 255) // 16
    codes = lab[..., 0] // 16 * 256 + chroma[..., 0] * 16 + chroma[..., 1]
    ours, theirs = _histogram(codes, inside), _histogram(codes, around)
    chance = (ours[codes] + 2e-5) / (ours[codes] + theirs[codes] + 4e-5)
    return cv2.blur(chance.astype(np.float32), (3, 3))


def _histogram(codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    counts = np.bincount(codes.ravel(), weights=weights.ravel(), minlength=4096).reshape(16, 16, 16)
    for axis in range(3):
        padded = np.pad(counts, [(1, 1) if each == axis else (0, 0) for each in range(3)])
        counts = counts + 0.5 * (np.take(padded, range(16), axis) + np.take(padded, range(2, 18), axis))
    return counts.ravel() / max(float(counts.sum()), 1e-6)


def _skin(picture: np.ndarray) -> np.ndarray:
    """How like skin each pixel is, float32 `(H, W)` in [0, 1]: near its hue, whatever its darkness, unless black."""
    luma, red, blue = cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb).astype(np.float32))
    apart = np.maximum(np.abs(red - 156) / 16, np.abs(blue - 107) / 18)
    return np.clip(1.6 - apart, 0, 1) * np.clip((luma - 35) / 25, 0, 1)


def _mean_in(sums: np.ndarray, x: np.ndarray, y: np.ndarray, width: int, height: int) -> np.ndarray:
    """Means of boxes from an integral image of a picture padded by SMALL_HEAD_PX."""
    left, top = np.round(x).astype(int) + SMALL_HEAD_PX, np.round(y).astype(int) + SMALL_HEAD_PX
    left, right = (np.clip(each, 0, sums.shape[1] - 1) for each in (left, left + width))
    top, bottom = (np.clip(each, 0, sums.shape[0] - 1) for each in (top, top + height))
    area = np.maximum((right - left) * (bottom - top), 1)
    return (sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]) / area


def _window(picture: np.ndarray, x: float, y: float, side: float) -> np.ndarray:
    """A square of the picture, its edge repeated where it reaches beyond."""
    left, top, size = int(x), int(y), max(4, int(side))
    pad = max(0, -left, -top, left + size - picture.shape[1], top + size - picture.shape[0])
    if pad:
        picture = cv2.copyMakeBorder(picture, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    return picture[top + pad : top + pad + size, left + pad : left + pad + size]


def _level(cascade: str, grey: np.ndarray) -> float:
    found, _, levels = _cascade(cascade).detectMultiScale3(
        grey, scaleFactor=1.1, minNeighbors=2, minSize=(30, 30), maxSize=(100, 100), outputRejectLevels=True
    )
    return float(1 / (1 + np.exp(-np.max(levels) / 2))) if len(found) else 0.0


_LOADED: dict[str, cv2.CascadeClassifier] = {}


def _cascade(name: str) -> cv2.CascadeClassifier:
    if name not in _LOADED:
        _LOADED[name] = cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / name))
    return _LOADED[name]
