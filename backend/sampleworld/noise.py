"""Random fields and surface patterns with natural statistics."""

import functools

import cv2
import numpy as np

Color = tuple[float, float, float]
FIELD_PX = 512
NATURAL_SLOPE = 1.0  # amplitude falls as 1/f in natural pictures: Field, JOSA A 4(12), 1987


@functools.lru_cache(maxsize=96)
def field(seed: int, slope: float = NATURAL_SLOPE, stretch: float = 1.0) -> np.ndarray:
    """A periodic random field, float32 (512, 512), mean 0 and deviation 1, amplitude spectrum `1 / f**slope`.

    `stretch` > 1 draws it out along x. Fields are cached: do not write into them.
    """
    rng = np.random.default_rng([seed, 9176])
    fy = np.fft.fftfreq(FIELD_PX)[:, None]
    fx = np.fft.rfftfreq(FIELD_PX)[None, :] * stretch
    amplitude = 1.0 / np.maximum(np.hypot(fy, fx), 1.0 / FIELD_PX) ** slope
    amplitude[0, 0] = 0
    spectrum = amplitude * np.exp(2j * np.pi * rng.random(amplitude.shape))
    out = np.fft.irfft2(spectrum, s=(FIELD_PX, FIELD_PX)).astype(np.float32)
    out = (out - out.mean()) / out.std()
    out.setflags(write=False)
    return out


def patch(
    rng: np.random.Generator,
    size: tuple[int, int],
    *,
    slope: float = NATURAL_SLOPE,
    zoom: float = 1.0,
    stretch: float = 1.0,
) -> np.ndarray:
    """A random piece of a field, float32 `size` = (height, width); `zoom` enlarges its grain."""
    h, w = size
    source = field(int(rng.integers(6)), slope, stretch)
    dx, dy = rng.integers(FIELD_PX, size=2)
    if zoom == 1.0:
        rows, columns = (np.arange(h) + dy) % FIELD_PX, (np.arange(w) + dx) % FIELD_PX
        return source[rows[:, None], columns[None, :]]
    warp = np.array([[1 / zoom, 0, float(dx)], [0, 1 / zoom, float(dy)]], np.float32)
    return cv2.warpAffine(source, warp, (w, h), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_WRAP)


def tint(shade: np.ndarray, low: Color, high: Color) -> np.ndarray:
    """Maps a field (H, W) to colours: -1.5 gives `low`, 1.5 gives `high`; float32 (H, W, 3)."""
    steps = np.linspace(0, 1, 1024, dtype=np.float32)[:, None]
    table = np.array(low, np.float32) * (1 - steps) + np.array(high, np.float32) * steps
    level = np.clip(shade * np.float32(1023 / 3) + np.float32(512), 0, 1023).astype(np.int16)
    return np.take(table, level, axis=0)


def vary(rng: np.random.Generator, color: Color, amount: float) -> Color:
    """A colour near `color`, each channel within ± amount."""
    r, g, b = np.clip(np.array(color) + rng.uniform(-amount, amount, 3), 0.02, 0.98)
    return float(r), float(g), float(b)


def cloth(
    rng: np.random.Generator, pattern: str, colors: tuple[Color, Color], *, size: tuple[int, int] = (384, 512)
) -> np.ndarray:
    """A woven surface, float32 (H, W, 3). Patterns: plain, stripes, bars, plaid, dots, checks, camouflage, melange."""
    h, w = size
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    period = float(rng.uniform(26, 60))
    first, second = (np.array(c, np.float32) for c in colors)
    match pattern:
        case "stripes":
            mix = _soft(np.sin(2 * np.pi * y / period))
        case "bars":
            mix = _soft(np.sin(2 * np.pi * x / (w / round(w / period))))
        case "plaid":
            bars = w / round(w / (1.6 * period))
            mix = 0.5 * _soft(np.sin(2 * np.pi * x / bars) - 0.3) + 0.5 * _soft(
                np.sin(2 * np.pi * y / (1.6 * period)) - 0.3
            )
        case "dots":
            bars = w / round(w / period)
            mix = _soft(np.cos(2 * np.pi * x / bars) + np.cos(2 * np.pi * y / period) - 0.9)
        case "checks":
            bars = w / round(w / period)
            mix = _soft(np.sin(2 * np.pi * x / bars) * np.sin(2 * np.pi * y / period) * 3)
        case "camouflage":
            mix = _soft(3 * patch(rng, size, slope=1.6, zoom=1.0))
        case "melange":
            mix = np.clip(0.5 + 0.25 * patch(rng, size, slope=0.3), 0, 1)
        case "plain":
            mix = np.zeros(size, np.float32)
        case _:
            raise ValueError(f"unknown cloth pattern {pattern}")
    base = first + (second - first) * mix[..., None]
    weave = 1 + 0.035 * patch(rng, size, slope=0.2) + 0.06 * patch(rng, size, slope=1.3)
    return np.clip(base * weave[..., None], 0.01, 1).astype(np.float32)


def coat(
    rng: np.random.Generator, pattern: str, colors: tuple[Color, Color], *, size: tuple[int, int] = (384, 512)
) -> np.ndarray:
    """Fur or feathers, float32 (H, W, 3). Patterns: spots, patches, stripes, saddle, plain."""
    h, w = size
    y = np.linspace(0, 1, h, dtype=np.float32)[:, None]
    first, second = (np.array(c, np.float32) for c in colors)
    match pattern:
        case "spots":
            mix = _soft(5 * (field(int(rng.integers(50, 60)), 0.9)[:h, :w] * 0 + _cells(rng, size, 60) - 0.35))
        case "patches":
            mix = _soft(4 * (patch(rng, size, slope=2.0) - 0.15))
        case "stripes":
            wobble = patch(rng, size, slope=1.6)
            mix = _soft(2.5 * (np.sin(2 * np.pi * (y * rng.integers(7, 12) + 0.22 * wobble)) - 0.1))
        case "saddle":
            mix = _soft(
                6 * (0.5 - np.abs(np.linspace(-1, 1, w, dtype=np.float32))[None, :] + 0.08 * patch(rng, size, slope=1.4))
            )
        case "plain":
            mix = np.zeros(size, np.float32)
        case _:
            raise ValueError(f"unknown coat pattern {pattern}")
    base = first + (second - first) * mix[..., None]
    hair = 1 + 0.10 * patch(rng, size, slope=0.5, stretch=0.25) + 0.08 * patch(rng, size, slope=1.3)
    return np.clip(base * hair[..., None], 0.01, 1).astype(np.float32)


def strands(rng: np.random.Generator, color: Color, *, size: tuple[int, int] = (256, 512)) -> np.ndarray:
    """Hair seen as vertical strands, float32 (H, W, 3)."""
    streaks = patch(rng, size, slope=0.7, stretch=0.15)
    sheen = patch(rng, size, slope=1.5)
    return np.clip(np.array(color, np.float32) * (1 + 0.28 * streaks + 0.12 * sheen)[..., None] + 0.01, 0.005, 1).astype(
        np.float32
    )


def _soft(signal: np.ndarray) -> np.ndarray:
    return np.clip(signal * 4 + 0.5, 0, 1).astype(np.float32)


def _cells(rng: np.random.Generator, size: tuple[int, int], count: int) -> np.ndarray:
    """Blobs around random points: 1 at a point, falling to 0; wraps along x."""
    h, w = size
    y, x = np.mgrid[0:h:4, 0:w:4].astype(np.float32)
    out = np.zeros(y.shape, np.float32)
    for px, py, r in zip(rng.uniform(0, w, count), rng.uniform(0, h, count), rng.uniform(14, 34, count)):
        dx = np.abs(x - px)
        dx = np.minimum(dx, w - dx)
        out = np.maximum(out, 1 - (dx**2 + (y - py) ** 2) / r**2)
    return cv2.resize(out, (w, h)) + 0.12 * patch(rng, size, slope=1.0)
