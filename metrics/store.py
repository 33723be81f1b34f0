"""Features kept by their key, so that no encoder sees the same picture twice, whatever system, run or worker asks."""

import io
import secrets
import zipfile
from pathlib import Path

import numpy as np

from backend.domain import Absent
from metrics.spec import Arrays, Found

ABSENT = "__absent__"


class FeatureStore:
    """Arrays below `root`, one file a key, written whole (temporary file, rename). Lost or damaged ones are made again."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def get(self, key: str) -> Found | None:
        """The feature, or None when it is not kept."""
        try:
            with np.load(self._path(key), allow_pickle=False) as file:
                arrays: Arrays = {name: file[name] for name in file.files}
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
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
        temporary.write_bytes(buffer.getvalue())
        temporary.replace(path)

    def _path(self, key: str) -> Path:
        return self._root / key[:2] / f"{key}.npz"
