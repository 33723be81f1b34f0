"""Weights of networks that no library loads: a file of named tensors."""

import pickle
from pathlib import Path
from typing import TYPE_CHECKING

from backend.domain import ModelUnavailable

if TYPE_CHECKING:
    import torch


def load_state(path: Path) -> "dict[str, torch.Tensor]":
    """Tensors by name, of a `.safetensors` file or one that `torch.save` wrote, on the CPU; no code in it is run.

    Raises ModelUnavailable for a file of another kind.
    """
    try:
        import torch
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise ModelUnavailable("models need the extra: pip install 'subject-studio[models]'") from error
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError) as error:
        raise ModelUnavailable(f"{path} holds no tensors that can be read: {error}") from error
    for wrapper in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ModelUnavailable(f"{path} holds no named tensors; a state dict is wanted")
    return state
