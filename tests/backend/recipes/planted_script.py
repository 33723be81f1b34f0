"""A small world by a script written by hand: who stands where, what is heard and what is laid over is known before it is rendered.

Three videos. `film` is a story of twelve shots at 640 x 360, its sound in sync; `late` shows one talker whose sound comes
six frames late, and her again from her left; `close` is one head at 1920 x 1080 with two expressions.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from backend.sampleworld.cast import Identity, draw_cast
from backend.sampleworld.script import CameraPlan, OverlayPlan, ShotPlan, SubjectPlan, VideoPlan
from backend.sampleworld.sound import draw_speech
from backend.sampleworld.truth import IdentityTruth, Truth, read_video_truth, write_index
from backend.sampleworld.world import RENDERER_VERSION, render_video
from tests.backend.recipes.planted import note_frames

SEED, FPS = 1, 24
SMALL, LARGE = (640, 360), (1920, 1080)
LATE_S = 0.24
"""Six frames at 25 a second, twice what viewers take for in sync."""
SPAN = 0.7
"""Share of the place that cameras see."""


def render_script(out: Path) -> None:
    """Renders the three videos with their truth to a folder, and notes their frames."""
    (out / "videos").mkdir(parents=True)
    cast = {identity.id: identity for identity in draw_cast(SEED)}
    plans = ((film(cast), SMALL), (late(cast), SMALL), (close(cast), LARGE))
    for plan, size in plans:
        render_video(out, plan, size)
    identities = tuple(
        IdentityTruth(
            id=i.id, category=i.category, is_living=i.is_living, phrase=i.phrase, twin=i.twin, relabels=i.relabels
        )
        for i in cast.values()
    )
    videos = tuple(read_video_truth(out / "truth" / f"{plan.name}.json.gz") for plan, _ in plans)
    write_index(
        out, Truth(seed=SEED, renderer_version=RENDERER_VERSION, identities=identities, duplicates=(), videos=videos)
    )
    note_frames(out)


def film(cast: dict[str, Identity]) -> VideoPlan:
    woman, man, dog, cat = cast["woman_1"], cast["man_1"], cast["dog_1"], cast["cat_1"]
    mug, bag, other = cast["mug_1"], cast["handbag_1"], cast["handbag_2"]
    shots = [
        (84, _shot("room", bust(woman, size=6.0, top=-0.4, expressions=("neutral", "happy"), speaks=True))),
        (84, _shot("kitchen", standing(man, x=0.25, size=0.6), medium(woman, x=0.68))),
        (24, _shot("beach", animal(dog))),
        (36, _shot("street", closer(man, azimuth=(180, 180)))),
        (36, _shot("park", closer(man, azimuth=(0, 90)))),
        (24, _shot("library", thing(mug))),
        (24, _shot("room", thing(mug), place_seed=9)),
        (24, _shot("kitchen", thing(bag), place_seed=9)),
        (24, _shot("library", thing(other), place_seed=9)),
        (24, _shot("park", animal(cat), place_seed=9)),
        (24, _shot("mountain")),
        (24, _shot("forest", animal(dog))),
    ]
    last = sum(frames for frames, _ in shots)
    badge = OverlayPlan(
        kind="badge",
        text="CHANNEL NINE",
        font=2,
        at=(0.3, 0.42),
        height=0.08,
        opacity=1.0,
        start_frame=last - 24,
        stop_frame=last,
    )
    return _video("film", shots, sound=("speech", 0.0), overlays=(badge,))


def late(cast: dict[str, Identity]) -> VideoPlan:
    woman = cast["woman_2"]
    shots = [(48, _shot("night", bust(woman, speaks=True))), (36, _shot("street", closer(woman, azimuth=(270, 270))))]
    return _video("late", shots, sound=("speech", LATE_S))


def close(cast: dict[str, Identity]) -> VideoPlan:
    shots = [(18, _shot("room", bust(cast["woman_3"], expressions=("happy", "sad"))))]
    return _video("close", shots, sound=("none", None))


def bust(
    who: Identity,
    *,
    size: float = 3.8,
    top: float = 0.1,
    expressions: tuple[str, str] = ("neutral", "neutral"),
    speaks: bool = False,
) -> SubjectPlan:
    """Head and shoulders, looking into the camera; the whole body is `size` times as high as the picture, from `top` on."""
    fill = size * SPAN
    return _subject(
        who,
        framing="bust",
        height=fill,
        foot=0.27 + fill + top * SPAN,
        action="talk" if speaks else "idle",
        expressions=expressions,
        speaks=speaks,
    )


def closer(who: Identity, *, azimuth: tuple[float, float]) -> SubjectPlan:
    """Down to the waist: as broad as a subject must be, seen from a side too."""
    fill = 2.9 * SPAN
    return _subject(
        who,
        framing="close",
        height=fill,
        foot=0.27 + fill + 0.1 * SPAN,
        azimuth=azimuth,
        expressions=("neutral", "neutral"),
    )


def medium(who: Identity, *, x: float) -> SubjectPlan:
    """Down to the knees."""
    fill = 1.4 * SPAN
    return _subject(
        who, framing="medium", height=fill, foot=0.27 + fill + 0.08 * SPAN, x=x, expressions=("neutral", "neutral")
    )


def standing(who: Identity, *, x: float, size: float) -> SubjectPlan:
    """From head to foot, and small."""
    return _subject(
        who, framing="full", height=size * SPAN, foot=0.27 + 0.93 * SPAN, x=x, expressions=("neutral", "neutral")
    )


def animal(who: Identity) -> SubjectPlan:
    return _subject(who, height=0.62 * SPAN, foot=0.27 + 0.9 * SPAN, azimuth=(90, 90))


def thing(what: Identity) -> SubjectPlan:
    return _subject(what, action="", height=0.62 * SPAN, foot=0.27 + 0.85 * SPAN)


def _subject(
    who: Identity,
    *,
    height: float,
    foot: float,
    framing: str = "full",
    x: float = 0.5,
    azimuth: tuple[float, float] = (0, 0),
    action: str = "idle",
    expressions: tuple[str, str] = ("", ""),
    speaks: bool = False,
) -> SubjectPlan:
    """`x` in the picture; `height` and `foot` of the place."""
    middle = 0.15 + x * SPAN
    return SubjectPlan(
        identity=who,
        framing=framing,
        action=action,
        azimuth_deg=azimuth,
        elevation_deg=4.0,
        x=(middle, middle),
        foot=foot,
        height=(height, height),
        expressions=expressions,
        period_s=2.0,
        phase=0.0,
        speaks=speaks,
    )


def _shot(place: str, *subjects: SubjectPlan, place_seed: int = 3) -> ShotPlan:
    seed = place_seed * 100 + len(place)
    camera = CameraPlan(span=(SPAN, SPAN), x=(0.15, 0.15), y=(0.27, 0.27), shake=0.0035, seed=seed)
    return ShotPlan(
        place=place,
        place_seed=place_seed,
        subjects=subjects,
        camera=camera,
        front=None,
        blur=0.0012,
        light_swing=0.05,
        warmth=0.0,
        seed=seed,
    )


def _video(
    name: str,
    shots: list[tuple[int, ShotPlan]],
    *,
    sound: tuple[str, float | None],
    overlays: tuple[OverlayPlan, ...] = (),
) -> VideoPlan:
    """The shots one after another, by hard cuts."""
    placed, now = [], 0
    for frames, shot in shots:
        placed.append(replace(shot, start_frame=now, stop_frame=now + frames, first_frame=now, last_frame=now + frames))
        now += frames
    rng = np.random.default_rng(SEED)
    talks = [shot for shot in placed if any(subject.speaks for subject in shot.subjects)]
    return VideoPlan(
        name=name,
        num_frames=now,
        fps=FPS,
        shots=tuple(placed),
        transitions=tuple(("cut", shot.start_frame, shot.start_frame) for shot in placed[1:]),
        overlays=overlays,
        border=("none", 1.0),
        sound=sound,
        syllables=tuple(s for shot in talks for s in draw_speech(rng, shot.start_frame / FPS, shot.stop_frame / FPS)),
        sidecar="none",
        seed=SEED,
    )
