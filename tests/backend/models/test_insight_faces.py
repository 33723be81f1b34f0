"""Faces through insightface: what the library says, grey around what it misses, no download ever."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.domain import ModelUnavailable
from backend.models.insight_faces import DETECTION_SIZE, InsightFaces
from backend.models.places import ModelPlace
from tests.metrics.checkpoints_faces import KEYPOINTS, cell, place, scene, write_pack


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pack(tmp_path_factory.mktemp("pack"))


@pytest.fixture(scope="module")
def faces(pack: Path) -> InsightFaces:
    return InsightFaces(place("FaceRecognizer", pack), device="cpu", dtype="float32")


def test_faces_are_those_of_the_library(faces: InsightFaces, pack: Path) -> None:
    from insightface.app import FaceAnalysis

    frame = scene({(2, 1): 1, (6, 3): 2}, small=((1, 1),))
    library = FaceAnalysis(name=str(pack), providers=["CPUExecutionProvider"])
    library.prepare(ctx_id=-1, det_size=DETECTION_SIZE)
    direct = library.get(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    found = faces.recognize(frame)
    assert len(found) == len(direct) == 3
    for each in direct:
        ours = next(face for face in found if face.box == tuple(each.bbox.tolist()))
        np.testing.assert_array_equal(ours.keypoints, each.kps)
        np.testing.assert_allclose(ours.embedding, each.normed_embedding, rtol=1e-6)


def test_largest_face_comes_first(faces: InsightFaces) -> None:
    found = faces.recognize(scene({(6, 3): 2}, small=((1, 1),)))
    assert [face.box for face in found] == [(192, 96, 224, 128), (16, 16, 32, 32)]
    expected = np.array(KEYPOINTS) * 32 + (192, 96)
    np.testing.assert_allclose(found[0].keypoints, expected, rtol=1e-6)


def test_colours_reach_the_model_as_they_are(faces: InsightFaces) -> None:
    """Red and yellow differ in green only, yellow and cyan in red and blue: a swap would make cyan a face."""
    cyan = np.zeros((192, 320, 3), np.uint8)
    cyan[16:32, 16:32] = (0, 255, 255)
    assert faces.recognize(cyan) == []
    assert len(faces.recognize(scene({}, small=((1, 1),)))) == 1


def test_grey_around_it_lets_a_face_be_found(faces: InsightFaces) -> None:
    frame = np.zeros((160, 320, 3), np.uint8)
    frame[104:152, 64:112] = cell(3, 48)  # off the detector's grid; on it with 40 and 80 px of grey, at two thirds
    (found,) = faces.recognize(frame)
    assert found.box == (64, 104, 112, 152)
    np.testing.assert_allclose(found.keypoints, np.array(KEYPOINTS) * 48 + (64, 104), rtol=1e-5)


def test_pack_is_found_in_the_layout_of_opens2v_weight(tmp_path: Path) -> None:
    write_pack(tmp_path / "face_extractor" / "models" / "buffalo_l")
    found = InsightFaces(place("FaceRecognizer", tmp_path), device="cpu", dtype="float32")
    assert len(found.recognize(scene({(0, 0): 1}))) == 1


def test_model_id_names_the_weights(faces: InsightFaces, pack: Path) -> None:
    assert faces.model_id == place("FaceRecognizer", pack).model_id("insightface-1")


@pytest.mark.parametrize("missing", ["buffalo_l", ""])
def test_nothing_is_downloaded(missing: str) -> None:
    with pytest.raises(ModelUnavailable, match=r"models\.FaceRecognizer"):
        InsightFaces(ModelPlace("FaceRecognizer", missing), device="cpu", dtype="float32")


def test_pack_without_recognition_is_refused(tmp_path: Path) -> None:
    write_pack(tmp_path)
    (tmp_path / "rec.onnx").unlink()
    with pytest.raises(ModelUnavailable, match="recognition"):
        InsightFaces(place("FaceRecognizer", tmp_path), device="cpu", dtype="float32")
    with pytest.raises(ModelUnavailable, match=r"\.onnx"):
        (tmp_path / "det.onnx").unlink()
        InsightFaces(place("FaceRecognizer", tmp_path), device="cpu", dtype="float32")
