"""What a run gives to others: a folder that plain diffusers loads."""

import secrets
import shutil
from pathlib import Path
from typing import Any, cast

import torch
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

from backend.domain import ProjectError
from backend.store.checksums import list_files
from training.config import TrainConfig, to_json
from training.ema import Ema
from training.model import S2VTransformer
from training.parallel import World

LORA_FILE = "pytorch_lora_weights.safetensors"  # what diffusers' load_lora_weights looks for
SHARD = "5GB"
OWN_SETTINGS = frozenset({"audio_dim", "audio_width", "audio_every", "isolated_anchors"})


def publish(model: S2VTransformer, ema: Ema | None, config: TrainConfig, world: World, folder: Path) -> None:
    """Writes `folder/transformer` (the moving average where there is one), or adapters as `folder/pytorch_lora_weights.safetensors`.

    A model without sound branch and isolated anchors is diffusers' own class: it generates without anchors there, and reads
    them with the settings in `training.json`. Whole or not at all. Raises ProjectError on a full disk.
    """
    options = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=bool(config.lora.rank))
    if ema is None:
        weights = cast(dict[str, torch.Tensor], get_model_state_dict(model, options=options))
    else:
        with ema.shown(model):
            shown = cast(dict[str, torch.Tensor], get_model_state_dict(model, options=options))
            weights = {name: value.clone() for name, value in shown.items()}
    if not world.is_first:
        return
    for left in folder.parent.glob(f".{folder.name}.*"):  # of a process that was killed amid this
        shutil.rmtree(left, ignore_errors=True)
    working = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        working.mkdir(parents=True)
        if config.lora.rank:
            save_file(_adapters(weights, config), working / LORA_FILE)
        else:
            _save_transformer(model, weights, working / "transformer")
        (working / "training.json").write_text(to_json(config), encoding="utf-8")
        for place in (working, *(path for path in working.iterdir() if path.is_dir())):
            list_files(place, [path.name for path in place.iterdir() if path.is_file()])
        if folder.exists():
            shutil.rmtree(folder)
        working.rename(folder)
    except (OSError, SafetensorError) as error:  # safetensors tells a full disk in its own class
        raise ProjectError(
            f"{folder} cannot be written: {getattr(error, 'strerror', None) or error}; the checkpoints are whole: free some space and use --resume"
        ) from error
    finally:
        shutil.rmtree(working, ignore_errors=True)


def _save_transformer(model: S2VTransformer, weights: dict[str, torch.Tensor], folder: Path) -> None:
    settings = {name: value for name, value in model.config.items() if not name.startswith("_")}
    kind: Any = S2VTransformer
    if settings["audio_dim"] is None and not settings["isolated_anchors"]:
        kind = WanTransformer3DModel
        settings = {name: value for name, value in settings.items() if name not in OWN_SETTINGS}
    with torch.device("meta"):
        empty = kind(**settings)
    empty.load_state_dict(weights, strict=True, assign=True)
    empty.save_pretrained(folder, safe_serialization=True, max_shard_size=SHARD)


def _adapters(weights: dict[str, torch.Tensor], config: TrainConfig) -> dict[str, torch.Tensor]:
    """Names as diffusers' pipelines know them; the factor alpha / rank is put into the second matrix."""
    factor = (config.lora.alpha or config.lora.rank) / config.lora.rank
    found = {}
    for name, value in weights.items():
        short = name.replace(".default.", ".")
        found[f"transformer.{short}"] = (value * factor if ".lora_B." in name else value).contiguous()
    return found
