"""Expressions by ONNX: a tiny model in EmotiEffLib's layout, whose eight outputs are known sums of the picture's colours."""

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from backend.domain import ModelUnavailable
from backend.models.expressions_onnx import DEVIATION, LABELS, MEAN, EmotiEffOnnx
from backend.models.places import ModelPlace

WEIGHTS = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
RNG = np.random.default_rng(1)


def write_model(
    path: Path, *, classes: int = 8, side: int | str = 260, batch: int | str = "batch", scale: float = 1.0
) -> Path:
    """Mean colours times a matrix: `input` (N, 3, S, S) to `output` (N, classes)."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "mixing"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, side, side])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [batch, classes])],
        [numpy_helper.from_array(np.resize(WEIGHTS, (3, classes)) * np.float32(scale), "mixing")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


def load(path: Path) -> EmotiEffOnnx:
    return EmotiEffOnnx(ModelPlace("ExpressionClassifier", str(path)), device="cpu", dtype="float32")


def expected(face: np.ndarray, side: int = 260) -> np.ndarray:
    pixels = cv2.resize(face, (side, side)).astype(np.float64) / 255
    logits = ((pixels.mean(axis=(0, 1)) - MEAN) / DEVIATION) @ WEIGHTS
    return np.exp(logits) / np.exp(logits).sum()


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> EmotiEffOnnx:
    return load(write_model(tmp_path_factory.mktemp("model") / "enet_b2_8.onnx"))


def faces(num: int) -> list[np.ndarray]:
    return [RNG.integers(0, 255, (100 + 10 * i, 90, 3), np.uint8) for i in range(num)]


def test_labels_stand_in_affectnets_order() -> None:
    assert LABELS == ("angry", "contempt", "disgust", "fear", "happy", "neutral", "sad", "surprise")


def test_probabilities_are_those_worked_out_by_hand(classifier: EmotiEffOnnx) -> None:
    given = faces(3)
    found = classifier.classify(given)
    assert found.dtype == np.float32 and found.shape == (3, 8)
    np.testing.assert_allclose(found, [expected(face) for face in given], atol=2e-4)


def test_red_is_red(classifier: EmotiEffOnnx) -> None:
    red = np.zeros((50, 50, 3), np.uint8)
    red[..., 0] = 255
    np.testing.assert_allclose(classifier.classify([red])[0], expected(red), atol=2e-4)
    assert np.abs(expected(red) - expected(red[..., ::-1].copy())).max() > 0.05


def test_a_batch_is_its_faces_one_by_one(classifier: EmotiEffOnnx) -> None:
    given = faces(20)
    single = np.concatenate([classifier.classify([face]) for face in given])
    np.testing.assert_allclose(classifier.classify(given), single, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "side", "size"), [("a_8.onnx", 112, 112), ("enet_b0_8_best.onnx", "side", 224), ("x_8.onnx", "side", 260)]
)
def test_the_size_is_the_files_or_that_of_its_name(tmp_path: Path, name: str, side: int | str, size: int) -> None:
    model = load(write_model(tmp_path / name, side=side))
    # A checkerboard of odd size: its mean after OpenCV's sampling depends on the size asked for.
    board = (np.indices((37, 53)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    np.testing.assert_allclose(model.classify([board])[0], expected(board, size), atol=1e-4)


def test_a_model_for_one_face_at_a_time_is_fed_so(tmp_path: Path) -> None:
    model = load(write_model(tmp_path / "one_8.onnx", batch=1))
    given = faces(3)
    np.testing.assert_allclose(model.classify(given), [expected(face) for face in given], atol=2e-4)


def test_no_faces_give_no_rows(classifier: EmotiEffOnnx) -> None:
    assert classifier.classify([]).shape == (0, 8)


def test_a_folder_is_searched_for_eight_classes(tmp_path: Path) -> None:
    write_model(tmp_path / "enet_b2_7.onnx", classes=7)
    with pytest.raises(ModelUnavailable, match=r"enet_b2_8\.onnx"):
        load(tmp_path)
    write_model(tmp_path / "enet_b2_8.onnx")
    assert load(tmp_path).classify(faces(1)).shape == (1, 8)


def test_other_models_and_damaged_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="7 classes"):
        load(write_model(tmp_path / "enet_b2_7.onnx", classes=7))
    whole = write_model(tmp_path / "enet_b2_8.onnx").read_bytes()
    (tmp_path / "cut_8.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        load(tmp_path / "cut_8.onnx")
    with pytest.raises(ModelUnavailable, match=r"models\.ExpressionClassifier"):
        load(Path(""))


def test_a_model_without_numbers_gives_nan(tmp_path: Path) -> None:
    broken = load(write_model(tmp_path / "nan_8.onnx", scale=float("nan")))
    assert np.isnan(broken.classify(faces(2))).all()
