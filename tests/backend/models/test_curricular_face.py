"""CurricularFace: the published names and sizes of its weights, its input, one face as many."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from backend.domain import ModelUnavailable
from backend.models.curricular_face import FILE, IR_101, CurricularFace, backbone
from tests.metrics.checkpoints_faces import KEYPOINTS, place, scene, write_curricular


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return write_curricular(tmp_path_factory.mktemp("curricular") / FILE)


@pytest.fixture(scope="module")
def curricular(weights: Path) -> CurricularFace:
    return CurricularFace(place("AlignedFaceEmbedder", weights.parent), device="cpu", dtype="float32")


def test_weights_have_the_published_names_and_sizes() -> None:
    with torch.device("meta"):
        state = backbone(IR_101).state_dict()
    batch_norm = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
    unit = {f"res_layer.{i}.{name}" for i in (0, 2, 5) for name in batch_norm}
    unit |= {"res_layer.1.weight", "res_layer.3.weight", "res_layer.4.weight"}
    shortcut = {"shortcut_layer.0.weight"} | {f"shortcut_layer.1.{name}" for name in batch_norm}
    expected = {"input_layer.0.weight", "input_layer.2.weight", "output_layer.3.weight", "output_layer.3.bias"}
    expected |= {f"input_layer.1.{name}" for name in batch_norm} | {f"output_layer.0.{name}" for name in batch_norm}
    expected |= {f"output_layer.4.{name}" for name in batch_norm - {"weight", "bias"}}
    for index in range(49):
        expected |= {f"body.{index}.{name}" for name in unit | (shortcut if index in (3, 16, 46) else set())}
    assert set(state) == expected
    assert tuple(state["output_layer.3.weight"].shape) == (512, 512 * 7 * 7)
    assert tuple(state["body.16.res_layer.1.weight"].shape) == (256, 128, 3, 3)
    assert len(IR_101) == 49


@pytest.mark.slow
def test_ir_101_takes_a_face_of_112_px() -> None:
    with torch.inference_mode():
        out = backbone(IR_101).eval()(torch.zeros(1, 3, 112, 112))
    assert out.shape == (1, 512)


def test_many_faces_are_embedded_as_one(curricular: CurricularFace) -> None:
    faces = np.random.default_rng(0).integers(0, 256, (5, 112, 112, 3), np.uint8)
    together = curricular.embed(faces)
    alone = np.concatenate([curricular.embed(face[None]) for face in faces])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-6)


def test_embedding_is_that_of_the_network_on_rgb_between_minus_one_and_one(
    curricular: CurricularFace, weights: Path
) -> None:
    face = np.random.default_rng(1).integers(0, 256, (112, 112, 3), np.uint8)
    network = backbone((4, 4, 8, 8, 16, 16), stem=4)
    network.load_state_dict(torch.load(weights, weights_only=True))
    with torch.inference_mode():
        direct = network.eval()(torch.from_numpy((face / 255 - 0.5) / 0.5).permute(2, 0, 1)[None].float())[0].numpy()
    np.testing.assert_allclose(curricular.embed(face[None])[0], direct / np.linalg.norm(direct), atol=1e-6)


def test_alignment_is_insightfaces_at_224_then_112(curricular: CurricularFace) -> None:
    from insightface.utils import face_align

    frame = scene({(2, 1): 1})
    points = np.array(KEYPOINTS, np.float32) * 32 + (64, 32)
    expected = cv2.resize(face_align.norm_crop(frame, points, 224), (112, 112), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(curricular.align(frame, points), expected)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "linear.bin")
    (tmp_path / "text.bin").write_text("no weights")
    for name in ("linear.bin", "text.bin"):
        with pytest.raises(ModelUnavailable, match=name):
            CurricularFace(place("AlignedFaceEmbedder", tmp_path / name), device="cpu", dtype="float32")
    with pytest.raises(ModelUnavailable, match=FILE):
        CurricularFace(place("AlignedFaceEmbedder", tmp_path), device="cpu", dtype="float32")
