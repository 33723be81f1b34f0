"""An open_clip model as a transformers checkpoint: its weights renamed by hand, its byte pairs in another tokenizer."""

from pathlib import Path
from typing import Any

import torch

from tests.backend.models.tiny_vision import PATCH, WIDTH

START, END = 49406, 49407
OUTER = {
    "text": {
        "embeddings.token_embedding.weight": "token_embedding.weight",
        "embeddings.position_embedding.weight": "positional_embedding",
    },
    "vision": {
        "embeddings.class_embedding": "visual.class_embedding",
        "embeddings.patch_embedding.weight": "visual.conv1.weight",
        "embeddings.position_embedding.weight": "visual.positional_embedding",
    },
}
NORMS = {
    "text": {"final_layer_norm": "ln_final"},
    "vision": {"pre_layrnorm": "visual.ln_pre", "post_layernorm": "visual.ln_post"},
}
INNER = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "self_attn.out_proj": "attn.out_proj",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
BLOCKS = {"text": "transformer", "vision": "visual.transformer"}


def save_converted(folder: Path, model: Any, tokenizer: Any) -> Path:
    """Of the model and the tokenizer of `tiny_vision.save_open_clip`."""
    import transformers as tf

    vocab: dict[str, int] = dict(tokenizer.encoder)
    vocab["<|startoftext|>"], vocab["<|endoftext|>"] = vocab.pop("<start_of_text>"), vocab.pop("<end_of_text>")
    merges = sorted(tokenizer.bpe_ranks, key=tokenizer.bpe_ranks.__getitem__)
    tf.CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=77).save_pretrained(folder)
    sizes: dict[str, Any] = {
        "hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4
    }  # fmt: skip
    marked = {"bos_token_id": START, "eos_token_id": END, "pad_token_id": END}
    config = tf.CLIPConfig(
        text_config=dict(**sizes, **marked, vocab_size=len(vocab), max_position_embeddings=77),
        vision_config=dict(**sizes, image_size=224, patch_size=PATCH),
        projection_dim=24,
    )
    target = tf.CLIPModel(config)
    target.load_state_dict(renamed(model.state_dict(), target.state_dict()))
    target.save_pretrained(folder)
    return folder


def renamed(theirs: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """open_clip's weights of two layers under transformers' names."""
    found = {
        "logit_scale": theirs["logit_scale"],
        "text_projection.weight": theirs["text_projection"].T.contiguous(),
        "visual_projection.weight": theirs["visual.proj"].T.contiguous(),
    }
    for tower, blocks in BLOCKS.items():
        names = dict(OUTER[tower])
        rows: dict[str, torch.Tensor] = {}
        for part in ("weight", "bias"):
            names |= {f"{ours}.{part}": f"{other}.{part}" for ours, other in NORMS[tower].items()}
            for n in range(2):
                layer, block = f"encoder.layers.{n}", f"{blocks}.resblocks.{n}"
                names |= {f"{layer}.{ours}.{part}": f"{block}.{other}.{part}" for ours, other in INNER.items()}
                for name, third in zip("qkv", theirs[f"{block}.attn.in_proj_{part}"].chunk(3), strict=True):
                    rows[f"{layer}.self_attn.{name}_proj.{part}"] = third
        rows |= {ours: theirs[other] for ours, other in names.items()}
        prefix = f"{tower}_model."
        found |= {f"{prefix if f'{prefix}{name}' in wanted else ''}{name}": value for name, value in rows.items()}
    return found
