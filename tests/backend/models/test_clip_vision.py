"""CLIP's patches as Wan I2V reads them, against transformers called directly."""

from pathlib import Path

import numpy as np
import pytest
import torch

from backend.domain import ModelUnavailable
from backend.models.clip_vision import ClipVision
from backend.models.places import ModelPlace

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two folders of a Wan 2.1 I2V pipeline that hold the encoder."""
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModel

    torch.set_num_threads(1)
    torch.manual_seed(0)
    made = tmp_path_factory.mktemp("wan-i2v")
    config = CLIPVisionConfig(
        hidden_size=24, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2, image_size=32, patch_size=8
    )
    CLIPVisionModel(config).save_pretrained(made / "image_encoder")
    CLIPImageProcessor(size={"height": 32, "width": 32}, crop_size=32).save_pretrained(made / "image_processor")
    return made


def encoder(folder: Path) -> ClipVision:
    return ClipVision(ModelPlace("PatchEncoder", str(folder)), device="cpu", dtype="float32")


def test_patches_are_the_librarys_before_the_last_layer(folder: Path) -> None:
    from transformers import CLIPImageProcessor, CLIPVisionModel

    ours = encoder(folder)
    prepared = CLIPImageProcessor.from_pretrained(folder / "image_processor")(images=PICTURE, return_tensors="pt")
    model = CLIPVisionModel.from_pretrained(folder / "image_encoder").eval()
    with torch.inference_mode():
        states = model(prepared["pixel_values"], output_hidden_states=True).hidden_states
    assert states is not None and len(states) == 4
    found = ours.encode(PICTURE)
    assert found.shape == (ours.tokens, ours.width) == (1 + 16, 24)
    np.testing.assert_allclose(found, states[2][0].numpy(), atol=1e-5)


def test_one_folder_with_both_is_read_alike(folder: Path, tmp_path: Path) -> None:
    for part in (*(folder / "image_encoder").iterdir(), *(folder / "image_processor").iterdir()):
        (tmp_path / part.name).write_bytes(part.read_bytes())
    np.testing.assert_array_equal(encoder(tmp_path).encode(PICTURE), encoder(folder).encode(PICTURE))


def test_a_folder_without_a_processor_is_named(folder: Path) -> None:
    with pytest.raises(ModelUnavailable, match="no image processor of CLIP"):
        encoder(folder / "image_encoder")
