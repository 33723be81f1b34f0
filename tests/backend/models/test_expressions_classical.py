"""Mouths without weights: drawn faces that smile, gape or do neither."""

import cv2
import numpy as np
import pytest

from backend.models.expressions_classical import ClassicalExpressions, mouth_measures
from backend.sampleworld.faces import FaceShape, paint_face

SHAPE = FaceShape(skin=(0.86, 0.66, 0.53), hair=(0.2, 0.1, 0.05), iris=(0.3, 0.2, 0.1), lips=(0.7, 0.36, 0.32))


def drawn(expression: str) -> np.ndarray:
    return (paint_face(SHAPE, expression) * 255).astype(np.uint8)[30:310, 30:290]


def gaping() -> np.ndarray:
    face = drawn("neutral").copy()
    cv2.ellipse(face, (130, 225), (32, 28), 0, 0, 360, (25, 8, 8), -1)
    return face


def test_a_neutral_face_is_neutral() -> None:
    assert ClassicalExpressions().classify([drawn("neutral")])[0].argmax() == 0


def test_a_gaping_mouth_is_open() -> None:
    chances = ClassicalExpressions().classify([gaping()])[0]
    assert ClassicalExpressions.labels[int(chances.argmax())] == "open" and chances.max() >= 0.6


@pytest.mark.parametrize("other", ["neutral", "sad", "angry", "fear", "disgust", "contempt"])
def test_a_drawn_smile_is_more_of_a_smile_than_any_other_closed_mouth(other: str) -> None:
    assert mouth_measures(drawn("happy"))[1] > mouth_measures(drawn(other))[1]
    happy, rival = ClassicalExpressions().classify([drawn("happy"), drawn(other)])[:, 1]
    assert happy > rival


def test_rows_are_probabilities_and_a_batch_is_its_faces() -> None:
    given = [drawn("happy"), gaping(), drawn("sad")]
    found = ClassicalExpressions().classify(given)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(found, np.concatenate([ClassicalExpressions().classify([face]) for face in given]))
    assert ClassicalExpressions().classify([]).shape == (0, 3)
