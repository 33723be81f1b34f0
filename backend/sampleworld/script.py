"""Plans a world: which shots each video has, who is in them, where the camera looks and what is planted."""

from dataclasses import dataclass, replace

import numpy as np

from backend.sampleworld import cast as cast_module
from backend.sampleworld.cast import ANIMALS, PEOPLE, Identity
from backend.sampleworld.faces import EXPRESSIONS
from backend.sampleworld.places import PLACES
from backend.sampleworld.sound import Syllable, draw_speech

SHOT_S = 3.75  # four shots in fifteen seconds; people's films run at 2 to 6 s a shot
SHORTEST_SHOT_S = 2.2
PERSON_ACTIONS = ("walk", "idle", "wave", "talk", "reach")
ANIMAL_ACTIONS = ("walk", "idle", "look")
INDOORS = ("room", "kitchen", "library")
OVERLAY_TEXTS = (
    "CHANNEL NINE",
    "www.daily-clips.tv",
    "LIVE",
    "stock footage",
    "@wander.films",
    "HD",
    "Breaking news",
    "Episode 4",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraPlan:
    """Where the camera looks, in fractions of the place: `span` is the seen part of its width (and height)."""

    span: tuple[float, float]
    x: tuple[float, float]
    y: tuple[float, float]
    shake: float
    seed: int

    @property
    def move(self) -> str:
        """The dominant movement in words."""
        if abs(self.span[1] - self.span[0]) > 0.05:
            return "zooms in" if self.span[1] < self.span[0] else "zooms out"
        if abs(self.x[1] - self.x[0]) > 0.05:
            return "pans right" if self.x[1] > self.x[0] else "pans left"
        return "is handheld" if self.shake > 0.002 else "stays still"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectPlan:
    """An identity in a shot. Places are fractions of the place's picture; `height` of its height."""

    identity: Identity
    framing: str
    action: str
    azimuth_deg: tuple[float, float]
    elevation_deg: float
    x: tuple[float, float]
    foot: float
    height: tuple[float, float]
    expressions: tuple[str, str]
    period_s: float
    phase: float
    speaks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Retake:
    """How a planted duplicate differs: the kept part of the picture (x, y, size as fractions), gain, words.

    `border` is that of the video it was filmed for, None when that is the video which shows it.
    """

    crop: tuple[float, float, float] = (0.0, 0.0, 1.0)
    gain: float = 1.0
    border: tuple[str, float] | None = None
    words: str = "again"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotPlan:
    """One shot: `start_frame`, `stop_frame` without transitions; `first_frame`, `last_frame` (exclusive) with them."""

    place: str
    place_seed: int
    subjects: tuple[SubjectPlan, ...]
    camera: CameraPlan
    front: str | None
    blur: float
    """Deviation of the lens blur of the place, as a fraction of the picture's height."""
    light_swing: float
    warmth: float
    seed: int
    start_frame: int = 0
    stop_frame: int = 0
    first_frame: int = 0
    last_frame: int = 0
    retake: Retake | None = None

    @property
    def context(self) -> str:
        return f"{self.place}_{self.place_seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayPlan:
    """Something laid over: `at` is its top left corner, `height` its letters' height, in fractions of the frame."""

    kind: str
    text: str
    font: int
    at: tuple[float, float]
    height: float
    opacity: float
    start_frame: int
    stop_frame: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoPlan:
    """One video; `border` is none, letterbox or pillarbox with the share of the frame that stays picture."""

    name: str
    num_frames: int
    fps: int
    shots: tuple[ShotPlan, ...]
    transitions: tuple[tuple[str, int, int], ...]
    overlays: tuple[OverlayPlan, ...]
    border: tuple[str, float]
    sound: tuple[str, float | None]
    syllables: tuple[Syllable, ...]
    sidecar: str
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDuplicate:
    """Shot `shot_b` of video `video_b` is footage of shot `shot_a` of video `video_a`."""

    video_a: int
    shot_a: int
    video_b: int
    shot_b: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldPlan:
    """All videos of a world."""

    identities: tuple[Identity, ...]
    videos: tuple[VideoPlan, ...]
    duplicates: tuple[PlannedDuplicate, ...]


def plan_world(seed: int, videos: int, duration_s: float, fps: int) -> WorldPlan:
    """The plan of a world; equal arguments give the equal plan."""
    identities = cast_module.draw_cast(seed)
    rng = np.random.default_rng([seed, 21])
    living = [i for i in identities if i.is_living]
    order = [living[k] for k in rng.permutation(len(living))]
    goods = [i for i in identities if not i.is_living and i.relabels is None]
    other_label = {i.relabels: i for i in identities if i.relabels is not None}
    half = max(1, min(len(goods), -(-videos // 2)))
    goods = [goods[k] for k in rng.permutation(len(goods))]
    plans: list[VideoPlan] = []
    duplicates: list[PlannedDuplicate] = []
    for v in range(videos):
        lead, second = order[(2 * v) % len(order)], order[(2 * v + 1) % len(order)]
        if v % 4 == 3 and lead.twin:
            second = next(i for i in identities if i.id == lead.twin)
        product = goods[v % half]
        if v >= half and product.id in other_label:  # a product's second video shows its logo look-alike
            product = other_label[product.id]
        shots = _draw_shots(np.random.default_rng([seed, 22, v]), v, lead, second, product, duration_s)
        planted = _replay(shots, v, plans, np.random.default_rng([seed, 23, v]))
        duplicates.extend(planted)
        plans.append(_cut(np.random.default_rng([seed, 24, v]), v, seed, shots, duration_s, fps))
    return WorldPlan(identities=identities, videos=tuple(plans), duplicates=tuple(duplicates))


def draw_shot(rng: np.random.Generator, place: str, who: tuple[Identity, ...]) -> ShotPlan:
    """A random shot of some identities in a place; products often move indoors."""
    if who and not who[0].is_living and place not in INDOORS:
        place = INDOORS[int(rng.integers(3))] if rng.random() < 0.6 else place
    span = float(rng.uniform(0.60, 0.86))
    left, top = float(rng.uniform(0.02, 0.98 - span)), 0.98 - span
    drift = float(rng.choice([0.0, -1.0, 1.0])) * float(rng.uniform(0.05, 0.13))
    zoom = float(rng.choice([0.0, 0.0, -0.09, 0.08]))
    x1 = float(np.clip(left + drift, 0.0, 1 - span - max(zoom, 0)))
    camera = CameraPlan(
        span=(span, float(np.clip(span + zoom, 0.5, 0.97))),
        x=(left, x1),
        y=(top, float(np.clip(top - zoom * 0.8, 0.0, 1 - span - max(zoom, 0)))),
        shake=float(rng.choice([0.0, 0.0012, 0.0035])),
        seed=int(rng.integers(1 << 30)),
    )
    subjects = []
    spots = (
        [0.5 + float(rng.uniform(-0.16, 0.16))]
        if len(who) == 1
        else [float(rng.uniform(0.24, 0.34)), float(rng.uniform(0.64, 0.76))]
    )
    for k, identity in enumerate(who):
        subjects.append(_draw_subject(rng, identity, camera, spots[k], alone=len(who) == 1))
    close = max((s.height[0] / camera.span[0] for s in subjects), default=0.0)
    product = bool(who) and not who[0].is_living
    return ShotPlan(
        place=place,
        place_seed=int(rng.integers(1000)),
        subjects=tuple(sorted(subjects, key=lambda s: s.foot)),
        camera=camera,
        front=str(rng.choice(["bush", "post", "ledge"])) if who and rng.random() < 0.16 else None,
        blur=0.004 if close > 1.1 or product else float(rng.choice([0.0, 0.0012])),
        light_swing=float(rng.choice([0.0, 0.05, 0.14])),
        warmth=float(rng.uniform(-0.05, 0.05)),
        seed=int(rng.integers(1 << 30)),
    )


def caption_of(shot: ShotPlan) -> str:
    """A sentence or two about a shot, naming its subjects by their phrases."""
    where = PLACES[shot.place][0]
    move = f"The camera {shot.camera.move}."
    if not shot.subjects:
        return f"An empty view {where}. {move}"
    first = shot.subjects[0]
    text = f"{_article(first.identity.phrase)} {_verb(first)} {where}"
    if len(shot.subjects) > 1:
        other = shot.subjects[1]
        text += f", while {_article(other.identity.phrase).replace('A', 'a', 1)} {_verb(other)} nearby"
    return f"{text}. {move}"


def _article(phrase: str) -> str:
    return f"{'An' if phrase[0] in 'aeiou' else 'A'} {phrase}"


def _verb(subject: SubjectPlan) -> str:
    words = {"walk": "walks", "wave": "waves a hand", "talk": "talks", "reach": "reaches out", "look": "looks around"}
    if subject.identity.is_living:
        return words.get(subject.action, "stands")
    return "turns slowly" if subject.azimuth_deg[0] != subject.azimuth_deg[1] else "stands"


def _draw_shots(
    rng: np.random.Generator, v: int, lead: Identity, second: Identity, product: Identity, duration_s: float
) -> list[ShotPlan]:
    most = max(1, int(duration_s / SHORTEST_SHOT_S)) if duration_s >= 2 * SHORTEST_SHOT_S else 2
    n = int(
        np.clip(round(duration_s / SHOT_S) + int(rng.integers(-1, 2)), min(3, most), min(most, 8 if duration_s > 20 else 5))
    )
    stories: dict[int, list[tuple[Identity, ...]]] = {
        1: [(lead,)],
        2: [(lead,), (lead, second)],
        3: [(lead,), (product,), (lead, second)],
        4: [(lead,), (product,), (lead, second), (second,)],
        5: [(lead,), (second,), (product,), (lead, second), (lead,)],
    }
    story = list(stories[min(n, 5)])
    while len(story) < n:
        story.append(((lead,), (second,), (product,))[len(story) % 3])
    if v % 3 == 0 and n >= 4:
        story[n - 1] = ()
    story = [story[k] for k in rng.permutation(n)]
    kinds = [str(k) for k in rng.permutation(list(PLACES))]
    return [draw_shot(rng, kinds[k % len(kinds)], who) for k, who in enumerate(story)]


def _draw_subject(
    rng: np.random.Generator, identity: Identity, camera: CameraPlan, spot: float, *, alone: bool
) -> SubjectPlan:
    """`spot` is where in the first picture the subject stands, as a fraction of its width."""
    person, animal = identity.category in PEOPLE, identity.category in ANIMALS
    framing, fill, drop, elevation = (
        "full",
        float(rng.uniform(0.55, 0.72)),
        float(rng.uniform(0.80, 0.92)),
        float(rng.uniform(12, 20)),
    )
    azimuth = float(rng.choice([0, 35, -35, 90, -90, 145, 180, -60, 20]) + rng.uniform(-12, 12))
    turn = float(rng.choice([0.0, 0.0, -40.0, 40.0, 70.0]))
    action = ""
    if person:
        action = str(rng.choice(PERSON_ACTIONS))
        framing = str(rng.choice(["full", "full", "medium", "close"])) if alone else "full"
        fill = {
            "full": float(rng.uniform(0.72, 0.88)),
            "medium": float(rng.uniform(1.08, 1.20)),
            "close": float(rng.uniform(1.8, 2.4)),
        }[framing]
        drop = {"full": float(rng.uniform(0.90, 0.97)), "medium": fill + 0.08, "close": fill + 0.10}[framing]
        elevation = float(rng.uniform(1, 6))
        if framing != "full" or action == "talk":
            action = str(rng.choice(["talk", "idle"])) if framing != "full" else action
            azimuth = float(rng.choice([0, 0, 30, -30, 60]) + rng.uniform(-10, 10))
    elif animal:
        action = str(rng.choice(ANIMAL_ACTIONS))
        fill, drop, elevation = float(rng.uniform(0.46, 0.66)), float(rng.uniform(0.84, 0.94)), float(rng.uniform(4, 10))
    else:
        azimuth = float(rng.choice([0, 25, -25, 40, -40]) + rng.uniform(-8, 8))
        turn = float(rng.choice([0.0, 30.0, -30.0]))
    if action == "walk":
        azimuth, turn = float(rng.choice([90, -90, 65, -65, 0, 120, 180])) + float(rng.uniform(-8, 8)), 0.0
    wide, tall = cast_module.size_of(identity.look, azimuth_deg=azimuth)
    limit = 0.62 if alone else 0.40
    if framing == "full":
        fill = min(fill, limit * 16 / 9 * tall / wide)  # the share of the frame's width, in heights of a 16:9 frame
    start = camera.x[0] + spot * camera.span[0]
    stop = camera.x[1] + (0.5 + 0.6 * (spot - 0.5)) * camera.span[1]
    if action == "walk":
        stop += 0.12 * float(np.sin(np.radians(azimuth))) * camera.span[1]
    foot = camera.y[0] + drop * camera.span[0]
    expression = str(rng.choice(EXPRESSIONS)) if person else ""
    later = str(rng.choice(EXPRESSIONS)) if person and rng.random() < 0.3 else expression
    return SubjectPlan(
        identity=identity,
        framing=framing,
        action=action,
        azimuth_deg=(azimuth, azimuth + turn),
        elevation_deg=elevation,
        x=(start, stop),
        foot=foot,
        height=(fill * camera.span[0], fill * camera.span[0] * float(rng.choice([1.0, 1.0, 0.92, 1.08]))),
        expressions=(expression, later),
        period_s=float(rng.uniform(1.0, 1.4)) if action == "walk" else float(rng.uniform(1.8, 3.0)),
        phase=float(rng.uniform(0, 1)),
        speaks=person and action == "talk",
    )


def _replay(shots: list[ShotPlan], v: int, earlier: list[VideoPlan], rng: np.random.Generator) -> list[PlannedDuplicate]:
    """Every third video shows a shot of its own again, every third one of the video before."""
    if v % 3 == 0 or len(shots) < 2:
        return []
    own = v % 3 == 1
    pool = shots if own else earlier[v - 1].shots
    chosen = [k for k, shot in enumerate(pool) if shot.subjects and shot.retake is None]
    if not chosen:
        return []
    size = float(rng.uniform(0.86, 0.96))
    change = [
        Retake(words="encoded again"),
        Retake(crop=(float(rng.uniform(0, 1 - size)), float(rng.uniform(0, 1 - size)), size), words="cropped"),
        Retake(gain=float(rng.choice([0.8, 1.22])), words="brightness changed"),
    ][int(rng.integers(3))]
    change = replace(change, border=None if own else earlier[v - 1].border)
    shots.append(replace(pool[chosen[0]], retake=change))
    return [PlannedDuplicate(video_a=v if own else v - 1, shot_a=chosen[0], video_b=v, shot_b=len(shots) - 1)]


def _cut(rng: np.random.Generator, v: int, seed: int, shots: list[ShotPlan], duration_s: float, fps: int) -> VideoPlan:
    num_frames = round(duration_s * fps)
    kinds = [str(rng.choice(["cut", "dissolve", "fade"], p=[0.6, 0.25, 0.15])) for _ in shots[1:]]
    room = num_frames // (3 * len(shots))
    lengths = [
        0 if k == "cut" else min(room, int(rng.integers(8, 25) if k == "dissolve" else 2 * rng.integers(6, 11)))
        for k in kinds
    ]
    share = rng.uniform(0.8, 1.25, len(shots))
    edges = np.round(np.cumsum(share / share.sum()) * (num_frames - sum(lengths))).astype(int)
    spans = np.diff(edges, prepend=0)
    placed, transitions, now = [], [], 0
    for k, shot in enumerate(shots):
        before = lengths[k - 1] if k else 0
        after = lengths[k] if k < len(kinds) else 0
        start, stop = now + before, now + before + int(spans[k])
        placed.append(replace(shot, start_frame=start, stop_frame=stop, first_frame=now, last_frame=stop + after))
        if k < len(kinds):
            transitions.append((kinds[k], stop, stop + after))
        now = stop
    sound = [
        ("speech", 0.0),
        ("speech", float(rng.choice([-1, 1])) * float(rng.uniform(0.08, 0.32))),
        ("silent", None),
        ("wrong", None),
        ("none", None),
    ]
    kind, offset = sound[(v + seed) % 5]
    syllables = [
        s
        for shot in placed
        if any(p.speaks for p in shot.subjects)
        for s in draw_speech(rng, shot.start_frame / fps, shot.stop_frame / fps)
    ]
    border = [
        ("none", 1.0),
        ("none", 1.0),
        ("letterbox", float(rng.uniform(0.72, 0.84))),
        ("none", 1.0),
        ("pillarbox", float(rng.uniform(0.70, 0.84))),
    ]
    return VideoPlan(
        name=f"world_{v:03d}",
        num_frames=num_frames,
        fps=fps,
        shots=tuple(placed),
        transitions=tuple(transitions),
        overlays=_draw_overlays(rng, v, placed, num_frames),
        border=border[(v + 2 * seed) % 5],
        sound=(kind, offset),
        syllables=tuple(syllables),
        sidecar=("json", "json", "json", "json", "txt", "none")[v % 6],
        seed=int(rng.integers(1 << 30)),
    )


def _draw_overlays(rng: np.random.Generator, v: int, shots: list[ShotPlan], num_frames: int) -> tuple[OverlayPlan, ...]:
    overlays = []
    if v % 3 == 1:
        overlays.append((0, num_frames, "watermark"))
    if v % 3 != 0 or rng.random() < 0.3:
        shot = shots[int(rng.integers(len(shots)))]
        overlays.append((shot.start_frame, shot.stop_frame, str(rng.choice(["text", "badge"]))))
    plans = []
    corners = [(0.04, 0.05), (0.70, 0.05), (0.04, 0.88), (0.68, 0.88)]
    order = rng.permutation(4)
    for k, (start, stop, kind) in enumerate(overlays):
        x, y = corners[int(order[k])]
        plans.append(
            OverlayPlan(
                kind=kind,
                text=str(rng.choice(OVERLAY_TEXTS)),
                font=int(rng.choice([0, 2, 3, 4])),
                at=(x + float(rng.uniform(0, 0.03)), y + float(rng.uniform(0, 0.03))),
                height=float(rng.uniform(0.028, 0.045)),
                opacity=float(rng.uniform(0.45, 0.8)) if kind == "watermark" else 1.0,
                start_frame=start,
                stop_frame=stop,
            )
        )
    return tuple(plans)
