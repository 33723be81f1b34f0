"""Faces of frames for following: by a tiny insightface pack, and by the cascades."""

from pathlib import Path

import numpy as np
import pytest

from backend.domain import ModelUnavailable
from backend.measures.head_pose import head_angles
from backend.models.classical_face_watcher import ClassicalFaceWatcher
from backend.models.insight_face_watcher import InsightFaceWatcher
from backend.models.places import ModelPlace
from backend.sampleworld.faces import FaceShape, paint_face
from tests.metrics.checkpoints_faces import KEYPOINTS, cell, place, scene, write_pack

SIZE = (640, 640)


@pytest.fixture(scope="module")
def watcher(tmp_path_factory: pytest.TempPathFactory) -> InsightFaceWatcher:
    pack = write_pack(tmp_path_factory.mktemp("pack"))
    return InsightFaceWatcher(place("FaceWatcher", pack), device="cpu", dtype="float32")


def test_watched_faces_are_those_of_the_library(watcher: InsightFaceWatcher, tmp_path: Path) -> None:
    import cv2
    from insightface.app import FaceAnalysis

    library = FaceAnalysis(name=str(write_pack(tmp_path)), providers=["CPUExecutionProvider"])
    library.prepare(ctx_id=-1, det_size=(640, 640))
    frame = scene({(2, 1): 1, (6, 3): 2}, SIZE)
    direct = library.get(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    found = watcher.watch(frame)
    assert sorted(face.box for face in found) == sorted(tuple(each.bbox.tolist()) for each in direct)
    for each in direct:
        ours = next(face for face in found if face.box == tuple(each.bbox.tolist()))
        np.testing.assert_allclose(ours.descriptor, each.normed_embedding, rtol=1e-6)
        assert ours.score == pytest.approx(float(each.det_score))


def test_angles_are_those_of_the_five_points(watcher: InsightFaceWatcher) -> None:
    (face,) = watcher.watch(scene({(6, 3): 2}, SIZE))
    expected = head_angles(np.array(KEYPOINTS) * 32 + (192, 96), width=640, height=640)
    assert expected is not None
    assert (face.yaw_deg, face.pitch_deg) == pytest.approx(expected, abs=1e-3)


def test_one_person_is_alike_on_two_frames_and_another_is_not(watcher: InsightFaceWatcher) -> None:
    (first,), (second,), (other,) = (watcher.watch(scene({spot: who}, SIZE)) for spot, who in
                                     (((2, 1), 1), ((6, 3), 1), ((2, 1), 2)))  # fmt: skip
    assert first.descriptor @ second.descriptor > 0.99
    assert first.descriptor @ other.descriptor < 0.9


def test_grey_is_put_around_a_frame_without_faces(watcher: InsightFaceWatcher) -> None:
    frame = np.zeros((328, 640, 3), np.uint8)
    # No cell of the detector's grid as it stands; with 82 and 160 px of grey and two thirds of the size, nearly one.
    frame[202:250, 128:176] = cell(3, 48)
    found = watcher.watch(frame)
    assert [face.box for face in found] == [(128, 206, 176, 254)]


def test_weights_that_are_missing_are_named() -> None:
    with pytest.raises(ModelUnavailable, match=r"models\.FaceWatcher"):
        InsightFaceWatcher(ModelPlace("FaceWatcher", ""), device="cpu", dtype="float32")


def drawn_face(side: int, skin: tuple[float, float, float] = (0.86, 0.66, 0.53)) -> np.ndarray:
    import cv2

    shape = FaceShape(skin=skin, hair=(0.2, 0.1, 0.05), iris=(0.3, 0.2, 0.1), lips=(0.7, 0.4, 0.4))
    picture = (paint_face(shape, "neutral") * 255).astype(np.uint8)
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)


def test_a_drawn_face_is_watched_without_weights() -> None:
    frame = np.full((240, 426, 3), 90, np.uint8)
    frame[60:180, 100:220] = drawn_face(120)
    later = np.roll(frame, 6, axis=1)
    (face,), (again,) = (ClassicalFaceWatcher().watch(each) for each in (frame, later))
    assert face.symmetry is not None and face.symmetry > 0.6
    assert face.yaw_deg is None
    assert face.descriptor @ again.descriptor >= ClassicalFaceWatcher.least_cosine
    assert np.linalg.norm(face.descriptor) == pytest.approx(1, abs=1e-5)


def test_an_empty_frame_has_no_faces() -> None:
    assert ClassicalFaceWatcher().watch(np.full((240, 320, 3), 90, np.uint8)) == []
