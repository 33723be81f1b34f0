"""Whether lips follow the sound, without weights: how well the loudness can be told from how the mouth looks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from backend.domain import Absent
from backend.measures.lips import MAX_SHIFT, SAMPLES_PER_FRAME, WINDOW

SIDE_PX = 112
"""Crops are looked at in this size."""
EYES = (20, 5, 92, 52)
"""Where brows, eyes and nose lie in SyncNet's crop of an upright face, in pixels of that size: x0, y0, x1, y1."""
REACH_PX = 10
SAME_EYES = 0.5
"""Correlation from which a place is taken for the same eyes."""
LOWER = (28, 52, 84, 92)
"""Where the mouth may lie once the eyes stand still."""
CELL_PX = 4
MOUTH = (56.0, 68.0, 16.0, 9.0)
"""Where it mostly lies: the middle of a bell, x and y, and its deviations. Crops put a cascade's face in rows 0 to 80."""
BLUR_PX = 2.0
"""Deviation by which steadied pictures are softened: what a pixel of wrong place changes then is less than a lip."""
NUM_MOVEMENTS = 8
STIFFNESS = 0.02
"""How much larger than the first movement's variance one must be to count in full: a ridge, as a share of it."""
NUM_PARTS = 8
FEWEST_FRAMES = 16
SMOOTH_FRAMES = 0.8
DRIFT_FRAMES = 12.0


@dataclass(frozen=True)
class ClassicalSync:
    """Squared errors of the sound's loudness as foretold from the mouth, in units of its variance: 1 says nothing, 0 all.

    The face is held still by its eyes; brightness and redness of cells around the mouth are reduced to the movements
    that explain most of them (principal components). At each shift a ridge regression from movements to loudness
    is fitted on seven eighths of the clip and tried on the last, in turns, so that what fits by chance gains nothing.
    Which look belongs to an open mouth, dark, red or full of teeth, is learnt from the clip itself. The confidence of
    the best shift is the share of the loudness that it explains more than the middling one. A weak witness: it hears
    loudness, not words.
    """

    model_id: ClassVar[str] = "embedded-sync-3 (weak)"
    least_confidence: ClassVar[float] = 0.5
    """Takes of worlds 2000 and 2001, as they are and moved three ways: own speech reaches .65 and more, another's or
    reversed speech .38 at most; of five real clips reversed or moved by half their length .44 at most."""

    def distances(self, crops: np.ndarray, samples: np.ndarray) -> np.ndarray | Absent:
        num = min(len(crops), len(samples) // SAMPLES_PER_FRAME)
        if num < WINDOW + 1:
            return Absent(f"not applicable: {num} frames with sound are too few; {WINDOW + 1} are needed")
        sound = _loudness(samples, num)
        if sound.std() < 1e-6:
            return Absent("not applicable: the sound does not change")
        mouth = mouth_movements(crops[:num])
        if mouth.std(axis=0).max() < 1e-3:
            return Absent("not applicable: the mouth does not move")
        sound = _without_drift(sound[:, None])[:, 0]
        return np.stack([_errors(mouth, sound, k - MAX_SHIFT) for k in range(2 * MAX_SHIFT + 1)], axis=1)


def mouth_movements(crops: np.ndarray) -> np.ndarray:
    """How the mouth of crops uint8 `(T, 224, 224, 3)` moves: float64 `(T, 8)` at most, strongest first, about zero."""
    x0, y0, x1, y1 = LOWER
    columns, rows = (x1 - x0) // CELL_PX, (y1 - y0) // CELL_PX
    cells = []
    for picture in _steadied(crops):
        part = cv2.resize(picture[y0:y1, x0:x1], (columns, rows), interpolation=cv2.INTER_AREA)
        # Logarithms and ratios, so that light falls on all alike.
        bright = np.log(part.mean(axis=-1) / max(float(np.median(picture)), 1.0) + 0.05)
        red = np.log((part[..., 0] + 5) / (part[..., 1] + 5))
        cells.append(np.stack((bright, red)))
    bell_x = np.exp(-(((x0 + (np.arange(columns) + 0.5) * CELL_PX - MOUTH[0]) / MOUTH[2]) ** 2) / 2)
    bell_y = np.exp(-(((y0 + (np.arange(rows) + 0.5) * CELL_PX - MOUTH[1]) / MOUTH[3]) ** 2) / 2)
    weighted = np.array(cells) * (bell_y[:, None] * bell_x)
    changes = _without_drift(weighted.reshape(len(crops), -1))
    scores, sizes, _ = np.linalg.svd(changes - changes.mean(axis=0), full_matrices=False)
    return scores[:, :NUM_MOVEMENTS] * sizes[:NUM_MOVEMENTS]


def _steadied(crops: np.ndarray) -> Iterator[np.ndarray]:
    """Each crop float32 `(112, 112, 3)`, moved so that the eyes stay where they are in the middle one, and softened."""
    small = [cv2.resize(crop, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA) for crop in crops]
    for picture, (x, y) in zip(small, _wanderings(small), strict=True):
        yield cv2.GaussianBlur(_moved(picture.astype(np.float32), x, y), (0, 0), BLUR_PX)


def _wanderings(pictures: list[np.ndarray]) -> list[tuple[float, float]]:
    """How far the eyes of each picture lie from where the middle one has them, in parts of a pixel."""
    lumas = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) for picture in pictures]
    x0, y0, x1, y1 = EYES
    middle = len(lumas) // 2
    found: dict[int, tuple[float, float]] = {}
    for order in (range(middle, len(lumas)), range(middle, -1, -1)):
        eyes, at = lumas[middle][y0:y1, x0:x1], (0.0, 0.0)
        for k in order:
            wide = np.pad(lumas[k], 2 * REACH_PX, mode="edge")
            left, top = round(at[0]), round(at[1])
            near = wide[top + y0 + REACH_PX : top + y1 + 3 * REACH_PX, left + x0 + REACH_PX : left + x1 + 3 * REACH_PX]
            likeness = cv2.matchTemplate(near, eyes, cv2.TM_CCOEFF_NORMED)
            _, best, _, (x, y) = cv2.minMaxLoc(likeness)
            if best >= SAME_EYES:
                at = (
                    _near(left + x + _summit(likeness[y, x - 1 : x + 2])),
                    _near(top + y + _summit(likeness[y - 1 : y + 2, x])),
                )
            found[k] = at
            eyes = 0.9 * eyes + 0.1 * _moved(lumas[k], *at)[y0:y1, x0:x1]  # a head that turns slowly is followed
    return [found[k] for k in range(len(lumas))]


def _near(place: float) -> float:
    """A place in the searched surroundings as a distance from where the eyes belong."""
    return float(np.clip(place - REACH_PX, -REACH_PX, REACH_PX))


def _summit(three: np.ndarray) -> float:
    """Where the parabola through three neighbours is highest, -0.5 to 0.5 from the middle one; 0 at a border."""
    if three.size != 3:
        return 0.0
    before, here, after = (float(each) for each in three.ravel())
    bend = before - 2 * here + after
    return 0.0 if bend >= -1e-9 else float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5))


def _moved(picture: np.ndarray, x: float, y: float) -> np.ndarray:
    shift = np.array([[1, 0, -x], [0, 1, -y]], np.float32)
    return cv2.warpAffine(picture, shift, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REPLICATE)


def _loudness(samples: np.ndarray, num: int) -> np.ndarray:
    """Root mean square of the sound around each frame's time, compressed by a square root as hearing is, float64 `(num,)`."""
    centred = np.concatenate((np.zeros(SAMPLES_PER_FRAME // 2), samples))[: num * SAMPLES_PER_FRAME]
    frames = centred.reshape(num, SAMPLES_PER_FRAME)
    return np.sqrt(np.sqrt((frames**2).mean(axis=1)))


def _without_drift(curves: np.ndarray) -> np.ndarray:
    """Curves `(T, N)` a little smoothed in time, less what changes over a second."""
    given = curves.astype(np.float32)
    smooth = cv2.GaussianBlur(given, (1, 7), sigmaX=1, sigmaY=SMOOTH_FRAMES, borderType=cv2.BORDER_REFLECT)
    drift = cv2.GaussianBlur(given, (1, 73), sigmaX=1, sigmaY=DRIFT_FRAMES, borderType=cv2.BORDER_REFLECT)
    return (smooth - drift).reshape(curves.shape).astype(np.float64)


def _errors(mouth: np.ndarray, sound: np.ndarray, shift: int) -> np.ndarray:
    """Squared errors float32 `(T - 5,)` with the sound `shift` frames later, where both are known; their mean elsewhere."""
    rows = len(mouth) - WINDOW
    start, stop = max(0, -shift), min(len(mouth), len(sound) - shift)
    if stop - start < FEWEST_FRAMES:
        return np.ones(rows, np.float32)
    heard = _standard(sound[start + shift : stop + shift])
    seen = mouth[start:stop] - mouth[start:stop].mean(axis=0)
    errors = np.full(len(mouth), np.nan)
    errors[start:stop] = (heard - _foretold(seen / (seen[:, 0].std() + 1e-9), heard)) ** 2
    # Few frames agree by chance more easily than many, and rows without both get the mean of the others.
    mean = 1 - (1 - float(np.nanmean(errors))) * np.sqrt((stop - start) / len(mouth))
    part = np.where(np.isfinite(errors[:rows]), errors[:rows], mean)
    return (part + (mean - part.mean())).astype(np.float32)


def _foretold(seen: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """`heard` `(T,)` of each eighth of the frames by a ridge regression on `seen` `(T, N)` fitted to the others."""
    told = np.empty(len(heard))
    for part in np.array_split(np.arange(len(heard)), NUM_PARTS):
        others, known = np.delete(seen, part, axis=0), np.delete(heard, part)
        ridge = STIFFNESS * len(known) * np.eye(seen.shape[1])
        told[part] = seen[part] @ np.linalg.solve(others.T @ others + ridge, others.T @ known)
    return told


def _standard(curve: np.ndarray) -> np.ndarray:
    return (curve - curve.mean()) / (curve.std() + 1e-9)
