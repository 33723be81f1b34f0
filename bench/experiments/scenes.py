"""Scenes of one shot: identities and places of the sample world, one or two figures on the left and right of the picture.

Pictures are drawn at 320 x 320, where a face is large enough for the face finder, and shrunk to the 64 x 64 of the clips.
"""

from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np

from backend.sampleworld.cast import Identity, Wardrobe, draw_sprite, size_of
from backend.sampleworld.creatures import AnimalLook, AnimalState, draw_animal_look
from backend.sampleworld.people import PersonLook, PersonState, draw_person_look
from backend.sampleworld.places import PLACES, Place, paint_place
from backend.sampleworld.products import draw_product_look

SIDE = 320
CLIP_SIDE = 64
SMALL = (CLIP_SIDE, CLIP_SIDE)
FRAMES, FPS = 5, 8.0
CELLS = {"left": 0.27, "right": 0.73}
"""Where a figure's middle stands, as a share of the width."""
BUST_M = 0.55  # head and shoulders
FILLED = 0.55  # of the picture's height or, for wide things, half of its width
SWAY = 0.016  # of the width, a frame: a pixel of the clip
AZIMUTHS = {"front": 0.0, "left": 90.0, "back": 180.0, "right": 270.0}
"""By the side of it that is seen."""
KEPT = 48  # textures of a person are megabytes
PEOPLE = ("man", "woman")
ANIMALS = ("dog", "cat", "cow", "horse")
PRODUCTS = ("mug", "bottle", "shoe", "handbag")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """An identity in a scene."""

    kind: str
    number: int
    """Of the identity among its kind."""
    cell: str
    azimuth_deg: float = 0.0
    expression: str = "neutral"

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What one clip shows. `variant` makes one park another park."""

    place: str
    variant: int
    figures: tuple[Figure, ...]
    tells_side: bool = False
    """Whether the caption says which side of the first figure is seen."""

    @property
    def caption(self) -> str:
        """Kinds, where they stand and the place: who it is, only the references tell."""
        told = " and ".join(f"a {figure.kind} on the {figure.cell}" for figure in self.figures)
        side = f" from the {side_of(self.figures[0].azimuth_deg)}" if self.tells_side else ""
        return f"{told}{side} {PLACES[self.place][0]}"


@dataclass(frozen=True, slots=True)
class Shot:
    """A drawn frame: `picture` uint8 (H, W, 3), and of each figure the bool (H, W) of its pixels."""

    picture: np.ndarray
    masks: tuple[np.ndarray, ...]


@dataclass(slots=True)
class Studio:
    """Draws scenes. Equal scenes give equal pictures on every machine."""

    _wardrobe: Wardrobe = field(default_factory=Wardrobe)
    _drawn: dict[tuple[Scene, int], Shot] = field(default_factory=dict)
    _sprites: dict[tuple[Figure, str, int], tuple[np.ndarray, float]] = field(default_factory=dict)

    def shot(self, scene: Scene, frame: int = 0) -> Shot:
        """A frame of a clip. Frames are kept: what is true is asked for again and again."""
        if (scene, frame) not in self._drawn:
            large = self.large(scene, frame)
            masks = [cv2.resize(mask.astype(np.float32), SMALL, interpolation=cv2.INTER_AREA) > 0.5 for mask in large.masks]
            small = cv2.resize(large.picture, SMALL, interpolation=cv2.INTER_AREA)
            self._drawn[scene, frame] = Shot(small, tuple(masks))
        return self._drawn[scene, frame]

    def large(self, scene: Scene, frame: int) -> Shot:
        """The same, 320 x 320."""
        picture = _place(scene.place, scene.variant).picture.copy()
        masks = []
        for figure in scene.figures:
            sprite, corner = self._placed(figure, scene, frame)
            masks.append(_paste(picture, sprite, corner))
        return Shot(picture, tuple(masks))

    def clip(self, scene: Scene) -> np.ndarray:
        """uint8 (FRAMES, 64, 64, 3)."""
        return np.stack([self.shot(scene, frame).picture for frame in range(FRAMES)])

    def drawn_alone(self, figure: Figure, *, hue_shift: int = 0) -> np.ndarray:
        """uint8 (320, 320, 3): the figure on a plain ground, as a model that makes references might draw it, with its colours
        turned by `hue_shift` of 180."""
        sprite, _ = self._sprite(figure, "room", 0)
        picture = np.full((SIDE, SIDE, 3), 214, np.uint8)
        left, top = (SIDE - sprite.shape[1]) // 2, SIDE - sprite.shape[0]
        _paste(picture, sprite, (left, top))
        hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(int) + hue_shift) % 180
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)

    def _placed(self, figure: Figure, scene: Scene, frame: int) -> tuple[np.ndarray, tuple[int, int]]:
        sprite, middle = self._sprite(figure, scene.place, scene.variant)
        way = 1 if (scene.variant + figure.number) % 2 else -1
        x = (CELLS[figure.cell] + way * SWAY * (frame - FRAMES // 2)) * SIDE
        bottom = SIDE if figure.kind in PEOPLE else round(0.93 * SIDE)
        return sprite, (round(x - middle), bottom - sprite.shape[0])

    def _sprite(self, figure: Figure, place: str, variant: int) -> tuple[np.ndarray, float]:
        """RGBA uint8 and the column of its middle. Textures and sprites of the last few are kept."""
        if len(self._sprites) > KEPT:
            self._sprites.clear()
            self._wardrobe = Wardrobe()
        key = (figure, place, variant)
        if key not in self._sprites:
            self._sprites[key] = self._drawn_sprite(figure, place, variant)
        return self._sprites[key]

    def _drawn_sprite(self, figure: Figure, place: str, variant: int) -> tuple[np.ndarray, float]:
        identity = identity_of(figure.kind, figure.number)
        wide, tall = size_of(identity.look, azimuth_deg=figure.azimuth_deg)
        is_person = figure.kind in PEOPLE
        scale = FILLED * SIDE / BUST_M if is_person else min(FILLED * SIDE / tall, 0.5 * SIDE / wide)
        sprite = draw_sprite(
            identity,
            _state(identity, figure),
            self._wardrobe,
            azimuth_deg=figure.azimuth_deg,
            elevation_deg=5.0,
            scale=scale,
            light=_place(place, variant).light,
            lowest=tall - BUST_M if is_person else -1e9,
        )
        return sprite.rgba, sprite.foot[0]


@lru_cache(maxsize=4096)
def identity_of(kind: str, number: int) -> Identity:
    """The identity of a kind and number, the same in every scene."""
    rng = np.random.default_rng([97, (*PEOPLE, *ANIMALS, *PRODUCTS).index(kind), number])
    if kind in PEOPLE:
        look = draw_person_look(rng, kind)
    elif kind in ANIMALS:
        look = draw_animal_look(rng, kind)
    else:
        look = draw_product_look(rng, kind)
    return Identity(id=f"{kind}-{number}", category=kind, look=look, twin=None)


def side_of(azimuth_deg: float) -> str:
    """front, left, back or right: the side that is seen."""
    return min(AZIMUTHS, key=lambda name: abs((azimuth_deg - AZIMUTHS[name] + 180) % 360 - 180))


def _state(identity: Identity, figure: Figure) -> PersonState | AnimalState | None:
    match identity.look:
        case PersonLook():
            return PersonState(expression=figure.expression)
        case AnimalLook():
            return AnimalState()
        case _:
            return None


@lru_cache(maxsize=64)
def _place(kind: str, variant: int) -> Place:
    return paint_place(kind, variant, (SIDE, SIDE))


def _paste(picture: np.ndarray, sprite: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    """Lays a sprite over a picture in place; which pixels are its."""
    left, top = corner
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(picture.shape[1], left + sprite.shape[1]), min(picture.shape[0], top + sprite.shape[0])
    part = sprite[y0 - top : y1 - top, x0 - left : x1 - left]
    alpha = part[..., 3:].astype(np.float32) / 255
    under = picture[y0:y1, x0:x1]
    picture[y0:y1, x0:x1] = np.rint(part[..., :3] * alpha + under * (1 - alpha)).astype(np.uint8)
    mask = np.zeros(picture.shape[:2], bool)
    mask[y0:y1, x0:x1] = part[..., 3] >= 128
    return mask
