"""Tiny random checkpoints of CLIP and the three DINOs in their real layouts: 224 pixels, as the networks they stand for."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

WIDTH = 32
PATCH = 56


def noisy(model: Any, seed: int) -> Any:
    """The model with every weight moved, so that none is a neutral 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return model.eval()


def save_clip(folder: Path, *, dim: int = 24, seed: int = 1) -> Path:
    """CLIP with a vocabulary of bytes and a context of 16 tokens."""
    import transformers as tf

    letters = _bytes()
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = tf.CLIPTokenizer(vocab={word: n for n, word in enumerate(words)}, merges=[], model_max_length=16)
    sizes: dict[str, Any] = {
        "hidden_size": WIDTH,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    config = tf.CLIPConfig(
        text_config=dict(
            **sizes, vocab_size=len(words), max_position_embeddings=16, bos_token_id=512, eos_token_id=513, pad_token_id=513
        ),
        vision_config=dict(**sizes, image_size=224, patch_size=PATCH),
        projection_dim=dim,
    )
    torch.manual_seed(seed)
    noisy(tf.CLIPModel(config), seed).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_dino(folder: Path, kind: str, *, seed: int = 2) -> Path:
    """`vit` (DINO), `dinov2` or `dinov3_vit`, of two layers."""
    import transformers as tf

    sizes: dict[str, Any] = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 1}
    torch.manual_seed(seed)
    if kind == "vit":
        # 1e-12 is what the converted checkpoints' config.json says; the network was trained with 1e-6.
        config = tf.ViTConfig(**sizes, intermediate_size=128, image_size=224, patch_size=PATCH, layer_norm_eps=1e-12)
        model = tf.ViTModel(config, add_pooling_layer=False)
    elif kind == "dinov2":
        model = tf.Dinov2Model(tf.Dinov2Config(**sizes, mlp_ratio=2, image_size=224, patch_size=PATCH))
    else:
        model = tf.DINOv3ViTModel(tf.DINOv3ViTConfig(**sizes, intermediate_size=128, image_size=224, patch_size=PATCH))
    noisy(model, seed).save_pretrained(folder)
    return folder


def published_dino(model: Any) -> dict[str, torch.Tensor]:
    """A ViTModel's weights under the keys of facebookresearch/dino, written out by hand."""
    state, found = model.state_dict(), {}
    found["cls_token"] = state["embeddings.cls_token"]
    found["pos_embed"] = state["embeddings.position_embeddings"]
    for part in ("weight", "bias"):
        found[f"patch_embed.proj.{part}"] = state[f"embeddings.patch_embeddings.projection.{part}"]
        found[f"norm.{part}"] = state[f"layernorm.{part}"]
        for n in range(2):
            ours, theirs = f"layers.{n}", f"blocks.{n}"
            found[f"{theirs}.norm1.{part}"] = state[f"{ours}.layernorm_before.{part}"]
            found[f"{theirs}.norm2.{part}"] = state[f"{ours}.layernorm_after.{part}"]
            found[f"{theirs}.attn.proj.{part}"] = state[f"{ours}.attention.o_proj.{part}"]
            found[f"{theirs}.mlp.fc1.{part}"] = state[f"{ours}.mlp.fc1.{part}"]
            found[f"{theirs}.mlp.fc2.{part}"] = state[f"{ours}.mlp.fc2.{part}"]
            rows = [state[f"{ours}.attention.{name}_proj.{part}"] for name in "qkv"]
            found[f"{theirs}.attn.qkv.{part}"] = torch.cat(rows)
    return found


def save_open_clip(folder: Path) -> Path:
    """A folder as `local-dir:` of open_clip takes it; its text side has the real vocabulary."""
    import open_clip

    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "embed_dim": 24,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 224, "layers": 2, "width": WIDTH, "head_width": 8, "patch_size": PATCH},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": WIDTH, "heads": 4, "layers": 2},
    }
    torch.manual_seed(3)
    model = open_clip.CLIP(**config)
    torch.save(noisy(model, 3).state_dict(), folder / "open_clip_pytorch_model.bin")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    return folder


def _bytes() -> list[str]:
    """The byte alphabet of GPT-2 and CLIP: printable bytes as they are, the others from code point 256 on."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [n for n in range(256) if n not in shown]
    return [chr(n) for n in shown] + [chr(256 + n) for n in range(len(hidden))]


def seeded(network: Any, *, seed: int, scale: float) -> Any:
    """The network with weights drawn by numpy in the order of their names: equal in every program that knows the names."""
    network.load_state_dict(seeded_state(network.state_dict(), seed=seed, scale=scale))
    return network.eval()


def seeded_state(state: dict[str, torch.Tensor], *, seed: int, scale: float) -> dict[str, torch.Tensor]:
    """Tensors of these names and shapes as `seeded` draws them."""
    rng, found = np.random.default_rng(seed), {}
    for name in sorted(state):
        values = np.asarray(rng.normal(size=tuple(state[name].shape)) * scale, np.float32)
        found[name] = torch.from_numpy(values).reshape(state[name].shape)
    return found


def drawn(network: Any, *, seed: int) -> dict[str, torch.Tensor]:
    """Weights as `seeded` draws them, of the sizes that keep the signal of a deep network with batch normalisation alive."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, tensor in sorted(network.state_dict().items()):
        if name.endswith("num_batches_tracked"):
            continue
        values = rng.standard_normal(tuple(tensor.shape), np.float32)
        if values.ndim > 1:
            values *= np.sqrt(2 / values[0].size)
        elif name.endswith(("running_var", "weight")):
            values = 1 + 0.1 * np.abs(values)
        else:
            values *= 0.1
        found[name] = torch.from_numpy(np.asarray(values, np.float32))
    return found
