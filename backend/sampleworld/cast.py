"""Who and what a world holds: identities with their look-alikes, and how each is drawn from any side."""

from dataclasses import dataclass, field, replace

import numpy as np

from backend.sampleworld import creatures, people, products
from backend.sampleworld.creatures import AnimalLook, AnimalState
from backend.sampleworld.people import FACE, PersonLook, PersonState
from backend.sampleworld.products import ProductLook
from backend.sampleworld.raster import Solid, View, cast, extent
from backend.sampleworld.shading import Light, Material, shade

Look = PersonLook | AnimalLook | ProductLook
State = PersonState | AnimalState | None

PEOPLE = ("man", "woman")
ANIMALS = ("dog", "cat", "horse", "cow")
MARGIN_PX = 6
RELABELLED = ("bottle", "can", "handbag")
"""Products with a logo look-alike: those with a logo that have no other look-alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody or something with a look of its own. `twin` is the id of its look-alike."""

    id: str
    category: str
    look: Look
    twin: str | None
    relabels: str | None = None
    """Id of the product that it differs from in name and emblem only."""

    @property
    def is_living(self) -> bool:
        return not isinstance(self.look, ProductLook)

    @property
    def phrase(self) -> str:
        return self.look.phrase


@dataclass(frozen=True, slots=True)
class Sprite:
    """A drawn identity: `rgba` uint8 (H, W, 4); `foot` is the pixel of its origin; `scale` is pixels per metre."""

    rgba: np.ndarray
    foot: tuple[float, float]
    scale: float


@dataclass(slots=True)
class Wardrobe:
    """Textures of identities, made when first asked for."""

    textures: dict[str, dict[int, Material]] = field(default_factory=dict)
    faces: dict[tuple, Material] = field(default_factory=dict)

    def materials(self, identity: Identity, state: State) -> dict[int, Material]:
        """What the identity is covered with at this moment."""
        look = identity.look
        if identity.id not in self.textures:
            match look:
                case PersonLook():
                    self.textures[identity.id] = people.person_materials(look)
                case AnimalLook():
                    self.textures[identity.id] = creatures.animal_materials(look)
                case ProductLook():
                    self.textures[identity.id] = products.product_materials(look)
        found = self.textures[identity.id]
        if isinstance(look, PersonLook) and isinstance(state, PersonState):
            key = (identity.id, state.expression, state.mouth_open, state.blink, state.head_turn_deg)
            if key not in self.faces:
                self.faces[key] = people.face_material(look, state)
            return found | {FACE: self.faces[key]}
        return found


def draw_cast(seed: int) -> tuple[Identity, ...]:
    """The world's identities: 6 people, 6 animals, 8 products and 3 with the logo of another maker.

    Several are look-alikes of another. Logo look-alikes come last and draw from a stream of their own, so that a seed
    gives the same others as without them.
    """
    rng = np.random.default_rng([seed, 11])
    cast_list: list[Identity] = []

    def add(category: str, look: Look, twin: Look | None = None) -> None:
        slug = category.replace(" ", "_")
        number = sum(i.category == category for i in cast_list) + 1
        first, second = f"{slug}_{number}", f"{slug}_{number + 1}"
        cast_list.append(Identity(id=first, category=category, look=look, twin=second if twin else None))
        if twin:
            cast_list.append(Identity(id=second, category=category, look=twin, twin=first))

    for kind in PEOPLE:
        look = people.draw_person_look(rng, kind)
        add(kind, look, people.similar_person(look, rng))
        add(kind, people.draw_person_look(rng, kind))
    for kind in ANIMALS:
        look = creatures.draw_animal_look(rng, kind)
        add(kind, look, creatures.similar_animal(look, rng) if kind in ("dog", "cat") else None)
    for kind in products.KINDS:
        look = products.draw_product_look(rng, kind)
        add(kind, look, products.similar_product(look, rng) if kind in ("cereal box", "mug") else None)
    return _with_logo_look_alikes(cast_list, np.random.default_rng([seed, 12]))


def _with_logo_look_alikes(identities: list[Identity], rng: np.random.Generator) -> tuple[Identity, ...]:
    originals = [i for i in identities if i.category in RELABELLED]
    others = []
    for original in originals:
        assert isinstance(original.look, ProductLook)
        look = products.relabelled_product(original.look, rng)
        name = f"{original.id.rsplit('_', 1)[0]}_2"
        others.append(Identity(id=name, category=original.category, look=look, twin=original.id, relabels=original.id))
    twin_of = {other.relabels: other.id for other in others}
    return (*(replace(i, twin=twin_of.get(i.id, i.twin)) for i in identities), *others)


def solids_of(look: Look, state: State) -> list[Solid]:
    """The identity's body at a moment."""
    match look, state:
        case PersonLook(), PersonState():
            return people.person_solids(look, state)
        case AnimalLook(), AnimalState():
            return creatures.animal_solids(look, state)
        case ProductLook(), _:
            return products.product_solids(look)
    raise ValueError(f"{type(look).__name__} cannot be in the state {state!r}")


def size_of(look: Look, *, azimuth_deg: float = 0.0) -> tuple[float, float]:
    """Width and height in metres, seen from the side `azimuth_deg`."""
    state = PersonState() if isinstance(look, PersonLook) else AnimalState() if isinstance(look, AnimalLook) else None
    view = View(azimuth_deg=azimuth_deg, elevation_deg=6, left=0, top=0, width_px=1, height_px=1, scale=1)
    left, right, bottom, top = extent(solids_of(look, state), view.rotation())
    return right - left, top - bottom


def draw_sprite(
    identity: Identity,
    state: State,
    wardrobe: Wardrobe,
    *,
    azimuth_deg: float,
    elevation_deg: float,
    scale: float,
    light: Light,
    lowest: float = -1e9,
) -> Sprite:
    """The identity from one side. `scale` is pixels per metre; nothing under `lowest` (view metres) is drawn."""
    solids = solids_of(identity.look, state)
    turn = View(
        azimuth_deg=azimuth_deg, elevation_deg=elevation_deg, left=0, top=0, width_px=1, height_px=1, scale=1
    ).rotation()
    left, right, bottom, top = extent(solids, turn)
    bottom = max(bottom, min(lowest, top - 0.05))
    margin = MARGIN_PX / scale
    view = View(
        azimuth_deg=azimuth_deg,
        elevation_deg=elevation_deg,
        left=left - margin,
        top=top + margin,
        width_px=round((right - left + 2 * margin) * scale),
        height_px=round((top - bottom + 2 * margin) * scale),
        scale=scale,
    )
    rgba = shade(cast(solids, view), solids, wardrobe.materials(identity, state), light, scale=scale)
    return Sprite(rgba, (-view.left * scale, view.top * scale), scale)
