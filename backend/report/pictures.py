"""Pictures for a page: scaled, with masks drawn, inlined as data."""

import base64
import io

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, UnidentifiedImageError

Picture = np.ndarray | bytes
"""uint8 `(H, W, 3)` RGB or `(H, W, 4)` RGBA, or an encoded PNG, JPEG or WebP file."""

MASK_TINT = (15, 159, 142)
MARGIN = 0.25
MAX_PIXELS = 64 * 10**6
"""Encoded pictures that claim more are shown as unreadable: no thumbnail needs them."""


def data_uri(picture: Picture, *, long_side: int, quality: int = 78) -> str | None:
    """A `data:` URI of a WebP at most `long_side` pixels long; None when an encoded picture cannot be read."""
    image = _opened(picture)
    return None if image is None else _encoded(_fitted(image, long_side), quality)


def moving_uri(animation: bytes) -> str:
    """A `data:` URI of an animated WebP as it is."""
    return f"data:image/webp;base64,{base64.b64encode(animation).decode('ascii')}"


def masked_uri(picture: Picture, mask: np.ndarray, *, long_side: int, quality: int = 78) -> str | None:
    """The same with a mask bool `(H, W)` of the picture's size drawn: what lies outside is dimmed, its edge is a line.

    Shows the mask's surroundings, not the whole picture.
    """
    image = _opened(picture)
    if image is None:
        return None
    if mask.any():
        near = _surroundings(mask)
        image = image.crop(near)
        mask = mask[near[1] : near[3], near[0] : near[2]]
    image = _fitted(image.convert("RGB"), long_side)
    scaled = Image.fromarray(mask.astype(np.uint8) * 255).resize(image.size, Image.Resampling.BILINEAR)
    inside = Image.fromarray((np.asarray(scaled) >= 128).astype(np.uint8) * 255)
    # Dimmed toward gray rather than black, so that dark subjects stay apart from what surrounds them
    dimmed = Image.blend(image, Image.new("RGB", image.size, (128, 128, 128)), 0.62)
    drawn = Image.composite(image, dimmed, inside)
    edge = ImageChops.difference(inside.filter(ImageFilter.MaxFilter(5)), inside.filter(ImageFilter.MinFilter(3)))
    drawn.paste(MASK_TINT, (0, 0), edge)
    return _encoded(drawn, quality)


def boxed_uri(picture: Picture, box: tuple[float, float, float, float], *, long_side: int, quality: int = 78) -> str | None:
    """The same with a box drawn, in pixels of the picture given."""
    image = _opened(picture)
    if image is None:
        return None
    factor = _factor(image, long_side)
    image = _fitted(image.convert("RGB"), long_side)
    ImageDraw.Draw(image).rectangle([value * factor for value in box], outline=MASK_TINT, width=2)
    return _encoded(image, quality)


def _surroundings(mask: np.ndarray) -> tuple[int, int, int, int]:
    """A square about the mask with MARGIN of its longer side on each side, cut to the picture."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    x, y = (columns[0] + columns[-1] + 1) / 2, (rows[0] + rows[-1] + 1) / 2
    half = (0.5 + MARGIN) * max(columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1)
    height, width = mask.shape
    return max(0, int(x - half)), max(0, int(y - half)), min(width, int(x + half) + 1), min(height, int(y + half) + 1)


def _opened(picture: Picture) -> Image.Image | None:
    if isinstance(picture, np.ndarray):
        return Image.fromarray(np.ascontiguousarray(picture))
    try:
        image = Image.open(io.BytesIO(picture), formats=("PNG", "JPEG", "WEBP"))
        if image.width * image.height > MAX_PIXELS:
            return None
        image.load()
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return None
    return image if image.mode in ("RGB", "RGBA") else image.convert("RGBA" if "transparency" in image.info else "RGB")


def _factor(image: Image.Image, long_side: int) -> float:
    return min(1.0, long_side / max(image.size))


def _fitted(image: Image.Image, long_side: int) -> Image.Image:
    factor = _factor(image, long_side)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)


def _encoded(image: Image.Image, quality: int) -> str:
    data = io.BytesIO()
    image.save(data, "WEBP", quality=quality, method=2)
    return f"data:image/webp;base64,{base64.b64encode(data.getvalue()).decode('ascii')}"
