"""Models of transformers from a folder, whole or not at all."""

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from backend.domain import ModelUnavailable
from backend.models.devices import torch_device, torch_dtype
from backend.models.pictures import whole


def loaded(kind: Any, folder: Path, *, what: str, device: str, dtype: str, **more: Any) -> Any:
    """The model that a class of transformers reads from `folder`, ready to be asked; `more` goes to its `from_pretrained`.

    Raises ModelUnavailable, naming `what` it should be, for files that are damaged, lack weights or are of another kind.
    """
    from safetensors import SafetensorError

    try:
        found = kind.from_pretrained(
            folder, local_files_only=True, dtype=torch_dtype(dtype), output_loading_info=True, **more
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError, UnpicklingError) as error:
        raise ModelUnavailable(f"{folder} cannot be loaded as {what}: {error}") from error
    return whole(found, folder, what=what).to(torch_device(device)).eval()
