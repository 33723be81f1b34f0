"""Printed marks on a cut-out, without reading them: where they are, whether they are whole, and how alike two of them are."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from backend.domain import Box
from backend.geometry import boxes
from backend.measures import keypoints

SIDE_PX = 288
"""Longer side at which marks are looked for; letters of a name across a third of it are 10 px high."""
NUM_COLOURS = 6
"""Inks, shades and the thing's own colours."""
FULL_CONTRAST = 30.0
"""Difference of colour (CIE Lab, lightness halved) from which ink is as plain as can be; black on white has 50."""
FULL_FILL = 0.25
"""Letters fill a quarter of their box and more."""
HELD = 0.7
"""Part of a box from which it belongs to a larger one around it."""
MIN_PX = 6
MIN_SCORE = 0.15
"""Shades of worlds 0 and 1000 lie under it."""
MIN_AREA, MAX_AREA = 0.002, 0.40
"""Of the cut-out: less is a speck, more is a colour of the thing itself."""
MAX_ASPECT = 8.0
"""Longer ones are stripes and edges."""
CUT_SHARE = 0.01
"""Of the ring around a box that may lie outside the picture or the mask."""
PATCH_PX = 64
MATCH_PX = 80
"""Longer side to which the largest mark of a cut-out is brought before its points are matched: on worlds 2 to 4 other logos
share up to 8 points at 80 px and 14 at 144, where points of finer print agree by chance."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A printed mark by its box, in pixels of the cut-out, and how much it looks like print, in [0, 1]."""

    box: Box
    score: float


def find_marks(rgb: np.ndarray, mask: np.ndarray) -> list[Mark]:
    """Compact patches inside the bool mask `(H, W)` that differ from their surroundings with sharp edges; best first.

    `score` is contrast times sharpness of the outline times the part of the box that is filled: it tells print from
    shading, not a logo from any other print.
    """
    scale = min(2.0, SIDE_PX / max(rgb.shape[:2]))
    size = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
    inside = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    if inside.sum() < 64:
        return []
    lab = _lab(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))
    deep = cv2.erode(inside.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=0) > 0
    if deep.sum() < 64:
        return []
    slope = _slope(lab)
    colours = _colours(lab, deep)
    reach = max(3, max(size) // 20)  # letters of a word stand closer than this
    found: list[Mark] = []
    for colour in range(NUM_COLOURS):
        islands = _islands(colours == colour, deep)
        joined = cv2.morphologyEx(islands, cv2.MORPH_CLOSE, np.ones((max(1, reach // 2), reach), np.uint8))
        count, labels, stats, _ = cv2.connectedComponentsWithStats(joined)
        for number in range(1, count):
            x, y, w, h = (int(edge) for edge in stats[number][:4])
            if not MIN_AREA <= w * h / inside.sum() <= MAX_AREA or max(w / h, h / w) > MAX_ASPECT or min(w, h) < MIN_PX:
                continue
            near = slice(max(0, y - 4), y + h + 4), slice(max(0, x - 4), x + w + 4)
            ink = (labels[near] == number) & (islands[near] > 0)
            score = _print_score(ink, lab[near], deep[near], slope[near]) * min(1.0, int(ink.sum()) / (FULL_FILL * w * h))
            if score >= MIN_SCORE:
                found.append(Mark((x / scale, y / scale, (x + w) / scale, (y + h) / scale), score))
    return sorted(_outermost(found), key=lambda mark: (-mark.score, mark.box))


def is_uncut(box: Box, mask: np.ndarray) -> bool:
    """Whether at most CUT_SHARE of the ring of one pixel around a box lies outside the picture or the bool mask `(H, W)`."""
    height, width = mask.shape
    x0, y0, x1, y1 = boxes.to_pixels(box, width, height)
    padded = np.pad(mask, 1)
    ring = np.zeros(padded.shape, bool)
    ring[y0 : y1 + 2, x0 : x1 + 2] = True
    ring[y0 + 1 : y1 + 1, x0 + 1 : x1 + 1] = False
    return bool((~padded[ring]).mean() <= CUT_SHARE)


def text_agreement(a: str, b: str) -> float:
    """1 less the edit distance of two texts over the length of the longer one; letters and digits alone count.

    Raises ValueError when a text has neither.
    """
    first, second = plain_text(a), plain_text(b)
    if not first or not second:
        raise ValueError(f"{a!r} and {b!r} must both hold a letter or digit to be compared")
    row = list(range(len(second) + 1))
    for i, left in enumerate(first, 1):
        before, row[0] = row[0], i
        for j, right in enumerate(second, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (left != right))
    return 1.0 - row[-1] / max(len(first), len(second))


def plain_text(text: str) -> str:
    """Letters and digits of a text, folded to one case and width."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def describe_marks(rgb: np.ndarray, mask: np.ndarray, found: Sequence[Box]) -> keypoints.Keypoints:
    """Keypoints inside the boxes and the mask, with the largest of them brought to MATCH_PX."""
    if not found:
        return keypoints.NONE
    height, width = mask.shape
    pixels = [boxes.to_pixels(box, width, height) for box in found]
    x0, y0 = min(p[0] for p in pixels), min(p[1] for p in pixels)
    x1, y1 = max(p[2] for p in pixels), max(p[3] for p in pixels)
    allowed = np.zeros(mask.shape, bool)
    for left, top, right, bottom in pixels:
        allowed[top:bottom, left:right] = True
    part, allowed = rgb[y0:y1, x0:x1], (allowed & mask)[y0:y1, x0:x1]
    largest = max(max(right - left, bottom - top) for left, top, right, bottom in pixels)
    scale = min(MATCH_PX / largest, keypoints.MAX_SIDE_PX / max(part.shape[:2]))
    size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
    larger = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return keypoints.describe(larger, cv2.resize(allowed.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0)


def describe_patch(rgb: np.ndarray, box: Box) -> np.ndarray:
    """Orientations of edges in 4 by 4 cells of a box, 8 each: float32 unit vector `(128,)`, or zeros for a flat patch."""
    x0, y0, x1, y1 = boxes.to_pixels(box, rgb.shape[1], rgb.shape[0])
    grey = cv2.cvtColor(
        cv2.resize(rgb[y0:y1, x0:x1], (PATCH_PX, PATCH_PX), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY
    )
    grey = cv2.GaussianBlur(grey, (0, 0), 1.0).astype(np.float32)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    strength, angle = np.hypot(across, down), np.arctan2(down, across) % np.pi
    bins = np.minimum((angle / np.pi * 8).astype(np.int64), 7)
    cells = np.arange(PATCH_PX) * 4 // PATCH_PX
    flat = (cells[:, None] * 4 + cells[None]) * 8 + bins
    vector = np.sqrt(np.bincount(flat.ravel(), weights=strength.ravel(), minlength=128)).astype(np.float32)
    length = float(np.linalg.norm(vector))
    return vector / np.float32(length) if length > 0 else vector


def _outermost(found: Sequence[Mark]) -> list[Mark]:
    """Marks that no larger one holds: the eye of a letter is no mark."""
    kept: list[Mark] = []
    for mark in sorted(found, key=lambda mark: (-boxes.area(mark.box), -mark.score, mark.box)):
        if all(boxes.contain(mark.box, other.box) < HELD for other in kept):
            kept.append(mark)
    return kept


def _lab(rgb: np.ndarray) -> np.ndarray:
    """CIE Lab float32 with lightness halved, so that shading parts less than ink does."""
    smooth = cv2.GaussianBlur(rgb, (0, 0), 0.8)
    return cv2.cvtColor(smooth.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) * np.array([0.5, 1, 1], np.float32)


def _colours(lab: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Each pixel's nearest of NUM_COLOURS means, int64 `(H, W)`, -1 outside; begun with the colours farthest apart."""
    pixels = lab[inside]
    some = pixels[:: max(1, len(pixels) // 4000)]
    means = [np.median(some, axis=0)]
    for _ in range(NUM_COLOURS - 1):
        apart = np.min([np.linalg.norm(some - mean, axis=1) for mean in means], axis=0)
        means.append(some[int(np.argsort(apart)[int(0.98 * (len(some) - 1))])])  # the very farthest is a stray pixel
    centres = np.array(means)
    for _ in range(6):
        nearest = np.linalg.norm(some[:, None] - centres[None], axis=2).argmin(axis=1)
        centres = np.array(
            [some[nearest == k].mean(axis=0) if (nearest == k).any() else centres[k] for k in range(NUM_COLOURS)]
        )
    found = np.full(inside.shape, -1, np.int64)
    found[inside] = np.linalg.norm(pixels[:, None] - centres[None], axis=2).argmin(axis=1)
    return found


def _islands(of_colour: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Pixels of a colour in components that do not reach the edge of the mask, uint8 `(H, W)`."""
    _, labels = cv2.connectedComponents(of_colour.astype(np.uint8))
    core = cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0
    reaching = np.unique(labels[inside & ~core])
    return (of_colour & ~np.isin(labels, reaching)).astype(np.uint8)


def _slope(lab: np.ndarray) -> np.ndarray:
    """Steepest change of colour at each pixel, per pixel."""
    across, down = cv2.Sobel(lab, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(lab, cv2.CV_32F, 0, 1, scale=0.125)
    return np.sqrt((across**2 + down**2).sum(axis=-1))


def _print_score(ink: np.ndarray, lab: np.ndarray, inside: np.ndarray, slope: np.ndarray) -> float:
    """Contrast with the pixels around the ink, times how steep its outline is."""
    thick = cv2.dilate(ink.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    thin = cv2.dilate(ink.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    ring = thick & ~thin & inside
    if not ring.any():
        return 0.0
    contrast = float(np.linalg.norm(np.median(lab[ink], axis=0) - np.median(lab[ring], axis=0)))
    outline = thin & ~(cv2.erode(ink.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0)
    sharpness = min(1.0, float(np.median(slope[outline])) / max(1e-6, contrast / 6))  # print ends within six pixels
    return min(1.0, contrast / FULL_CONTRAST) * sharpness
