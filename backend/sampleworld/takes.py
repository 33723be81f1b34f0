"""Plans talking takes: one person, head and shoulders, one long shot each, a voice with breaths and a planted shift.

What Gloria's data look like (section 3: single-person long takes, lips in sync), and where sound and lips can be told
apart; the talkers of films are often small, turned away or seen for two seconds.
"""

import numpy as np

from backend.sampleworld.cast import PEOPLE, Identity, draw_cast
from backend.sampleworld.faces import EXPRESSIONS
from backend.sampleworld.places import PLACES
from backend.sampleworld.script import CameraPlan, ShotPlan, SubjectPlan, VideoPlan, WorldPlan
from backend.sampleworld.sound import Syllable, draw_speech

PHRASE_S = (1.5, 3.5)  # between breaths; read speech pauses every 5 to 15 syllables
BREATH_S = (0.25, 0.7)
LARGEST_SHIFT_S = 0.44
"""Eleven frames at 25 a second: within the 15 that are searched, with room for the answer to be wrong on either side."""


def plan_takes(seed: int, videos: int, duration_s: float, fps: int) -> WorldPlan:
    """Takes of the people of a world's cast; of five one is in sync, three are moved, one has another's speech."""
    identities = draw_cast(seed)
    people = [i for i in identities if i.category in PEOPLE]
    order = np.random.default_rng([seed, 31]).permutation(len(people))
    plans = tuple(
        _take(np.random.default_rng([seed, 32, v]), v, seed, people[order[v % len(order)]], duration_s, fps)
        for v in range(videos)
    )
    return WorldPlan(identities=identities, videos=plans, duplicates=())


def _take(rng: np.random.Generator, v: int, seed: int, who: Identity, duration_s: float, fps: int) -> VideoPlan:
    num_frames = round(duration_s * fps)
    shift = float(rng.choice([-1, 1])) * float(rng.uniform(0.08, LARGEST_SHIFT_S))
    sound = (("speech", 0.0), ("speech", shift), ("speech", shift), ("wrong", None), ("speech", shift))[(v + seed) % 5]
    return VideoPlan(
        name=f"take_{v:03d}",
        num_frames=num_frames,
        fps=fps,
        shots=(_shot(rng, who, num_frames),),
        transitions=(),
        overlays=(),
        border=("none", 1.0),
        sound=sound,
        syllables=tuple(_phrases(rng, duration_s)),
        sidecar="json",
        seed=int(rng.integers(1 << 30)),
    )


def _shot(rng: np.random.Generator, who: Identity, num_frames: int) -> ShotPlan:
    span = float(rng.uniform(0.62, 0.8))
    left, top = float(rng.uniform(0.04, 0.96 - span)), 0.97 - span
    fill = float(rng.uniform(3.0, 3.8)) * span
    azimuth = float(rng.choice([0, 0, 18, -18]) + rng.uniform(-8, 8))
    expression, later = (str(each) for each in rng.choice(EXPRESSIONS, 2))
    middle = left + (0.5 + float(rng.uniform(-0.1, 0.1))) * span
    talker = SubjectPlan(
        identity=who,
        framing="bust",
        action="talk",
        azimuth_deg=(azimuth, azimuth + float(rng.choice([0.0, 12.0, -12.0]))),
        elevation_deg=float(rng.uniform(1, 6)),
        x=(middle, middle + float(rng.uniform(-0.03, 0.03))),
        foot=top + fill + float(rng.uniform(0.08, 0.14)) * span,
        height=(fill, fill * float(rng.choice([1.0, 0.96, 1.05]))),
        expressions=(expression, later if rng.random() < 0.5 else expression),
        period_s=float(rng.uniform(1.8, 3.0)),
        phase=float(rng.uniform(0, 1)),
        speaks=True,
    )
    camera = CameraPlan(
        span=(span, span),
        x=(left, left),
        y=(top, top),
        shake=float(rng.choice([0.0, 0.0012, 0.0035])),
        seed=int(rng.integers(1 << 30)),
    )
    return ShotPlan(
        place=str(rng.choice(list(PLACES))),
        place_seed=int(rng.integers(1000)),
        subjects=(talker,),
        camera=camera,
        front=None,
        blur=0.004,
        light_swing=float(rng.choice([0.0, 0.05, 0.14])),
        warmth=float(rng.uniform(-0.05, 0.05)),
        seed=int(rng.integers(1 << 30)),
        stop_frame=num_frames,
        last_frame=num_frames,
    )


def _phrases(rng: np.random.Generator, duration_s: float) -> list[Syllable]:
    """Speech in phrases of random lengths, a breath between them."""
    syllables: list[Syllable] = []
    now = float(rng.uniform(0.1, 0.6))
    while now < duration_s - PHRASE_S[0]:
        stop = min(duration_s, now + float(rng.uniform(*PHRASE_S)))
        syllables += draw_speech(rng, now, stop)
        now = stop + float(rng.uniform(*BREATH_S))
    return syllables
