"""What `evaluate` can tell at 64 x 64: its metrics on videos whose truth is known, drawn and sent through the codec as a run's are.

Each tested clip is filmed as it was asked for, as by a perfect model, and with one thing wrong: with strangers in place of its figures, as
the reference itself, elsewhere, blurred, flickering.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from backend.sampleworld.places import PLACES
from backend.settings import parse_assignment
from bench.evaluation import auc
from bench.experiments.document import Reading
from bench.experiments.evaluating import Scores, evaluated
from bench.experiments.exports import Truth, held_out
from bench.experiments.generation import NUM_CHUNKS, PREFIX, AskedClips, Chosen, asked_clips
from bench.experiments.scenes import FRAMES, Scene, Studio
from bench.experiments.table import ARMS, EVALUATED, EXPERIMENTS, SCALES, Row, settings_of
from bench.experiments.tests import filmed, mode_of
from bench.experiments.worlds import WORLDS
from bench.media import say
from training.config import with_settings
from training.data.batches import Drawn
from training.recipes import recipe

ROWS: Mapping[str, Row] = {
    test: next(row for experiment in EXPERIMENTS.values() for row in experiment.rows.values() if row.test == test)
    for test in EVALUATED
}
"""The first row of each test: the others' clips are the same."""
BLUR_PX = 1.5  # deviation
FLICKER_LEVELS = 8.0  # deviation of noise that is new in each frame


@dataclass(frozen=True, slots=True)
class Claim:
    """Of which of two films of FILMED a metric should be higher."""

    metric: str
    above: str
    below: str


_ALL = (Claim("embedded_identity", "as asked", "strangers"), Claim("embedded_quality", "as asked", "blurred"))
_WHOLE = (
    *_ALL,
    Claim("copy_paste_index", "the reference", "as asked"),
    Claim("embedded_decoupling", "as asked", "the reference"),
    Claim("embedded_prompt_background", "as asked", "the reference"),
)
_MOVING = (*_ALL, Claim("temporal_flickering", "as asked", "flickering"))
_PLACED = (*_MOVING, Claim("embedded_decoupling", "elsewhere", "as asked"))
CLAIMS: Mapping[str, tuple[Claim, ...]] = {
    "leak": _WHOLE,
    "kinds": _WHOLE,
    "two": _ALL,
    "sides": _PLACED,
    "choice": _PLACED,
    "chunks": _MOVING,
}
"""What is tried, by test. Anchors show the place that was asked for, at another moment."""


@dataclass(frozen=True, slots=True)
class Camera:
    """Films tested clips in one way."""

    clips: AskedClips
    truth: Truth
    studio: Studio
    film: "Film"

    def videos(self, chosen: Chosen | None = None) -> Iterator[tuple[Drawn, np.ndarray]]:
        for drawn in self._drawn(chosen):
            yield drawn, self._filmed(drawn, drawn.example.size[0])

    def long_videos(self, chosen: Chosen) -> Iterator[tuple[Drawn, np.ndarray]]:
        """Beyond a clip's frames the figure stands still."""
        for drawn in self._drawn(chosen):
            frames = drawn.example.size[0]
            yield drawn, self._filmed(drawn, frames + (NUM_CHUNKS - 1) * (frames - PREFIX))

    def _drawn(self, chosen: Chosen | None) -> Iterator[Drawn]:
        return (drawn for batch in self.clips.batches(chosen) for drawn in batch.samples)

    def _filmed(self, drawn: Drawn, num_frames: int) -> np.ndarray:
        asked = self.truth.clips[drawn.example.clip_id].scene
        scene = self.film.scene(asked, self.truth.pictures[drawn.shown[0].picture.target])
        frames = np.stack([self.studio.shot(scene, min(k, FRAMES - 1)).picture for k in range(num_frames)])
        codec = self.clips.codec
        return codec.decode(codec.encode(self.film.spoilt(frames)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """The scene of the one that was asked for and the one that the first picture shows, and what becomes of its frames."""

    scene: Callable[[Scene, Scene], Scene] = lambda asked, shown: asked
    spoilt: Callable[[np.ndarray], np.ndarray] = lambda frames: frames


def with_strangers(asked: Scene, shown: Scene) -> Scene:
    """The next of each figure's kind in its place."""
    return replace(asked, figures=tuple(replace(figure, number=figure.number + 1) for figure in asked.figures))


def elsewhere(asked: Scene, shown: Scene) -> Scene:
    """The same figures in the next kind of place."""
    kinds = list(PLACES)
    return replace(asked, place=kinds[(kinds.index(asked.place) + 1) % len(kinds)])


def blurred(frames: np.ndarray) -> np.ndarray:
    """By a Gaussian of BLUR_PX."""
    return np.stack([cv2.GaussianBlur(frame, (0, 0), BLUR_PX) for frame in frames])


def flickering(frames: np.ndarray) -> np.ndarray:
    """With normal noise of FLICKER_LEVELS."""
    noise = np.random.default_rng(0).normal(0, FLICKER_LEVELS, frames.shape)
    return np.clip(np.rint(frames + noise), 0, 255).astype(np.uint8)


FILMED: Mapping[str, Film] = {
    "as asked": Film(),
    "strangers": Film(scene=with_strangers),
    "the reference": Film(scene=lambda asked, shown: shown),
    "elsewhere": Film(scene=elsewhere),
    "blurred": Film(spoilt=blurred),
    "flickering": Film(spoilt=flickering),
}


def tests_of(names: Sequence[str]) -> tuple[str, ...]:
    """The tests of these experiments' rows."""
    return tuple(dict.fromkeys(row.test for name in names for row in EXPERIMENTS[name].rows.values()))


def readings(test: str, work: Path, lane: int = 0) -> Iterator[Reading]:
    """Every claim of a test; films lie in `work`, and there the lane's world."""
    claims, scores, num_cases = CLAIMS[test], dict[str, Scores](), 0
    for name in FILMED:
        metrics = tuple(dict.fromkeys(claim.metric for claim in claims if name in (claim.above, claim.below)))
        if metrics:
            scores[name], num_cases = scores_of(ROWS[test], name, metrics, work, lane)
    for claim in claims:
        above, below = (scores[name][claim.metric] for name in (claim.above, claim.below))
        yield read(test, claim, above, below, num_cases=num_cases)


def scores_of(row: Row, name: str, metrics: Sequence[str], work: Path, lane: int = 0) -> tuple[Scores, int]:
    """What `evaluate` says of a row's clips, filmed in one of the ways of FILMED, and how many they are."""
    arm = ARMS[row.arm]
    export, truth = held_out(WORLDS[arm.world](), work / f"worlds-{lane}")
    settings = settings_of(arm, SCALES["cpu"], base="", seed=0)
    config = with_settings(recipe("tiny"), dict(parse_assignment(text) for text in settings))
    clips = asked_clips(config, export, mode=mode_of(row))
    found = filmed(row, Camera(clips, truth, Studio(), FILMED[name]), truth)
    say(f"{row.test}, {name}: {len(found)} videos")
    scores = evaluated(
        found,
        row,
        metrics,
        export=export,
        truth=truth,
        system=f"{row.test}, {name}",
        folder=work / "answers" / f"truth-{row.test}-{name}",
        project=work / f"evaluations-{lane}",
    )
    return scores, len(found)


def read(test: str, claim: Claim, above: Mapping[str, float], below: Mapping[str, float], *, num_cases: int) -> Reading:
    """From the values of both films by case."""
    both = sorted(set(above) & set(below))
    first, second = (float(np.median([values[case] for case in both] or [np.nan])) for values in (above, below))
    found = [round(each, 4) if np.isfinite(each) else None for each in auc(above, below, pooled=False)]
    return Reading(
        test=test,
        metric=claim.metric,
        above=claim.above,
        below=claim.below,
        auc=found[0],
        low=found[1],
        high=found[2],
        cases=num_cases,
        scored=len(both),
        medians=(round(first, 4), round(second, 4)) if both else None,
    )
