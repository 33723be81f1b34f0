"""Folders that appear whole or not at all: made under another name beside their place, synced, then renamed.

A folder is locked while its maker lives. What a killed maker left, unfinished or moved out of the way, is put right by the next
that builds in the same parent folder, and by `sweep`.
"""

import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from backend.store.journal_head import sync_folder

UNFINISHED, REPLACED = "unfinished", "replaced"
_OWN = re.compile(rf"\.(?P<name>.+)\.[0-9a-f]{{8}}\.(?P<what>{UNFINISHED}|{REPLACED})", re.DOTALL)
_LONGEST_NAME = 220  # bytes, of at most 255
_SYNCING = 16  # files synced at once share the disk's flushes


@contextmanager
def building(place: Path) -> Iterator[Path]:
    """A new empty folder beside `place`, to be given its name by `settle`; otherwise it is removed at the end.

    Missing parents are made. Raises OSError.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    sweep(place.parent)
    folder, lock = _new_folder(place)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def settle(folder: Path, place: Path) -> None:
    """Makes a finished folder durable, then gives it its name in place of the folder that is there. Raises OSError."""
    _sync(folder)
    try:
        folder.rename(place)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        _replace(folder, place)
    sync_folder(place.parent)


def remove_whole(folder: Path) -> None:
    """Removes a folder so that nobody ever sees a part of it under its name, however its remover dies. Raises OSError."""
    with _locked(folder):
        aside = _beside(folder, UNFINISHED)
        folder.rename(aside)
        shutil.rmtree(aside)


def sweep(parent: Path) -> list[Path]:
    """Removes what killed makers left in a folder, and gives it. A folder that one had only moved out of the way goes back."""
    swept = []
    for entry in sorted(parent.iterdir()):
        own = _OWN.fullmatch(entry.name)
        if own is None or entry.is_symlink() or not entry.is_dir():
            continue
        with contextlib.suppress(OSError), _locked(entry, wait=False):  # its maker lives, or it went a moment ago
            place = parent / own["name"]
            if own["what"] == REPLACED and not place.exists():
                entry.rename(place)
            else:
                shutil.rmtree(entry)
            swept.append(entry)
    return swept


def _replace(folder: Path, place: Path) -> None:
    can_return = len(os.fsencode(place.name)) <= _LONGEST_NAME
    with _locked(place):
        aside = _beside(place, REPLACED if can_return else UNFINISHED)
        place.rename(aside)
        folder.rename(place)
        shutil.rmtree(aside, ignore_errors=True)


def _new_folder(place: Path) -> tuple[Path, int]:
    while True:
        folder = _beside(place, UNFINISHED)
        folder.mkdir()
        try:
            return folder, _lock(folder)
        except FileNotFoundError:  # somebody who sweeps met it before it was locked
            continue


def _beside(place: Path, what: str) -> Path:
    name = place.name
    while len(os.fsencode(name)) > _LONGEST_NAME:
        name = name[:-1]
    return place.with_name(f".{name}.{secrets.token_hex(4)}.{what}")


@contextmanager
def _locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    lock = _lock(folder, wait=wait)
    try:
        yield
    finally:
        os.close(lock)


def _lock(folder: Path, *, wait: bool = True) -> int:
    """Raises BlockingIOError when somebody else holds it, FileNotFoundError when it was removed meanwhile."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        if not os.path.samestat(os.fstat(lock), folder.lstat()):
            raise FileNotFoundError(f"{folder} was removed")
    except OSError:
        os.close(lock)
        raise
    return lock


def _sync(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    with ThreadPoolExecutor(_SYNCING) as pool:
        list(pool.map(_sync_file, files))
        list(pool.map(sync_folder, folders))


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
