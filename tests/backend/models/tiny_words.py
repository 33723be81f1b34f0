"""Tiny language models in the real file formats: of random weights, or of weights by which they say one text and stop."""

from itertools import pairwise
from pathlib import Path
from typing import Any

HIDDEN = 320  # more than there are tokens: a token is a direction
SPECIALS = (
    "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}"
    "{% if c['type'] == 'video' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def causal(folder: Path, *, says: str | None = None, seed: int = 0) -> Path:
    """A Qwen2 of one layer. `says` is what it answers to everything; None for random weights."""
    import torch
    import transformers

    torch.set_num_threads(1)
    tokenizer = _tokenizer(transformers, says)
    config = transformers.Qwen2Config(**_text_config(len(tokenizer)), tie_word_embeddings=False)
    torch.manual_seed(seed)
    model = transformers.Qwen2ForCausalLM(config).eval()
    _taught(model, tokenizer, says)
    tokenizer.chat_template = CHAT
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


def qwen25_vl(folder: Path, *, says: str | None = None, seed: int = 0) -> Path:
    """A Qwen2.5-VL of one layer with its processor. `says` as in `causal`."""
    import torch
    import transformers

    torch.set_num_threads(1)
    tokenizer = _tokenizer(transformers, says)
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIALS}
    rope = {"rope_parameters": {"rope_type": "default", "mrope_section": [24, 28, 28], "rope_theta": 1e6}}
    config = transformers.Qwen2_5_VLConfig(
        text_config=_text_config(len(tokenizer)) | rope | {"tie_word_embeddings": False},
        vision_config={
            "depth": 1, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": HIDDEN,
            "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 56,
            "fullatt_block_indexes": [0],
        },
        image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(seed)
    model = transformers.Qwen2_5_VLForConditionalGeneration(config).eval()
    _taught(model, tokenizer, says)
    image, video = transformers.Qwen2VLImageProcessor(), transformers.Qwen2VLVideoProcessor()
    transformers.Qwen2_5_VLProcessor(image, tokenizer, video, chat_template=CHAT).save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


def _text_config(vocab: int) -> dict[str, Any]:
    assert vocab <= HIDDEN, "a token is a direction"
    return {
        "vocab_size": vocab, "hidden_size": HIDDEN, "intermediate_size": 32, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 8192,
    }  # fmt: skip


def _tokenizer(transformers: Any, says: str | None) -> Any:
    from tokenizers.pre_tokenizers import ByteLevel

    vocab = {sign: place for place, sign in enumerate(sorted(ByteLevel.alphabet()))}
    tokenizer = transformers.Qwen2Tokenizer(vocab=vocab | {"<|endoftext|>": len(vocab)}, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIALS)})
    if says is not None:
        tokenizer.add_tokens(_words(says))
    tokenizer.eos_token = "<|im_end|>"
    return tokenizer


def _words(says: str) -> list[str]:
    """Parts of a text, each of them different from the others: a token for each."""
    size = max(1, -(-len(says) // 40))
    while True:
        parts = [says[at : at + size] for at in range(0, len(says), size)]
        if len(set(parts)) == len(parts) and all(len(part) > 1 for part in parts):
            return parts
        size += 1


def _taught(model: Any, tokenizer: Any, says: str | None) -> None:
    """Weights by which each token calls for the next of `says`: layers add nothing, and the head is the order of tokens."""
    import torch

    with torch.no_grad():
        if says is None:
            for parameter in model.parameters():
                if parameter.dim() > 1:
                    parameter.mul_(6.0)
            return
        text = model.model.language_model if hasattr(model.model, "language_model") else model.model
        for layer in text.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        text.embed_tokens.weight.copy_(torch.eye(len(tokenizer), HIDDEN))
        start = tokenizer("\n", add_special_tokens=False)["input_ids"]
        order = [*start, *(tokenizer.convert_tokens_to_ids(part) for part in _words(says)), tokenizer.eos_token_id]
        model.lm_head.weight.zero_()
        for current, following in pairwise(order):
            model.lm_head.weight[following, current] = 10.0
    model.generation_config.eos_token_id = tokenizer.eos_token_id
