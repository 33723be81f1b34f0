"""Checkpoints that diffusers wrote, and those that are refused."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from safetensors.torch import load_file, save_file

from backend.domain import ModelUnavailable
from training.layout import SequenceLayout, clip_segments
from training.loading import SINGLE, load_transformer
from training.positions import position_scheme
from training.shapes import tiny, wan_1_3b

LAYOUT = SequenceLayout(stream=clip_segments((3, 4, 6)), scheme=position_scheme("concat"))


@pytest.fixture
def base():
    torch.manual_seed(3)
    return WanTransformer3DModel(
        num_attention_heads=2, attention_head_dim=24, text_dim=32, freq_dim=32, ffn_dim=64, num_layers=2
    ).eval()


@pytest.fixture
def folder(base, tmp_path: Path) -> Path:
    base.save_pretrained(tmp_path / "wan")
    return tmp_path / "wan"


@torch.no_grad()
@pytest.mark.parametrize("shape", [None, tiny()], ids=["as it is", "as the recipe wants"])
def test_a_checkpoint_of_diffusers_loads_with_no_key_change(base, folder, draw, shape) -> None:
    ours = load_transformer(folder, shape)
    assert set(ours.state_dict()) == set(load_file(folder / SINGLE))
    video, text, times = draw(1, 16, 3, 4, 6), draw(1, 7, 32), torch.tensor([300.0])
    assert torch.equal(ours([video], LAYOUT, times, text), base(video, times, text).sample)


def test_a_pipelines_folder_has_it_in_a_subfolder(base, tmp_path, draw) -> None:
    base.save_pretrained(tmp_path / "pipeline" / "transformer")
    assert load_transformer(tmp_path / "pipeline").config["num_layers"] == 2


def test_shards_load_like_one_file(base, tmp_path) -> None:
    base.save_pretrained(tmp_path, max_shard_size="60KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    assert all(
        torch.equal(value, base.state_dict()[name]) for name, value in load_transformer(tmp_path).state_dict().items()
    )


def test_our_own_checkpoint_loads_again_and_in_plain_diffusers(folder, tmp_path) -> None:
    ours = load_transformer(folder, replace(tiny(), isolated_anchors=True))
    ours.save_pretrained(tmp_path / "again")
    again = load_transformer(tmp_path / "again")
    assert again.config["isolated_anchors"]
    plain = WanTransformer3DModel.from_pretrained(tmp_path / "again")
    for name, value in plain.state_dict().items():
        assert torch.equal(value, ours.state_dict()[name])


@torch.no_grad()
def test_a_branch_that_the_base_lacks_starts_silent(base, folder, draw) -> None:
    ours = load_transformer(folder, tiny().with_audio(6))
    video, text, times, sound = draw(1, 16, 3, 4, 6), draw(1, 7, 32), torch.tensor([300.0]), draw(1, 3, 4, 6)
    assert torch.equal(ours([video], LAYOUT, times, text, audio_BTWA=sound), base(video, times, text).sample)
    assert all(value.device.type == "cpu" for value in ours.state_dict().values())
    assert ours.state_dict()["blocks.1.audio.to_k.weight"].std() > 0


def test_a_trained_branch_is_not_silenced(folder, tmp_path) -> None:
    ours = load_transformer(folder, tiny().with_audio(6))
    torch.nn.init.ones_(ours.get_parameter("blocks.1.audio.to_v.weight"))
    ours.save_pretrained(tmp_path / "again")
    assert load_transformer(tmp_path / "again").get_parameter("blocks.1.audio.to_v.weight").min() == 1


@torch.no_grad()
def test_half_precision_keeps_what_wan_keeps_and_gives_what_it_gives(folder, draw) -> None:
    ours = load_transformer(folder, dtype=torch.bfloat16)
    kept = {name for name, value in ours.state_dict().items() if value.dtype == torch.float32}
    plain = WanTransformer3DModel.from_pretrained(folder, torch_dtype=torch.bfloat16)
    assert kept == {name for name, value in plain.state_dict().items() if value.dtype == torch.float32}
    assert "scale_shift_table" in kept
    video, text, times = draw(1, 16, 3, 4, 6).bfloat16(), draw(1, 7, 32).bfloat16(), torch.tensor([731.0])
    assert torch.equal(ours([video], LAYOUT, times, text), plain(video, times, text).sample)


def test_another_shape_is_refused(folder) -> None:
    with pytest.raises(
        ModelUnavailable, match=r"another shape: num_attention_heads 2 \(wanted 12\).*num_layers 2 \(wanted 30\)"
    ):
        load_transformer(folder, wan_1_3b())


def test_weights_that_belie_their_settings_are_refused(folder) -> None:
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, "ffn_dim": 80}))
    with pytest.raises(ModelUnavailable, match=r"ffn.net.0.proj.bias is \(64,\), \(80,\) was wanted"):
        load_transformer(folder)
    (folder / "config.json").write_text(json.dumps({**settings, "num_layers": 3}))
    with pytest.raises(ModelUnavailable, match=r"lacks \d+ tensors, blocks\.2\."):
        load_transformer(folder)
    (folder / "config.json").write_text(json.dumps({**settings, "num_layers": 1}))
    with pytest.raises(ModelUnavailable, match=r"knows? nothing of, blocks\.1\."):
        load_transformer(folder)


@pytest.mark.parametrize("left", [5, 200, 0.5, 0.999])
def test_a_cut_file_is_refused(folder, left) -> None:
    whole = (folder / SINGLE).read_bytes()
    (folder / SINGLE).write_bytes(whole[: int(left if left > 1 else left * len(whole))])
    with pytest.raises(ModelUnavailable, match=r"damaged or cut short .*fetch it again"):
        load_transformer(folder)


def test_a_pickle_is_refused_whatever_it_is_called(base, folder) -> None:
    (folder / SINGLE).unlink()
    torch.save(base.state_dict(), folder / "diffusion_pytorch_model.bin")
    with pytest.raises(ModelUnavailable, match=r"pickles \(diffusion_pytorch_model.bin\), which may run code"):
        load_transformer(folder)
    (folder / "diffusion_pytorch_model.bin").rename(folder / SINGLE)
    with pytest.raises(ModelUnavailable, match="is a pickle named safetensors"):
        load_transformer(folder)
    (folder / SINGLE).write_bytes(pickle.dumps({"weight": 1}))
    with pytest.raises(ModelUnavailable, match="is a pickle named safetensors"):
        load_transformer(folder)


def test_a_missing_shard_is_named(base, tmp_path) -> None:
    base.save_pretrained(tmp_path, max_shard_size="60KB")
    gone = sorted(tmp_path.glob("*.safetensors"))[1]
    gone.unlink()
    with pytest.raises(ModelUnavailable, match=f"{gone.name} is missing"):
        load_transformer(tmp_path)


def test_a_folder_of_something_else_is_refused(folder, tmp_path) -> None:
    with pytest.raises(ModelUnavailable, match="cannot be read as the settings"):
        load_transformer(tmp_path)
    (folder / "config.json").write_text('{"_class_name": "AutoencoderKLWan"}')
    with pytest.raises(ModelUnavailable, match="is of AutoencoderKLWan; a Wan transformer"):
        load_transformer(folder)


def test_tensors_of_another_model_are_refused(folder) -> None:
    save_file({"weight": torch.zeros(2)}, folder / SINGLE)
    with pytest.raises(ModelUnavailable, match=r"lacks .* tensors, blocks"):
        load_transformer(folder)
