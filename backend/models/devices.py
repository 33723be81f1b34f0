"""Where models run, as torch names it, and transformers without its noise. Both are imported when asked."""

from typing import TYPE_CHECKING, Any

from backend.domain import ModelUnavailable

if TYPE_CHECKING:
    import torch


def torch_device(device: str) -> "torch.device":
    """`auto` is a GPU when there is one. Raises ModelUnavailable for an unknown or absent device."""
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise ModelUnavailable(f"device {device!r} is unknown; set device to auto, cpu or cuda") from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ModelUnavailable(f"device {device!r} is not there; set device to auto or cpu")
    return found


def torch_dtype(dtype: str) -> "torch.dtype":
    """`float32`, `float16` or `bfloat16`. Raises ModelUnavailable for another."""
    import torch

    found = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}.get(dtype)
    if found is None:
        raise ModelUnavailable(f"dtype {dtype!r} is unknown; set dtype to float32, float16 or bfloat16")
    return found


def transformers_for(what: str) -> Any:
    """The library, without progress bars. Raises ModelUnavailable, naming what needs it."""
    try:
        import transformers
    except ImportError as error:
        raise ModelUnavailable(f"{what} needs the extra: pip install 'subject-studio[models]'") from error
    transformers.utils.logging.disable_progress_bar()
    return transformers
