"""Files that importers lay beside media: found by name below a folder, written only where they say something new."""

import json
import os
import secrets
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from backend.domain import ImportRefused

MOST_FAULTS = 1000
"""Faults that are kept; the others are counted."""


class Files:
    """Files below a folder, by name and by stem. Only what was listed is taken, wherever a table's path would lead."""

    def __init__(self, folder: Path) -> None:
        self._names: dict[str, list[Path]] = defaultdict(list)
        for place, _, names in os.walk(folder):
            for name in names:
                if not name.endswith((".json", ".txt")):
                    path = Path(place, name).absolute()
                    for key in {name, path.stem}:
                        self._names[key].append(path)

    def find(self, name: str) -> Path | None:
        """The file that a path, a file's name or its stem means, where there is just one."""
        parts = PurePosixPath(name).parts
        found = self._names.get(parts[-1], []) if parts else []
        exact = [path for path in found if path.parts[-len(parts) :] == parts]
        return (exact or found)[0] if len(exact) == 1 or (not exact and len(found) == 1) else None


class Faults:
    """Sentences about wrong rows: the first MOST_FAULTS, and how many more."""

    def __init__(self) -> None:
        self._kept: list[str] = []
        self._more = 0

    def add(self, fault: str) -> None:
        if len(self._kept) < MOST_FAULTS:
            self._kept.append(fault)
        else:
            self._more += 1

    def told(self) -> tuple[str, ...]:
        return (*self._kept, *([f"{self._more} more rows are wrong"] if self._more else ()))


def write_beside(media: Path, ending: str, document: Mapping[str, Any]) -> bool:
    """Writes `STEM + ending` beside a file unless it says all of this already. Raises ImportRefused where it cannot be written."""
    path = media.with_name(f"{media.stem}{ending}")
    data = (json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode(errors="backslashreplace")
    working = path.with_name(f".{media.stem[:100]}.{secrets.token_hex(4)}")
    try:
        if path.exists() and path.read_bytes() == data:
            return False
        working.write_bytes(data)
        working.replace(path)
    except OSError as error:
        working.unlink(missing_ok=True)
        raise ImportRefused(
            f"{path} cannot be written ({error.strerror}); curation reads what lies beside the files, so copy them "
            "to a folder of your own or free space"
        ) from error
    return True
