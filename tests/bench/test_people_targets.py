"""Targets of the embedded parts that watch people, on the sample world: sides that are named, and how late sound comes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.domain import Box, Footage
from backend.geometry.viewpoint import SIDES, Windows
from backend.measures.lips import RATE
from backend.models.classical_sync import ClassicalSync
from backend.models.classical_viewpoint import ClassicalViewpoint
from backend.sampleworld import SubjectFrame, read_truth, render_world
from backend.sampleworld.cast import PEOPLE, Wardrobe, draw_cast, draw_sprite, size_of
from backend.sampleworld.film import ShotStage, Shown, content_box
from backend.sampleworld.people import PersonState
from backend.sampleworld.places import PLACES, Place, paint_place
from backend.sampleworld.script import plan_world
from bench import accuracy_sync
from bench.accuracy_people import ESTIMATOR, EVERY, VIEW_ACCURACY, WINDOWS, footage_of, sides_of
from tests.backend.geometry.test_viewpoint import azimuth_of, smpl_orient
from tests.backend.stages.footage_in_memory import ArrayReader

Told = list[tuple[str, str | None]]
"""The side that is seen, and what is said of it."""
STANDING_PX = (640, 720)
FILM_PX = (1280, 720)
SYNC_SEEDS = (0, 1000)
UNSURE_ACCURACY, NAMED_SHARE = 0.8, 0.7
LIKELIEST, NO_DEAD_ZONE = ClassicalViewpoint(least_chance=0.0), Windows(dead_zone_deg=0.0)


@pytest.fixture(scope="module")
def drawn() -> list[tuple[SubjectFrame, np.ndarray]]:
    """The people of a sample world, in places of it, up to 25 degrees beside each of their four sides."""
    rng = np.random.default_rng(1000)
    places = [paint_place(kind, 1000, STANDING_PX) for kind in rng.choice(sorted(PLACES), 3, replace=False)]
    people = [identity for identity in draw_cast(1000) if identity.category in PEOPLE]
    shown = []
    for n, (who, side) in enumerate((who, side) for who in people for side in range(4)):
        azimuth = (90 * side + float(rng.uniform(-25, 25))) % 360
        place = places[n % len(places)]
        scale = float(rng.uniform(580, 660)) / size_of(who.look)[1]
        sprite = draw_sprite(
            who, PersonState(), Wardrobe(), azimuth_deg=azimuth, elevation_deg=4.0, scale=scale, light=place.light
        )
        picture, box = standing(place, sprite.rgba, left=int(rng.integers(100, 300)))
        shown.append((seen_at(box, azimuth), picture))
    return shown


def seen_at(box: Box, azimuth_deg: float) -> SubjectFrame:
    return SubjectFrame(frame=1, box=box, visible=1.0, azimuth_deg=azimuth_deg, expression="", mask=None)


def standing(place: Place, sprite: np.ndarray, *, left: int) -> tuple[np.ndarray, Box]:
    """The sprite uint8 `(h, w, 4)` with its feet near the picture's foot, and the box of what is seen of it."""
    height, width = sprite.shape[:2]
    top, alpha = STANDING_PX[1] - 20 - height, sprite[..., 3:] / 255
    picture = place.picture.copy()
    area = picture[top : top + height, left : left + width]
    area[:] = (area * (1 - alpha) + sprite[..., :3] * alpha).round()
    rows, columns = np.nonzero(alpha[..., 0] > 0.5)
    return picture, (
        float(left + columns.min()), float(top + rows.min()), float(left + columns.max() + 1), float(top + rows.max() + 1)
    )  # fmt: skip


def of_drawn(drawn: Sequence[tuple[SubjectFrame, np.ndarray]], estimator: ClassicalViewpoint, names: Windows) -> Told:
    told: Told = []
    width, height = STANDING_PX
    for row, picture in drawn:
        footage = footage_of(ArrayReader(np.stack([picture] * 3)), 24, (0, 3), (0.0, 0.0, float(width), float(height)))
        told += sides_of([row], footage, estimator=estimator, names=names)
    return told


def right(told: Sequence[tuple[str, str | None]]) -> float:
    return float(np.mean([wanted == said for wanted, said in told]))


def test_sides_of_truth_poses_are_named_by_the_geometry_without_a_mistake(
    drawn: list[tuple[SubjectFrame, np.ndarray]],
) -> None:
    azimuths = [row.azimuth_deg for row, _ in drawn]
    named = [WINDOWS.side(azimuth_of(smpl_orient(azimuth))) for azimuth in azimuths]
    assert named == [SIDES[k % 4] for k in range(len(drawn))]
    turned = [WINDOWS.side(azimuth_of(smpl_orient(azimuth + 90))) for azimuth in azimuths]
    assert not any(one == other for one, other in zip(named, turned, strict=True))


def test_sides_of_drawn_people_are_told(drawn: list[tuple[SubjectFrame, np.ndarray]]) -> None:
    """The likeliest side of everybody, and the sides that are sure enough to be named."""
    everybody = of_drawn(drawn, LIKELIEST, NO_DEAD_ZONE)
    assert Counter(wanted for wanted, _ in everybody) == dict.fromkeys(SIDES, len(drawn) / 4)
    assert right(everybody) >= VIEW_ACCURACY, everybody
    named = [(wanted, said) for wanted, said in of_drawn(drawn[:12], ESTIMATOR, WINDOWS) if said is not None]
    assert len(named) > 6 and right(named) >= VIEW_ACCURACY, named
    turned = [(SIDES[(SIDES.index(wanted) + 1) % 4], said) for wanted, said in everybody]
    assert right(turned) < 1 - VIEW_ACCURACY, "the check sees people who are turned"


@pytest.mark.thorough
def test_sides_of_people_in_films_are_told() -> None:
    """As they walk, are covered and cut by the picture's edge: three worlds that nothing was fitted on.

    What is named is right where nine in ten are wanted; were a side named at every glance, it would miss that.
    """
    everybody: Told = []
    named: Told = []
    for seed in (1000, 1001, 1002):
        for filmed, rows in filmed_people(seed):
            everybody += sides_of(rows, filmed, estimator=LIKELIEST, names=NO_DEAD_ZONE)
            named += [(wanted, said) for wanted, said in sides_of(rows, filmed) if said is not None]
    assert len(everybody) >= 100 and right(everybody) >= UNSURE_ACCURACY, Counter(everybody)
    assert len(named) >= NAMED_SHARE * len(everybody) and right(named) >= VIEW_ACCURACY, Counter(named)


class Filmed(ArrayReader):
    """Frames of a shot, rendered when they are asked for, and what is seen on them."""

    def __init__(self, stage: ShotStage, num_frames: int, origin: tuple[int, int]) -> None:
        self._stage, self._origin = stage, origin
        self.num_frames, (self.width, self.height) = num_frames, FILM_PX
        self.times_s = np.arange(num_frames) / 24
        self._seen: dict[int, tuple[np.ndarray, list[Shown]]] = {}

    def seen(self, frame: int) -> tuple[np.ndarray, list[Shown]]:
        if frame not in self._seen:
            picture, shown = self._stage.render(frame, origin=self._origin, frame_size=FILM_PX)
            (x, y), (height, width) = self._origin, picture.shape[:2]
            whole = np.zeros((self.height, self.width, 3), np.uint8)
            whole[y : y + height, x : x + width] = picture
            self._seen[frame] = whole, shown
        return self._seen[frame]

    def at(self, indices: Sequence[int], *, size: tuple[int, int] | None = None) -> np.ndarray:
        pictures = [self.seen(frame)[0] for frame in indices]
        return np.stack([p if size is None else cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in pictures])


def filmed_people(seed: int) -> Iterator[tuple[Footage, list[SubjectFrame]]]:
    """Each person of each shot of a world of six films, on every twelfth frame."""
    for video in plan_world(seed, 6, 15.0, 24).videos:
        content = content_box(video.border, FILM_PX)
        for shot in video.shots:
            if not any(subject.identity.category in PEOPLE for subject in shot.subjects):
                continue
            reader = Filmed(ShotStage(shot, video, FILM_PX, Wardrobe()), video.num_frames, content[:2])
            x0, y0, x1, y1 = map(float, content)
            footage = footage_of(reader, 24, (shot.start_frame, shot.stop_frame), (x0, y0, x1, y1))
            frames = range(shot.start_frame, shot.stop_frame, EVERY)
            for k, subject in enumerate(shot.subjects):
                if subject.identity.category in PEOPLE:
                    yield footage, [reader.seen(frame)[1][k].row for frame in frames]


@pytest.mark.slow
def test_the_sound_of_a_take_is_told_within_a_frame(tmp_path: Path) -> None:
    render_world(tmp_path, seed=1, videos=1, duration_s=4.0, size=(320, 180), takes=True, workers=1)
    (truth,) = read_truth(tmp_path).videos
    assert truth.sound.offset_s, "moved"
    ((said, why),) = accuracy_sync.judged_by(tmp_path / truth.file, truth.fps, None, (ClassicalSync(),))
    assert said is not None and abs(said - truth.sound.offset_s * RATE) <= accuracy_sync.NEAR, (said, why)


@pytest.mark.thorough
def test_the_sound_of_takes_is_told_within_a_frame(tmp_path: Path) -> None:
    heard = []
    for seed in SYNC_SEEDS:
        folder = tmp_path / str(seed)
        render_world(folder, seed=seed, videos=5, duration_s=8.0, size=(640, 360), takes=True, workers=1)
        for truth in read_truth(folder).videos:
            ((said, why),) = accuracy_sync.judged_by(folder / truth.file, truth.fps, None, (ClassicalSync(),))
            late = None if truth.sound.offset_s is None else truth.sound.offset_s * RATE
            heard.append(accuracy_sync.Heard(late, said, why))
    own = [each for each in heard if each.true is not None]
    assert len(own) == 8
    assert np.mean([each.is_right for each in own]) >= accuracy_sync.SYNC_SHARE, own
    assert [each.said for each in heard if each.true is None] == [None, None], "another's speech has no offset"
