"""TorchScript: networks that come as programs. Their language knows no Python, but it can write and read files."""

import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

from backend.domain import ModelUnavailable
from backend.models.devices import torch_device

TOUCHES_FILES = re.compile(r"\b(?:torch|ops\.\w+)\.(save|load|from_file)\b")
"""Operators of torch 2.15 that take a file's name: `aten::save` and `aten::from_file` were seen to write one."""
MAX_CODE_BYTES = 16 * 2**20


def load_script(path: Path, *, device: str) -> Any:
    """The network in a TorchScript file. Raises ModelUnavailable for another file, and for one whose program touches files."""
    try:
        import torch
    except ImportError as error:
        raise ModelUnavailable("models need the extra: pip install 'subject-studio[models]'") from error
    try:
        with zipfile.ZipFile(path) as archive:
            programs = [entry for entry in archive.infolist() if "/code/" in entry.filename]
            if sum(entry.file_size for entry in programs) > MAX_CODE_BYTES:
                raise ModelUnavailable(f"{path} holds a program of more than {MAX_CODE_BYTES >> 20} MiB; it was not loaded")
            for entry in programs:
                if found := TOUCHES_FILES.search(archive.read(entry).decode("utf-8", "replace")):
                    raise ModelUnavailable(f"{path} calls {found[0]}, which touches files; it was not loaded")
        with warnings.catch_warnings():
            # TorchScript is what the file is; torch 2.15 tells its makers to write another format.
            warnings.simplefilter("ignore", FutureWarning)
            return torch.jit.load(str(path), map_location=torch_device(device)).eval()
    except (RuntimeError, ValueError, OSError, zipfile.BadZipFile) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelUnavailable(f"{path} is no TorchScript file ({reason})") from error
