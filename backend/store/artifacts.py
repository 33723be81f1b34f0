"""Files known by their content: crops, masks, previews, frame indexes, as `artifacts/ab/HASH.ext`.

A file gets its name (BLAKE2b-256 of its bytes) only once it is whole, by a rename, so that a named file is never half
written, however its writer dies. What a power cut may do depends on the store:
- `durable=True` (the owner's): data and name are on the disk when `put` returns. A power cut loses nothing.
- `durable=False` (the workers'): nothing is waited for. `kill -9` loses nothing; a power cut may lose or empty files
  of the last seconds. The owner therefore calls `settle` with a batch's names before it commits the rows that point
  to them. A machine's result that is lost all the same is noticed (`get`, `verify_all`) and made again.
"""

import errno
import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from backend.domain import ProjectError, StoreError
from backend.store.journal_head import sync_file, sync_folder

HASH_BYTES = 32
_NAME = re.compile(r"[0-9a-f]{64}\.[a-z0-9]{1,8}", re.ASCII)
_SUFFIX = re.compile(r"[a-z0-9]{1,8}", re.ASCII)
_INCOMING = ".incoming"  # one folder for files that have no name yet: cleaning it needs no walk over the store
_SYNCING = 16  # files synced at once share the disk's flushes: 8,400 a second against 600 one by one (ext4, 2 cores)
_CHUNK = 1 << 20


class Artifacts:
    """The files below `root`. Any number of processes may put at once; equal content is kept once.

    Serves `backend.domain.ArtifactStore`. Raises ProjectError when the folder cannot be made or the disk is full.
    """

    def __init__(self, root: Path, *, durable: bool = True) -> None:
        self.root = Path(root)
        self._durable = durable
        self._incoming = self.root / _INCOMING
        self._known_folders: set[Path] = set()
        try:
            self._incoming.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ProjectError(f"{self.root} cannot be made: {error.strerror}; check who owns the folder") from error

    def __reduce__(self):
        return _restored, (self.root, self._durable)

    def put(self, data: bytes, suffix: str) -> str:
        """Stores bytes and gives their name, `HASH.suffix`. Damaged content of that name is replaced."""
        name = f"{hashlib.blake2b(data, digest_size=HASH_BYTES).hexdigest()}.{_checked_suffix(suffix)}"
        target = self.path(name)
        if _holds(target, data):
            if self._durable:
                self.settle([name])
            return name
        with _disk_errors(self.root), _Incoming(self._incoming) as (file, temporary):
            file.write(data)
            self._take(file, temporary, target)
        return name

    def put_many(self, items: Sequence[tuple[bytes, str]]) -> list[str]:
        """Stores several files and waits for the disk once at the end: cheaper than `put` for each."""
        quick = Artifacts(self.root, durable=False)
        names = [quick.put(data, suffix) for data, suffix in items]
        if self._durable:
            self.settle(names)
        return names

    def put_file(self, path: Path) -> str:
        """Copies a file into the store, reading it once; keeping its suffix. Raises StoreError when unreadable."""
        suffix = _checked_suffix(path.suffix.lower())
        try:
            source = path.open("rb")
        except OSError as error:
            raise StoreError(f"{path} cannot be stored: {error.strerror}; check that it exists") from error
        hasher = hashlib.blake2b(digest_size=HASH_BYTES)
        with source, _disk_errors(self.root), _Incoming(self._incoming) as (file, temporary):
            while chunk := source.read(_CHUNK):
                hasher.update(chunk)
                file.write(chunk)
            name = f"{hasher.hexdigest()}.{suffix}"
            self._take(file, temporary, self.path(name))
        return name

    def settle(self, names: Iterable[str]) -> None:
        """Waits until files and their names are on the disk. Raises StoreError when one is missing."""
        paths = [self.path(name) for name in dict.fromkeys(names)]
        folders = sorted({self.root, *(path.parent for path in paths)})
        with ThreadPoolExecutor(_SYNCING) as pool, _disk_errors(self.root):
            list(pool.map(_sync_named, paths))
            list(pool.map(sync_folder, folders))

    def path(self, name: str) -> Path:
        """Where the file of a name is or would be. Raises StoreError for anything but `HASH.ext`."""
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise StoreError(f"{name!r:.100} is not the name of an artifact (64 hexadecimal digits, a dot, a suffix)")
        return self.root / name[:2] / name

    def get(self, name: str) -> bytes:
        """The bytes. Raises StoreError when the file is missing or its content does not have the name's hash."""
        try:
            data = self.path(name).read_bytes()
        except OSError as error:
            raise _missing(name, error) from error
        if hashlib.blake2b(data, digest_size=HASH_BYTES).hexdigest() != name[:64]:
            raise StoreError(f"artifact {name} is damaged; delete {self.path(name)} and run the stage that made it again")
        return data

    def names(self) -> Iterator[str]:
        """The names of every file, sorted."""
        for folder in sorted(entry for entry in self.root.iterdir() if entry.is_dir() and len(entry.name) == 2):
            yield from sorted(entry.name for entry in folder.iterdir() if _NAME.fullmatch(entry.name))

    def verify_all(self) -> list[str]:
        """Reads every file and gives one sentence for each that is damaged or does not belong here."""
        problems = []
        for entry in sorted(path for path in self.root.rglob("*") if not path.is_dir()):
            inside = entry.relative_to(self.root)
            if inside.parts[0] == _INCOMING:
                continue
            if not _NAME.fullmatch(entry.name) or entry != self.path(entry.name) or entry.is_symlink():
                problems.append(f"{inside} does not belong in the artifact store; move it away")
            elif _file_hash(entry) != entry.stem:
                problems.append(f"artifact {entry.name} is damaged; delete {entry} and run the stage that made it again")
        return problems

    def clean(self) -> int:
        """Removes files that writers left unfinished, and gives their number. For the owner, before workers start."""
        removed = 0
        for entry in self._incoming.iterdir():
            entry.unlink(missing_ok=True)
            removed += 1
        return removed

    def _take(self, file: BinaryIO, temporary: Path, target: Path) -> None:
        file.flush()
        if self._durable:
            sync_file(file.fileno())
        folder = target.parent
        if folder not in self._known_folders:
            folder.mkdir(exist_ok=True)
            if self._durable:
                sync_folder(self.root)
            self._known_folders.add(folder)
        temporary.replace(target)
        if self._durable:
            sync_folder(folder)


class _Incoming:
    """A new file without a name in the store, removed on leaving unless it was renamed."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{os.getpid()}-{secrets.token_hex(8)}"

    def __enter__(self) -> tuple[BinaryIO, Path]:
        self._file = self._path.open("xb")
        return self._file, self._path

    def __exit__(self, *_: object) -> None:
        try:
            self._file.close()
        finally:
            self._path.unlink(missing_ok=True)


class _disk_errors:  # noqa: N801, it reads as a statement
    """Turns an OSError of the block into a ProjectError that names the folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError):
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            advice = "free some space and try again" if full else "check the disk and who owns the folder"
            raise ProjectError(f"an artifact cannot be written to {self._root}: {error.strerror}; {advice}") from error


def _restored(root: Path, durable: bool) -> Artifacts:
    return Artifacts(root, durable=durable)


def _sync_named(path: Path) -> None:
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise _missing(path.name, error) from error
    try:
        sync_file(fd)
    finally:
        os.close(fd)


def _missing(name: str, error: OSError) -> StoreError:
    return StoreError(f"artifact {name} is missing ({error.strerror}); run the stage that made it again")


def _checked_suffix(suffix: str) -> str:
    plain = suffix.removeprefix(".")
    if not _SUFFIX.fullmatch(plain):
        raise StoreError(f"an artifact cannot have the suffix {suffix!r:.40}; use 1 to 8 lower-case letters and digits")
    return plain


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except FileNotFoundError:
        return False


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=HASH_BYTES)).hexdigest()
