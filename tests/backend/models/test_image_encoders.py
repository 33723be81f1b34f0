"""CLIP and the DINOs: real loading of tiny checkpoints, parity with direct calls, one picture as in a batch."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.domain import CLIP_PREP, DINO_PREP, VBENCH_CLIP_PREP, VBENCH_DINO_PREP, ModelUnavailable
from backend.models import MODELS
from backend.models.clip import ClipB32, ClipL14, OpenClipB32
from backend.models.dino import DinoV1, DinoV2, DinoV3, renamed
from backend.models.pictures import CLIP_COLOURS, IMAGENET_COLOURS, prepared
from backend.models.places import ModelPlace
from tests.backend.models import tiny_vision
from tests.backend.models.converted_clip import save_converted

FRAMES = [np.random.default_rng(n).integers(0, 256, (90, 160, 3), dtype=np.uint8) for n in range(3)]
SQUARE = [-0.098811, 0.2087, -0.136318, -0.043707, -0.187888, 0.210206, -0.089943, 0.232287]
WIDE = [-0.085787, 0.207014, -0.136404, -0.042181, -0.187797, 0.213864, -0.094645, 0.232175]
KINDS = {"clip": ClipB32, "open_clip": OpenClipB32, "vit": DinoV1, "dinov2": DinoV2, "dinov3_vit": DinoV3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("encoders")
    tiny_vision.save_clip(root / "clip")
    tiny_vision.save_open_clip(root / "open_clip")
    for kind in ("vit", "dinov2", "dinov3_vit"):
        tiny_vision.save_dino(root / kind, kind)
    return root


def loaded(kind: str, path: Path):
    return KINDS[kind](ModelPlace(KINDS[kind].__name__, str(path)), device="cpu", dtype="float32")


def unit(rows: Any) -> np.ndarray:
    rows = rows.detach()
    return (rows / rows.norm(dim=-1, keepdim=True)).numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_batch_equals_single_and_rows_are_unit(folder: Path, kind: str) -> None:
    encoder = loaded(kind, folder / kind)
    prep = VBENCH_DINO_PREP if kind == "vit" else CLIP_PREP
    together = encoder.images(FRAMES, prep)
    assert together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    assert np.allclose(together, np.concatenate([encoder.images([frame], prep) for frame in FRAMES]), atol=1e-6)
    assert np.abs(together[0] - together[1]).max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_model_id_names_kind_and_weights(folder: Path, kind: str) -> None:
    encoder = loaded(kind, folder / kind)
    assert encoder.model_id == ModelPlace("x", str(folder / kind)).model_id(KINDS[kind].model_id)


def test_clip_equals_the_direct_call(folder: Path) -> None:
    import transformers as tf

    model = tf.CLIPModel.from_pretrained(folder / "clip")
    pixels = torch.cat([prepared(frame, VBENCH_CLIP_PREP, CLIP_COLOURS) for frame in FRAMES])
    theirs = unit(model.get_image_features(pixel_values=pixels).pooler_output)
    assert np.allclose(loaded("clip", folder / "clip").images(FRAMES, VBENCH_CLIP_PREP), theirs, atol=1e-6)


def test_clip_text_equals_the_direct_call_and_tells_what_was_cut(folder: Path) -> None:
    import transformers as tf

    model, tokenizer = tf.CLIPModel.from_pretrained(folder / "clip"), tf.CLIPTokenizer.from_pretrained(folder / "clip")
    fits = "a cat on a hill"  # eleven letters, start and end: 13 of 16 tokens
    assert len(tokenizer(fits)["input_ids"]) == 13
    theirs = unit(model.get_text_features(**tokenizer([fits], return_tensors="pt")).pooler_output)
    vectors, truncated = loaded("clip", folder / "clip").texts([fits, fits + " abc", fits + " abcd", "word " * 5000])
    assert np.allclose(vectors[:1], theirs, atol=1e-6)
    assert truncated.tolist() == [False, False, True, True]


def test_open_clip_tells_what_was_cut(folder: Path) -> None:
    vectors, truncated = loaded("open_clip", folder / "open_clip").texts(["cat " * 75, "cat " * 76])
    assert truncated.tolist() == [False, True]
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_open_clip_and_transformers_agree_on_the_same_weights(folder: Path, tmp_path: Path) -> None:
    """Pictures and texts, each through its own library: resizing, byte pairs, both towers."""
    ours = loaded("open_clip", folder / "open_clip")
    other = loaded("clip", save_converted(tmp_path, ours._model, ours._tokenizer))
    assert np.allclose(ours.images(FRAMES, CLIP_PREP), other.images(FRAMES, CLIP_PREP), atol=1e-5)
    texts = ["a cat", "A man in a red coat, seen from behind; it's 7 o'clock.", "Ein Käfer läuft über 手机", "cat " * 90]
    (own, own_cut), (theirs, their_cut) = ours.texts(texts), other.texts(texts)
    assert np.allclose(own, theirs, atol=1e-5)
    assert own_cut.tolist() == their_cut.tolist() == [False, False, False, True]
    assert np.abs(own[0] - own[1]).max() > 1e-2, "texts differ"


def test_dino_file_of_its_authors_equals_the_converted_folder(folder: Path, tmp_path: Path) -> None:
    from_folder = loaded("vit", folder / "vit")
    torch.save(tiny_vision.published_dino(from_folder._model), tmp_path / "dino.pth")
    from_file = loaded("vit", tmp_path / "dino.pth")
    assert np.array_equal(from_file.images(FRAMES, VBENCH_DINO_PREP), from_folder.images(FRAMES, VBENCH_DINO_PREP))
    assert from_folder._model.config.layer_norm_eps == 1e-6


@pytest.mark.parametrize(("size", "upstream"), [((224, 224), SQUARE), ((224, 398), WIDE)])
def test_dino_equals_its_authors_code(tmp_path: Path, size: tuple[int, int], upstream: list[float]) -> None:
    """Frozen: facebookresearch/dino's VisionTransformer(patch_size=56, embed_dim=128, depth=2, num_heads=2, qkv_bias=True,
    norm_layer=partial(LayerNorm, eps=1e-6)) after `tiny_vision.seeded(..., seed=5, scale=0.1)`, of this noise: every
    16th number of the class token. The file is what `torch.save` makes of its state.
    """
    import transformers as tf

    sizes: dict[str, Any] = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 512}
    like = tf.ViTModel(tf.ViTConfig(**sizes, image_size=224, patch_size=56, qkv_bias=True), add_pooling_layer=False)
    torch.save(tiny_vision.seeded_state(tiny_vision.published_dino(like), seed=5, scale=0.1), tmp_path / "dino.pth")
    noise = torch.from_numpy(np.random.default_rng(6).random((1, 3, *size)).astype(np.float32))
    with torch.inference_mode():
        found = loaded("vit", tmp_path / "dino.pth")._forward(noise)[0, ::16]
    assert found.tolist() == pytest.approx(upstream, abs=1e-5)


def test_dino_stretches_positions_by_the_nudged_factor(folder: Path) -> None:
    model = loaded("vit", folder / "vit")._model
    tokens = torch.zeros(1, 1 + 4 * 7, 64)
    found = model.embeddings.interpolate_pos_encoding(tokens, 224, 398)  # patches of 56: a grid of 4 x 7
    grid = model.embeddings.position_embeddings[:, 1:].reshape(1, 4, 4, 64).permute(0, 3, 1, 2)
    wanted = torch.nn.functional.interpolate(grid, scale_factor=(4.1 / 4, 7.1 / 4), mode="bicubic")
    assert found.shape == (1, 29, 64)
    assert torch.equal(found[:, 1:], wanted.permute(0, 2, 3, 1).reshape(1, -1, 64))
    by_size = torch.nn.functional.interpolate(grid, size=(4, 7), mode="bicubic")
    assert not torch.allclose(wanted, by_size, atol=1e-4), "transformers' own way is another"
    assert torch.equal(
        model.embeddings.interpolate_pos_encoding(torch.zeros(1, 17, 64), 224, 224), model.embeddings.position_embeddings
    )


@pytest.mark.parametrize("kind", ["dinov2", "dinov3_vit"])
def test_dino_is_the_normalised_class_token(folder: Path, kind: str) -> None:
    import transformers as tf

    pixels = torch.cat([prepared(frame, DINO_PREP, IMAGENET_COLOURS) for frame in FRAMES])
    output = tf.AutoModel.from_pretrained(folder / kind)(pixel_values=pixels)
    assert np.allclose(
        loaded(kind, folder / kind).images(FRAMES, DINO_PREP), unit(output.last_hidden_state[:, 0]), atol=1e-6
    )


@pytest.mark.parametrize(
    ("kind", "other"), [("clip", "vit"), ("vit", "clip"), ("dinov2", "dinov3_vit"), ("dinov3_vit", "vit")]
)
def test_weights_of_another_kind_are_refused(folder: Path, kind: str, other: str) -> None:
    with pytest.raises(ModelUnavailable, match=r"holds a .* model"):
        loaded(kind, folder / other)


@pytest.mark.parametrize("kind", KINDS)
def test_folder_without_weights_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ModelUnavailable):
        loaded(kind, tmp_path)


def test_file_that_is_no_dino_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "x.pth")
    with pytest.raises(ModelUnavailable, match="no DINO backbone"):
        loaded("vit", tmp_path / "x.pth")


def test_published_shapes_give_the_published_network() -> None:
    import transformers as tf

    with torch.device("meta"):
        model = tf.ViTModel(tf.ViTConfig(), add_pooling_layer=False)
    assert sum(parameter.numel() for parameter in model.parameters()) == 85_798_656  # DINO, ViT-B/16
    names = set(renamed(_published_names(12)))
    assert names == set(model.state_dict())


def _published_names(depth: int) -> dict[str, torch.Tensor]:
    """Every key of `dino_vitbase16_pretrain.pth`."""
    parts = ["norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2"]
    stems = ["patch_embed.proj", "norm", *(f"blocks.{n}.{part}" for n in range(depth) for part in parts)]
    return dict.fromkeys(
        ["cls_token", "pos_embed", *(f"{stem}.{p}" for stem in stems for p in ("weight", "bias"))], torch.zeros(3)
    )


def test_every_encoder_is_in_the_table() -> None:
    assert MODELS["ClipL14"]["paper"].endswith(ClipL14.__name__)
    assert set(MODELS["ClipB32"]) == {"paper", "open_clip"}


def test_open_clip_reads_a_single_file_of_a_named_architecture(folder: Path, tmp_path: Path) -> None:
    import open_clip

    class Tiny(OpenClipB32):
        architecture = "tiny-clip-for-tests"

    config = json.loads((folder / "open_clip" / "open_clip_config.json").read_text())["model_cfg"]
    (tmp_path / f"{Tiny.architecture}.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path)
    file = folder / "open_clip" / "open_clip_pytorch_model.bin"
    tiny = Tiny(ModelPlace("ClipB32", str(file)), device="cpu", dtype="float32")
    expected = loaded("open_clip", folder / "open_clip")
    assert np.array_equal(tiny.images(FRAMES, CLIP_PREP), expected.images(FRAMES, CLIP_PREP))
    assert np.array_equal(tiny.texts(["a cat"])[0], expected.texts(["a cat"])[0])
    torch.save({"weight": torch.zeros(3)}, tmp_path / "x.pt")
    with pytest.raises(ModelUnavailable, match="cannot be loaded by open_clip"):
        Tiny(ModelPlace("ClipB32", str(tmp_path / "x.pt")), device="cpu", dtype="float32")


@pytest.mark.parametrize("kind", ["clip", "open_clip", "vit", "dinov2", "dinov3_vit"])
def test_half_precision_stays_near(folder: Path, kind: str) -> None:
    place = ModelPlace(KINDS[kind].__name__, str(folder / kind))
    half = KINDS[kind](place, device="cpu", dtype="bfloat16").images(FRAMES, CLIP_PREP)
    full = loaded(kind, folder / kind).images(FRAMES, CLIP_PREP)
    assert half.dtype == np.float32
    assert (half * full).sum(axis=1).min() > 0.99


@pytest.mark.parametrize(("device", "dtype", "says"), [("gpu9", "float32", "device"), ("cpu", "int4", "dtype")])
def test_unknown_device_or_dtype_is_named(folder: Path, device: str, dtype: str, says: str) -> None:
    with pytest.raises(ModelUnavailable, match=says):
        DinoV2(ModelPlace("DinoV2", str(folder / "dinov2")), device=device, dtype=dtype)


@pytest.mark.parametrize("kind", ["clip", "vit", "dinov2", "dinov3_vit"])
def test_weights_that_lack_a_tensor_are_refused(folder: Path, tmp_path: Path, kind: str) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder / kind, tmp_path / kind)
    state = load_file(tmp_path / kind / "model.safetensors")
    state.pop(sorted(key for key in state if key.endswith("weight"))[0])
    save_file(state, tmp_path / kind / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelUnavailable, match="lacks 1 weights"):
        loaded(kind, tmp_path / kind)
