"""Which scenes a world has: takes to learn from, and takes of other identities to be tested on.

A take is a clip's scene with the scenes that its references show. Tested references show another place, and the figure on the
other side of the picture, so that what returns of them can be told from what was asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from backend.sampleworld.places import PLACES
from bench.experiments.scenes import ANIMALS, AZIMUTHS, CELLS, PEOPLE, PRODUCTS, Figure, Scene

TEST_FROM = 5000
"""Numbers of identities, and variants of places, from which on nothing was trained on."""
TAKES_OF_ONE = 4
TURN_DEG = 35.0
"""How far a figure of a single picture may be turned away: its face is still found."""
EXPRESSIONS = ("neutral", "happy", "surprise", "angry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """A clip. `references`: of each figure one scene of another clip. Takes of one `shot` are parts of one long shot."""

    scene: Scene
    references: tuple[Scene, ...] = ()
    shot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """`cut`: references are figures cut out, not whole pictures. `turns`: samples have anchors of their long shot."""

    name: str
    train: tuple[Take, ...]
    test: tuple[Take, ...]
    cut: bool = False
    turns: bool = False


def singles(name: str, *, identities: int, tested: int, kinds: Sequence[str], tested_kinds: Sequence[str]) -> World:
    """One figure a clip, each identity in four clips on both sides and in four places."""
    return World(
        name=name, train=_singles(identities, kinds, 0), test=_tested(_singles(tested, tested_kinds, TEST_FROM), tested)
    )


def pairs(name: str, *, identities: int, tested: int) -> World:
    """A man and a woman a clip, either on either side; references are cut out of clips of one of them alone."""
    return World(name=name, train=_pairs(identities, 0), test=_pairs(tested, TEST_FROM)[::TAKES_OF_ONE], cut=True)


def turns(name: str, *, identities: int, tested: int) -> World:
    """A person turns round in one place: a long shot of four clips, each from one side with one expression."""
    return World(name=name, train=_turns(identities, 0), test=_turns(tested, TEST_FROM), cut=True, turns=True)


def _singles(identities: int, kinds: Sequence[str], first: int) -> tuple[Take, ...]:
    takes = []
    for number in range(first, first + identities):
        rng = np.random.default_rng([number, 3])
        kind = kinds[number % len(kinds)]
        places = [str(place) for place in rng.permutation(list(PLACES))[:TAKES_OF_ONE]]
        scenes = [
            Scene(
                place=place,
                variant=first + int(rng.integers(1000)),
                figures=(
                    Figure(
                        kind=kind,
                        number=number,
                        cell=list(CELLS)[(number + k) % 2],
                        azimuth_deg=float(rng.uniform(-TURN_DEG, TURN_DEG)),
                    ),
                ),
            )
            for k, place in enumerate(places)
        ]
        takes += [
            Take(scene=scene, references=(scenes[(k + 1) % TAKES_OF_ONE],), shot=number * TAKES_OF_ONE + k)
            for k, scene in enumerate(scenes)
        ]
    return tuple(takes)


def _tested(takes: tuple[Take, ...], identities: int) -> tuple[Take, ...]:
    """Two takes of each identity, one on each side."""
    return tuple(takes[number * TAKES_OF_ONE + k] for number in range(identities) for k in (0, 1))


def _pairs(identities: int, first: int) -> tuple[Take, ...]:
    takes = []
    for number in range(first, first + identities):
        rng = np.random.default_rng([number, 5])
        alone = []
        for kind in PEOPLE:
            figure = Figure(kind=kind, number=number, cell="left", azimuth_deg=float(rng.uniform(-TURN_DEG, TURN_DEG)))
            alone.append(Scene(place=str(rng.choice(list(PLACES))), variant=first + 1000 + number, figures=(figure,)))
        for k, place in enumerate(rng.permutation(list(PLACES))[:TAKES_OF_ONE]):
            cells = ("left", "right") if (number + k) % 2 else ("right", "left")
            figures = tuple(
                Figure(kind=kind, number=number, cell=cell, azimuth_deg=float(rng.uniform(-TURN_DEG, TURN_DEG)))
                for kind, cell in zip(PEOPLE, cells, strict=True)
            )
            figures = tuple(sorted(figures, key=lambda figure: figure.cell))
            scene = Scene(place=str(place), variant=first + int(rng.integers(1000)), figures=figures)
            of = {reference.figures[0].kind: reference for reference in alone}
            takes.append(Take(scene=scene, references=tuple(of[f.kind] for f in figures), shot=number * TAKES_OF_ONE + k))
    return tuple(takes)


def _turns(identities: int, first: int) -> tuple[Take, ...]:
    takes = []
    for number in range(first, first + identities):
        rng = np.random.default_rng([number, 7])
        figure = Figure(kind=PEOPLE[number % 2], number=number, cell=list(CELLS)[number // 2 % 2])
        place, variant = str(rng.choice(list(PLACES))), first + int(rng.integers(1000))
        expressions = rng.permutation(EXPRESSIONS)
        for k, side in enumerate(rng.permutation(list(AZIMUTHS))):
            turned = replace(figure, azimuth_deg=AZIMUTHS[str(side)], expression=str(expressions[k]))
            scene = Scene(place=place, variant=variant, figures=(turned,), tells_side=True)
            takes.append(Take(scene=scene, shot=number))
    return tuple(takes)


LIVING = (*PEOPLE, *ANIMALS)
EVERYTHING = (*LIVING, *PRODUCTS)
WORLDS: Mapping[str, Callable[[], World]] = {
    "people": lambda: singles("people", identities=100, tested=12, kinds=PEOPLE, tested_kinds=PEOPLE),
    "people_x1": lambda: singles("people_x1", identities=1, tested=12, kinds=PEOPLE, tested_kinds=PEOPLE),
    "people_x10": lambda: singles("people_x10", identities=10, tested=12, kinds=PEOPLE, tested_kinds=PEOPLE),
    "kinds_people": lambda: singles("kinds_people", identities=60, tested=30, kinds=PEOPLE, tested_kinds=EVERYTHING),
    "kinds_living": lambda: singles("kinds_living", identities=60, tested=30, kinds=LIVING, tested_kinds=EVERYTHING),
    "kinds_all": lambda: singles("kinds_all", identities=60, tested=30, kinds=EVERYTHING, tested_kinds=EVERYTHING),
    "pairs": lambda: pairs("pairs", identities=100, tested=24),
    "turns": lambda: turns("turns", identities=60, tested=8),
}
