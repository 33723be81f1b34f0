"""What a project takes on the disk, by kind. Sizes are read, contents never; links are not followed."""

import contextlib
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from backend.domain import ProjectError
from backend.domain.project_care import StorageCleared, StorageKind, StorageUse

KINDS: dict[str, tuple[str, ...]] = {
    "journal": ("journal.*", "journal.sqlite-*"),
    "catalog": ("catalog.*",),
    "artifacts": ("artifacts",),
    "thumbnails": ("index/previews/thumbnails",),
    "previews": ("index/previews",),
    "study_copies": ("index/studies",),
    "features": ("index/features",),
    "answers": ("index/answers",),
    "banks": ("index",),
    "exports": ("exports",),
    "training": ("runs", "latents"),
    "logs": ("logs", "jobs", "*.log"),
    "backups": ("backups",),
    "sample": ("sample-world",),
}
"""Patterns below the project's folder; what fits several is of the first. What fits none is `other`."""
OTHER = "other"
THREADS = 8
"""Folders looked through at once: most of the time is the disk's."""


def storage_of(root: Path, *, clearable: Sequence[str], limits: Mapping[str, int]) -> StorageUse:
    """Every file below a project's folder, each counted once; folders are looked through side by side, level by level."""
    own = {str(path): kind for kind in reversed(KINDS) for pattern in KINDS[kind] for path in root.glob(pattern)}
    num_bytes: Counter[str] = Counter()
    num_files: Counter[str] = Counter()
    folders = [(str(root), OTHER)]
    with ThreadPoolExecutor(THREADS) as pool:
        while folders:
            below: list[tuple[str, str]] = []
            for sizes, found in pool.map(lambda folder: _look(folder[0], folder[1], own), folders):
                for kind, size in sizes:
                    num_bytes[kind] += size
                    num_files[kind] += 1
                below += found
            folders = below
    found = [
        StorageKind(
            kind=kind,
            num_bytes=num_bytes[kind],
            num_files=num_files[kind],
            places=KINDS.get(kind, ()),
            clearable=kind in clearable,
            limit_bytes=limits.get(kind, 0),
        )
        for kind in (*KINDS, OTHER)
    ]
    found.sort(key=lambda each: (-each.num_bytes, each.kind))
    return StorageUse(kinds=tuple(found), free_bytes=shutil.disk_usage(root).free)


def clear_files(paths: Iterable[Path]) -> StorageCleared:
    """Deletes files that are still there, and says what they took. Raises ProjectError for one that cannot be deleted."""
    num_bytes = num_files = 0
    for path in paths:
        try:
            size = path.lstat().st_size
            path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ProjectError(f"{path} cannot be deleted: {error.strerror}; check who owns the folder") from error
        num_bytes, num_files = num_bytes + size, num_files + 1
    return StorageCleared(num_bytes=num_bytes, num_files=num_files)


def _look(folder: str, kind: str, own: Mapping[str, str]) -> tuple[list[tuple[str, int]], list[tuple[str, str]]]:
    """Kind and bytes of each file of one folder, and the folders in it with theirs. What goes meanwhile is passed over."""
    sizes, below = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                of = own.get(entry.path, kind)
                if entry.is_dir(follow_symlinks=False):
                    below.append((entry.path, of))
                    continue
                with contextlib.suppress(FileNotFoundError):
                    sizes.append((of, entry.stat(follow_symlinks=False).st_size))
    except (FileNotFoundError, PermissionError):
        return sizes, below
    return sizes, below
