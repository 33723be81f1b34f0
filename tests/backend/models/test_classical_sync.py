"""Lips and loudness: a drawn mouth that opens with the sound, moved against it by known shifts."""

import numpy as np
import pytest

from backend.domain import Absent
from backend.measures.lips import judged
from backend.models.classical_sync import ClassicalSync, mouth_movements

NUM = 75
RNG = np.random.default_rng(3)
LOUD = np.clip(np.convolve(RNG.uniform(-1, 1, NUM + 40), np.ones(4) / 2, "same"), 0, 1)


def crops(openness: np.ndarray, *, inside: int = 40) -> np.ndarray:
    """Faces whose mouth is a bar as high as it is open, dark or of another brightness, under noise."""
    faces = RNG.integers(150, 160, (len(openness), 224, 224, 3), np.uint8)
    for face, each in zip(faces, openness, strict=True):
        half = round(14 * each)
        face[130 - half : 130 + half, 90:134] = inside
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


def test_means_are_what_of_the_loudness_the_mouth_does_not_tell(faces: np.ndarray) -> None:
    """The mouth is drawn by the loudness, in whole pixels under noise: most of it at the true shift, nothing far from it."""
    found = ClassicalSync().distances(faces, sound(LOUD[20 : 20 + NUM]))
    assert isinstance(found, np.ndarray)
    means = found.mean(axis=0)
    assert 0 <= means[15] < 0.3 and means.argmin() == 15
    assert np.median(means) > 0.8


def test_what_an_open_mouth_looks_like_is_learnt() -> None:
    """Teeth in a dark face are brighter than the closed mouth was."""
    found = ClassicalSync().distances(crops(LOUD[20:][:NUM], inside=235), sound(LOUD[17:][:NUM]))
    assert isinstance(found, np.ndarray) and -judged(found).offset == pytest.approx(3, abs=1)


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
    """Dots for eyes and nose, moved by up to 8 px: the mouth's movements are its own, and the sound keeps its place."""
    marked = faces.copy()
    for x, y in ((84, 70), (140, 70), (112, 96), (90, 50), (134, 52)):
        marked[:, y - 6 : y + 6, x - 8 : x + 8] = 30
    steps = RNG.integers(-4, 5, (NUM, 2)).cumsum(axis=0).clip(-8, 8)
    moved = np.stack([np.roll(face, tuple(step), axis=(0, 1)) for face, step in zip(marked, steps, strict=True)])
    found = ClassicalSync().distances(moved, sound(LOUD[20:][:NUM]))
    assert isinstance(found, np.ndarray) and judged(found).offset == pytest.approx(0, abs=1)
    follows = [abs(np.corrcoef(each, LOUD[20:][:NUM])[0, 1]) for each in mouth_movements(moved).T]
    assert max(follows) > 0.8, "one of the mouth's movements is the opening"
