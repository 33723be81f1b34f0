"""Places: painted backdrops with natural statistics, each with its light and its ground."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from backend.sampleworld.noise import Color, patch, tint, vary
from backend.sampleworld.shading import Light


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A backdrop. `picture` uint8 (H, W, 3); `ground` is the height of the standing line, as a fraction from the top."""

    kind: str
    phrase: str
    picture: np.ndarray
    ground: float
    light: Light
    front: np.ndarray | None = None
    """Things nearer than the subjects: uint8 RGBA of the picture's size, or None."""


def paint_place(kind: str, seed: int, size: tuple[int, int]) -> Place:
    """Paints a place. `size` is (width, height) in pixels; equal arguments give equal bits."""
    rng = np.random.default_rng([seed, 41])
    width, height = size
    phrase, painter, ground = PLACES[kind]
    picture, light = painter(rng, height, width)
    grain = 1 + 0.02 * patch(rng, (height, width), slope=0.4)
    vignette = 1 - 0.10 * _radial(height, width)
    picture = np.clip(picture * (grain * vignette)[..., None] * 255, 0, 255).astype(np.uint8)
    return Place(kind=kind, phrase=phrase, picture=picture, ground=ground, light=light)


def paint_front(kind: str, seed: int, size: tuple[int, int]) -> np.ndarray:
    """Something that may stand before the subjects: uint8 RGBA (H, W, 4). Kinds: bush, post, ledge."""
    rng = np.random.default_rng([seed, 43])
    w, h = size
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    lumps = patch(rng, (h, w), slope=1.1, zoom=max(0.5, h / 700))
    if kind == "bush":
        middle = w * rng.uniform(0.25, 0.75)
        top = h * (0.80 + 0.12 * ((x - middle) / (0.22 * w)) ** 2) + lumps * h * 0.035
        mask = np.clip((y - top) / 2, 0, 1)
        color = _foliage(rng, h, w, (0.05, 0.12, 0.04), (0.30, 0.42, 0.14))
    elif kind == "post":
        middle, half = w * rng.uniform(0.35, 0.65), w * rng.uniform(0.012, 0.022)
        mask = np.clip((half - np.abs(x - middle)) / 1.5, 0, 1)
        round_ = np.sqrt(np.clip(1 - ((x - middle) / half) ** 2, 0, 1))
        color = tint(lumps, (0.20, 0.19, 0.18), (0.45, 0.43, 0.40)) * (0.35 + 0.75 * round_)[..., None]
    elif kind == "ledge":
        top = h * rng.uniform(0.86, 0.90)
        mask = np.clip((y - top) / 2, 0, 1)
        color = tint(patch(rng, (h, w), slope=1.0, stretch=6.0), (0.22, 0.14, 0.09), (0.42, 0.28, 0.17))
        color *= (0.75 + 0.5 * np.exp(-(((y - top) / (0.01 * h)) ** 2)))[..., None]
    else:
        raise ValueError(f"unknown front {kind}")
    out = np.dstack([np.clip(color * 255, 0, 255), mask * 255]).astype(np.uint8)
    return cv2.GaussianBlur(out, (0, 0), max(0.8, h / 500))


def _radial(h: int, w: int) -> np.ndarray:
    y, x = np.linspace(-1, 1, h, dtype=np.float32)[:, None], np.linspace(-1, 1, w, dtype=np.float32)[None, :]
    return x**2 + y**2


def _rows(h: int, low: Color, high: Color) -> np.ndarray:
    """A vertical gradient (H, 1, 3): `low` at the bottom."""
    t = np.linspace(1, 0, h, dtype=np.float32)[:, None, None]
    return np.array(low, np.float32) * (1 - t) + np.array(high, np.float32) * t


def _lay(
    rng: np.random.Generator, h: int, w: int, texture: Callable[[int, int], np.ndarray], *, near: float = 3.0
) -> np.ndarray:
    """Lays a texture down as ground seen in perspective: (h, w), fine at the top and `near` times coarser below."""
    source = texture(512, 1024)
    y = np.linspace(0, 1, h, dtype=np.float32)[:, None]
    depth = 1 / (0.12 + y * (near / 3))
    xs = (np.linspace(-0.5, 0.5, w, dtype=np.float32)[None, :] * depth * 420 + 512).astype(np.float32)
    ys = np.repeat(depth * 130 + float(rng.integers(500)), w, axis=1).astype(np.float32)
    return cv2.remap(
        source, np.ascontiguousarray(np.broadcast_to(xs, (h, w))), ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )


def _sky(rng: np.random.Generator, h: int, w: int, low: Color, high: Color, *, cloud: float = 0.5) -> np.ndarray:
    base = np.repeat(_rows(h, low, high), w, axis=1)
    puffs = np.clip(patch(rng, (h, w), slope=1.5, zoom=w / 900, stretch=0.6) * 0.6 + cloud - 0.3, 0, 1)[..., None]
    shade = 0.86 + 0.06 * patch(rng, (h, w), slope=1.4, zoom=w / 900)[..., None]
    return base * (1 - puffs) + shade * puffs


def _foliage(rng: np.random.Generator, h: int, w: int, low: Color, high: Color) -> np.ndarray:
    leaves = 0.7 * patch(rng, (h, w), slope=0.75, zoom=max(0.6, h / 900)) + 0.7 * patch(
        rng, (h, w), slope=1.6, zoom=max(0.6, h / 900)
    )
    return tint(leaves, low, high)


def _over(canvas: np.ndarray, color: np.ndarray, mask: np.ndarray) -> None:
    canvas += (color - canvas) * mask[..., None]


def _block(canvas: np.ndarray, box: tuple[float, float, float, float], color: np.ndarray | Color) -> None:
    """Fills a box given in fractions (x0, y0, x1, y1) with a lit surface and a shadow around it."""
    h, w = canvas.shape[:2]
    x0, y0, x1, y1 = round(box[0] * w), round(box[1] * h), round(box[2] * w), round(box[3] * h)
    x0, x1, y0, y1 = max(x0, 0), min(x1, w), max(y0, 0), min(y1, h)
    if x0 >= x1 or y0 >= y1:
        return
    r = max(2, h // 90)
    shadow = canvas[max(0, y0 - r) : y1 + 2 * r, max(0, x0 - r) : x1 + 3 * r]
    shadow *= 0.72
    area = canvas[y0:y1, x0:x1]
    fill = np.asarray(color, np.float32)
    area[:] = fill[: y1 - y0, : x1 - x0] if fill.ndim == 3 else fill
    area *= (
        np.linspace(1.08, 0.90, y1 - y0, dtype=np.float32)[:, None, None]
        * np.linspace(1.04, 0.94, x1 - x0, dtype=np.float32)[None, :, None]
    )


def _park(rng: np.random.Generator, h: int, w: int) -> tuple[np.ndarray, Light]:
    canvas = _sky(rng, h, w, (0.74, 0.82, 0.88), vary(rng, (0.34, 0.52, 0.78), 0.06))
    horizon = int(h * 0.52)
    y = np.arange(h, dtype=np.float32)[:, None]
    for k, shade in enumerate((0.75, 1.0)):
        line = horizon - h * (0.20 - 0.08 * k) + patch(rng, (1, w), slope=1.2, zoom=w / 800)[0] * h * 0.045
        leaves = _foliage(rng, h, w, (0.05, 0.13, 0.05), (0.30, 0.42, 0.16)) * shade + (1 - shade) * 0.35
        edge = patch(rng, (h, w), slope=0.8, zoom=1.0) * h * 0.008
        _over(canvas, leaves, np.clip((y - line[None, :] + edge) / 2, 0, 1))
    low, high = vary(rng, (0.12, 0.20, 0.06), 0.03), vary(rng, (0.42, 0.50, 0.20), 0.05)
    grass = _lay(
        rng,
        h - horizon,
        w,
        lambda a, b: tint(patch(rng, (a, b), slope=0.6) + 0.6 * patch(rng, (a, b), slope=1.6), low, high),
    )
    canvas[horizon:] = grass
    for _ in range(int(rng.integers(1, 4))):
        _tree(canvas, rng, float(rng.uniform(0, 1)), horizon / h + float(rng.uniform(0.0, 0.06)))
    return canvas, Light(
        toward=(float(rng.choice([-0.6, 0.6])), 0.8, 0.5),
        key=(1.0, 0.95, 0.84),
        sky=(0.42, 0.48, 0.56),
        ground=(0.22, 0.25, 0.16),
    )


def _tree(canvas: np.ndarray, rng: np.random.Generator, x: float, foot: float) -> None:
    full_h, full_w = canvas.shape[:2]
    radius = float(rng.uniform(0.16, 0.26)) * full_h
    x0, x1 = max(0, int(x * full_w - 2 * radius)), min(full_w, int(x * full_w + 2 * radius) + 1)
    area = canvas[: int(foot * full_h) + 2, x0:x1]
    h, w = area.shape[:2]
    ys, xs = np.arange(h, dtype=np.float32)[:, None], np.arange(x0, x1, dtype=np.float32)[None, :] - x * full_w
    trunk = full_w * float(rng.uniform(0.008, 0.016))
    sway = np.sin(ys / full_h * 5 + x * 9) * full_w * 0.006
    mask = np.clip((trunk - np.abs(xs - sway)) / 2, 0, 1) * (ys < foot * full_h) * (ys > 0.2 * full_h)
    _over(area, tint(patch(rng, (h, w), slope=0.8, stretch=0.2), (0.10, 0.07, 0.05), (0.34, 0.26, 0.18)), mask)
    crown = 1 - ((xs / (1.25 * radius)) ** 2 + ((ys - 0.22 * full_h) / radius) ** 2) + 0.28 * patch(rng, (h, w), slope=1.0)
    leaves = _foliage(rng, h, w, (0.04, 0.10, 0.03), (0.34, 0.46, 0.15))
    leaves *= np.clip(1.15 - (ys - 0.1 * full_h) / full_h, 0.5, 1.3)[..., None]
    _over(area, leaves, np.clip(crown * 9, 0, 1))


def _beach(rng: np.random.Generator, h: int, w: int) -> tuple[np.ndarray, Light]:
    canvas = _sky(rng, h, w, (0.86, 0.84, 0.80), vary(rng, (0.36, 0.58, 0.82), 0.06), cloud=0.35)
    horizon, shore = int(h * 0.42), int(h * 0.56)
    waves = patch(rng, (shore - horizon, w), slope=0.9, stretch=7.0) * np.linspace(0.5, 1.2, shore - horizon)[:, None]
    canvas[horizon:shore] = tint(waves, vary(rng, (0.05, 0.26, 0.36), 0.04), (0.46, 0.66, 0.70))
    foam = np.clip(
        patch(rng, (shore - horizon, w), slope=1.0, stretch=5.0) - 1.1 + np.linspace(-1, 1.1, shore - horizon)[:, None],
        0,
        1,
    )
    canvas[horizon:shore] += (0.92 - canvas[horizon:shore]) * foam[..., None]
    low, high = vary(rng, (0.56, 0.46, 0.33), 0.04), (0.86, 0.78, 0.62)
    canvas[shore:] = _lay(
        rng,
        h - shore,
        w,
        lambda a, b: tint(
            0.7 * patch(rng, (a, b), slope=0.5) + 0.8 * patch(rng, (a, b), slope=1.4, stretch=0.5), low, high
        ),
    )
    return canvas, Light(toward=(0.7, 0.8, 0.5), key=(1.05, 0.98, 0.86), sky=(0.46, 0.52, 0.60), ground=(0.34, 0.30, 0.24))


def _street(rng: np.random.Generator, h: int, w: int) -> tuple[np.ndarray, Light]:
    canvas = _sky(rng, h, w, (0.80, 0.82, 0.84), (0.60, 0.68, 0.78))
    horizon = int(h * 0.60)
    x = -0.05
    while x < 1.05:
        width, top = float(rng.uniform(0.18, 0.34)), float(rng.uniform(-0.1, 0.16))
        wall = vary(
            rng,
            [(0.55, 0.30, 0.22), (0.62, 0.56, 0.46), (0.46, 0.47, 0.50), (0.70, 0.62, 0.48)][int(rng.integers(4))],
            0.05,
        )
        _block(canvas, (x, max(0.0, top), x + width, 0.60), _bricks(rng, h, w, wall))
        for row in np.arange(top + 0.07, 0.42, 0.17).tolist():
            for column in np.arange(x + 0.03, x + width - 0.05, 0.075).tolist():
                glass = vary(rng, (0.22, 0.28, 0.34), 0.08) if rng.random() < 0.8 else (0.75, 0.62, 0.36)
                _block(canvas, (column - 0.006, row - 0.008, column + 0.051, row + 0.108), (0.75, 0.73, 0.70))
                _block(canvas, (column, row, column + 0.045, row + 0.10), glass)
        _block(canvas, (x + 0.04, 0.44, x + 0.09, 0.60), vary(rng, (0.25, 0.16, 0.12), 0.1))
        _block(canvas, (x + 0.12, 0.45, x + width - 0.03, 0.57), vary(rng, (0.30, 0.36, 0.40), 0.08))
        _block(canvas, (x + 0.10, 0.415, x + width - 0.02, 0.448), vary(rng, (0.5, 0.3, 0.25), 0.25))
        x += width

    def paving(a: int, b: int) -> np.ndarray:
        tile = tint(patch(rng, (a, b), slope=0.8), (0.36, 0.35, 0.34), (0.58, 0.56, 0.54))
        tile[::32] *= 0.7
        tile[:, ::48] *= 0.7
        return tile

    canvas[horizon:] = _lay(rng, h - horizon, w, paving)
    return canvas, Light(toward=(-0.5, 0.8, 0.6), key=(0.90, 0.88, 0.84), sky=(0.46, 0.48, 0.52), ground=(0.26, 0.25, 0.24))


def _bricks(rng: np.random.Generator, h: int, w: int, color: Color) -> np.ndarray:
    small = (max(2, h // 8 * 4), max(2, w // 8 * 4))
    y, x = np.mgrid[0 : small[0], 0 : small[1]]
    brick_h, brick_w = 8, 20
    row = y // brick_h
    column = (x + (row % 2) * brick_w // 2) // brick_w
    tone = rng.uniform(0.82, 1.15, 4096).astype(np.float32)[(row * 131 + column * 17) % 4096]
    mortar = (y % brick_h == 0) | ((x + (row % 2) * brick_w // 2) % brick_w == 0)
    shade = np.where(mortar, 1.18, tone) * (1 + 0.06 * patch(rng, small, slope=1.0))
    out = np.array(color, np.float32) * shade[..., None].astype(np.float32)
    return cv2.resize(out, (w, h), interpolation=cv2.INTER_LINEAR)


def _planks(rng: np.random.Generator, a: int, b: int, low: Color, high: Color) -> np.ndarray:
    wood = tint(patch(rng, (a, b), slope=0.9, stretch=0.12) + 0.4 * patch(rng, (a, b), slope=1.4), low, high)
    for x in range(0, b, 56):
        wood[:, x : x + 56] *= float(rng.uniform(0.82, 1.12))
        wood[:, x : x + 2] *= 0.55
    return wood


def _room(rng: np.random.Generator, h: int, w: int) -> tuple[np.ndarray, Light]:
    wall = vary(
        rng, [(0.74, 0.68, 0.58), (0.52, 0.62, 0.62), (0.70, 0.56, 0.50), (0.58, 0.62, 0.50)][int(rng.integers(4))], 0.04
    )
    canvas = (
        np.array(wall, np.float32)
        * (1 + 0.04 * patch(rng, (h, w), slope=1.5) + 0.02 * patch(rng, (h, w), slope=0.5))[..., None]
    )
    if rng.random() < 0.6:
        x = np.arange(w, dtype=np.float32)
        canvas *= (1 + 0.05 * np.sign(np.sin(x / w * 2 * np.pi * int(rng.integers(20, 40)))))[None, :, None]
    lamp = float(rng.uniform(0.1, 0.9))
    glow = np.exp(-((np.linspace(0, 1, w)[None, :] - lamp) ** 2 / 0.06 + (np.linspace(0, 1, h)[:, None] - 0.25) ** 2 / 0.1))
    canvas *= (0.72 + 0.55 * glow)[..., None].astype(np.float32)
    floor = int(h * 0.66)
    for _ in range(int(rng.integers(2, 4))):
        x, y, fw, fh = rng.uniform(0.03, 0.8), rng.uniform(0.05, 0.22), rng.uniform(0.08, 0.2), rng.uniform(0.12, 0.24)
        _block(canvas, (x - 0.01, y - 0.016, x + fw + 0.01, y + fh + 0.016), vary(rng, (0.25, 0.16, 0.10), 0.1))
        _block(canvas, (x, y, x + fw, y + fh), _painting(rng, h, w))
    _block(canvas, (0, 0.635, 1, 0.66), (0.80, 0.78, 0.74))
    canvas[floor:] = _lay(
        rng, h - floor, w, lambda a, b: _planks(rng, a, b, vary(rng, (0.26, 0.15, 0.08), 0.03), (0.60, 0.42, 0.26))
    )
    sofa = vary(
        rng, [(0.42, 0.20, 0.18), (0.20, 0.30, 0.40), (0.40, 0.38, 0.34), (0.22, 0.36, 0.28)][int(rng.integers(4))], 0.05
    )
    x = float(rng.uniform(0.0, 0.6))
    fabric = np.array(sofa, np.float32) * (1 + 0.10 * patch(rng, (h, w), slope=0.9))[..., None]
    for box in (
        (x, 0.44, x + 0.40, 0.60),
        (x - 0.03, 0.50, x + 0.03, 0.70),
        (x + 0.37, 0.50, x + 0.43, 0.70),
        (x + 0.02, 0.57, x + 0.38, 0.69),
    ):
        _block(canvas, box, fabric * float(rng.uniform(0.9, 1.1)))
    return canvas, Light(
        toward=(2 * lamp - 1, 0.6, 0.8), key=(0.98, 0.86, 0.70), sky=(0.36, 0.35, 0.34), ground=(0.24, 0.20, 0.16)
    )


def _painting(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    return tint(patch(rng, (h, w), slope=1.6, zoom=0.7), vary(rng, (0.2, 0.2, 0.3), 0.2), vary(rng, (0.75, 0.65, 0.5), 0.2))


def _kitchen(rng: np.random.Generator, h: int, w: int) -> tuple[np.ndarray, Light]:
    tile = vary(rng, [(0.80, 0.80, 0.76), (0.50, 0.66, 0.66), (0.78, 0.70, 0.54)][int(rng.integers(3))], 0.04)
    canvas = np.ones((h, w, 3), np.float32) * np.array(tile, np.float32)
    step = max(8, h // 12)
    rows, columns = np.arange(h) // step, np.arange(w) // step
    tone = rng.uniform(0.88, 1.08, (rows[-1] + 1, columns[-1] + 1)).astype(np.float32)
    canvas *= tone[rows[:, None], columns[None, :]][..., None]
    canvas[::step] *= 0.82
    canvas[:, ::step] *= 0.82
    canvas *= (1 + 0.05 * patch(rng, (h, w), slope=1.3))[..., None]
    cupboard = vary(rng, [(0.36, 0.22, 0.13), (0.74, 0.72, 0.66), (0.24, 0.34, 0.36)][int(rng.integers(3))], 0.04)
    wood = np.array(cupboard, np.float32) * (1 + 0.08 * patch(rng, (h, w), slope=1.0, stretch=0.15))[..., None]
    for k in range(6):
        if rng.random() < 0.8:
            _block(canvas, (k / 6 + 0.005, -0.02, (k + 1) / 6 - 0.005, 0.24), wood)
            _block(canvas, (k / 6 + 0.13, 0.16, k / 6 + 0.14, 0.22), (0.75, 0.75, 0.74))
    _block(canvas, (0.0, 0.385, 1.0, 0.40), wood * 0.8)
    for x in np.sort(rng.uniform(0.02, 0.95, 9)):
        tall = float(rng.uniform(0.04, 0.10))
        _block(
            canvas,
            (float(x), 0.385 - tall, float(x) + float(rng.uniform(0.02, 0.045)), 0.385),
            vary(rng, (0.5, 0.42, 0.34), 0.3),
        )
    top = int(h * 0.60)

    def stone(a, b):
        return tint(
            patch(rng, (a, b), slope=0.7) + 0.5 * patch(rng, (a, b), slope=1.5), (0.30, 0.26, 0.22), (0.66, 0.60, 0.54)
        )

    canvas[top:] = _lay(rng, h - top, w, stone)
    canvas[top : top + max(2, h // 120)] *= 1.25
    return canvas, Light(toward=(-0.4, 0.9, 0.6), key=(0.95, 0.92, 0.86), sky=(0.44, 0.44, 0.44), ground=(0.30, 0.27, 0.24))


def _forest(rng: np.random.Generator, h: int, w: int) -> tuple[np.ndarray, Light]:
    canvas = _foliage(rng, h, w, (0.10, 0.18, 0.08), (0.52, 0.62, 0.34))
    canvas = cv2.GaussianBlur(canvas, (0, 0), h / 120)
    y = np.arange(h, dtype=np.float32)[:, None]
    for k in range(int(rng.integers(9, 15))):
        near = k / 14
        x, half = float(rng.uniform(0, w)), w * (0.006 + 0.018 * near)
        lean = float(rng.uniform(-0.06, 0.06)) * (y - h / 2)
        reach = half + 0.03 * h + 2
        x0, x1 = max(0, int(x - reach)), min(w, int(x + reach))
        if x1 - x0 < 2:
            continue
        across = (np.arange(x0, x1, dtype=np.float32)[None, :] - x - lean) / half
        bark = tint(patch(rng, (h, x1 - x0), slope=0.8, stretch=0.25), (0.09, 0.07, 0.05), (0.36, 0.29, 0.22))
        bark *= (0.45 + 0.7 * np.sqrt(np.clip(1 - (across + 0.2) ** 2, 0, 1)))[..., None]
        bark = bark * near + (1 - near) * (0.5 * bark + 0.16)
        mask = np.clip((1 - np.abs(across)) * half / 1.5, 0, 1) * (y < h * (0.56 + 0.08 * near))
        _over(canvas[:, x0:x1], bark, mask)
    ground = int(h * 0.56)
    low, high = vary(rng, (0.14, 0.11, 0.06), 0.03), vary(rng, (0.46, 0.36, 0.20), 0.05)
    floor = _lay(
        rng,
        h - ground,
        w,
        lambda a, b: tint(patch(rng, (a, b), slope=0.4) + 0.7 * patch(rng, (a, b), slope=1.3), low, high),
    )
    fade = np.clip((y[ground:] - ground) / (0.05 * h), 0, 1)[..., None]
    canvas[ground:] = canvas[ground:] * (1 - fade) + floor * fade
    return canvas, Light(toward=(0.3, 0.9, 0.4), key=(0.82, 0.86, 0.70), sky=(0.34, 0.42, 0.32), ground=(0.20, 0.18, 0.12))


def _mountain(rng: np.random.Generator, h: int, w: int) -> tuple[np.ndarray, Light]:
    warm = rng.random() < 0.5
    canvas = _sky(rng, h, w, (0.90, 0.80, 0.68) if warm else (0.84, 0.88, 0.92), (0.40, 0.52, 0.74), cloud=0.45)
    y = np.arange(h, dtype=np.float32)[:, None]
    haze = np.array((0.74, 0.70, 0.68) if warm else (0.72, 0.78, 0.84), np.float32)
    for k in range(4):
        line = h * (0.30 + 0.07 * k) - patch(rng, (1, w), slope=1.7, zoom=w / 700)[0] * h * (0.10 - 0.015 * k)
        rock = (
            tint(0.8 * patch(rng, (h, w), slope=1.1), (0.20, 0.16, 0.14), (0.52, 0.44, 0.36))
            if warm
            else tint(patch(rng, (h, w), slope=1.1), (0.26, 0.30, 0.34), (0.80, 0.84, 0.88))
        )
        mix = 0.25 + 0.2 * k
        _over(canvas, rock * mix + haze * (1 - mix), np.clip((y - line[None, :]) / 2, 0, 1))
    ground = int(h * 0.58)
    low, high = ((0.40, 0.30, 0.20), (0.74, 0.58, 0.40)) if warm else ((0.70, 0.74, 0.80), (0.93, 0.95, 0.97))
    canvas[ground:] = _lay(
        rng,
        h - ground,
        w,
        lambda a, b: tint(0.7 * patch(rng, (a, b), slope=0.6) + 0.8 * patch(rng, (a, b), slope=1.6), low, high),
    )
    return canvas, Light(
        toward=(0.7, 0.6, 0.5),
        key=(1.0, 0.90, 0.76) if warm else (0.92, 0.95, 1.0),
        sky=(0.46, 0.48, 0.54),
        ground=(0.34, 0.30, 0.26),
    )


def _library(rng: np.random.Generator, h: int, w: int) -> tuple[np.ndarray, Light]:
    canvas = tint(patch(rng, (h, w), slope=1.0, stretch=0.15), (0.20, 0.12, 0.07), (0.36, 0.23, 0.14))
    shelf = 0.155
    for row in range(5):
        bottom = (row + 1) * shelf - 0.012
        x = float(rng.uniform(0, 0.01))
        while x < 1:
            width, tall = float(rng.uniform(0.010, 0.026)), float(rng.uniform(0.09, 0.135))
            if rng.random() < 0.93:
                spine = vary(
                    rng,
                    [(0.40, 0.16, 0.13), (0.16, 0.26, 0.36), (0.20, 0.34, 0.22), (0.62, 0.54, 0.40), (0.24, 0.20, 0.22)][
                        int(rng.integers(5))
                    ],
                    0.08,
                )
                _block(canvas, (x, bottom - tall, x + width - 0.001, bottom), spine)
                _block(
                    canvas,
                    (x + width * 0.2, bottom - tall * 0.8, x + width * 0.7, bottom - tall * 0.65),
                    vary(rng, (0.75, 0.68, 0.48), 0.1),
                )
            x += width
        _block(canvas, (0, bottom, 1, bottom + 0.014), (0.34, 0.21, 0.12))
    canvas *= (1 + 0.05 * patch(rng, (h, w), slope=1.2))[..., None]
    floor = int(h * 0.76)
    low, high = vary(rng, (0.30, 0.14, 0.12), 0.06), vary(rng, (0.50, 0.32, 0.24), 0.06)
    canvas[floor:] = _lay(
        rng, h - floor, w, lambda a, b: tint(patch(rng, (a, b), slope=0.4) + 0.5 * patch(rng, (a, b), slope=1.5), low, high)
    )
    return canvas * 0.95, Light(
        toward=(-0.3, 0.9, 0.7), key=(0.92, 0.82, 0.66), sky=(0.38, 0.35, 0.32), ground=(0.22, 0.18, 0.15)
    )


def _night(rng: np.random.Generator, h: int, w: int) -> tuple[np.ndarray, Light]:
    canvas = np.repeat(_rows(h, (0.14, 0.12, 0.20), (0.03, 0.04, 0.10)), w, axis=1)
    canvas += 0.02 * patch(rng, (h, w), slope=1.4)[..., None]
    horizon = int(h * 0.60)
    for _ in range(14):
        x, width, top = float(rng.uniform(-0.05, 1)), float(rng.uniform(0.06, 0.16)), float(rng.uniform(0.08, 0.45))
        _block(canvas, (x, top, x + width, 0.60), vary(rng, (0.07, 0.07, 0.10), 0.025))
        for row in np.arange(top + 0.02, 0.55, 0.035).tolist():
            for column in np.arange(x + 0.008, x + width - 0.012, 0.018).tolist():
                if rng.random() < 0.4:
                    _block(canvas, (column, row, column + 0.010, row + 0.018), vary(rng, (0.75, 0.60, 0.32), 0.15))
    canvas[horizon:] = _lay(
        rng, h - horizon, w, lambda a, b: tint(patch(rng, (a, b), slope=0.9), (0.05, 0.05, 0.07), (0.22, 0.20, 0.22))
    )
    canvas[horizon:] += 0.5 * cv2.GaussianBlur(
        canvas[horizon - (h - horizon) : horizon][::-1], (0, 0), sigmaX=h / 200, sigmaY=h / 40
    )
    for _ in range(26):
        centre = (int(rng.uniform(0, w)), int(rng.uniform(0.30, 0.62) * h))
        radius = max(1, int(h * rng.uniform(0.008, 0.022)))
        x0, y0 = max(0, centre[0] - radius - 1), max(0, centre[1] - radius - 1)
        area = canvas[y0 : centre[1] + radius + 2, x0 : centre[0] + radius + 2]
        dot = np.zeros(area.shape[:2], np.float32)
        cv2.circle(dot, (centre[0] - x0, centre[1] - y0), radius, 1.0, -1, cv2.LINE_AA)
        color = [(1.0, 0.75, 0.4), (0.9, 0.3, 0.2), (0.4, 0.7, 1.0), (0.9, 0.9, 0.8)][int(rng.integers(4))]
        area += (dot * 0.5)[..., None] * np.array(color, np.float32)
    return np.clip(canvas * 1.25, 0.01, 1), Light(
        toward=(0.8, 0.4, 0.5), key=(0.90, 0.72, 0.50), sky=(0.24, 0.25, 0.36), ground=(0.18, 0.15, 0.16)
    )


PLACES: dict[str, tuple[str, Callable[[np.random.Generator, int, int], tuple[np.ndarray, Light]], float]] = {
    "park": ("in a green park", _park, 0.80),
    "beach": ("on a sandy beach", _beach, 0.82),
    "street": ("on a city street", _street, 0.82),
    "room": ("in a living room", _room, 0.86),
    "kitchen": ("in a kitchen", _kitchen, 0.80),
    "forest": ("in a forest", _forest, 0.82),
    "mountain": ("below the mountains", _mountain, 0.82),
    "library": ("in a library", _library, 0.90),
    "night": ("on a street at night", _night, 0.84),
}
