"""Turns a picture buffer into a lit RGBA sprite: textures, diffuse and glossy light, contact darkening, soft or furry edges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from backend.sampleworld.noise import field
from backend.sampleworld.raster import Buffer, Solid, Vector

EDGE_SIGMA_PX = 0.7  # spreads a hard edge over about two pixels, like a lens


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """How a solid's surface looks. `texture` is float32 (H, W, 3), 0 to 1.

    Mappings of local coordinates to the texture: wrap (angle about y with the front in the middle; y from `span`),
    front (x, y of the front half; the back half takes the left edge's colour), box (tiles front, back, sides, top).
    """

    texture: np.ndarray
    mapping: str = "wrap"
    span: tuple[float, float] = (-1.0, 1.0)
    """Local y at the texture's bottom and top."""
    half_width: float = 1.0
    """Local x at the texture's side edges; only for the mapping front."""
    gloss: float = 0.05
    fuzz: float = 0.0
    """How far fur frays the silhouette, in metres."""
    grain: float = 0.0
    """How strongly fur or folds tilt the normal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """Light in view space: `toward` points to the lamp; colours are linear gains."""

    toward: Vector = (-0.5, 0.7, 0.6)
    key: Vector = (0.95, 0.92, 0.86)
    sky: Vector = (0.42, 0.45, 0.5)
    ground: Vector = (0.22, 0.2, 0.18)


def shade(
    buffer: Buffer, solids: Sequence[Solid], materials: Mapping[int, Material], light: Light, *, scale: float
) -> np.ndarray:
    """The sprite, uint8 (H, W, 4) RGBA, colours not premultiplied. `scale` is pixels per metre."""
    covered = buffer.solid >= 0
    h, w = covered.shape
    albedo = np.zeros((h, w, 3), np.float32)
    gloss = np.zeros((h, w), np.float32)
    normal = buffer.normal
    kinds = np.array([solid.material for solid in solids] or [0], np.int16)
    kind = np.where(covered, kinds[np.maximum(buffer.solid, 0)], -1)
    fray = np.zeros((h, w), np.float32)
    for number in np.unique(kind[covered]) if covered.any() else ():
        material = materials[int(number)]
        rows, columns = np.nonzero(kind == number)
        local = buffer.local[:, rows, columns]
        albedo[rows, columns] = _textured(material, local, buffer.solid[rows, columns], solids)
        gloss[rows, columns] = material.gloss
        if material.grain:
            rough = field(3, 0.6)
            tilt = rough[(rows * 2) % 512, (columns + 7 * int(number)) % 512] * material.grain
            normal[0, rows, columns] += tilt
            normal[1, rows, columns] += rough[(columns * 3) % 512, rows % 512] * material.grain
        if material.fuzz:
            fray[rows, columns] = material.fuzz * scale
    lit = albedo * _diffuse(buffer, normal, covered, light, scale) + _glossy(normal, gloss, light)
    return _finish(lit, covered, fray)


def _textured(material: Material, local: np.ndarray, solid: np.ndarray, solids: Sequence[Solid]) -> np.ndarray:
    low, high = material.span
    v = (high - local[1]) / (high - low)
    if material.mapping == "wrap":
        u = np.arctan2(local[0], local[2]) / (2 * np.pi) + 0.5
    elif material.mapping == "front":
        u = np.clip(local[0] / (2 * material.half_width) + 0.5, 0.004, 0.996)
        u = np.where(local[2] < 0, 0.004, u)
    else:
        u, v = _box_tiles(local)
    return _sample(material.texture, u, v)


def _box_tiles(local: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in an atlas of four tiles side by side: front, back, side, top."""
    x, y, z = local
    on_z, on_y = np.abs(z) >= 0.9995, np.abs(y) >= 0.9995
    across = np.where(on_z, np.where(z > 0, x, -x), np.where(on_y, x, np.where(x > 0, -z, z)))
    tile = np.where(on_z, np.where(z > 0, 0, 1), np.where(on_y, 3, 2))
    v = np.where(on_y, (z + 1) / 2, (1 - y) / 2)
    return (tile + np.clip(across / 2 + 0.5, 0.004, 0.996)) / 4, v


def _sample(texture: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Bilinear look-up at (N,) coordinates; u and v are clamped to the texture."""
    h, w = texture.shape[:2]
    width = 1024
    height = -(-len(u) // width)
    maps = np.zeros((2, height * width), np.float32)
    maps[0, : len(u)] = np.clip(u, 0, 1) * w - 0.5
    maps[1, : len(v)] = np.clip(v, 0, 1) * h - 0.5
    maps = maps.reshape(2, height, width)
    out = cv2.remap(texture, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out.reshape(-1, 3)[: len(u)]


def _diffuse(buffer: Buffer, normal: np.ndarray, covered: np.ndarray, light: Light, scale: float) -> np.ndarray:
    weight = covered.astype(np.float32)
    sigma = max(0.8, 0.008 * scale)
    smooth = [cv2.GaussianBlur(n * weight, (0, 0), sigma) for n in normal]
    length = np.sqrt(smooth[0] ** 2 + smooth[1] ** 2 + smooth[2] ** 2) + 1e-6
    toward = np.array(light.toward) / np.linalg.norm(light.toward)
    facing = (smooth[0] * toward[0] + smooth[1] * toward[1] + smooth[2] * toward[2]) / length
    key = np.clip(facing * 0.8 + 0.2, 0, 1)
    up = (smooth[1] / length + 1) / 2
    hollow = _hollow(buffer, weight, scale)
    out = np.empty((*covered.shape, 3), np.float32)
    for c in range(3):
        out[..., c] = (light.key[c] * key + light.ground[c] + (light.sky[c] - light.ground[c]) * up) * hollow
    return out


def _hollow(buffer: Buffer, weight: np.ndarray, scale: float) -> np.ndarray:
    """1 in the open, less where nearer surfaces stand around (screen-space occlusion)."""
    depth = np.where(weight > 0, buffer.depth, 0).astype(np.float32)
    small = cv2.resize(np.dstack([depth, weight]), None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), max(0.6, 0.06 * scale / 4))
    around = cv2.resize(blurred, (depth.shape[1], depth.shape[0]), interpolation=cv2.INTER_LINEAR)
    mean = around[..., 0] / np.maximum(around[..., 1], 1e-3)
    return 1 - np.clip((mean - depth) * 5.0, 0, 0.55)


def _glossy(normal: np.ndarray, gloss: np.ndarray, light: Light) -> np.ndarray:
    half = np.array(light.toward) / np.linalg.norm(light.toward) + np.array([0, 0, 1.0])
    half /= np.linalg.norm(half)
    facing = np.clip(normal[0] * half[0] + normal[1] * half[1] + normal[2] * half[2], 0, 1)
    shine = gloss * facing**24
    return shine[..., None] * np.array(light.key, np.float32)


def _finish(lit: np.ndarray, covered: np.ndarray, fray_px: np.ndarray) -> np.ndarray:
    color = cv2.convertScaleAbs(lit, alpha=255)
    alpha = covered.astype(np.uint8) * 255
    spread = cv2.dilate(color, np.ones((3, 3), np.uint8))
    color[~covered] = spread[~covered]
    sprite = np.dstack([color, alpha])
    reach = float(fray_px.max(initial=0))
    if reach >= 0.5:
        h, w = covered.shape
        # Fur reaches past the outline, so the outline's surroundings fray as the fur does.
        size = 2 * int(np.ceil(reach)) + 1
        fray_px = cv2.GaussianBlur(cv2.dilate(fray_px, np.ones((size, size), np.uint8)), (0, 0), reach / 2)
        jitter = np.clip(field(2, 0.45, 0.6), -2, 2)
        tiles = np.tile(jitter, (-(-h // 512), -(-w // 512)))[:h, :w]
        x = (np.arange(w)[None, :] + tiles * fray_px * 0.5).astype(np.float32)
        y = (np.arange(h)[:, None] + tiles[::-1, ::-1] * fray_px).astype(np.float32)
        sprite = cv2.remap(sprite, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    sprite[..., 3] = cv2.GaussianBlur(sprite[..., 3], (0, 0), EDGE_SIGMA_PX)
    return sprite
