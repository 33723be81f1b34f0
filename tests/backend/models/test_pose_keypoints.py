"""ViTPose: the library's own points by a tiny random checkpoint, and what becomes of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    AutoImageProcessor,
    VitPoseBackboneConfig,
    VitPoseConfig,
    VitPoseForPoseEstimation,
    VitPoseImageProcessor,
)

from backend.domain import Absent, Clip, Facing, Footage, ModelUnavailable
from backend.geometry.viewpoint import azimuth_of_keypoints
from backend.models.places import ModelPlace
from backend.models.pose_keypoints import VitPoseFacing
from tests.backend.geometry.test_viewpoint import skeleton
from tests.backend.stages.footage_in_memory import ArrayReader, video_of

PICTURES = np.random.default_rng(0).integers(0, 255, (3, 120, 160, 3), np.uint8)
BOX = (20.0, 10.0, 80.0, 110.0)


def write_checkpoint(folder: Path, *, points: int = 17) -> Path:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    backbone = VitPoseBackboneConfig(
        image_size=[64, 48], patch_size=[16, 16], hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        num_experts=1, out_indices=[2],  # pyright: ignore[reportCallIssue]
    )  # fmt: skip
    config = VitPoseConfig(backbone_config=backbone, num_labels=points, scale_factor=4, use_simple_decoder=True)  # pyright: ignore[reportCallIssue]
    VitPoseForPoseEstimation(config).save_pretrained(folder)
    VitPoseImageProcessor(size={"height": 64, "width": 48}).save_pretrained(folder)
    return folder


def load(folder: Path) -> VitPoseFacing:
    return VitPoseFacing(ModelPlace("PoseEstimator", str(folder)), device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("vitpose"))


@pytest.fixture(scope="module")
def estimator(folder: Path) -> VitPoseFacing:
    return load(folder)


def footage() -> Footage:
    video = video_of(PICTURES)
    clip = Clip(video_id=video.id, start_frame=0, stop_frame=3, start_s=0, stop_s=1, opens_with="cut")
    return Footage(video, clip, ArrayReader(PICTURES), (0, 0, 160, 120))


def test_points_are_those_of_the_library(estimator: VitPoseFacing, folder: Path) -> None:
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    model = VitPoseForPoseEstimation.from_pretrained(folder).eval()
    boxes = [[[20.0, 10.0, 60.0, 100.0]]]
    with torch.inference_mode():
        outputs = model(**processor(images=[PICTURES[0]], boxes=boxes, return_tensors="pt"))
    pose = processor.post_process_pose_estimation(outputs, boxes=boxes)[0][0]
    points, scores = estimator.keypoints(PICTURES[0], BOX)
    np.testing.assert_allclose(points, pose["keypoints"].numpy()[:, :2], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(scores, pose["scores"].numpy(), rtol=1e-5)


def test_several_frames_are_answered_as_one_by_one(estimator: VitPoseFacing) -> None:
    together = estimator.facing(footage(), [0, 2, 1], [BOX] * 3)
    assert together == [estimator.facing(footage(), [i], [BOX])[0] for i in (0, 2, 1)]


def test_azimuths_are_those_of_the_geometry(estimator: VitPoseFacing, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network's part is put aside: a body of known azimuth goes through the rest."""
    monkeypatch.setattr(VitPoseFacing, "keypoints", lambda self, picture, box: skeleton(90))
    (found,) = estimator.facing(footage(), [0], [BOX])
    expected = azimuth_of_keypoints(*skeleton(90))
    assert expected is not None and found == Facing(*expected)
    monkeypatch.setattr(VitPoseFacing, "keypoints", lambda self, picture, box: skeleton(0, seen=(0, 1)))
    assert estimator.facing(footage(), [0], [BOX]) == [Absent("too few points of the body are seen")]
    monkeypatch.setattr(VitPoseFacing, "keypoints", lambda self, picture, box: (np.full((17, 2), np.nan), np.ones(17)))
    assert estimator.facing(footage(), [0], [BOX]) == [Absent("the model gave points that are no numbers")]


def test_a_box_outside_the_frame_has_no_answer(estimator: VitPoseFacing) -> None:
    assert estimator.facing(footage(), [0], [(200.0, 0.0, 220.0, 50.0)]) == [Absent("the box lies outside the frame")]


def test_other_checkpoints_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="21 points"):
        load(write_checkpoint(tmp_path / "hand", points=21))
    whole = write_checkpoint(tmp_path / "cut") / "model.safetensors"
    whole.write_bytes(whole.read_bytes()[:1000])
    with pytest.raises(ModelUnavailable, match="cannot be loaded as a VitPose model"):
        load(tmp_path / "cut")
    with pytest.raises(ModelUnavailable, match="cannot be loaded as a VitPose model"):
        load(tmp_path)
