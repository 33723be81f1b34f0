"""SAM 2 by its authors' package: refused where it hides our own, and in its own environment equal to the package itself."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.domain import ModelUnavailable
from backend.domain.model_work import PointPrompt
from backend.models.places import ModelPlace
from backend.models.sam2_package import CONFIGS, Sam2Package

BOXES = [(10.0, 10.0, 60.0, 70.0), (0.0, 0.0, 160.0, 90.0), (100.0, 20.0, 130.0, 60.0)]
CONFIG = """
model:
  _target_: sam2.modeling.sam2_base.SAM2Base
  image_encoder:
    _target_: sam2.modeling.backbones.image_encoder.ImageEncoder
    scalp: 1
    trunk: {_target_: sam2.modeling.backbones.hieradet.Hiera, embed_dim: 8, num_heads: 1, stages: [1, 1, 2, 1],
      global_att_blocks: [3], window_pos_embed_bkg_spatial_size: [7, 7]}
    neck:
      _target_: sam2.modeling.backbones.image_encoder.FpnNeck
      position_encoding: {_target_: sam2.modeling.position_encoding.PositionEmbeddingSine, num_pos_feats: 32}
      d_model: 32
      backbone_channel_list: [64, 32, 16, 8]
      fpn_top_down_levels: [2, 3]
      fpn_interp_model: nearest
  memory_attention:
    _target_: sam2.modeling.memory_attention.MemoryAttention
    d_model: 32
    pos_enc_at_input: true
    num_layers: 1
    layer:
      _target_: sam2.modeling.memory_attention.MemoryAttentionLayer
      activation: relu
      dim_feedforward: 32
      dropout: 0.0
      pos_enc_at_attn: false
      d_model: 32
      pos_enc_at_cross_attn_keys: true
      pos_enc_at_cross_attn_queries: false
      self_attention: {_target_: sam2.modeling.sam.transformer.RoPEAttention, embedding_dim: 32, num_heads: 1}
      cross_attention: {_target_: sam2.modeling.sam.transformer.RoPEAttention, embedding_dim: 32, num_heads: 1,
        rope_k_repeat: true, kv_in_dim: 8}
  memory_encoder:
    _target_: sam2.modeling.memory_encoder.MemoryEncoder
    in_dim: 32
    out_dim: 8
    position_encoding: {_target_: sam2.modeling.position_encoding.PositionEmbeddingSine, num_pos_feats: 8}
    mask_downsampler: {_target_: sam2.modeling.memory_encoder.MaskDownSampler, kernel_size: 3, stride: 2, padding: 1,
      embed_dim: 32}
    fuser:
      _target_: sam2.modeling.memory_encoder.Fuser
      num_layers: 1
      layer: {_target_: sam2.modeling.memory_encoder.CXBlock, dim: 32}
  image_size: 1024
  directly_add_no_mem_embed: true
  use_high_res_features_in_sam: true
  iou_prediction_use_sigmoid: true
  pred_obj_scores: true
  pred_obj_scores_mlp: true
"""
HAS_PACKAGE = pytest.mark.skipif(
    importlib.util.find_spec("sam2") is None, reason="the optional package sam2 is not installed"
)


def load(place: Path) -> Sam2Package:
    return Sam2Package(ModelPlace("Segmenter", str(place)), device="cpu", dtype="float32")


@pytest.mark.skipif(importlib.util.find_spec("sam2") is not None, reason="the package is installed")
def test_absent_package_names_itself_and_the_other_way(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r'sam2==1\.1\.0, in an environment of its own.*roles\.Segmenter = "paper"'):
        load(tmp_path)


def test_a_package_that_hides_our_own_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = tmp_path / "site" / "training"
    theirs.mkdir(parents=True)
    for name in ("__init__.py", "loss_fns.py"):
        (theirs / name).write_text("")
    monkeypatch.syspath_prepend(tmp_path / "site")
    with pytest.raises(ModelUnavailable, match="put its package `training` over this project's own"):
        load(tmp_path)


@HAS_PACKAGE
def test_every_published_checkpoint_has_its_config() -> None:
    import sam2  # pyright: ignore[reportMissingImports]

    assert all((Path(sam2.__path__[0]) / config).is_file() for config in CONFIGS.values())


@HAS_PACKAGE
def test_weights_that_are_not_the_configs_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"holds 0 files \*\.pt"):
        load(tmp_path)
    (tmp_path / "mine.pt").write_bytes(b"no weights")
    with pytest.raises(ModelUnavailable, match=r"0 files \*\.yaml lie beside it, and its name is none of sam2_hiera_tiny"):
        load(tmp_path)
    (tmp_path / "mine.yaml").write_text(CONFIG)
    with pytest.raises(ModelUnavailable, match="holds no tensors that can be read"):
        load(tmp_path)
    torch.save({"model": {"other": torch.zeros(1)}}, tmp_path / "mine.pt")
    with pytest.raises(ModelUnavailable, match=r"(?s)cannot be loaded by sam2 with mine\.yaml: .*Missing key"):
        load(tmp_path)
    (tmp_path / "mine.yaml").write_text("model: {_target_: sam2.nothing.Here}")
    with pytest.raises(ModelUnavailable, match=r"mine\.yaml calls 'sam2\.nothing\.Here', which is none of the network"):
        load(tmp_path)


@HAS_PACKAGE
@pytest.mark.slow
def test_masks_are_the_packages_own(tmp_path: Path) -> None:
    """A random checkpoint in the package's layout, through `build_sam2` and its predictor, and through the adapter."""
    from hydra import initialize_config_dir  # pyright: ignore[reportMissingImports]
    from hydra.core.global_hydra import GlobalHydra  # pyright: ignore[reportMissingImports]
    from sam2.build_sam import build_sam2  # pyright: ignore[reportMissingImports]
    from sam2.sam2_image_predictor import SAM2ImagePredictor  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(1)
    torch.manual_seed(5)
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(tmp_path), version_base=None):
        torch.save({"model": build_sam2("tiny.yaml", device="cpu").state_dict()}, tmp_path / "tiny.pt")
        direct = SAM2ImagePredictor(build_sam2("tiny.yaml", str(tmp_path / "tiny.pt"), device="cpu"))
    ours = load(tmp_path)
    frame = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
    direct.set_image(frame)
    masks, qualities = ours.segment(frame, BOXES)
    assert masks.shape == (3, 90, 160) and masks.dtype == bool and masks.any()
    for box, mask, quality in zip(BOXES, masks, qualities, strict=True):
        theirs, score, _ = direct.predict(box=np.array(box, np.float32), multimask_output=False)
        assert (theirs[0].astype(bool) != mask).mean() < 1e-3, "alone or with others, a box has one mask"
        assert quality == pytest.approx(score[0] if theirs.any() else 0, abs=1e-5)
    point = np.array([[80.0, 45.0]], np.float32)
    theirs, scores, _ = direct.predict(point_coords=point, point_labels=np.array([1], np.int32), multimask_output=True)
    mask, quality = ours.segment_prompted(frame, [PointPrompt(x=80.0, y=45.0)], None)
    np.testing.assert_array_equal(mask, theirs[scores.argmax()].astype(bool))
    assert quality == pytest.approx(scores.max() if mask.any() else 0, abs=1e-5)
    assert ours.segment(frame, [])[0].shape == (0, 90, 160)
