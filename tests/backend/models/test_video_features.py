"""Clips through a TorchScript file called as StyleGAN-V's I3D is, and through a tiny VideoMAE."""

from pathlib import Path

import numpy as np
import pytest
import torch

from backend.domain import ModelUnavailable
from backend.models.places import ModelPlace
from backend.models.video_features import I3D_FILE, I3d, VideoMae
from tests.backend.models.tiny_scores import save_i3d

CLIPS = np.random.default_rng(0).integers(0, 256, (5, 4, 40, 48, 3), np.uint8)


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return save_i3d(tmp_path_factory.mktemp("i3d") / I3D_FILE)


def test_script_is_asked_for_prepared_features(script: Path) -> None:
    i3d = I3d(ModelPlace("ClipFeatureExtractor", str(script.parent)), device="cpu", dtype="float32")
    found = i3d.features(CLIPS)
    x = 2 * torch.from_numpy(CLIPS).permute(0, 4, 1, 2, 3).float() / 255 - 1
    x = torch.nn.functional.interpolate(x, size=[4, 8, 8], mode="trilinear", align_corners=False)
    assert found.shape == (5, 3 + 3 * 4)
    np.testing.assert_allclose(found[:, :3], x.mean(dim=[2, 3, 4]), atol=1e-5)
    np.testing.assert_allclose(found[:, 3:], x.amax(dim=[3, 4]).flatten(1), atol=1e-5)
    np.testing.assert_allclose(i3d.features(CLIPS[4:]), found[4:], atol=1e-6)


def test_other_files_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "state.pt")
    with pytest.raises(ModelUnavailable, match="no TorchScript"):
        I3d(ModelPlace("ClipFeatureExtractor", str(tmp_path / "state.pt")), device="cpu", dtype="float32")
    with pytest.raises(ModelUnavailable, match=I3D_FILE):
        I3d(ModelPlace("ClipFeatureExtractor", str(tmp_path)), device="cpu", dtype="float32")
    with pytest.raises(ModelUnavailable, match="cannot be loaded as VideoMAE"):
        VideoMae(ModelPlace("ClipFeatureExtractor", str(tmp_path)), device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.manual_seed(0)
    config = VideoMAEConfig(
        image_size=32,
        patch_size=16,
        num_frames=4,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        use_mean_pooling=True,
    )
    path = tmp_path_factory.mktemp("videomae")
    VideoMAEForVideoClassification(config).save_pretrained(path)
    return path


def test_videomae_gives_what_its_classifier_is_given(checkpoint: Path) -> None:
    from transformers import VideoMAEForVideoClassification

    ours = VideoMae(ModelPlace("ClipFeatureExtractor", str(checkpoint)), device="cpu", dtype="float32")
    assert ours.clip_frames == 4
    found = ours.features(CLIPS)
    direct = VideoMAEForVideoClassification.from_pretrained(checkpoint, local_files_only=True).eval()
    caught = []
    direct.classifier.register_forward_hook(lambda module, given, out: caught.append(given[0]))
    x = torch.from_numpy(CLIPS[2]).permute(0, 3, 1, 2).float() / 255
    x = torch.nn.functional.interpolate(x, (32, 32), mode="bilinear", align_corners=False)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.inference_mode():
        direct(((x - mean[:, None, None]) / std[:, None, None])[None])
    assert found.shape == (5, 16)
    np.testing.assert_allclose(found[2], caught[0][0], atol=1e-5)


def test_checkpoint_without_its_pooling_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    """One that is only pretrained lacks what stands after the encoder; transformers would make it up."""
    from transformers import VideoMAEForVideoClassification

    direct = VideoMAEForVideoClassification.from_pretrained(checkpoint, local_files_only=True)
    direct.videomae.save_pretrained(tmp_path)
    with pytest.raises(ModelUnavailable, match="fine-tuned"):
        VideoMae(ModelPlace("ClipFeatureExtractor", str(tmp_path)), device="cpu", dtype="float32")
