"""Files of older versions: brought up to this one in a new file, which takes the old one's place when it is whole.

Nothing is changed in place. `FILE.upgrading` is made and checked while FILE stays as it is; then the old file gets a second
name, `FILE.was-VERSION`, and FILE becomes the new one by a rename. Whoever is killed on the way leaves FILE old, and the next
opening begins anew, or new. The old file stays until somebody deletes it; erasing names it with the backups.
"""

import os
from collections.abc import Callable
from pathlib import Path

from backend.domain import ProjectError
from backend.store.journal_head import sync_folder

ASIDE = ".was-"
_AFTER = ("", ".wal", "-journal", "-wal", "-shm")
"""What stands behind the name of a database for its logs."""


def upgrade(path: Path, version: str, build: Callable[[Path], None]) -> None:
    """Has `build` write and check the new file, then swaps; the old one is kept as `aside(path, version)`.

    Raises ProjectError when the disk is full or the folder refuses, and what `build` raises; then the old file stays.
    """
    fresh = path.with_suffix(".upgrading")
    try:
        _delete(fresh)
        build(fresh)
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        kept = aside(path, version)
        kept.unlink(missing_ok=True)
        kept.hardlink_to(path)
        sync_folder(path.parent)
        fresh.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise ProjectError(
            f"{path} is of an older version ({version}) and cannot be brought up to this one: {error.strerror or error}; free some "
            "space or check its owner, the file is as it was"
        ) from error
    finally:
        _delete(fresh)


def aside(path: Path, version: str) -> Path:
    """Where a file of an older version is kept."""
    return path.with_suffix(f"{ASIDE}{version}")


def kept_aside(project: Path) -> list[Path]:
    """Files of older versions that a project still holds, by name."""
    return sorted(path for path in project.glob(f"*{ASIDE}*") if path.is_file())


def _delete(fresh: Path) -> None:
    for after in _AFTER:
        fresh.with_name(fresh.name + after).unlink(missing_ok=True)
