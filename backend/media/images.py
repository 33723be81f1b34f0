"""Still pictures: reading any common format by its content, upright and 8-bit, and writing PNG, WebP and JPEG."""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from backend.domain import MediaError
from backend.media.container import FilePath, display_name

MAX_PIXELS = 100_000_000
"""Checked before decoding. The largest phone cameras give 108 Mpixel; a 400 kB PNG can claim 400 Mpixel."""
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000")
"""Raster formats that Pillow decodes itself. PSD, EPS and the like are left out (EPS runs another program)."""
WHITE = (255, 255, 255)
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
)
"""What Pillow's readers raise at damaged files: each its own."""
SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I")

# Pillow raises above twice its limit, whoever opens a picture; between the two it would warn, and our own limit is the same.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def read_image(source: FilePath | bytes, *, background: tuple[int, int, int] = WHITE) -> np.ndarray:
    """An upright RGB picture, uint8 `(H, W, 3)`; transparent pixels are blended on `background`.

    EXIF orientation is applied, 16-bit values are divided by 257, palettes, grey and CMYK become RGB, and of an
    animation the first frame is taken. Raises MediaError (kinds `empty`, `missing`, `permission`, `unreadable`,
    `too_large`, `truncated`).
    """
    return blended(read_rgba(source), background=background)


def blended(rgba: np.ndarray, *, background: tuple[int, int, int] = WHITE) -> np.ndarray:
    """uint8 `(H, W, 3)` of uint8 `(H, W, 4)`: transparent pixels on `background`."""
    if rgba[..., 3].min(initial=255) == 255:
        return np.ascontiguousarray(rgba[..., :3])
    alpha = rgba[..., 3:].astype(np.uint32)
    blend = rgba[..., :3] * alpha + np.asarray(background, dtype=np.uint32) * (255 - alpha)
    return ((blend + 127) // 255).astype(np.uint8)


def read_rgba(source: FilePath | bytes) -> np.ndarray:
    """As `read_image`, with the alpha channel kept: uint8 `(H, W, 4)`; opaque pictures have alpha 255."""
    picture = _load(source)
    if picture.mode in SIXTEEN_BIT:
        grey = np.asarray(picture).astype(np.uint32)
        grey = ((grey.clip(0, 65535) + 128) // 257).astype(np.uint8)
        return np.dstack((grey, grey, grey, np.full_like(grey, 255)))
    return np.asarray(picture.convert("RGBA"))


def encode_png(pixels: np.ndarray) -> bytes:
    """PNG of uint8 `(H, W, 3)` RGB, `(H, W, 4)` RGBA or `(H, W)` grey, lossless."""
    return _encode(pixels, "PNG", compress_level=4)


def encode_webp(pixels: np.ndarray, *, quality: int = 90, lossless: bool = False) -> bytes:
    """WebP of uint8 `(H, W, 3)` RGB or `(H, W, 4)` RGBA. Lossless keeps colours under transparent pixels."""
    return _encode(pixels, "WEBP", quality=quality, lossless=lossless, exact=lossless, method=2)


def encode_jpeg(pixels: np.ndarray, *, quality: int = 95) -> bytes:
    """JPEG of uint8 `(H, W, 3)` RGB."""
    return _encode(pixels, "JPEG", quality=quality)


def decode_image(data: bytes) -> np.ndarray:
    """What `encode_png` or `encode_webp` wrote: uint8 `(H, W, 3)`, `(H, W, 4)` or `(H, W)` as it was stored.

    WebP keeps no record of an alpha channel that is opaque everywhere. Raises MediaError for other bytes.
    """
    picture = _load(data)
    return np.asarray(picture if picture.mode in ("L", "RGB", "RGBA") else picture.convert("RGBA"))


def image_size(source: FilePath | bytes) -> tuple[int, int, str]:
    """Upright width, height and format name, without decoding (a PNG is read whole: its orientation may stand last).

    Raises MediaError as `read_image` does.
    """
    with _opened(source) as picture, _damage_named(source):
        width, height = picture.size
        turned = picture.getexif().get(0x0112, 1) >= 5  # EXIF orientation 5 to 8: width and height change places
        return (height, width, picture.format or "") if turned else (width, height, picture.format or "")


def num_pictures(source: FilePath | bytes) -> int:
    """How many pictures an animation or a document of several pages holds; 1 for a plain picture. Raises as `read_image`."""
    with _opened(source) as picture, _damage_named(source):
        # A phone's JPEG may carry a preview as a second picture (MPO): that is still one picture.
        return 1 if picture.format in ("JPEG", "MPO") else getattr(picture, "n_frames", 1)


def is_animated(source: FilePath | bytes) -> bool:
    """Whether there is a second picture; a GIF is read no further than that. Raises as `read_image`."""
    with _opened(source) as picture, _damage_named(source):
        return bool(getattr(picture, "is_animated", False))


def _encode(pixels: np.ndarray, format: str, **options: object) -> bytes:
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, format=format, **options)
    return target.getvalue()


def _load(source: FilePath | bytes) -> Image.Image:
    with _opened(source) as picture, _damage_named(source):
        picture.load()
        return ImageOps.exif_transpose(picture)


@contextmanager
def _damage_named(source: FilePath | bytes) -> Iterator[None]:
    try:
        yield
    except Image.DecompressionBombError as error:
        raise _too_large(source, error) from error
    except DAMAGE as error:
        reason = f"{_name(source)}: the picture's data are cut off or damaged ({error})"
        raise MediaError(reason, kind="truncated") from error


def _opened(source: FilePath | bytes) -> Image.Image:
    try:
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
        if not data:
            raise MediaError(f"{_name(source)}: empty file", kind="empty")
        Image.init()  # idempotent; `formats` may only name readers that are loaded
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
    except FileNotFoundError as error:
        raise MediaError(f"{_name(source)}: no such file", kind="missing") from error
    except PermissionError as error:
        raise MediaError(f"{_name(source)}: no permission to read it", kind="permission") from error
    except Image.DecompressionBombError as error:
        raise _too_large(source, error) from error
    except DAMAGE as error:
        raise MediaError(f"{_name(source)}: not a picture in a known format, or its header is damaged") from error
    return picture


def _too_large(source: FilePath | bytes, error: Image.DecompressionBombError) -> MediaError:
    claimed = str(error).partition("(")[2].partition(")")[0] or "too many pixels"
    reason = f"{_name(source)}: its header claims {claimed}, the limit is {MAX_PIXELS // 10**6} million; scale it down"
    return MediaError(reason, kind="too_large")


def _name(source: FilePath | bytes) -> str:
    return "image" if isinstance(source, bytes) else display_name(source)
