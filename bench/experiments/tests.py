"""How a row is tested: which clips are asked for with which references, and what is measured of the videos."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.experiments.exports import Truth
from bench.experiments.generation import NUM_CHUNKS, Chosen, Filmer, opened
from bench.experiments.measures import Ruler, means
from bench.experiments.scenes import AZIMUTHS, FRAMES, PEOPLE, Studio, side_of
from bench.experiments.table import Row, Scale
from bench.experiments.training import Trained
from bench.experiments.worlds import ANIMALS
from training.data.batches import Drawn
from training.data.modes import ANCHORS, Example

Measured = dict[str, float]
FACES = "face_cross_pair"
OPPOSITE = {"front": "back", "back": "front", "left": "right", "right": "left"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A video uint8 (F, 64, 64, 3), what it was to show, and what is measured of it."""

    drawn: Drawn
    video: np.ndarray
    values: Measured


def answers(row: Row, trained: Trained, scale: Scale) -> list[Answer]:
    """A row's videos by its run."""
    generator = opened(trained.run, trained.exported.test, mode=mode_of(row), steps=scale.sampling_steps)
    return filmed(row, generator, trained.exported.truth)


def mode_of(row: Row) -> str:
    """How tested clips are shown what they are to show."""
    return ANCHORS if row.test in ("sides", "choice", "chunks") else FACES if row.arm == FACES else "cross_pair"


def filmed(row: Row, filmer: Filmer, truth: Truth) -> list[Answer]:
    """A row's videos by whoever makes them. Those that the test leaves out are not among them."""
    return list(TESTS[row.test](filmer, truth, _ruler(), row))


def measured(found: Sequence[Answer]) -> Measured:
    """Means over the tested clips, and how many these were (`cases`)."""
    return {**means([each.values for each in found]), "cases": float(len(found))}


def _ruler() -> Ruler:
    """One for all rows of this process: they share what is true."""
    return Ruler(Studio())


def _leak(filmer: Filmer, truth: Truth, ruler: Ruler, row: Row) -> Iterator[Answer]:
    """References of another place, with the figure on the other side. Faces are shown to the run that learned from faces."""
    for drawn, video in filmer.videos():
        asked, shown = truth.clips[drawn.example.clip_id].scene, truth.pictures[drawn.shown[0].picture.target]
        yield Answer(drawn, video, ruler.leak(video, asked, shown))


def _kinds(filmer: Filmer, truth: Truth, ruler: Ruler, row: Row) -> Iterator[Answer]:
    """The same, with identity by kind."""
    for drawn, video in filmer.videos():
        asked = truth.clips[drawn.example.clip_id].scene
        kind = asked.figures[0].kind
        group = "people" if kind in PEOPLE else "animals" if kind in ANIMALS else "products"
        found = ruler.leak(video, asked, truth.pictures[drawn.shown[0].picture.target])
        yield Answer(drawn, video, {**found, f"identity_error_{group}": found["identity_error"]})


def _two(filmer: Filmer, truth: Truth, ruler: Ruler, row: Row) -> Iterator[Answer]:
    """A man and a woman, each with a reference."""
    for drawn, video in filmer.videos():
        yield Answer(drawn, video, ruler.two(video, truth.clips[drawn.example.clip_id].scene))


def _sides(filmer: Filmer, truth: Truth, ruler: Ruler, row: Row) -> Iterator[Answer]:
    """The front or back is asked for, and only the opposite side is shown."""
    for drawn, video in filmer.videos(lambda example: _views(example, truth, other=True)):
        asked = truth.clips[drawn.example.clip_id].scene
        if side_of(asked.figures[0].azimuth_deg) in ("front", "back"):
            yield Answer(drawn, video, ruler.side(video, asked))


def _choice(filmer: Filmer, truth: Truth, ruler: Ruler, row: Row) -> Iterator[Answer]:
    """All four sides are shown."""
    for drawn, video in filmer.videos(lambda example: _views(example, truth, other=False)):
        yield Answer(drawn, video, ruler.side(video, truth.clips[drawn.example.clip_id].scene))


def _chunks(filmer: Filmer, truth: Truth, ruler: Ruler, row: Row) -> Iterator[Answer]:
    """All anchors but those of the role that is left out, for four chunks."""
    for drawn, video in filmer.long_videos(_all_but(row.left_out)):
        asked = truth.clips[drawn.example.clip_id].scene
        fresh = (len(video) - FRAMES) // (NUM_CHUNKS - 1)
        found = {}
        for number in range(1, NUM_CHUNKS + 1):
            stop = FRAMES + (number - 1) * fresh
            part = ruler.side(video[stop - fresh : stop], asked)
            found |= {f"identity_error_{number}": part["identity_error"]}
            found |= {f"background_error_{number}": part["background_error"]}
        yield Answer(drawn, video, found)


def _views(example: Example, truth: Truth, *, other: bool) -> list[str]:
    """The global anchor of another moment, and the opposite side, or all four."""
    asked = side_of(truth.clips[example.clip_id].scene.figures[0].azimuth_deg)
    wanted = [OPPOSITE[asked]] if other else list(AZIMUTHS)
    start, stop = example.clip_s
    globals_ = [each.id for each in example.candidates if each.role == "global" and not start <= each.time_s < stop]
    return globals_[:1] + [each.id for each in example.candidates if each.role == "view" and each.category in wanted]


def _all_but(role: str) -> Chosen:
    def chosen(example: Example) -> list[str]:
        kept = {(each.role, each.category): each.id for each in example.candidates if each.role != role}
        return list(kept.values())

    return chosen


TESTS: Mapping[str, Callable[[Filmer, Truth, Ruler, Row], Iterator[Answer]]] = {
    "leak": _leak,
    "kinds": _kinds,
    "two": _two,
    "sides": _sides,
    "choice": _choice,
    "chunks": _chunks,
}
