"""Faces of subjects: the one on the mask, and nobody else's."""

import numpy as np
import pytest

from backend.domain import Absent, Box
from backend.models.arc_face import ArcFaceOfSubject
from tests.metrics.checkpoints_faces import place, scene, write_pack

SIZE = (640, 640)
FACES = {(2, 1): 1, (6, 3): 2}
"""Identities 1 and 2, in cells of 32 px by column and row."""
BOTH: Box = (0.0, 0.0, 640.0, 640.0)


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> ArcFaceOfSubject:
    return ArcFaceOfSubject(
        place("FaceEmbedder", write_pack(tmp_path_factory.mktemp("pack"))), device="cpu", dtype="float32"
    )


def mask_over(column: int, row: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[32 * row : 32 * row + 32, 32 * column : 32 * column + 32] = True
    return mask


@pytest.mark.parametrize(("column", "row"), FACES)
def test_of_two_faces_the_one_on_the_mask_is_the_subjects(embedder: ArcFaceOfSubject, column: int, row: int) -> None:
    frame = scene(FACES, SIZE)
    (expected,) = [f.embedding for f in embedder.recognize(frame) if f.box[0] == 32 * column]
    found = embedder.embed(frame, mask_over(column, row), BOTH)
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, expected)
    assert (found.dtype, np.linalg.norm(found)) == (np.float32, pytest.approx(1, abs=1e-6))


def test_the_two_have_other_vectors(embedder: ArcFaceOfSubject) -> None:
    frame = scene(FACES, SIZE)
    one, two = (embedder.embed(frame, mask_over(*cell), BOTH) for cell in FACES)
    assert isinstance(one, np.ndarray) and isinstance(two, np.ndarray)
    assert not np.array_equal(one, two)


def test_a_face_outside_of_mask_or_box_says_nothing(embedder: ArcFaceOfSubject) -> None:
    frame = scene({(2, 1): 1}, SIZE)
    whole = np.ones(SIZE, bool)
    assert isinstance(embedder.embed(frame, whole, (200.0, 200.0, 640.0, 640.0)), Absent)
    assert isinstance(embedder.embed(frame, mask_over(9, 9), BOTH), Absent)
    assert isinstance(embedder.embed(frame, whole, BOTH), np.ndarray)
