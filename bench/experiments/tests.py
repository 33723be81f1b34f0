"""How a row is tested: which clips are asked for with which references, and what is measured of the videos."""

from collections.abc import Callable, Iterator, Mapping

from bench.experiments.exports import Truth
from bench.experiments.generation import NUM_CHUNKS, Chosen, Generator, opened
from bench.experiments.measures import Ruler, means
from bench.experiments.scenes import AZIMUTHS, FRAMES, PEOPLE, Studio, side_of
from bench.experiments.table import Row, Scale
from bench.experiments.training import Trained
from bench.experiments.worlds import ANIMALS
from training.data.modes import ANCHORS, Example

Measured = dict[str, float]
FACES = "face_cross_pair"
OPPOSITE = {"front": "back", "back": "front", "left": "right", "right": "left"}


def measured(row: Row, trained: Trained, scale: Scale) -> Measured:
    """Means over the tested clips, and how many these were (`cases`)."""
    mode = ANCHORS if row.test in ("sides", "choice", "chunks") else FACES if row.arm == FACES else "cross_pair"
    generator = opened(trained.run, trained.exported.test, mode=mode, steps=scale.sampling_steps)
    cases = list(TESTS[row.test](generator, trained.exported.truth, _ruler(), row))
    return {**means(cases), "cases": float(len(cases))}


def _ruler() -> Ruler:
    """One for all rows of this process: they share what is true."""
    return Ruler(Studio())


def _leak(generator: Generator, truth: Truth, ruler: Ruler, row: Row) -> Iterator[Measured]:
    """References of another place, with the figure on the other side. Faces are shown to the run that learned from faces."""
    for drawn, video in generator.videos():
        yield ruler.leak(video, truth.clips[drawn.example.clip_id].scene, truth.pictures[drawn.shown[0].picture.target])


def _kinds(generator: Generator, truth: Truth, ruler: Ruler, row: Row) -> Iterator[Measured]:
    """The same, with identity by kind."""
    for drawn, video in generator.videos():
        asked = truth.clips[drawn.example.clip_id].scene
        kind = asked.figures[0].kind
        group = "people" if kind in PEOPLE else "animals" if kind in ANIMALS else "products"
        found = ruler.leak(video, asked, truth.pictures[drawn.shown[0].picture.target])
        yield {**found, f"identity_error_{group}": found["identity_error"]}


def _two(generator: Generator, truth: Truth, ruler: Ruler, row: Row) -> Iterator[Measured]:
    """A man and a woman, each with a reference."""
    for drawn, video in generator.videos():
        yield ruler.two(video, truth.clips[drawn.example.clip_id].scene)


def _sides(generator: Generator, truth: Truth, ruler: Ruler, row: Row) -> Iterator[Measured]:
    """The front or back is asked for, and only the opposite side is shown."""
    for drawn, video in generator.videos(lambda example: _views(example, truth, other=True)):
        asked = truth.clips[drawn.example.clip_id].scene
        if side_of(asked.figures[0].azimuth_deg) in ("front", "back"):
            yield ruler.side(video, asked)


def _choice(generator: Generator, truth: Truth, ruler: Ruler, row: Row) -> Iterator[Measured]:
    """All four sides are shown."""
    for drawn, video in generator.videos(lambda example: _views(example, truth, other=False)):
        yield ruler.side(video, truth.clips[drawn.example.clip_id].scene)


def _chunks(generator: Generator, truth: Truth, ruler: Ruler, row: Row) -> Iterator[Measured]:
    """All anchors but those of the role that is left out, for four chunks."""
    for drawn, video in generator.long_videos(_all_but(row.left_out)):
        asked = truth.clips[drawn.example.clip_id].scene
        fresh = (len(video) - FRAMES) // (NUM_CHUNKS - 1)
        found = {}
        for number in range(1, NUM_CHUNKS + 1):
            stop = FRAMES + (number - 1) * fresh
            part = ruler.side(video[stop - fresh : stop], asked)
            found |= {f"identity_error_{number}": part["identity_error"]}
            found |= {f"background_error_{number}": part["background_error"]}
        yield found


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


TESTS: Mapping[str, Callable[[Generator, Truth, Ruler, Row], Iterator[Measured]]] = {
    "leak": _leak,
    "kinds": _kinds,
    "two": _two,
    "sides": _sides,
    "choice": _choice,
    "chunks": _chunks,
}
