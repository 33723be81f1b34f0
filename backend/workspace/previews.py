"""Files that are made when they are first asked for, several at once, in a folder that stays within a limit."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

from backend.domain.project_care import StorageCleared
from backend.workspace.disk_use import clear_files

MOST_AT_ONCE = 2  # as many children as `media.guard` keeps: a third would be started anew for each preview
FINISHED = "[!.]*.mp4"
UNFINISHED = ".writing-*.mp4"  # as `media.writer` and `media.content` call what they have not finished
NUM_LOCKS = 64  # files share one by chance, and then wait for each other


class Previews:
    """Videos of `folder`, by their names. Every method may be called from any thread."""

    def __init__(self, folder: Path, *, limit_bytes: int) -> None:
        self._folder, self._limit_bytes = folder, limit_bytes
        self._room = threading.Lock()
        self._making = [threading.Lock() for _ in range(NUM_LOCKS)]
        self._at_once = threading.BoundedSemaphore(min(MOST_AT_ONCE, os.cpu_count() or 1))
        for left in folder.glob(UNFINISHED):  # by makers who were killed: nobody makes anything yet
            left.unlink(missing_ok=True)

    def get(self, name: str, make: Callable[[Path], object]) -> Path:
        """The file of a name; `make` writes one that is not there. It is called once, however many ask, while others are made."""
        path = self._folder / f"{name}.mp4"
        with self._making[hash(name) % NUM_LOCKS]:
            if not _used_now(path):
                with self._at_once:
                    make(path)
                with self._room:
                    self._make_room(path)
        return path

    def limit(self, limit_bytes: int) -> None:
        """What all may take together, from now on; those least recently shown go at once."""
        with self._room:
            self._limit_bytes = limit_bytes
            self._make_room()

    def clear(self) -> StorageCleared:
        """Deletes every file; one is made again when it is asked for."""
        with self._room:
            return clear_files(list(self._folder.glob(FINISHED)))

    def _make_room(self, newest: Path | None = None) -> None:
        files = sorted(self._folder.glob(FINISHED), key=lambda file: file.stat().st_mtime, reverse=True)
        total = 0
        for file in files:
            total += file.stat().st_size
            if total > self._limit_bytes and file != newest:
                file.unlink()


def _used_now(path: Path) -> bool:
    """Whether a file is there; it counts as the one used last from now on. Making room may take it away at any time."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True
