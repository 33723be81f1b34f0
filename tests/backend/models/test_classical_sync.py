"""Lips and loudness: a drawn mouth that opens with the sound, moved against it by known shifts."""

import numpy as np
import pytest

from backend.domain import Absent
from backend.measures.lips import judged
from backend.models.classical_sync import ClassicalSync, lower_face

NUM = 75
RNG = np.random.default_rng(3)
LOUD = np.clip(np.convolve(RNG.uniform(-1, 1, NUM + 40), np.ones(4) / 2, "same"), 0, 1)


def crops(openness: np.ndarray) -> np.ndarray:
    """Faces whose mouth is a dark bar as high as it is open, under noise."""
    faces = RNG.integers(150, 160, (len(openness), 224, 224, 3), np.uint8)
    for face, each in zip(faces, openness, strict=True):
        half = round(14 * each)
        face[130 - half : 130 + half, 90:134] = 40
    return faces


def sound(loudness: np.ndarray) -> np.ndarray:
    return (np.repeat(loudness, 640) * RNG.uniform(-1, 1, 640 * len(loudness)) * 20000).astype(np.int16)


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    return crops(LOUD[20 : 20 + NUM])


@pytest.mark.parametrize("late", [0, 4, -8, 13])
def test_sound_that_comes_late_by_frames_is_found_there(faces: np.ndarray, late: int) -> None:
    found = ClassicalSync().distances(faces, sound(LOUD[20 - late : 20 - late + NUM]))
    assert isinstance(found, np.ndarray) and found.shape == (NUM - 5, 31)
    verdict = judged(found)
    assert -verdict.offset == pytest.approx(late, abs=1)
    assert verdict.confidence >= ClassicalSync.least_confidence


def test_means_are_twice_what_correlation_leaves(faces: np.ndarray) -> None:
    found = ClassicalSync().distances(faces, sound(LOUD[20 : 20 + NUM]))
    assert isinstance(found, np.ndarray)
    assert 0 <= found.mean(axis=0).min() < 0.6
    assert found.mean(axis=0).max() <= 4


def test_other_speech_stands_out_less(faces: np.ndarray) -> None:
    rng = np.random.default_rng(8)
    own = ClassicalSync().distances(faces, sound(LOUD[20 : 20 + NUM]))
    assert isinstance(own, np.ndarray)
    for _ in range(5):
        other = ClassicalSync().distances(
            faces, sound(np.clip(np.convolve(rng.uniform(-1, 1, NUM), np.ones(4) / 2, "same"), 0, 1))
        )
        assert isinstance(other, np.ndarray)
        assert judged(other).confidence < 0.7 * judged(own).confidence


def test_what_stands_still_is_not_applicable(faces: np.ndarray) -> None:
    still = np.repeat(faces[:1], NUM, axis=0)
    assert ClassicalSync().distances(still, sound(LOUD[:NUM])) == Absent("not applicable: the mouth does not move")
    flat = ClassicalSync().distances(faces, np.zeros(640 * NUM, np.int16))
    assert flat == Absent("not applicable: the sound does not change")
    few = ClassicalSync().distances(faces[:5], sound(LOUD[:5]))
    assert isinstance(few, Absent) and "too few" in few.reason


def test_a_nodding_face_is_held_still_by_its_eyes(faces: np.ndarray) -> None:
    """Dots for eyes and nose, moved by up to 8 px: the cells below keep what they show, and the sound its place."""
    marked = faces.copy()
    for x, y in ((84, 70), (140, 70), (112, 96), (90, 50), (134, 52)):
        marked[:, y - 6 : y + 6, x - 8 : x + 8] = 30
    steps = RNG.integers(-4, 5, (NUM, 2)).cumsum(axis=0).clip(-8, 8)
    moved = np.stack([np.roll(face, tuple(step), axis=(0, 1)) for face, step in zip(marked, steps, strict=True)])
    found = ClassicalSync().distances(moved, sound(LOUD[20:][:NUM]))
    assert isinstance(found, np.ndarray) and judged(found).offset == pytest.approx(0, abs=1)
    own = [np.corrcoef(cells, LOUD[20:][:NUM])[0, 1] for cells in lower_face(moved).T if cells.std() > 0]
    assert max(own) > 0.9, "a cell that keeps its place on the mouth follows the sound"


def test_an_open_mouth_is_dark() -> None:
    cells = lower_face(crops(np.array([0.0, 0.3, 0.6, 1.0])))
    assert (np.diff(cells.max(axis=1)) >= 0).all() and cells[-1].max() > cells[0].max() + 0.5
