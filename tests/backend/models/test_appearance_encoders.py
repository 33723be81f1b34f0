"""Retrieval embedders: real loading of tiny checkpoints in their real layouts, parity with direct calls, named refusals."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.functional import normalize, pil_to_tensor

from backend.domain import Absent, ModelUnavailable
from backend.measures.projection import FittedProjection
from backend.models.appearance_encoders import (
    DinoV2Appearance,
    DinoV3Appearance,
    OpenClipAppearance,
    ProjectedAppearance,
    cut_on_white,
    write_projection,
)
from backend.models.classical_embedder import ClassicalAppearance
from backend.models.crop_embedders import DINO_SQUARE
from backend.models.dino import DinoV2
from backend.models.pictures import CLIP_COLOURS
from backend.models.places import ModelPlace
from tests.backend.models import tiny_vision

FRAME = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
MASK = np.zeros((90, 160), bool)
MASK[10:60, 20:100] = True
BOX = (20.0, 10.0, 100.0, 60.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("encoders")
    tiny_vision.save_open_clip(root / "whole")
    for kind in ("dinov2", "dinov3_vit"):
        tiny_vision.save_dino(root / kind, kind)
    return root


def loaded(path: Path, kind: Any = OpenClipAppearance) -> Any:
    return kind(ModelPlace("AppearanceEmbedder", str(path)), device="cpu", dtype="float32")


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "whole" / "open_clip_pytorch_model.bin", weights_only=True)


def saved(folder: Path, tmp_path: Path, state: dict[str, Any], name: str = "epoch_3.pt") -> Path:
    shutil.copy(folder / "whole" / "open_clip_config.json", tmp_path)
    torch.save(state, tmp_path / name)
    return tmp_path


def direct(folder: Path) -> torch.Tensor:
    """The vision tower called without our code: cut-out on white, 80 x 80, resized to 224."""
    import open_clip

    model: Any = open_clip.create_model(f"local-dir:{folder / 'whole'}")
    tower = model.visual.eval()
    square = np.full((80, 80, 3), 255, np.uint8)
    square[15:65] = FRAME[10:60, 20:100]
    picture = Image.fromarray(square).resize((224, 224), Image.Resampling.BICUBIC)
    x_CHW = normalize(pil_to_tensor(picture).float() / 255, list(CLIP_COLOURS.mean), list(CLIP_COLOURS.deviation))
    with torch.inference_mode():
        return tower(x_CHW[None])[0]


def test_open_clip_equals_the_direct_call(folder: Path) -> None:
    expected = direct(folder)
    found = loaded(folder / "whole").embed(FRAME, MASK, BOX)
    assert found.dtype == np.float32
    assert np.allclose(found, (expected / expected.norm()).numpy(), atol=1e-5)


def test_surroundings_do_not_speak(folder: Path) -> None:
    other = np.where(MASK[..., None], FRAME, 255 - FRAME)
    encoder = loaded(folder / "whole")
    assert np.array_equal(encoder.embed(FRAME, MASK, BOX), encoder.embed(other, MASK, BOX))


def test_a_training_checkpoint_gives_the_same_vector(folder: Path, tmp_path: Path) -> None:
    state = {"epoch": 3, "name": "run", "state_dict": {f"module.{k}": v for k, v in weights(folder).items()}}
    found = loaded(saved(folder, tmp_path, state)).embed(FRAME, MASK, BOX)
    assert np.array_equal(found, loaded(folder / "whole").embed(FRAME, MASK, BOX))


def test_a_tower_with_a_head_gives_the_heads_numbers(folder: Path, tmp_path: Path) -> None:
    tower = {k.removeprefix("visual."): v for k, v in weights(folder).items() if k.startswith("visual.")}
    head = torch.randn(8, 24, generator=torch.Generator().manual_seed(0))
    bias = torch.arange(8.0)
    state = {f"module.backbone.{k}": v for k, v in tower.items()}
    state |= {"module.fc1.weight": head, "module.fc1.bias": bias, "module.fc2.weight": torch.zeros(100, 8)}
    found = loaded(saved(folder, tmp_path, state, "stage12.pth")).embed(FRAME, MASK, BOX)
    expected = head @ direct(folder) + bias
    assert found.shape == (8,)
    assert np.allclose(found, (expected / expected.norm()).numpy(), atol=1e-5)


def test_other_weights_are_another_model(folder: Path, tmp_path: Path) -> None:
    state = {k: v + 0.01 for k, v in weights(folder).items()}
    assert loaded(saved(folder, tmp_path, state)).model_id != loaded(folder / "whole").model_id


def test_a_mask_too_small_is_absent(folder: Path) -> None:
    small = np.zeros_like(MASK)
    small[10:20, 20:30] = True
    assert loaded(folder / "whole").embed(FRAME, small, BOX) == Absent("the mask holds 100 px, needs 256")


def test_a_box_beyond_the_frame_is_cut_there() -> None:
    found = cut_on_white(FRAME, np.ones_like(MASK), (-20.0, -5.0, 40.0, 30.0))
    assert isinstance(found, np.ndarray)
    assert found.shape == (40, 40, 3)


def test_weights_of_another_architecture_are_refused(folder: Path, tmp_path: Path) -> None:
    state = {k: v[:1] if k == "visual.proj" else v for k, v in weights(folder).items()}
    with pytest.raises(ModelUnavailable, match="different architectures: size mismatch for proj"):
        loaded(saved(folder, tmp_path, state))


def test_a_text_model_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"no vision tower: its weights begin with encoder\.weight"):
        loaded(saved(folder, tmp_path, {"encoder.weight": torch.zeros(2)}))


def test_a_truncated_checkpoint_is_refused(folder: Path, tmp_path: Path) -> None:
    path = saved(folder, tmp_path, weights(folder)) / "epoch_3.pt"
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(ModelUnavailable, match="no tensors that can be read"):
        loaded(tmp_path)


def test_two_checkpoints_are_one_too_many(folder: Path, tmp_path: Path) -> None:
    saved(folder, tmp_path, weights(folder), "epoch_1.pt")
    saved(folder, tmp_path, weights(folder), "epoch_2.pt")
    with pytest.raises(ModelUnavailable, match=r"2 files of weights \(epoch_1.pt, epoch_2.pt\)"):
        loaded(tmp_path)


def test_a_hubs_folder_gives_the_file_that_open_clip_named(folder: Path, tmp_path: Path) -> None:
    saved(folder, tmp_path, weights(folder), "open_clip_pytorch_model.bin")
    torch.save({"text_model.x": torch.zeros(1)}, tmp_path / "pytorch_model.bin")
    found = loaded(tmp_path).embed(FRAME, MASK, BOX)
    assert np.array_equal(found, loaded(folder / "whole").embed(FRAME, MASK, BOX))


@pytest.mark.parametrize("config", [None, "{", json.dumps({"model_cfg": {"embed_dim": 4}})])
def test_a_missing_or_wrong_configuration_is_named(folder: Path, tmp_path: Path, config: str | None) -> None:
    saved(folder, tmp_path, weights(folder))
    if config is None:
        (tmp_path / "open_clip_config.json").unlink()
    else:
        (tmp_path / "open_clip_config.json").write_text(config)
    with pytest.raises(ModelUnavailable, match=r"open_clip_config\.json"):
        loaded(tmp_path)


@pytest.mark.parametrize(("kind", "made"), [("dinov2", DinoV2Appearance), ("dinov3_vit", DinoV3Appearance)])
def test_dino_sees_the_cut_out_whole(folder: Path, kind: str, made: type) -> None:
    square = cut_on_white(FRAME, MASK, BOX)
    assert isinstance(square, np.ndarray)
    place = ModelPlace("x", str(folder / kind))
    expected = (DinoV2 if kind == "dinov2" else made.encoder)(place, device="cpu", dtype="float32")  # type: ignore[attr-defined]
    found = loaded(folder / kind, made).embed(FRAME, MASK, BOX)
    assert np.array_equal(found, expected.images([square], DINO_SQUARE)[0])
    assert isinstance(loaded(folder / kind, made).embed(FRAME, np.zeros_like(MASK), BOX), Absent)


def fitted(length: int, *, kept: bool = True) -> FittedProjection:
    matrix = np.diag(np.linspace(0.5, 2, length)).astype(np.float32)
    return FittedProjection(matrix, kept, "by hand", 30, 30, 30, 0.5, 0.9, 0.1)


def test_a_projection_maps_its_bases_vectors(folder: Path, tmp_path: Path) -> None:
    base = loaded(folder / "whole")
    write_projection(
        tmp_path, fitted(24), implementation="paper", location=str(folder / "whole"), base_model_id=base.model_id
    )
    moved = np.linspace(0.5, 2, 24) * base.embed(FRAME, MASK, BOX)
    assert np.allclose(
        loaded(tmp_path, ProjectedAppearance).embed(FRAME, MASK, BOX), moved / np.linalg.norm(moved), atol=1e-5
    )


def test_vectors_without_weights_are_projected_too(tmp_path: Path) -> None:
    write_projection(
        tmp_path, fitted(516), implementation="embedded", location="", base_model_id=ClassicalAppearance.model_id
    )
    found = loaded(tmp_path, ProjectedAppearance)
    assert found.embed(FRAME, MASK, BOX).shape == (516,)
    assert found.model_id.startswith("projected-appearance@")


def test_a_map_of_other_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    write_projection(
        tmp_path, fitted(24), implementation="paper", location=str(folder / "whole"), base_model_id="open-clip-appearance@0"
    )
    with pytest.raises(ModelUnavailable, match="fit it again"):
        loaded(tmp_path, ProjectedAppearance)


def test_a_refused_map_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="refused map"):
        write_projection(tmp_path, fitted(4, kept=False), implementation="embedded", location="", base_model_id="x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["facts", "cut", "nan", "unknown"])
def test_a_damaged_projection_is_refused(tmp_path: Path, damage: str) -> None:
    made = fitted(516)
    if damage == "nan":
        made = dataclasses.replace(made, matrix=np.full((516, 516), np.nan, np.float32))
    name = "other" if damage == "unknown" else "embedded"
    write_projection(tmp_path, made, implementation=name, location="", base_model_id=ClassicalAppearance.model_id)
    if damage == "facts":
        (tmp_path / "projection.json").write_text("[]")
    elif damage == "cut":
        (tmp_path / "projection.npz").write_bytes((tmp_path / "projection.npz").read_bytes()[:50])
    with pytest.raises(ModelUnavailable, match="fit it again"):
        loaded(tmp_path, ProjectedAppearance)
