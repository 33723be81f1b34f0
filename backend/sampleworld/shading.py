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
    spots = np.flatnonzero(covered)
    h, w = covered.shape
    if not len(spots):
        return np.zeros((h, w, 4), np.uint8)
    solid = buffer.solid.reshape(-1)[spots]
    kinds = np.array([s.material for s in solids], np.int16)[solid]
    local = np.take(buffer.local.reshape(3, -1), spots, axis=1)
    normal = np.take(buffer.normal.reshape(3, -1), spots, axis=1)
    albedo = np.empty((len(spots), 3), np.float32)
    gloss = np.zeros(len(spots), np.float32)
    fray = np.zeros((h, w), np.float32)
    rough = field(3, 0.6).reshape(-1)
    for number in np.unique(kinds):
        material = materials[int(number)]
        own = np.flatnonzero(kinds == number)
        albedo[own] = _textured(material, local[:, own])
        gloss[own] = material.gloss
        if material.grain:
            at = spots[own]
            normal[0, own] += rough[(at * 2 + 7 * int(number)) % rough.size] * material.grain
            normal[1, own] += rough[(at * 3 + 991) % rough.size] * material.grain
        if material.fuzz:
            fray.reshape(-1)[spots[own]] = material.fuzz * scale
    smooth = _smoothed(normal, spots, covered, scale)
    lit = albedo * _diffuse(smooth, light, _hollow(buffer, covered, scale)[spots])
    lit += _glossy(normal, gloss, light)
    color = np.zeros((h * w, 3), np.uint8)
    lit *= 255
    color[spots] = np.clip(lit, 0, 255, out=lit)
    return _finish(color.reshape(h, w, 3), covered, fray)


def _textured(material: Material, local: np.ndarray) -> np.ndarray:
    """Colours float32 (N, 3) at local coordinates (3, N)."""
    low, high = material.span
    v = (high - local[1]) / (high - low)
    if material.mapping == "wrap":
        u = np.arctan2(local[0], local[2]) / np.float32(2 * np.pi) + np.float32(0.5)
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
    maps = np.empty((2, height * width), np.float32)
    maps[:, len(u) :] = 0
    maps[0, : len(u)] = np.clip(u, 0, 1) * w - 0.5
    maps[1, : len(v)] = np.clip(v, 0, 1) * h - 0.5
    maps = maps.reshape(2, height, width)
    out = cv2.remap(texture, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out.reshape(-1, 3)[: len(u)]


def _smoothed(normal: np.ndarray, spots: np.ndarray, covered: np.ndarray, scale: float) -> np.ndarray:
    """Unit normals (3, N) with the creases between solids rounded."""
    picture = np.zeros((covered.size, 3), np.float32)
    picture[spots] = normal.T
    sigma = max(0.8, 0.008 * scale)
    size = 2 * round(2 * sigma) + 1
    blurred = cv2.GaussianBlur(picture.reshape(*covered.shape, 3), (size, size), sigma).reshape(-1, 3)[spots].T
    return blurred / (np.sqrt((blurred * blurred).sum(axis=0)) + 1e-6)


def _diffuse(normal: np.ndarray, light: Light, hollow: np.ndarray) -> np.ndarray:
    toward = np.array(light.toward, np.float32) / np.float32(np.linalg.norm(light.toward))
    key = np.clip((toward @ normal) * np.float32(0.8) + np.float32(0.2), 0, 1)
    up = (normal[1] + 1) / 2
    strength = np.stack([key, up, np.ones_like(up)], axis=1) * hollow[:, None]
    sky, ground = np.array(light.sky), np.array(light.ground)
    return strength @ np.stack([np.array(light.key), sky - ground, ground]).astype(np.float32)


def _hollow(buffer: Buffer, covered: np.ndarray, scale: float) -> np.ndarray:
    """(H * W,): 1 in the open, less where nearer surfaces stand around (screen-space occlusion)."""
    h, w = covered.shape
    depth = np.where(covered, buffer.depth, 0)
    small = [
        cv2.GaussianBlur(
            cv2.resize(plane, (max(1, w // 4), max(1, h // 4)), interpolation=cv2.INTER_AREA),
            (0, 0),
            max(0.6, 0.015 * scale),
        )
        for plane in (depth, covered.astype(np.float32))
    ]
    around = cv2.resize(small[0] / np.maximum(small[1], 1e-3), (w, h), interpolation=cv2.INTER_LINEAR)
    return (1 - np.clip((around - depth) * 5.0, 0, 0.55)).reshape(-1)


def _glossy(normal: np.ndarray, gloss: np.ndarray, light: Light) -> np.ndarray:
    half = np.array(light.toward) / np.linalg.norm(light.toward) + np.array([0, 0, 1.0])
    half = (half / np.linalg.norm(half)).astype(np.float32)
    facing = np.clip(half @ normal, 0, 1)
    power = facing**2
    power = power**2 * power  # to the sixth
    shine = gloss * (power**2) ** 2
    return shine[:, None] * np.array(light.key, np.float32)


def _finish(color: np.ndarray, covered: np.ndarray, fray_px: np.ndarray) -> np.ndarray:
    alpha = covered.astype(np.uint8) * 255
    spread = cv2.dilate(color, np.ones((3, 3), np.uint8))
    sprite = cv2.cvtColor(cv2.copyTo(color, alpha, spread), cv2.COLOR_RGB2RGBA)
    cv2.insertChannel(alpha, sprite, 3)
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
    cv2.insertChannel(cv2.GaussianBlur(cv2.extractChannel(sprite, 3), (0, 0), EDGE_SIGMA_PX), sprite, 3)
    return sprite
