"""People: their looks, poses and bodies made of solids."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from backend.sampleworld.faces import FACE_PX, FaceShape, paint_face
from backend.sampleworld.noise import Color, cloth, strands, vary
from backend.sampleworld.raster import Solid, Vector, ball, limb, rotation, turned
from backend.sampleworld.shading import Material

SKIN, FACE, HAIR, TOP, SLEEVE, BOTTOM, SHOE, EXTRA = range(8)

SKINS: tuple[Color, ...] = (
    (0.90, 0.72, 0.62),
    (0.86, 0.66, 0.53),
    (0.74, 0.54, 0.41),
    (0.62, 0.43, 0.31),
    (0.45, 0.30, 0.22),
)
HAIRS: dict[str, Color] = {
    "black": (0.05, 0.045, 0.045),
    "brown": (0.22, 0.13, 0.07),
    "auburn": (0.40, 0.16, 0.07),
    "blond": (0.66, 0.50, 0.26),
    "grey": (0.52, 0.52, 0.52),
}
CLOTHES: dict[str, Color] = {
    "red": (0.58, 0.13, 0.12),
    "orange": (0.74, 0.40, 0.17),
    "yellow": (0.86, 0.72, 0.18),
    "green": (0.13, 0.42, 0.18),
    "teal": (0.08, 0.45, 0.46),
    "blue": (0.15, 0.24, 0.50),
    "purple": (0.38, 0.15, 0.50),
    "pink": (0.85, 0.45, 0.56),
    "white": (0.86, 0.86, 0.84),
    "grey": (0.42, 0.43, 0.45),
    "black": (0.07, 0.07, 0.08),
    "brown": (0.36, 0.23, 0.13),
}
PATTERN_WORDS = {
    "stripes": "striped",
    "bars": "pinstriped",
    "plaid": "plaid",
    "dots": "dotted",
    "checks": "checked",
    "melange": "melange",
    "plain": "plain",
}
HAIRSTYLES = {"man": ("short", "curly", "bald", "cap", "swept"), "woman": ("long", "bun", "bob", "curly", "ponytail")}


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLook:
    """Everything that makes one person look like themselves."""

    kind: str
    face: FaceShape
    hair_word: str
    hairstyle: str
    head_width: float
    head_height: float
    build: float
    stature: float
    top_word: str
    top_pattern: str
    top_colors: tuple[Color, Color]
    long_sleeves: bool
    bottom: str
    bottom_word: str
    bottom_color: Color
    shoe_color: Color
    seed: int

    @property
    def phrase(self) -> str:
        """The subject's noun phrase."""
        wears = f"{PATTERN_WORDS[self.top_pattern]} {self.top_word} {'sweater' if self.long_sleeves else 'shirt'}"
        hair = {"bald": "a shaved head", "cap": "a cap"}.get(self.hairstyle, f"{self.hair_word} hair")
        return f"{self.kind} with {hair} in a {wears}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonState:
    """One moment of a person. `action`: walk, idle, wave, talk, reach; `phase` in 0 to 1 through its cycle."""

    action: str = "idle"
    phase: float = 0.0
    expression: str = "neutral"
    mouth_open: float = 0.0
    blink: float = 0.0
    head_turn_deg: float = 0.0


def draw_person_look(rng: np.random.Generator, kind: str) -> PersonLook:
    """A random person; `kind` is man or woman."""
    skin = vary(rng, SKINS[int(rng.integers(len(SKINS)))], 0.03)
    dark = skin[0] < 0.66
    hair_word = str(rng.choice(["black", "brown"] if dark else list(HAIRS)))
    first, second = (str(w) for w in rng.choice(list(CLOTHES), 2, replace=False))
    lips = (skin[0] * 0.82, skin[1] * (0.52 if kind == "woman" else 0.62), skin[2] * (0.56 if kind == "woman" else 0.66))
    face = FaceShape(
        skin=skin,
        hair=vary(rng, HAIRS[hair_word], 0.02),
        iris=tuple(rng.choice([(0.30, 0.18, 0.09), (0.18, 0.30, 0.42), (0.22, 0.34, 0.20), (0.16, 0.10, 0.06)])),
        lips=lips,
        eye_x=float(rng.uniform(0.36, 0.42)),
        eye_y=float(rng.uniform(0.03, 0.09)),
        eye_size=float(rng.uniform(0.17, 0.21)),
        brow_y=float(rng.uniform(0.24, 0.30)),
        brow_width=float(rng.uniform(0.028, 0.045) if kind == "woman" else rng.uniform(0.045, 0.065)),
        nose_y=float(rng.uniform(-0.31, -0.22)),
        nose_width=float(rng.uniform(0.12, 0.18)),
        mouth_y=float(rng.uniform(-0.56, -0.49)),
        mouth_width=float(rng.uniform(0.26, 0.34)),
        lip_height=float(rng.uniform(0.045, 0.075) if kind == "woman" else rng.uniform(0.035, 0.055)),
        beard=float(rng.uniform(0.45, 0.7)) if kind == "man" and rng.random() < 0.3 else 0.0,
        glasses=bool(rng.random() < 0.25),
        freckles=float(rng.uniform(0.5, 1)) if not dark and rng.random() < 0.3 else 0.0,
        wrinkles=0.7 if hair_word == "grey" else 0.0,
    )
    bottom_word = str(rng.choice(["blue", "black", "grey", "brown", "white"]))
    return PersonLook(
        kind=kind,
        face=face,
        hair_word=hair_word,
        hairstyle=str(rng.choice(HAIRSTYLES[kind])),
        head_width=float(rng.uniform(0.94, 1.06)),
        head_height=float(rng.uniform(0.95, 1.06)),
        build=float(rng.uniform(0.88, 1.18)),
        stature=float(rng.uniform(0.94, 1.06)),
        top_word=first,
        top_pattern=str(rng.choice(list(PATTERN_WORDS))),
        top_colors=(vary(rng, CLOTHES[first], 0.04), vary(rng, CLOTHES[second], 0.04)),
        long_sleeves=bool(rng.random() < 0.5),
        bottom=str(rng.choice(["skirt", "trousers"])) if kind == "woman" else "trousers",
        bottom_word=bottom_word,
        bottom_color=vary(rng, CLOTHES[bottom_word], 0.05),
        shoe_color=vary(rng, CLOTHES[str(rng.choice(["black", "brown", "white", "red"]))], 0.03),
        seed=int(rng.integers(1 << 30)),
    )


def similar_person(look: PersonLook, rng: np.random.Generator) -> PersonLook:
    """Somebody else who dresses in the same colours: another face, hairstyle and pattern."""
    other = draw_person_look(rng, look.kind)
    patterns = [p for p in PATTERN_WORDS if p not in (look.top_pattern, "plain")]
    styles = [s for s in HAIRSTYLES[look.kind] if s != look.hairstyle]
    face = replace(other.face, skin=vary(rng, look.face.skin, 0.02), hair=look.face.hair)
    return replace(
        other,
        face=face,
        hair_word=look.hair_word,
        hairstyle=str(rng.choice(styles)),
        top_word=look.top_word,
        # A plain shirt shows one colour only, so its look-alike's second colour must be near that one.
        top_colors=(look.top_colors[0], vary(rng, look.top_colors[0], 0.18))
        if look.top_pattern == "plain"
        else look.top_colors,
        top_pattern=str(rng.choice(patterns)),
        bottom_word=look.bottom_word,
        bottom_color=look.bottom_color,
    )


def person_materials(look: PersonLook) -> dict[int, Material]:
    """Textures of everything but the face."""
    rng = np.random.default_rng([look.seed, 1])
    top = cloth(rng, look.top_pattern, look.top_colors)
    plain = cloth(rng, "plain", (look.bottom_color, look.bottom_color))
    skin = cloth(rng, "plain", (look.face.skin, look.face.skin), size=(64, 64))
    hat = look.hairstyle == "cap"
    hair = cloth(rng, "plain", (look.top_colors[1], look.top_colors[1])) if hat else strands(rng, look.face.hair)
    shoe = cloth(rng, "plain", (look.shoe_color, look.shoe_color), size=(64, 64))
    return {
        SKIN: Material(texture=skin, gloss=0.10, span=(-0.3, 0.6)),
        HAIR: Material(texture=hair, gloss=0.06, span=(-1.2, 1.1), fuzz=0.0 if hat else 0.004, grain=0.10),
        TOP: Material(texture=top, gloss=0.01, span=(-0.15, 0.60), grain=0.07),
        SLEEVE: Material(texture=top, gloss=0.01, span=(-0.10, 0.60), grain=0.07),
        BOTTOM: Material(texture=plain, gloss=0.01, span=(-0.2, 0.6), grain=0.06),
        SHOE: Material(texture=shoe, gloss=0.12),
        EXTRA: Material(texture=hair, gloss=0.03),
    }


def face_material(look: PersonLook, state: PersonState) -> Material:
    """The face with its expression, for the head's front."""
    turn = max(-1.0, min(1.0, state.head_turn_deg / 40))
    texture = paint_face(
        look.face, state.expression, mouth_open=state.mouth_open, blink=state.blink, gaze=turn * 0.5, seed=look.seed
    )
    # The back takes the edge's colour (mapping front), so the edge must be bare skin.
    texture[:, :3] = np.array(look.face.skin, np.float32)
    texture[:, FACE_PX - 3 :] = np.array(look.face.skin, np.float32)
    radius = 0.084 * look.head_width
    low, high = _head_span(look)
    return Material(texture=texture, mapping="front", span=(low, high), half_width=radius, gloss=0.10)


def person_solids(look: PersonLook, state: PersonState) -> list[Solid]:
    """The body at one moment, feet on y = 0, facing +z; about 1.75 m tall times stature."""
    pose = _pose(state)
    solids = [*_legs(look, pose), *_trunk(look), *_arms(look, pose), *_head(look, state)]
    lift = pose["bob"]
    s = look.stature
    return [
        replace(
            solid, centre=tuple(s * (c + (lift if i == 1 else 0)) for i, c in enumerate(solid.centre)), axes=solid.axes * s
        )
        for solid in solids
    ]


def head_box(look: PersonLook) -> tuple[float, float, float]:
    """Height of the head's middle, its half width and half height, in metres of object space."""
    low, high = _head_span(look)
    return (
        (1.545 + (low + high) / 2) * look.stature,
        0.088 * look.head_width * look.stature,
        (high - low) / 2 * look.stature,
    )


def _head_span(look: PersonLook) -> tuple[float, float]:
    return -0.070 * look.head_height, 0.162 * look.head_height


def _pose(state: PersonState) -> dict[str, float]:
    """Joint angles in degrees: swings forward are positive."""
    wave = math.sin(2 * math.pi * state.phase)
    pose = {
        "leg_l": 0.0,
        "leg_r": 0.0,
        "knee_l": 2.0,
        "knee_r": 2.0,
        "arm_l": 4.0,
        "arm_r": 4.0,
        "elbow_l": 14.0,
        "elbow_r": 14.0,
        "out_l": 9.0,
        "out_r": 9.0,
        "bob": 0.0,
    }
    match state.action:
        case "walk":
            pose |= {
                "leg_l": 26 * wave,
                "leg_r": -26 * wave,
                "arm_l": -24 * wave,
                "arm_r": 24 * wave,
                "elbow_l": 24,
                "elbow_r": 24,
            }
            pose["knee_l"] = 6 + 38 * max(0.0, math.cos(2 * math.pi * state.phase)) ** 2
            pose["knee_r"] = 6 + 38 * max(0.0, -math.cos(2 * math.pi * state.phase)) ** 2
            pose["bob"] = 0.012 * math.cos(4 * math.pi * state.phase) - 0.02
        case "wave":
            pose |= {"arm_r": 20.0, "out_r": 128 + 8 * wave, "elbow_r": 55 + 25 * wave}
        case "talk":
            pose |= {
                "arm_l": 22 + 10 * wave,
                "elbow_l": 72 + 16 * wave,
                "arm_r": 14 - 8 * wave,
                "elbow_r": 58 - 20 * wave,
                "out_l": 14,
                "out_r": 14,
            }
        case "reach":
            pose |= {"arm_l": 62 + 14 * wave, "elbow_l": 22, "arm_r": 20 + 8 * wave, "elbow_r": 45}
        case "idle":
            pose |= {"arm_l": 4 + 3 * wave, "arm_r": 4 - 3 * wave, "bob": 0.003 * wave}
        case _:
            raise ValueError(f"unknown action {state.action}")
    return pose


def _swing(start: Vector, length: float, forward_deg: float, out_deg: float = 0.0) -> Vector:
    """The far end of a hanging bone swung forward and outward (+x)."""
    f, o = math.radians(forward_deg), math.radians(out_deg)
    return (
        start[0] + length * math.sin(o),
        start[1] - length * math.cos(o) * math.cos(f),
        start[2] + length * math.cos(o) * math.sin(f),
    )


def _legs(look: PersonLook, pose: dict[str, float]) -> list[Solid]:
    solids = []
    b = look.build
    thigh = 0.092 * b if look.bottom == "trousers" else 0.070
    pose = pose if look.bottom == "trousers" else pose | {k: 0.5 * pose[k] for k in ("leg_l", "leg_r")}
    covered = look.bottom == "trousers"
    upper, lower = (BOTTOM, BOTTOM) if covered else (SKIN, SKIN)
    for side, name in ((1, "l"), (-1, "r")):
        hip = (side * 0.088 * b, 0.93, 0.0)
        knee = _swing(hip, 0.43, pose[f"leg_{name}"])
        ankle = _swing(knee, 0.42, pose[f"leg_{name}"] - pose[f"knee_{name}"])
        pitch = pose[f"leg_{name}"] - pose[f"knee_{name}"]
        solids.append(limb(hip, knee, (thigh, 0.062), upper))
        solids.append(limb(knee, ankle, (0.062, 0.052 if covered else 0.042), lower))
        toe = _swing((ankle[0], ankle[1] - 0.035, ankle[2]), 0.15, pitch + 84)
        solids.append(
            limb((ankle[0], ankle[1] - 0.03, ankle[2] - 0.02), (toe[0] + side * 0.02, toe[1], toe[2]), (0.050, 0.036), SHOE)
        )
    if look.bottom == "skirt":
        sway = 0.02 * math.sin(math.radians(pose["leg_l"] * 3))
        flare = [(0.0, 0.235), (0.2, 0.20), (0.36, 0.165), (0.47, 0.135 * b)]
        solids.append(turned((sway, 0.56, 0.0), flare, BOTTOM, turn=np.diag([1.0, 1.0, 0.9])))
    return solids


def _trunk(look: PersonLook) -> list[Solid]:
    b = look.build
    woman = look.kind == "woman"
    chest, waist = (0.128, 0.105) if woman else (0.148, 0.125)
    shoulder = 0.148 if woman else 0.172
    solids = [
        ball((0, 0.955, 0), (0.150 * b, 0.125, 0.112 * b), BOTTOM),
        limb((0, 1.06, 0), (0, 1.30, 0.0), (waist * b * 1.05, chest * b), TOP, flat=0.74),
        limb(
            (-shoulder * b * 0.72, 1.375, -0.005), (shoulder * b * 0.72, 1.375, -0.005), (0.068, 0.068), SLEEVE, flat=0.95
        ),
        limb((0, 1.40, -0.01), (0, 1.56, 0.005), (0.054, 0.050), SKIN),
    ]
    if woman:
        solids.append(ball((0, 1.25, 0.055), (0.112 * b, 0.07, 0.072), TOP))
    return solids


def _arms(look: PersonLook, pose: dict[str, float]) -> list[Solid]:
    solids = []
    b = look.build
    shoulder = 0.150 if look.kind == "woman" else 0.172
    for side, name in ((1, "l"), (-1, "r")):
        joint = (side * shoulder * b, 1.375, -0.005)
        elbow = _swing(joint, 0.27, pose[f"arm_{name}"], side * pose[f"out_{name}"])
        bend_out = pose[f"out_{name}"] + (pose[f"elbow_{name}"] if pose[f"out_{name}"] > 60 else 0)
        forward = pose[f"arm_{name}"] + (0 if pose[f"out_{name}"] > 60 else pose[f"elbow_{name}"])
        wrist = _swing(elbow, 0.24, forward, side * (bend_out if pose[f"out_{name}"] > 60 else 3))
        solids.append(limb(joint, elbow, (0.060 * b, 0.048), SLEEVE))
        solids.append(limb(elbow, wrist, (0.045, 0.034), SLEEVE if look.long_sleeves else SKIN))
        hand = np.array(wrist) + (np.array(wrist) - np.array(elbow)) * 0.32
        solids.append(limb(wrist, (float(hand[0]), float(hand[1]), float(hand[2])), (0.034, 0.027), SKIN))
    return solids


def _head(look: PersonLook, state: PersonState) -> list[Solid]:
    w, _h = look.head_width, look.head_height
    low, high = _head_span(look)
    neck = (0.0, 1.545, 0.012)
    turn = rotation(y_deg=state.head_turn_deg)

    def at(x: float, y: float, z: float) -> Vector:
        p = turn @ np.array([x, y, z]) + np.array(neck)
        return float(p[0]), float(p[1]), float(p[2])

    chin, skull = 0.067 * w, 0.088 * w
    length = (high - skull) - (low + chin)
    axes = turn @ np.diag([1.0, 1.0, 1.16])
    skull_solid = Solid(
        shape="cone", centre=at(0, low + chin, 0), material=FACE, axes=axes, length=length, radii=(chin, skull)
    )
    nose_y = (low + high) / 2 + look.face.nose_y * (high - low) / 2
    tip = 0.090
    solids = [
        skull_solid,
        limb(
            at(0, nose_y + 0.045, tip - 0.014),
            at(0, nose_y + 0.004, tip + 0.010),
            (0.008, 0.012 + 0.03 * (look.face.nose_width - 0.12)),
            SKIN,
        ),
    ]
    solids.extend(
        ball(at(side * 0.086 * w, nose_y + 0.03, -0.008), (0.012, 0.030, 0.020), SKIN, turn=turn) for side in (-1, 1)
    )
    solids.extend(_hair(look, at, turn, high))
    return solids


def _hair(look: PersonLook, at, turn: np.ndarray, high: float) -> list[Solid]:
    w = look.head_width
    r = 0.088 * w
    middle = high - r
    cap = ball(at(0, middle + 0.012, -0.020), (r * 1.08, r * 1.10, r * 1.19), HAIR, turn=turn)
    nape = ball(at(0, middle - 0.055, -0.040), (r * 0.96, r * 0.95, r * 0.85), HAIR, turn=turn)
    match look.hairstyle:
        case "bald":
            return []
        case "short":
            return [cap, nape]
        case "swept":
            fringe = ball(at(0.02, high - 0.012, 0.045), (0.070, 0.030, 0.055), HAIR, turn=turn @ rotation(z_deg=-14))
            return [cap, nape, fringe]
        case "cap":
            brim = ball(at(0, middle + 0.052, 0.10), (0.075, 0.010, 0.075), HAIR, turn=turn @ rotation(x_deg=8))
            return [ball(at(0, middle + 0.040, -0.008), (r * 1.07, r * 0.95, r * 1.15), HAIR, turn=turn), brim]
        case "curly":
            spots: Sequence[Vector] = [
                (x * 0.075, middle + 0.075 - 0.055 * abs(x) - 0.02 * (z < 0), z * 0.07 - 0.02)
                for x in (-1.05, -0.5, 0.0, 0.5, 1.05)
                for z in (-0.9, 0.1, 0.8)
                if not (abs(x) > 1 and z > 0.5)
            ]
            return [cap, nape, *(ball(at(*s), (0.042, 0.040, 0.042), HAIR, turn=turn) for s in spots)]
        case "bun":
            return [cap, nape, ball(at(0, high + 0.035, -0.045), (0.045, 0.042, 0.045), HAIR, turn=turn)]
        case "ponytail":
            tail = limb(at(0, middle + 0.02, -0.12), at(0, middle - 0.22, -0.14), (0.040, 0.022), HAIR)
            return [cap, nape, tail]
        case "bob":
            sides = [
                limb(
                    at(s * 0.084 * w, middle + 0.01, -0.015),
                    at(s * 0.090 * w, middle - 0.105, -0.005),
                    (0.034, 0.030),
                    HAIR,
                )
                for s in (-1, 1)
            ]
            back = limb(at(0, middle, -0.05), at(0, middle - 0.10, -0.05), (0.080, 0.078), HAIR)
            return [cap, *sides, back]
        case "long":
            sides = [
                limb(at(s * 0.082 * w, middle + 0.015, -0.015), at(s * 0.098, middle - 0.225, 0.005), (0.034, 0.026), HAIR)
                for s in (-1, 1)
            ]
            back = limb(at(0, middle, -0.05), at(0, middle - 0.26, -0.075), (0.082, 0.088), HAIR, flat=0.75)
            return [cap, *sides, back]
        case _:
            raise ValueError(f"unknown hairstyle {look.hairstyle}")
