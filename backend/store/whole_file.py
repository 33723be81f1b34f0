"""A file that appears whole or not at all, under its name only when it is on the disk."""

import os
import secrets
from pathlib import Path

from backend.domain import ProjectError
from backend.store.journal_head import sync_folder


def write_whole(path: Path, content: bytes | str, *, working: Path | None = None) -> None:
    """Replaces the file, text in UTF-8; missing folders are made.

    `working` is its name until it is whole: one that does not change is written over by whoever goes on after a kill.
    Raises ProjectError when the disk is full or the place cannot be written; then what was there stays.
    """
    path = Path(path)
    fresh = working or path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with fresh.open("wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise ProjectError(f"{path} cannot be written: {error.strerror}; free some space or name another place") from error
