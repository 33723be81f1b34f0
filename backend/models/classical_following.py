"""Looks for a subject found on one frame on the frames where nothing was found: by its picture, then its colours."""

import cv2
import numpy as np

from backend.domain import Box
from backend.geometry import boxes
from backend.models.classical_candidates import Candidate, Seed, grown
from backend.models.classical_views import View

SCALES = (0.75, 0.87, 1.0, 1.15, 1.33)
MIN_MATCH = 0.55  # normalised correlation: the same thing a second later has .6 to .9, another thing below .5


def followed(candidate: Candidate, view: View) -> Candidate | None:
    """The candidate's subject on another view, None when nothing there looks like it."""
    seed = _by_picture(candidate, view) or _by_colours(candidate, view)
    return None if seed is None else grown(view, seed)


def _by_picture(candidate: Candidate, view: View) -> Seed | None:
    """The place where the candidate's own pixels correlate best, with its mask put there."""
    height, width = view.blocked.shape
    x0, y0, x1, y1 = boxes.to_pixels(candidate.box, width, height)
    patch, shape = candidate.view.rgb[y0:y1, x0:x1], candidate.mask[y0:y1, x0:x1].astype(np.float32)
    best, where, size = MIN_MATCH, (0, 0), (0, 0)
    for scale in SCALES:
        w, h = round(patch.shape[1] * scale), round(patch.shape[0] * scale)
        if not (8 <= w <= width and 8 <= h <= height):
            continue
        resized = cv2.resize(patch, (w, h), interpolation=cv2.INTER_AREA)
        match = cv2.matchTemplate(view.rgb, resized, cv2.TM_CCOEFF_NORMED)
        _, value, _, place = cv2.minMaxLoc(match)
        if value > best:
            best, where, size = value, (int(place[0]), int(place[1])), (w, h)
    if size == (0, 0):
        return None
    prior = np.zeros((height, width), np.float32)
    (x, y), (w, h) = where, size
    prior[y : y + h, x : x + w] = cv2.GaussianBlur(cv2.resize(shape, size, interpolation=cv2.INTER_LINEAR), (0, 0), 1.5)
    return Seed("followed", (float(x), float(y), float(x + w), float(y + h)), prior)


def _by_colours(candidate: Candidate, view: View) -> Seed | None:
    """The window that holds most of the colours that are the candidate's and not its surroundings'."""
    outside = np.bincount(candidate.view.colours[~candidate.mask], minlength=candidate.colours.size).astype(np.float64)
    ratio = candidate.colours / (candidate.colours + outside / max(outside.sum(), 1) + 1e-4)
    likely = cv2.GaussianBlur(ratio[view.colours].astype(np.float32), (0, 0), 1.0)
    likely[view.blocked] = 0
    sums = cv2.integral(likely)
    best, found = 0.0, None
    for scale in SCALES:
        window = _fullest(sums, candidate.box, scale, view.bounds)
        if window is not None and window[0] > best:
            best, found = window
    if found is None or best < 0.15:
        return None
    x0, y0, x1, y1 = boxes.to_pixels(found, likely.shape[1], likely.shape[0])
    prior = np.zeros_like(likely)
    prior[y0:y1, x0:x1] = likely[y0:y1, x0:x1]
    return Seed("followed", found, prior)


def _fullest(sums: np.ndarray, box: Box, scale: float, bounds: Box) -> tuple[float, Box] | None:
    """The window of the scaled box's size with the greatest mean over that of the whole picture."""
    w, h = round((box[2] - box[0]) * scale), round((box[3] - box[1]) * scale)
    if not (8 <= w < bounds[2] and 8 <= h < bounds[3]):
        return None
    totals = sums[h:, w:] - sums[:-h, w:] - sums[h:, :-w] + sums[:-h, :-w]
    y, x = np.unravel_index(int(totals.argmax()), totals.shape)
    inside = float(totals[y, x])
    around = (float(sums[-1, -1]) - inside) / max(bounds[2] * bounds[3] - w * h, 1)
    return inside / (w * h) - around, (float(x), float(y), float(x + w), float(y + h))
