"""Wan checkpoints from a diffusers folder, whole or not at all: only safetensors, every name and shape checked before a weight is read.

A base loads with no key change; an audio branch that it lacks starts silent.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from backend.domain import ModelUnavailable
from backend.store.checksums import changed_files
from training.audio_branch import AudioAttention
from training.model import S2VTransformer
from training.shapes import WanShape

CLASSES = ("WanTransformer3DModel", "S2VTransformer")
INDEX = "diffusion_pytorch_model.safetensors.index.json"
SINGLE = "diffusion_pytorch_model.safetensors"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")  # torch's zip, and protocols 2 to 5


def load_transformer(
    folder: Path, shape: WanShape | None = None, *, dtype: torch.dtype = torch.float32, device: str = "cpu"
) -> S2VTransformer:
    """The transformer in `folder`, or in its subfolder `transformer`; in `dtype` but for the parts that Wan keeps in float32.

    `shape`: what the recipe wants; it may add an audio branch or isolate anchors. None: as the folder says. Raises ModelUnavailable
    for another shape, a damaged or missing file, a pickle, or a folder of something else.
    """
    folder = folder if (folder / "config.json").exists() else folder / "transformer"
    if changed := changed_files(folder):
        raise ModelUnavailable(f"{changed[0]}; export it again from its run (--resume), or fetch it again")
    config = _config(folder)
    arguments = {**config, **(_wanted(config, shape, folder) if shape is not None else {})}
    files = _weight_files(folder)
    with torch.device("meta"):
        model = S2VTransformer.from_config(arguments)
    assert isinstance(model, S2VTransformer)
    fresh = _check_tensors(model, files, folder)
    state: dict[str, torch.Tensor] = {}
    for path in files:
        with safe_open(path, framework="pt", device=device) as opened:
            for name in opened.keys():  # noqa: SIM118 - it is no mapping
                state[name] = opened.get_tensor(name).to(_kept_type(model, name, dtype))
    model.load_state_dict(state, strict=False, assign=True)
    if fresh:
        _start_silent(model, dtype, device)
    return model.eval()


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"{path} cannot be read as the settings of a transformer: {error}") from error
    if not isinstance(found, dict) or found.get("_class_name") not in CLASSES:
        named = found.get("_class_name") if isinstance(found, dict) else None
        raise ModelUnavailable(f"{path} is of {named}; a Wan transformer ({' or '.join(CLASSES)}) is wanted")
    return found


def _wanted(config: dict[str, Any], shape: WanShape, folder: Path) -> dict[str, Any]:
    """The recipe's shape, which must be the checkpoint's but for what can be added to any."""
    added = {"audio_dim", "audio_width", "audio_every", "isolated_anchors"}
    wanted = asdict(shape)
    differing = [
        f"{name} {config.get(name)} (wanted {value})"
        for name, value in wanted.items()
        if config.get(name) != value
        and not (name in added and (config.get("audio_dim") is None or name == "isolated_anchors"))
    ]
    if differing:
        raise ModelUnavailable(
            f"{folder} has another shape: {', '.join(differing)}; choose the recipe's shape to fit, or another base"
        )
    return wanted


def _weight_files(folder: Path) -> list[Path]:
    """The safetensors files, all there."""
    index, single = folder / INDEX, folder / SINGLE
    if index.exists():
        try:
            names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise ModelUnavailable(f"{index} is no index of weights: {error}") from error
        files = [folder / name for name in names]
    else:
        files = [single]
    missing = [path for path in files if not path.exists()]
    if not missing:
        return files
    pickles = sorted(path.name for path in folder.glob("*") if path.suffix in PICKLES)
    if pickles:
        raise ModelUnavailable(
            f"{folder} has its weights as pickles ({', '.join(pickles)}), which may run code; convert them to safetensors"
        )
    raise ModelUnavailable(f"{missing[0]} is missing; fetch the whole checkpoint again")


def _check_tensors(model: S2VTransformer, files: list[Path], folder: Path) -> bool:
    """Names and shapes, from headers alone: whether the audio branch is to start silent."""
    found: dict[str, tuple[int, ...]] = {}
    for path in files:
        with path.open("rb") as opened:
            if opened.read(4).startswith(PICKLE_STARTS):
                raise ModelUnavailable(f"{path} is a pickle named safetensors, which may run code; it was not opened")
        try:
            with safe_open(path, framework="pt") as opened:
                found |= {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise ModelUnavailable(f"{path} is damaged or cut short ({error}); fetch it again") from error
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    missing = sorted(set(wanted) - set(found))
    fresh = bool(missing) and all("audio" in name for name in missing) and not any("audio" in name for name in found)
    if missing and not fresh:
        raise ModelUnavailable(f"{folder} lacks {len(missing)} tensors, {missing[0]} first; it is of another shape")
    more = sorted(set(found) - set(wanted))
    if more:
        raise ModelUnavailable(f"{folder} has {len(more)} tensors that its settings know nothing of, {more[0]} first")
    for name in sorted(set(wanted) & set(found)):
        if wanted[name] != found[name]:
            raise ModelUnavailable(f"{folder}: {name} is {found[name]}, {wanted[name]} was wanted; it is of another shape")
    return fresh


def _kept_type(model: S2VTransformer, name: str, dtype: torch.dtype) -> torch.dtype:
    """Norms, tables and the embedding of time stay in float32, as in diffusers."""
    kept = model._keep_in_fp32_modules or []
    return torch.float32 if set(name.split(".")) & set(kept) else dtype


def _start_silent(model: S2VTransformer, dtype: torch.dtype, device: str) -> None:
    """Random weights for a branch that the checkpoint has none for, values at zero."""
    for name, part in model.named_modules():
        if "audio" in name and isinstance(part, torch.nn.Linear | torch.nn.RMSNorm):
            part.to_empty(device=device)
            part.to(dtype).reset_parameters()
    for part in model.modules():
        if isinstance(part, AudioAttention):
            part.silence()
