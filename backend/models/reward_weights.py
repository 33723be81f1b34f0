"""VideoReward's checkpoints: LoRA parts merged into the weights they change, names as transformers 5 has them."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.domain import ModelUnavailable

if TYPE_CHECKING:
    import torch

TOKENS = ("<|VQ_reward|>", "<|MQ_reward|>", "<|TA_reward|>")
HEAD = "rm_head.weight"
EMBEDDING = "model.language_model.embed_tokens.weight"
LORA = re.compile(r"(.+)\.lora_(embedding_)?([AB])(?:\.default)?(?:\.weight)?")


@dataclass(frozen=True, slots=True)
class RewardConfig:
    """What a checkpoint's model_config.json says of how it is asked."""

    base: str
    """The model it was trained from, as a name on the hub or a folder."""
    max_frame_pixels: int
    lora_scale: float
    mean: tuple[float, float, float] | None
    std: tuple[float, float, float] | None


def read_config(folder: Path) -> RewardConfig:
    """Raises ModelUnavailable when the file is missing or says something else."""
    path = folder / "model_config.json"
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        data, model, lora = table["data_config"], table["model_config"], table.get("peft_lora_config", {})
        if model.get("output_dim", 3) != 3 or not model.get("use_special_tokens", True):
            raise ModelUnavailable(f"{path} names a head without the three special tokens; take VideoReward's checkpoint")
        rank, alpha = int(lora.get("lora_r", 16)), float(lora.get("lora_alpha", 32))
        after = table.get("inference_config") or {}
        return RewardConfig(
            base=str(model["model_name_or_path"]),
            max_frame_pixels=int(data.get("max_frame_pixels") or 200704),
            lora_scale=alpha / (math.sqrt(rank) if lora.get("use_rslora") else rank),
            mean=_three(after, "mean"),
            std=_three(after, "std"),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelUnavailable(f"{path} cannot be read as VideoReward's settings: {error!r}") from error


def read_state(folder: Path) -> "dict[str, torch.Tensor]":
    """Tensors of the newest `checkpoint-N`: model.pth, or an adapter and what was trained beside it.

    Raises ModelUnavailable when there is none. Pickles are read as tensors only.
    """
    import pickle

    import safetensors
    import safetensors.torch
    import torch

    steps = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    newest = steps[-1] if steps else folder
    try:
        if (newest / "model.pth").exists():
            return torch.load(newest / "model.pth", map_location="cpu", weights_only=True)
        if (newest / "model.safetensors").exists():
            return safetensors.torch.load_file(newest / "model.safetensors")
        beside = torch.load(newest / "non_lora_state_dict.pth", map_location="cpu", weights_only=True)
        return {**beside, **safetensors.torch.load_file(newest / "adapter_model.safetensors")}
    except (OSError, RuntimeError, pickle.UnpicklingError, safetensors.SafetensorError) as error:
        raise ModelUnavailable(f"{newest} holds no checkpoint of VideoReward that can be read: {error}") from error


def merged(
    state: "Mapping[str, torch.Tensor]", base: "Mapping[str, torch.Tensor]", *, scale: float
) -> "dict[str, torch.Tensor]":
    """The base's weights as the checkpoint changes them, with the head, in transformers 5's names.

    A LoRA pair adds `scale * B A` to its weight (to an embedding, `scale * (B A)` transposed). Raises ModelUnavailable for a
    tensor that has no place.
    """
    plain, parts = {name: tensor.clone() for name, tensor in base.items()}, {}
    for name, tensor in state.items():
        if "lm_head." in name:  # tied to the embedding, which it would overwrite, and never asked
            continue
        if found := LORA.fullmatch(name):
            parts.setdefault(found[1], {})[found[3]] = (tensor, bool(found[2]))
        elif ".original_module." not in name:
            plain[_renamed(name)] = tensor
    if extra := sorted(set(plain) - set(base) - {HEAD}):
        raise ModelUnavailable(f"the checkpoint holds {extra[0]}, which a Qwen2-VL with a head of three has no place for")
    if EMBEDDING not in map(_renamed, state):  # the three tokens are in no base
        raise ModelUnavailable("the checkpoint brings no embedding of its three tokens; take VideoReward's own")
    if HEAD not in plain:
        raise ModelUnavailable(f"the checkpoint holds no {HEAD}; it is no reward model")
    for module, pair in parts.items():
        target = _renamed(f"{module}.weight")
        if target not in plain or set(pair) != {"A", "B"}:
            raise ModelUnavailable(f"the checkpoint's adapter of {module} has no weight, or half is missing")
        (down, is_embedding), (up, _) = pair["A"], pair["B"]
        change = scale * (up.float() @ down.float())
        weight = plain[target]
        plain[target] = (weight.float() + (change.T if is_embedding else change)).to(weight.dtype)
    return plain


def _renamed(name: str) -> str:
    """Without PEFT's wrapping, and where transformers 5 keeps language and vision apart."""
    name = name.removeprefix("base_model.model.").replace(".base_layer.", ".").replace(".modules_to_save.default.", ".")
    if name.startswith("visual."):
        return f"model.{name}"
    if re.match(r"model\.(layers|embed_tokens|norm)\.", name):
        return "model.language_model." + name.removeprefix("model.")
    return name


def _three(table: Mapping[str, Any], kind: str) -> tuple[float, float, float] | None:
    names = [f"{dimension}_{kind}" for dimension in ("VQ", "MQ", "TA")]
    if not all(name in table for name in names):
        return None
    first, second, third = (float(table[name]) for name in names)
    return first, second, third
