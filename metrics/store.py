"""Features kept by their key, so that no encoder sees the same picture twice, whatever system, run or worker asks."""

import hashlib
import io
import secrets
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from backend.domain import Absent
from metrics.spec import Arrays, Found

ABSENT = "__absent__"
_SEAL = b"SHA-256:"
"""Before the digest at a file's end, which readers of zip pass over. Files of earlier versions have none."""
_BROKEN = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    RuntimeError,
    SyntaxError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)


class FeatureStore:
    """Arrays below `root`, one file a key, written whole (temporary file, rename). Lost or damaged ones are made again."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def get(self, key: str) -> Found | None:
        """The feature, or None when it is not kept."""
        try:
            with np.load(io.BytesIO(_unsealed(self._path(key).read_bytes())), allow_pickle=False) as file:
                arrays: Arrays = {name: file[name] for name in file.files}
        except _BROKEN:
            return None
        if ABSENT in arrays:
            return Absent(str(arrays[ABSENT]))
        return arrays

    def put(self, key: str, found: Found) -> None:
        arrays = {ABSENT: np.array(found.reason)} if isinstance(found, Absent) else found
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        temporary.write_bytes(buffer.getvalue() + _SEAL + hashlib.sha256(buffer.getvalue()).digest())
        temporary.replace(path)

    def _path(self, key: str) -> Path:
        return self._root / key[:2] / f"{key}.npz"


def _unsealed(content: bytes) -> bytes:
    """A file without its digest. Raises ValueError where that does not fit."""
    kept, seal, digest = content[:-40], content[-40:-32], content[-32:]
    if seal != _SEAL:
        return content
    if hashlib.sha256(kept).digest() != digest:
        raise ValueError("the digest does not fit")
    return kept
