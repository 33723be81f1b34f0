"""Where models run, as torch names it, what they take there, and transformers without its noise. Both are imported when asked."""

import gc
import itertools
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.domain import ModelUnavailable
from backend.models.borders import networks

if TYPE_CHECKING:
    import torch

OUT_OF_MEMORY = (
    "out of memory",  # CUDA's allocator, cuDNN, cuBLAS
    "can't allocate memory",  # torch's CPU allocator
    "CUBLAS_STATUS_ALLOC_FAILED",
    "Failed to allocate memory",  # onnxruntime
)


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
    from transformers import dynamic_module_utils

    transformers.utils.logging.disable_progress_bar()
    # A model that brings code of its own is refused: at 0 nobody at a terminal is asked whether to run it.
    dynamic_module_utils.TIME_OUT_REMOTE_CODE = 0
    return transformers


def num_gpus() -> int:
    """How many GPUs this process may use, without importing torch: what the system shows and CUDA_VISIBLE_DEVICES leaves."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    there = sum(re.fullmatch(r"nvidia\d+", path.name) is not None for path in Path("/dev").glob("nvidia*"))
    if named is None or there == 0:
        return there
    chosen = [one.strip() for one in named.split(",")]
    return len(list(itertools.takewhile(lambda one: one not in ("", "-1", "NoDevFiles"), chosen)))


def model_bytes(model: object) -> int:
    """Bytes of the parameters and buffers of a model's networks, what they share counted once."""
    storages = {}
    for network in networks(model):
        for tensor in (*network.parameters(), *network.buffers()):
            storage = tensor.untyped_storage()
            storages[str(tensor.device), storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


@dataclass(frozen=True, slots=True)
class MemoryMark:
    """What is taken at one moment: by tensors and by anybody on the device, by this process in the machine's memory."""

    tensors: int
    device: int
    host: int


def memory_mark(device: str) -> MemoryMark:
    """Bytes taken now."""
    host = _resident_set()
    torch = sys.modules.get("torch")
    if torch is None or not device.startswith("cuda") or not torch.cuda.is_available():
        return MemoryMark(0, 0, host)
    free, total = torch.cuda.mem_get_info(device)
    return MemoryMark(int(torch.cuda.memory_allocated(device)), int(total - free), host)


def grown_bytes(model: object, before: MemoryMark, after: MemoryMark) -> int:
    """What a model takes: its parameters and buffers, or what its device's memory grew by where that is more.

    A model without torch (ONNX) is told by what the device's memory, else this process, grew by.
    """
    own = model_bytes(model)
    if own:
        return max(own, after.tensors - before.tensors)
    return max(0, after.device - before.device) or max(0, after.host - before.host)


def total_memory(device: str) -> int:
    """Bytes that a device has in all; of the CPU, the machine's memory."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[1])
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, in whichever words."""
    torch = sys.modules.get("torch")
    if isinstance(error, MemoryError) or (torch is not None and isinstance(error, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in OUT_OF_MEMORY)


def is_device_lost(error: BaseException) -> bool:
    """Whether the device's context is beyond use, so that only another process can go on with it."""
    return isinstance(error, RuntimeError) and not is_out_of_memory(error) and "CUDA error" in str(error)


def release_memory() -> None:
    """Gives back what nothing refers to any more."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _resident_set() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:  # not Linux
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
