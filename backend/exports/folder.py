"""The folder that an export writes: whole or not at all, every file listed with its checksum."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.domain import ProjectError
from backend.store.whole_folder import building, settle

MANIFEST = "MANIFEST.sha256"


class ExportFolder:
    """Files of an export while it is written. Names are relative, with `/`."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._hashes: dict[str, str] = {}

    @property
    def num_files(self) -> int:
        return len(self._hashes)

    def put(self, name: str, data: bytes) -> None:
        with self.opened(name) as write:
            write(data)

    def put_json(self, name: str, document: Any) -> None:
        """Indented, UTF-8; lone surrogates of file names as escapes, as in lines."""
        self.put_lines(name, (json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False),))

    def put_lines(self, name: str, lines: Iterable[str]) -> None:
        with self.opened(name) as write:
            for text in lines:
                # A file name that is not UTF-8 holds lone surrogates, which JSON can only write as escapes.
                write(f"{text}\n".encode(errors="backslashreplace"))

    @contextmanager
    def opened(self, name: str) -> Iterator[Callable[[bytes], None]]:
        """A file that is written piece by piece."""
        path = self._place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        hasher = hashlib.sha256()
        with path.open("wb") as file:

            def write(data: bytes) -> None:
                file.write(data)
                hasher.update(data)

            yield write
        self._hashes[name] = hasher.hexdigest()

    def list_files(self) -> None:
        """Writes the checksums of all files so far, as `sha256sum` does."""
        self.put(MANIFEST, "".join(f"{self._hashes[name]}  {name}\n" for name in sorted(self._hashes)).encode())


@contextmanager
def whole_folder(out: Path) -> Iterator[ExportFolder]:
    """A folder that takes the name `out` only when all is written, listed and on the disk; nothing is left of a failed one.

    An earlier export at `out` is replaced. Raises ProjectError when `out` holds something else or cannot be written.
    """
    _check_target(out)
    try:
        with building(out) as working:
            folder = ExportFolder(working)
            yield folder
            folder.list_files()
            settle(working, out)
    except OSError as error:
        raise ProjectError(
            f"export to {out} failed: {error.strerror or error}; free space or name another folder"
        ) from error


def _check_target(out: Path) -> None:
    """Only nothing, an empty folder or an earlier export may be replaced."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise ProjectError(f"{out} is no folder; name a new or empty one with --out")
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise ProjectError(f"{out} holds files that are no export; name a new or empty folder with --out")
