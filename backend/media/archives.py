"""Unpacking archives of others: zip, and tar plain or packed by gzip, bzip2 or xz. Whole, or not at all.

What an archive says of itself is not believed: sizes are counted as they come, and a name leads nowhere but into the folder.
"""

import bz2
import gzip
import lzma
import os
import re
import shutil
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from backend.domain import ImportRefused

CHUNK = 1 << 20
HEADER_BYTES = 1 << 20
"""What lies between two files of a tar at most: tarfile reads long names whole, however long they say they are."""
SPARED_BYTES = 8 << 20
"""Up to this much, any ratio is taken: a small file of zeros is no bomb."""
LONGEST_NAME = 255  # bytes of a part, as file systems have it
DEEPEST = 40
_PACKED: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\:]")
"""Control letters, and what separates folders, drives and streams elsewhere."""
_BROKEN = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLimits:
    """What is unpacked at most (research: caps on count, total and ratio each stop bombs that the others let pass)."""

    members: int = 100_000
    total_bytes: int = 20 << 30
    ratio: float = 200.0
    """Bytes unpacked to bytes of the archive. deflate reaches 1,032; videos and Parquet stay near 1."""


DEFAULT_LIMITS = ArchiveLimits()


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    is_folder: bool
    problem: str
    """Why it is not taken: a link, a device, an encrypted file."""
    open: Callable[[], IO[bytes]]


def is_archive(path: Path) -> bool:
    """Whether a file is a zip or a tar, by what stands in it."""
    return zipfile.is_zipfile(path) or _is_tar(path)


def unpack(archive: Path, folder: Path, *, limits: ArchiveLimits = DEFAULT_LIMITS) -> None:
    """Unpacks into a new folder, which appears when all of it is there; a kill leaves `.FOLDER.PID.new` beside it.

    Files and folders alone are taken, under names that are relative, plain, in NFC and apart also where case does not count.
    Raises ImportRefused naming the archive, the member and what is wrong with it; nothing is left then.
    """
    if folder.exists() or folder.is_symlink():
        raise ImportRefused(f"{folder} exists; name a new folder")
    building = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    try:
        building.mkdir(mode=0o700, parents=True)
        _Unpacking(archive, building, limits).run()
        building.rename(folder)
    except _BROKEN as error:
        raise ImportRefused(f"{archive} cannot be unpacked: {error}") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


class _Unpacking:
    def __init__(self, archive: Path, folder: Path, limits: ArchiveLimits) -> None:
        self._archive, self._folder, self._limits = archive, folder, limits
        self._most = min(limits.total_bytes, max(SPARED_BYTES, int(limits.ratio * archive.stat().st_size)))
        self._written = 0
        self._taken: dict[str, bool] = {}
        """Folded names, and whether a folder is called so."""

    def run(self) -> None:
        members = _zip_members if zipfile.is_zipfile(self._archive) else _tar_members
        with members(self._archive) as found:
            for number, member in enumerate(found, 1):
                if number > self._limits.members:
                    raise ImportRefused(f"{self._archive} holds more than {self._limits.members} files")
                self._take(member)

    def _take(self, member: _Member) -> None:
        name = member.name.removeprefix("./")  # as `tar -C FOLDER .` writes them
        if member.is_folder and name in ("", "."):
            return
        problem = member.problem or name_problem(name)
        parts = [part for part in unicodedata.normalize("NFC", name).split("/") if part]
        problem = problem or self._collision(parts, is_folder=member.is_folder)
        if problem:
            raise ImportRefused(f"{self._archive}: {member.name[:200]!r} {problem}; nothing was unpacked")
        path = self._folder.joinpath(*parts)
        if member.is_folder:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with member.open() as source, path.open("xb") as target:
            while chunk := source.read(CHUNK):
                self._written += len(chunk)
                if self._written > self._most:
                    raise ImportRefused(
                        f"{self._archive} unpacks to more than {self._most} bytes (at most {self._limits.total_bytes}, and "
                        f"{self._limits.ratio:g} times its own size); nothing was unpacked"
                    )
                target.write(chunk)

    def _collision(self, parts: list[str], *, is_folder: bool) -> str:
        for depth in range(1, len(parts) + 1):
            name = "/".join(parts[:depth])
            folded = unicodedata.normalize("NFC", name.casefold())
            folder_here = is_folder or depth < len(parts)
            before = self._taken.get(folded)
            if before is not None and not (before and folder_here):
                return "stands there twice, by letters that some file systems do not tell apart"
            self._taken[folded] = folder_here
        return ""


def name_problem(name: str) -> str:
    """What is wrong with a member's name; empty for a plain relative one."""
    parts = name.removesuffix("/").split("/")
    if not name or name.startswith(("/", "~")):
        return "is not relative"
    if any(part in ("", ".", "..") for part in parts):
        return "leads elsewhere"
    if _CONTROL.search(name) or any(part != part.strip(" ") or part.endswith(".") for part in parts):
        return "holds what other systems read otherwise"
    if len(parts) > DEEPEST or any(len(part.encode("utf-8", "surrogateescape")) > LONGEST_NAME for part in parts):
        return "is too long or too deep"
    return "" if name.isprintable() and _is_text(name) else "is no plain text"


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def _zip_members(path: Path) -> Iterator[Iterator[_Member]]:
    with zipfile.ZipFile(path) as archive:

        def members() -> Iterator[_Member]:
            for info in archive.infolist():
                kind = stat.S_IFMT(info.external_attr >> 16)
                problem = "" if kind in (0, stat.S_IFREG, stat.S_IFDIR) else "is a link or a device"
                if info.flag_bits & 1:
                    problem = "is encrypted"
                # `orig_filename`: `filename` ends at a NUL and lets names look alike.
                yield _Member(
                    info.orig_filename, info.orig_filename.endswith("/"), problem, lambda info=info: archive.open(info)
                )

        yield members()


@contextmanager
def _tar_members(path: Path) -> Iterator[Iterator[_Member]]:
    with _unpacked(path) as raw:
        counted: Any = _Counted(raw)
        with tarfile.open(fileobj=counted, mode="r|") as archive:

            def members() -> Iterator[_Member]:
                while True:
                    counted.left = HEADER_BYTES
                    info = archive.next()
                    if info is None:
                        return
                    counted.left = info.size + HEADER_BYTES
                    plain = (info.isreg() or info.isdir()) and not info.issparse()
                    problem = "" if plain else "is a link, a device or sparse"
                    yield _Member(info.name, info.isdir(), problem, lambda info=info: _data(archive, info))

            yield members()


def _data(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    found = archive.extractfile(info)
    assert found is not None, "a regular file has data"
    return found


def _unpacked(path: Path) -> Any:
    with path.open("rb") as file:
        start = file.read(6)
    opened = next((opened for magic, opened in _PACKED.items() if start.startswith(magic)), open)
    return opened(path, "rb")


class _Counted:
    """A stream that ends in ImportRefused where more is read than is due."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self.left = stream, HEADER_BYTES

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise ImportRefused(f"a header of the archive takes more than {HEADER_BYTES} bytes")
        return data


def _is_tar(path: Path) -> bool:
    try:
        with _unpacked(path) as stream:
            return tarfile.TarInfo.frombuf(stream.read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape") is not None
    except _BROKEN:
        return False
