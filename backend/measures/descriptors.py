"""Appearance without learned weights: colour, texture and shape of a masked crop, and the colours of a background.

Every function gives a float32 vector of unit length (or zero where nothing could be measured). Colours of a subject
are power-normalised, so that a large plain part does not hide a small bright one; those of a background are not, so that
two places under one sky stay apart.
"""

import cv2
import numpy as np

HUES = 12
COLOUR_POWER = 0.75  # best of .5, .75 and 1 at 1 % false positives on real cut-outs
LIGHTS = 3
GREYS = 6
CHROMA_GREY, CHROMA_FULL = 5.0, 16.0  # Lab chroma: below, a colour reads as grey; above, as a hue (noise of 8-bit video)
BANDS = 3
CROP_HEIGHT = 128
HOG_SIZE = (64, 128)
HOG_CELL = 16
HOG_BINS = 9
BACKGROUND_SIZE = (96, 56)
LBP_RADII = (1, 3)
LBP_BINS = 10


def masked_crop(frame: np.ndarray, mask: np.ndarray, *, height: int = CROP_HEIGHT) -> tuple[np.ndarray, np.ndarray] | None:
    """The masked part of a frame, scaled to `height` rows: RGB uint8 `(height, W, 3)` and bool `(height, W)`.

    None when the mask is empty.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return None
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    crop, inside = frame[part], mask[part]
    width = int(np.clip(round(height * crop.shape[1] / crop.shape[0]), height // 4, height * 4))
    shrinks = crop.shape[0] > height
    crop = cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    scaled = cv2.resize(inside.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return crop, scaled > 0.5


def lighting_gains(frame: np.ndarray, *, strength: float = 0.5, norm: float = 6.0) -> np.ndarray:
    """Factors float32 `(3,)` that move a frame part of the way to neutral light (shades of grey, Finlayson 2004).

    `strength` 0 leaves the frame as it is, 1 makes the estimated light white. The mean of the factors is 1: exposure
    stays, because dark and light clothes differ in nothing else.
    """
    small = cv2.resize(frame, (64, 36), interpolation=cv2.INTER_AREA).reshape(-1, 3).astype(np.float32)
    light = np.power(np.power(small + 1.0, norm).mean(axis=0), 1.0 / norm)
    gains = np.power(light.mean() / light, strength)
    return (gains / gains.mean()).astype(np.float32)


def colour_bands(crop: np.ndarray, mask: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Soft colour histograms of the whole mask and of three bands of its height, float32 `((BANDS + 1) * 42,)`.

    A pixel belongs partly to greys (by lightness) and partly to hues (by hue and lightness), as its chroma says.
    """
    crop, mask = crop[::2, ::2], mask[::2, ::2]  # a quarter of the pixels gives the same histogram
    bins = _colour_bins(crop, gains)
    height = crop.shape[0]
    parts = [_histogram(bins, mask)]
    for band in range(BANDS):
        rows = np.zeros_like(mask)
        rows[band * height // BANDS : (band + 1) * height // BANDS] = True
        parts.append(_histogram(bins, mask & rows))
    return unit(np.concatenate(parts))


def texture_bands(crop: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Rotation-invariant uniform binary patterns (Ojala 2002) at two radii over three bands, float32 `(60,)`."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    height = crop.shape[0]
    inner = cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    parts = []
    for radius in LBP_RADII:
        codes = _binary_patterns(grey, radius)
        for band in range(BANDS):
            rows = slice(band * height // BANDS, (band + 1) * height // BANDS)
            counts = np.bincount(codes[rows][inner[rows]], minlength=LBP_BINS).astype(np.float32)
            parts.append(unit(np.sqrt(counts)))
    return unit(np.concatenate(parts))


def shape_grid(crop: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Gradient directions on a grid of 8 x 4 cells with the outside painted flat, float32 `(288,)`.

    Left and right are averaged with their mirror: a subject that turns round keeps its shape.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fill = float(grey[mask].mean()) if mask.any() else 0.0
    flat = np.where(mask, grey, fill).astype(np.float32)
    flat = cv2.resize(flat, HOG_SIZE, interpolation=cv2.INTER_AREA)
    cells = _gradient_cells(flat)
    mirrored = cells[:, ::-1, (-np.arange(HOG_BINS)) % HOG_BINS]
    return unit(np.sqrt(cells + mirrored).ravel())


def background_layout(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Colours and edges of what the mask leaves, whole and in a left, middle and right third, float32 `(200,)`.

    `mask` covers everything to leave out (the subject, widened by the caller). Zero when nothing is left.
    """
    small = cv2.resize(frame, BACKGROUND_SIZE, interpolation=cv2.INTER_AREA)
    out = cv2.resize(mask.astype(np.float32), BACKGROUND_SIZE, interpolation=cv2.INTER_AREA) > 0
    rest = ~out
    bins = _colour_bins(small, np.ones(3, np.float32))
    width = small.shape[1]
    colours = [unit(bins[rest].sum(axis=0))]
    for third in range(3):
        columns = slice(third * width // 3, (third + 1) * width // 3)
        colours.append(unit(bins[:, columns][rest[:, columns]].sum(axis=0)))
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    patterns = [
        unit(np.bincount(_binary_patterns(grey, radius)[rest], minlength=LBP_BINS).astype(np.float32))
        for radius in LBP_RADII
    ]
    return unit(np.concatenate([unit(np.concatenate(colours)), 0.5 * unit(np.concatenate(patterns))]))


def unit(vector: np.ndarray) -> np.ndarray:
    """The vector divided by its length; zero stays zero."""
    length = float(np.linalg.norm(vector))
    return (vector / length if length > 0 else vector).astype(np.float32)


def _colour_bins(crop: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Soft membership of each pixel in HUES x LIGHTS hues and GREYS greys, float32 `(H, W, 42)`."""
    balanced = np.clip(crop.astype(np.float32) / 255.0 * gains, 0.0, 1.0)
    lab = cv2.cvtColor(balanced, cv2.COLOR_RGB2LAB)
    light = lab[..., 0] / 100.0
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    hue = np.arctan2(lab[..., 2], lab[..., 1]) / (2 * np.pi) % 1.0
    vivid = np.clip((chroma - CHROMA_GREY) / (CHROMA_FULL - CHROMA_GREY), 0.0, 1.0)
    hues = _soft(hue * HUES, HUES, circular=True)
    lights = _soft(light * (LIGHTS - 1), LIGHTS, circular=False)
    chromatic = (hues[..., :, None] * lights[..., None, :]).reshape(*light.shape, HUES * LIGHTS) * vivid[..., None]
    greys = _soft(light * (GREYS - 1), GREYS, circular=False) * (1.0 - vivid)[..., None]
    return np.concatenate([chromatic, greys], axis=-1)


def _soft(place: np.ndarray, num: int, *, circular: bool) -> np.ndarray:
    """Linear weights of the bins on both sides of each place, float32 `(..., num)`."""
    centres = np.arange(num, dtype=np.float32)
    distance = np.abs(place[..., None] - centres)
    if circular:
        distance = np.minimum(distance, num - distance)
    return np.clip(1.0 - distance, 0.0, 1.0).astype(np.float32)


def _histogram(bins: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return unit(np.power(bins[mask].sum(axis=0), COLOUR_POWER)) if mask.any() else np.zeros(bins.shape[-1], np.float32)


def _binary_patterns(grey: np.ndarray, radius: int) -> np.ndarray:
    """Codes 0 to 9 of each pixel, uint8 `(H, W)`: number of brighter neighbours of 8, or 9 when not uniform."""
    padded = cv2.copyMakeBorder(grey, radius, radius, radius, radius, cv2.BORDER_REFLECT).astype(np.int16)
    height, width = grey.shape
    ring = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
    centre = grey.astype(np.int16)
    brighter = np.stack(
        [padded[radius + dy * radius :, radius + dx * radius :][:height, :width] >= centre + 1 for dy, dx in ring]
    )
    changes = (brighter != np.roll(brighter, 1, axis=0)).sum(axis=0)
    return np.where(changes <= 2, brighter.sum(axis=0), LBP_BINS - 1).astype(np.uint8)


def _gradient_cells(grey: np.ndarray) -> np.ndarray:
    """Unsigned gradient directions, soft in angle, summed in cells and scaled by cell energy, `(8, 4, 9)`."""
    dx, dy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    angle = (np.arctan2(dy, dx) / np.pi % 1.0) * HOG_BINS
    weights = _soft(angle, HOG_BINS, circular=True) * np.hypot(dx, dy)[..., None]
    rows, columns = grey.shape[0] // HOG_CELL, grey.shape[1] // HOG_CELL
    cells = weights.reshape(rows, HOG_CELL, columns, HOG_CELL, HOG_BINS).sum(axis=(1, 3))
    energy = float(cells.sum())
    return cells / energy if energy > 0 else cells
