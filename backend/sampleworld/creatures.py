"""Animals: dogs, cats, horses, cows and birds; their coats, gaits and bodies made of solids."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from backend.sampleworld.noise import Color, cloth, coat, vary
from backend.sampleworld.raster import Solid, Vector, ball, limb, rotation
from backend.sampleworld.shading import Material

BODY, HEAD, LEG, DARK, EYE, ACCENT = range(6)

COATS: dict[str, Color] = {
    "black": (0.07, 0.065, 0.06),
    "brown": (0.34, 0.20, 0.11),
    "tan": (0.62, 0.44, 0.26),
    "white": (0.84, 0.82, 0.78),
    "grey": (0.40, 0.40, 0.41),
    "ginger": (0.70, 0.38, 0.14),
    "green": (0.18, 0.46, 0.16),
    "blue": (0.12, 0.30, 0.62),
    "red": (0.62, 0.12, 0.10),
}
MARKING_WORDS = {"spots": "spotted", "patches": "patched", "stripes": "striped", "saddle": "saddled", "plain": "plain"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A species' proportions in metres."""

    shoulder: float
    """Height of the back at the shoulder."""
    length: float
    girth: float
    neck: float
    neck_deg: float
    head: float
    muzzle: float
    leg: float
    tail: float
    tail_deg: float
    ear: Vector
    coats: tuple[str, ...]
    markings: tuple[str, ...]


BUILDS = {
    "dog": Build(
        shoulder=0.56, length=0.56, girth=0.135, neck=0.20, neck_deg=52, head=0.098, muzzle=0.105, leg=0.044, tail=0.30, tail_deg=50,
        ear=(0.030, 0.085, 0.050), coats=("black", "brown", "tan", "white", "grey"), markings=("spots", "patches", "saddle", "plain"),
    ),
    "cat": Build(
        shoulder=0.36, length=0.42, girth=0.098, neck=0.09, neck_deg=48, head=0.092, muzzle=0.035, leg=0.030, tail=0.40, tail_deg=62,
        ear=(0.040, 0.065, 0.016), coats=("black", "ginger", "white", "grey", "tan"), markings=("stripes", "patches", "plain", "saddle"),
    ),
    "horse": Build(
        shoulder=1.42, length=1.30, girth=0.30, neck=0.70, neck_deg=56, head=0.165, muzzle=0.34, leg=0.085, tail=0.60, tail_deg=-62,
        ear=(0.040, 0.10, 0.025), coats=("black", "brown", "tan", "white", "grey"), markings=("patches", "spots", "plain"),
    ),
    "cow": Build(
        shoulder=1.22, length=1.25, girth=0.36, neck=0.36, neck_deg=24, head=0.185, muzzle=0.25, leg=0.085, tail=0.65, tail_deg=-80,
        ear=(0.115, 0.045, 0.025), coats=("black", "brown", "white", "tan"), markings=("patches", "spots", "saddle"),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class AnimalLook:
    """Everything that makes one animal look like itself."""

    kind: str
    coat_words: tuple[str, str]
    coat_colors: tuple[Color, Color]
    marking: str
    face_patch: bool
    floppy_ears: bool
    stout: float
    size: float
    seed: int

    @property
    def phrase(self) -> str:
        """The subject's noun phrase."""
        if self.marking == "plain":
            return f"{self.coat_words[0]} {self.kind}"
        return f"{MARKING_WORDS[self.marking]} {self.coat_words[0]} and {self.coat_words[1]} {self.kind}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnimalState:
    """One moment of an animal. `action`: walk, idle, look; `phase` in 0 to 1 through its cycle."""

    action: str = "idle"
    phase: float = 0.0


def draw_animal_look(rng: np.random.Generator, kind: str) -> AnimalLook:
    """A random animal of a species."""
    build = BUILDS[kind]
    first, second = (str(w) for w in rng.choice(build.coats, 2, replace=False))
    return AnimalLook(
        kind=kind,
        coat_words=(first, second),
        coat_colors=(vary(rng, COATS[first], 0.03), vary(rng, COATS[second], 0.03)),
        marking=str(rng.choice(build.markings)),
        face_patch=bool(rng.random() < 0.5),
        floppy_ears=kind == "dog" and bool(rng.random() < 0.6),
        stout=float(rng.uniform(0.88, 1.18)),
        size=float(rng.uniform(0.9, 1.1)),
        seed=int(rng.integers(1 << 30)),
    )


def similar_animal(look: AnimalLook, rng: np.random.Generator) -> AnimalLook:
    """Another animal of the same colours: other markings, ears and build."""
    other = draw_animal_look(rng, look.kind)
    markings = [m for m in BUILDS[look.kind].markings if m not in (look.marking, "plain")]
    return replace(
        other,
        coat_words=look.coat_words,
        coat_colors=look.coat_colors,
        marking=str(rng.choice(markings)),
        face_patch=not look.face_patch,
    )


def animal_materials(look: AnimalLook) -> dict[int, Material]:
    """Textures of an animal."""
    rng = np.random.default_rng([look.seed, 2])
    build = BUILDS[look.kind]
    body = coat(rng, look.marking, look.coat_colors)
    face = coat(
        rng,
        "patches" if look.face_patch else "plain",
        look.coat_colors if look.face_patch else (look.coat_colors[0], look.coat_colors[0]),
    )
    leg_color = look.coat_colors[int(look.face_patch)]
    leg = coat(rng, "plain", (leg_color, leg_color))
    black = (0.05, 0.045, 0.04)
    dark = cloth(rng, "plain", (black, black), size=(64, 64))
    iris = (0.45, 0.42, 0.10) if look.kind == "cat" else (0.12, 0.07, 0.04)
    eye = cloth(rng, "plain", (iris, iris), size=(64, 64))
    fuzz = 0.035 * build.girth
    return {
        BODY: Material(texture=body, span=(-1.0, 1.0), fuzz=fuzz, grain=0.16),
        HEAD: Material(texture=face, span=(-1.2, 1.2), fuzz=fuzz * 0.6, grain=0.10),
        LEG: Material(texture=leg, span=(-0.1, 0.8), fuzz=fuzz * 0.4, grain=0.12),
        DARK: Material(texture=dark, gloss=0.35),
        EYE: Material(texture=eye, gloss=1.0),
        ACCENT: Material(texture=body, span=(-0.2, 0.6), fuzz=fuzz, grain=0.2),
    }


def animal_solids(look: AnimalLook, state: AnimalState) -> list[Solid]:
    """The body at one moment, paws on y = 0, facing +z."""
    build = BUILDS[look.kind]
    wave = math.sin(2 * math.pi * state.phase)
    walking = state.action == "walk"
    bob = 0.012 * build.shoulder * math.sin(4 * math.pi * state.phase) if walking else 0.004 * wave * build.shoulder
    solids = [*_trunk(build, look), *_legs(build, state.phase if walking else None)]
    nod = {"walk": 4 * wave, "look": -10 * wave, "idle": 3 * wave}[state.action]
    swing = {"walk": 5 * wave, "look": 34 * wave, "idle": 8 * wave}[state.action]
    solids += _head(build, look, nod, swing)
    solids += _tail(build, 18 * wave if state.action != "walk" else 10 * wave)
    s = look.size
    return [
        replace(
            solid, centre=tuple(s * (c + (bob if i == 1 else 0)) for i, c in enumerate(solid.centre)), axes=solid.axes * s
        )
        for solid in solids
    ]


def _trunk(build: Build, look: AnimalLook) -> list[Solid]:
    g, half = build.girth * look.stout, build.length / 2
    middle = build.shoulder - build.girth
    lying = rotation(x_deg=90)  # local y runs along the spine, so that markings wrap around it
    return [
        ball((0, middle, 0), (g * 0.98, half * 1.12, g * 1.02), BODY, turn=lying),
        ball((0, middle + 0.02 * g, half * 0.60), (g * 0.98, g * 1.20, g * 1.12), BODY, turn=lying),
        ball((0, middle + 0.05 * g, -half * 0.66), (g * 0.96, g * 1.08, g * 1.06), BODY, turn=lying),
    ]


def _legs(build: Build, phase: float | None) -> list[Solid]:
    solids = []
    g, half = build.girth, build.length / 2
    top = build.shoulder - 1.15 * g
    for k, (side, end) in enumerate(((1, 1), (-1, 1), (1, -1), (-1, -1))):
        cycle = 2 * math.pi * ((phase or 0.0) + (0.0, 0.5, 0.5, 0.0)[k])
        swing = 24 * math.sin(cycle) if phase is not None else (3 if side == end else -3)
        bend = 34 * max(0.0, math.cos(cycle)) if phase is not None else 4
        hip: Vector = (side * g * 0.62, top + 0.25 * g, end * half * 0.74)
        reach = top + 0.25 * g
        knee = _hang(hip, reach * 0.52, swing + (6 if end < 0 else -2))
        foot = _hang(knee, reach * 0.46, swing - bend)
        solids.append(limb(hip, knee, (build.leg * (2.1 if end < 0 else 1.7), build.leg), LEG))
        solids.append(limb(knee, foot, (build.leg, build.leg * 0.72), LEG))
        solids.append(
            limb(
                foot,
                (foot[0], foot[1] - 0.01, foot[2] + build.leg * 0.9),
                (build.leg * 0.82, build.leg * 0.66),
                DARK if build.shoulder > 1 else LEG,
            )
        )
    return solids


def _hang(start: Vector, length: float, forward_deg: float) -> Vector:
    f = math.radians(forward_deg)
    return start[0], start[1] - length * math.cos(f), start[2] + length * math.sin(f)


def _head(build: Build, look: AnimalLook, nod: float, swing: float) -> list[Solid]:
    r, half = build.head, build.length / 2
    base = np.array([0, build.shoulder - build.girth * 0.75, half * 0.82])
    lift = math.radians(build.neck_deg)
    poll = base + build.neck * np.array([0, math.sin(lift), math.cos(lift)])
    turn = rotation(x_deg=nod, y_deg=swing)

    def at(x: float, y: float, z: float) -> Vector:
        p = turn @ np.array([x, y, z]) + poll
        return float(p[0]), float(p[1]), float(p[2])

    w = 0.86 if build.muzzle > 2 * r else 1.0
    drop = 0.62 * build.muzzle if build.shoulder > 1 else 0.30 * r
    nose = (0.0, -0.12 * r - drop, r * 0.75 + build.muzzle * (0.72 if build.shoulder > 1 else 1.0))
    solids = [
        limb(tuple(base), at(0, 0, -0.1 * r), (build.girth * 0.66, r * 0.84), ACCENT),
        ball(at(0, 0, 0), (r * w, r * 0.96, r * 1.05), HEAD, turn=turn),
        limb(at(0, -0.18 * r, 0.35 * r), at(*nose), (r * 0.66 * w, r * (0.40 if build.muzzle > 0.05 else 0.34)), HEAD),
        ball(at(nose[0], nose[1] + 0.16 * r, nose[2] + 0.30 * r), (r * 0.20, r * 0.15, r * 0.14), DARK, turn=turn),
    ]
    for side in (-1, 1):
        spread = 0.52 if build.shoulder < 1 else 0.70
        eye = at(side * spread * r, 0.22 * r, 0.78 * r if build.shoulder < 1 else 0.66 * r)
        solids.append(ball(eye, (0.20 * r, 0.20 * r, 0.16 * r), EYE, turn=turn))
        solids.append(
            ball(
                at(side * spread * r * 1.03, 0.22 * r, (0.78 if build.shoulder < 1 else 0.66) * r + 0.10 * r),
                (0.10 * r, 0.13 * r, 0.09 * r),
                DARK,
                turn=turn,
            )
        )
        solids += _ear(build, look, at, turn, side)
    return solids


def _ear(build: Build, look: AnimalLook, at, turn: np.ndarray, side: int) -> Sequence[Solid]:
    r = build.head
    rx, ry, rz = build.ear
    if look.floppy_ears:
        return [ball(at(side * r * 0.98, -0.02 * r, 0.02 * r), (rx, ry, rz), ACCENT, turn=turn @ rotation(z_deg=side * 14))]
    if build.ear[0] > build.ear[1]:
        return [ball(at(side * r * 1.25, 0.42 * r, -0.1 * r), (rx, ry, rz), HEAD, turn=turn @ rotation(z_deg=side * -12))]
    tip = at(side * r * 0.78, 0.75 * r + ry * 1.15, -0.05 * r)
    return [limb(at(side * r * 0.60, 0.62 * r, -0.02 * r), tip, (rx * 0.85, rx * 0.16), ACCENT, flat=0.5)]


def _tail(build: Build, wag: float) -> list[Solid]:
    start: Vector = (0.0, build.shoulder - build.girth * 0.6, -build.length * 0.60)
    rise, aside = math.radians(build.tail_deg), math.radians(wag)
    solids = []
    for k in range(2):
        bend = rise + 0.35 * k
        part = build.tail / 2
        stop = (
            start[0] + part * math.sin(aside) * math.cos(bend),
            start[1] + part * math.sin(bend),
            start[2] - part * math.cos(aside) * abs(math.cos(bend)) - 0.01,
        )
        thick = build.girth * 0.20
        solids.append(limb(start, stop, (thick, thick * 0.75), ACCENT))
        start = stop
    return solids
