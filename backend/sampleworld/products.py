"""Products: boxes, bottles, cans, mugs, shoes and handbags, with drawn logos and lettering."""

import itertools
import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from backend.sampleworld.noise import Color, patch, vary
from backend.sampleworld.people import CLOTHES
from backend.sampleworld.raster import IDENTITY, Solid, ball, block, limb, turned
from backend.sampleworld.shading import Material

MAIN, TRIM, LABEL = range(3)

KINDS = ("cereal box", "bottle", "can", "mug", "shoe", "handbag")
SYLLABLES = ("ka", "lo", "mi", "tu", "ren", "vo", "sa", "bel", "or", "ni", "dax", "pe", "zu", "fi", "gra", "wen")
EMBLEMS = ("star", "ring", "bolt", "leaf", "wave", "cross", "triangle", "drop")
FONTS = (cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_SCRIPT_COMPLEX)
TILE_PX = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductLook:
    """Everything that makes one product that product."""

    kind: str
    name: str
    emblem: str
    font: int
    color_words: tuple[str, str]
    colors: tuple[Color, Color, Color]
    layout: int
    slim: float
    tall: float
    seed: int

    @property
    def phrase(self) -> str:
        """The subject's noun phrase."""
        return f"{self.color_words[0]} {self.kind} with a {self.emblem} logo"


def draw_product_look(rng: np.random.Generator, kind: str) -> ProductLook:
    """A random product of a kind."""
    first, second = (str(w) for w in rng.choice([w for w in CLOTHES if w != "grey"], 2, replace=False))
    if abs(sum(CLOTHES[first]) - sum(CLOTHES[second])) < 0.5:
        second = "white" if sum(CLOTHES[first]) < 1.4 else "black"
    main = vary(rng, CLOTHES[first], 0.04)
    return ProductLook(
        kind=kind,
        name="".join(rng.choice(SYLLABLES, int(rng.integers(2, 4)), replace=False)).upper(),
        emblem=str(rng.choice(EMBLEMS)),
        font=int(rng.choice(FONTS)),
        color_words=(first, second),
        colors=(main, vary(rng, CLOTHES[second], 0.04), _shade_of(main)),
        layout=int(rng.integers(3)),
        slim=float(rng.uniform(0.88, 1.14)),
        tall=float(rng.uniform(0.9, 1.12)),
        seed=int(rng.integers(1 << 30)),
    )


def _shade_of(color: Color) -> Color:
    """A lighter shade of a dark colour, a darker one of a light colour: still called by its name."""
    if max(color) < 0.4:
        return color[0] * 0.75 + 0.16, color[1] * 0.75 + 0.16, color[2] * 0.75 + 0.16
    return color[0] * 0.62, color[1] * 0.62, color[2] * 0.62


def similar_product(look: ProductLook, rng: np.random.Generator) -> ProductLook:
    """The same kind in the same colours by another maker: other name, emblem and layout."""
    other = draw_product_look(rng, look.kind)
    emblem = str(rng.choice([e for e in EMBLEMS if e != look.emblem]))
    return replace(
        other,
        color_words=look.color_words,
        colors=look.colors,
        emblem=emblem,
        layout=(look.layout + 1 + int(rng.integers(2))) % 3,
    )


def relabelled_product(look: ProductLook, rng: np.random.Generator) -> ProductLook:
    """The same thing in the same shape, colours and layout under another name and emblem, with wear of its own."""
    other = draw_product_look(rng, look.kind)
    emblem = str(rng.choice([e for e in EMBLEMS if e != look.emblem]))
    name = other.name if other.name != look.name else other.name[::-1]
    return replace(look, name=name, emblem=emblem, font=other.font, seed=other.seed)


def product_materials(look: ProductLook) -> dict[int, Material]:
    """Textures of a product."""
    rng = np.random.default_rng([look.seed, 3])
    first, second, third = look.colors
    trim = _plain(rng, second if look.kind != "mug" else first, (64, 64))
    if look.kind == "cereal box":
        art = np.concatenate(
            [_front(look, rng), _back(look, rng), _side(look, rng), _plain(rng, second, (TILE_PX, TILE_PX))], axis=1
        )
        return {MAIN: Material(texture=art, mapping="box", gloss=0.10)}
    if look.kind == "handbag":
        plain = _plain(rng, first, (TILE_PX, TILE_PX))
        front = plain.copy()
        draw_emblem(front, look.emblem, (128, 140), 46, second)
        _letters(front, look.name, look.font, (128, 212), 130, second)
        art = np.concatenate(
            [front, plain, _plain(rng, first, (TILE_PX, TILE_PX)), _plain(rng, third, (TILE_PX, TILE_PX))], axis=1
        )
        return {MAIN: Material(texture=art, mapping="box", gloss=0.18, grain=0.05), TRIM: Material(texture=trim, gloss=0.2)}
    band = _band(look, rng)
    gloss = {"bottle": 0.5, "can": 0.6, "mug": 0.4, "shoe": 0.12}[look.kind]
    span = {"bottle": (0.0, 0.30), "can": (0.0, 0.125), "mug": (0.0, 0.105), "shoe": (-1.0, 1.0)}[look.kind]
    return {
        MAIN: Material(texture=band, gloss=gloss, span=span),
        TRIM: Material(texture=trim, gloss=gloss),
        LABEL: Material(texture=band, mapping="box", gloss=0.1),
    }


def product_solids(look: ProductLook) -> list[Solid]:
    """The product standing on y = 0, its front toward +z; about 0.1 to 0.4 m tall."""
    s, t = look.slim, look.tall
    match look.kind:
        case "cereal box":
            return [block((0, 0.15 * t, 0), (0.10 * s, 0.15 * t, 0.035), MAIN)]
        case "bottle":
            r = 0.042 * s
            neck = [
                (0.0, r * 0.92),
                (0.008, r),
                (0.17 * t, r),
                (0.195 * t, r * 0.86),
                (0.225 * t, r * 0.45),
                (0.245 * t, r * 0.36),
                (0.272 * t, r * 0.36),
            ]
            cap = [(0.268 * t, r * 0.42), (0.298 * t, r * 0.42)]
            return [turned((0, 0, 0), neck, MAIN), turned((0, 0, 0), cap, TRIM)]
        case "can":
            r = 0.034 * s
            return [
                turned((0, 0, 0), [(0.0, r * 0.85), (0.007, r), (0.113 * t, r), (0.120 * t, r * 0.88)], MAIN),
                turned((0, 0, 0), [(0.1195 * t, r * 0.80), (0.1205 * t, r * 0.80)], TRIM),
            ]
        case "mug":
            r = 0.043 * s
            ring = [
                (r + 0.030 * math.sin(a), 0.052 * t + 0.030 * math.cos(a), 0.0)
                for a in np.linspace(0.15, math.pi - 0.15, 8)
            ]
            handle = [limb(a, b, (0.0075, 0.0075), TRIM) for a, b in itertools.pairwise(ring)]
            return [turned((0, 0, 0), [(0.0, r * 0.93), (0.006, r), (0.1 * t, r)], MAIN), *handle]
        case "shoe":
            return _shoe(s)
        case "handbag":
            arch = [(0.085 * s * math.cos(a), 0.19 * t + 0.10 * math.sin(a), 0.0) for a in np.linspace(0, math.pi, 10)]
            straps = [limb(a, b, (0.009, 0.009), TRIM) for a, b in itertools.pairwise(arch)]
            return [block((0, 0.105 * t, 0), (0.145 * s, 0.105 * t, 0.05), MAIN), *straps]
        case _:
            raise ValueError(f"unknown product {look.kind}")


def draw_emblem(picture: np.ndarray, emblem: str, centre: tuple[float, float], radius: float, color: Color) -> None:
    """Draws a logo into a float32 (H, W, 3) picture."""
    mask = np.zeros(picture.shape[:2], np.float32)
    x, y = centre

    def polygon(points: list[tuple[float, float]]) -> None:
        pixels = np.array([(x + radius * px, y - radius * py) for px, py in points])
        cv2.fillPoly(mask, [np.round(pixels * 16).astype(np.int32)], 1.0, cv2.LINE_8, 4)

    match emblem:
        case "star":
            polygon(
                [
                    (
                        (1.0 if k % 2 == 0 else 0.42) * math.sin(k * math.pi / 5),
                        (1.0 if k % 2 == 0 else 0.42) * math.cos(k * math.pi / 5),
                    )
                    for k in range(10)
                ]
            )
        case "ring":
            cv2.circle(mask, (round(x), round(y)), round(radius * 0.8), 1.0, max(2, round(radius * 0.32)))
        case "bolt":
            polygon([(0.2, 1), (-0.6, -0.15), (-0.05, -0.15), (-0.25, -1), (0.6, 0.2), (0.05, 0.2)])
        case "leaf":
            polygon([(math.sin(t) * 0.55 * abs(math.sin(t)) ** 0.3, math.cos(t)) for t in np.linspace(0, 2 * math.pi, 40)])
            cv2.line(
                mask, (round(x), round(y - radius * 0.7)), (round(x), round(y + radius)), 0.0, max(1, round(radius * 0.1))
            )
        case "wave":
            for k in (-0.45, 0.1, 0.65):
                points = [(px, k + 0.2 * math.sin(4 * px)) for px in np.linspace(-1, 1, 24)]
                polygon(points + [(px, py - 0.24) for px, py in points[::-1]])
        case "cross":
            polygon([(-0.3, 1), (0.3, 1), (0.3, -1), (-0.3, -1)])
            polygon([(-1, 0.3), (1, 0.3), (1, -0.3), (-1, -0.3)])
        case "triangle":
            polygon([(0, 1), (0.95, -0.75), (-0.95, -0.75)])
            cv2.circle(mask, (round(x), round(y + radius * 0.2)), round(radius * 0.28), 0.0, -1)
        case "drop":
            polygon(
                [(0.75 * math.sin(t) * (1 - math.cos(t)) / 2, -0.9 * -math.cos(t)) for t in np.linspace(0, 2 * math.pi, 40)]
            )
        case _:
            raise ValueError(f"unknown emblem {emblem}")
    mask = cv2.GaussianBlur(mask, (0, 0), 0.7)[..., None]
    picture += (np.array(color, np.float32) - picture) * mask


def _letters(picture: np.ndarray, text: str, font: int, centre: tuple[float, float], width: float, color: Color) -> None:
    (w, h), _ = cv2.getTextSize(text, font, 1.0, 2)
    scale = width / w
    at = (round(centre[0] - width / 2), round(centre[1] + h * scale / 2))
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.putText(mask, text, at, font, scale, 255, max(1, round(2.2 * scale)), cv2.LINE_AA)
    picture += (np.array(color, np.float32) - picture) * (mask[..., None] / np.float32(255))


def _plain(rng: np.random.Generator, color: Color, size: tuple[int, int]) -> np.ndarray:
    wear = 1 + 0.02 * patch(rng, size, slope=0.4) + 0.04 * patch(rng, size, slope=1.4)
    return np.clip(np.array(color, np.float32) * wear[..., None], 0.01, 1).astype(np.float32)


def _front(look: ProductLook, rng: np.random.Generator) -> np.ndarray:
    first, second, third = look.colors
    tile = _plain(rng, first, (TILE_PX, TILE_PX))
    y, x = np.mgrid[0:TILE_PX, 0:TILE_PX]
    zone = (y > 150, (x - 128) ** 2 + (y - 150) ** 2 < 84**2, x + 0.6 * y < 190)[look.layout]
    tile[zone] = _plain(rng, third, (TILE_PX, TILE_PX))[zone]
    draw_emblem(tile, look.emblem, (128, 152) if look.layout else (128, 108), 50, second)
    _letters(tile, look.name, look.font, (128, 46 if look.layout else 190), 200, second)
    _letters(tile, "NET 400 G", cv2.FONT_HERSHEY_SIMPLEX, (196, 240), 76, second)
    return tile


def _back(look: ProductLook, rng: np.random.Generator) -> np.ndarray:
    tile = _plain(rng, look.colors[0], (TILE_PX, TILE_PX))
    _letters(tile, look.name, look.font, (128, 36), 110, look.colors[1])
    tile[64:236, 28:228] = _plain(rng, (0.85, 0.85, 0.82), (172, 200))
    for row in range(80, 228, 11):
        tile[row : row + 4, 38 : 38 + int(rng.integers(90, 180))] *= 0.25
    return tile


def _side(look: ProductLook, rng: np.random.Generator) -> np.ndarray:
    tile = _plain(rng, look.colors[0], (TILE_PX, TILE_PX))
    tile[190:] = _plain(rng, look.colors[1], (TILE_PX - 190, TILE_PX))
    draw_emblem(tile, look.emblem, (128, 70), 50, look.colors[1])
    for row in range(130, 180, 10):
        tile[row : row + 3, 50:206] *= 0.4
    return tile


def _band(look: ProductLook, rng: np.random.Generator) -> np.ndarray:
    """The wrapped print of bottles, cans and mugs: front in the middle."""
    first, second, third = look.colors
    size = (256, 640)
    out = _plain(rng, first, size)
    if look.kind == "shoe":
        return out
    low, high = {"bottle": (112, 232), "can": (8, 236), "mug": (0, 256)}[look.kind]
    if look.kind != "mug":
        out[low:high] = _plain(rng, third if look.layout == 0 else first, (high - low, 640))
    if look.layout == 1:
        out[high - 36 : high - 20] = second
    if look.layout == 2:
        out[low + 6 : low + 16] = second
    ink = (
        second
        if abs(sum(second) - sum(third if look.layout == 0 and look.kind != "mug" else first)) > 0.45
        else (0.95, 0.95, 0.92)
    )
    middle = (low + high) / 2
    draw_emblem(out, look.emblem, (320, middle - 20), 42, ink)
    _letters(out, look.name, look.font, (320, middle + 46), 150, ink)
    for row in range(int(low) + 20, int(high) - 24, 9):
        out[row : row + 3, 20 : 20 + int(rng.integers(40, 90))] *= 0.4
    return np.clip(out, 0.01, 1)


def _shoe(s: float) -> list[Solid]:
    sole = np.diag([1.0, 1.0, 1.0])
    parts = [
        limb((0, 0.020, -0.10), (0, 0.020, 0.12), (0.036 * s, 0.038 * s), TRIM),
        limb((0, 0.055, -0.085), (0, 0.048, 0.085), (0.044 * s, 0.040 * s), MAIN),
        limb((0, 0.065, -0.085), (0, 0.125, -0.095), (0.043 * s, 0.037 * s), MAIN),
        limb((0, 0.10, -0.04), (0, 0.058, 0.07), (0.036 * s, 0.032 * s), MAIN),
        ball((0, 0.150, -0.094), (0.030, 0.012, 0.034), LABEL, turn=sole @ IDENTITY),
    ]
    for k in range(4):
        z = -0.015 + 0.026 * k
        y = 0.122 - 0.016 * k
        parts.append(limb((-0.024, y, z), (0.024, y, z), (0.005, 0.005), TRIM))
    return parts
