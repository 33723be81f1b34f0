"""Lips and loudness: a drawn mouth that opens with the sound, moved against it by known shifts."""

import numpy as np
import pytest

from backend.domain import Absent
from backend.measures.lips import judged
from backend.models.classical_sync import ClassicalSync, mouth_openness

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
    own = ClassicalSync().distances(faces, sound(LOUD[20 : 20 + NUM]))
    other = ClassicalSync().distances(
        faces, sound(np.clip(np.convolve(RNG.uniform(-1, 1, NUM), np.ones(4) / 2, "same"), 0, 1))
    )
    assert isinstance(own, np.ndarray) and isinstance(other, np.ndarray)
    assert judged(other).confidence < ClassicalSync.least_confidence < judged(own).confidence


def test_what_stands_still_is_not_applicable(faces: np.ndarray) -> None:
    still = np.repeat(faces[:1], NUM, axis=0)
    assert ClassicalSync().distances(still, sound(LOUD[:NUM])) == Absent("not applicable: the mouth does not move")
    flat = ClassicalSync().distances(faces, np.zeros(640 * NUM, np.int16))
    assert flat == Absent("not applicable: the sound does not change")
    few = ClassicalSync().distances(faces[:5], sound(LOUD[:5]))
    assert isinstance(few, Absent) and "too few" in few.reason


def test_a_wider_mouth_is_more_open() -> None:
    found = mouth_openness(crops(np.array([0.0, 0.3, 0.6, 1.0])))
    assert (np.diff(found) > 0).all()
