"""Reads an export made by `export manifest`, and refuses one that was changed, cut short or leads out of its folder."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from backend.domain import ImportRefused
from backend.exports.folder import MANIFEST
from backend.exports.manifest import (
    ABOUT,
    FORMAT,
    FORMAT_VERSION,
    PAIR_LINE,
    SAMPLE_LINE,
    VIDEO_LINE,
    artifact_path,
)
from backend.exports.removed import Removed, read_removed
from backend.exports.rows import ExportAbout, ExportPair, ExportSample, ExportVideo

Row = TypeVar("Row")
REQUIRED = ("pairs.jsonl", "videos.jsonl", "about.json")
SAMPLES = "samples.jsonl"
MAX_LINE_BYTES = 16 * 2**20
"""A pair with two 4K masks and long captions takes under 1 MiB."""
_LISTED = re.compile(r"([0-9a-f]{64})  (.+)")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class ManifestReader:
    """An export that was checked. Rows are read as they are asked for, in id order."""

    folder: Path
    about: ExportAbout
    num_pairs: int
    num_videos: int
    num_pairs_by_split: dict[str, int]
    files: frozenset[str]
    removed: Removed = field(default_factory=Removed)
    """What was erased from the project since: its rows are passed over. The counts are those that were written."""

    def pairs(self, *, split: str | None = None) -> Iterator[ExportPair]:
        """Every pair, or those of one split. Raises ImportRefused naming the line that is malformed."""
        self._check_split(split)
        for pair in self._rows("pairs.jsonl", PAIR_LINE):
            if (split is None or pair.split == split) and not self.removed.has_pair(pair):
                yield pair

    def samples(self, *, split: str | None = None) -> Iterator[ExportSample]:
        """Every sample, or those of one split; none of an export made before there were samples. Raises ImportRefused."""
        self._check_split(split)
        if SAMPLES not in self.files:
            return
        gone = self._erased_pairs()
        for row in self._rows(SAMPLES, SAMPLE_LINE):
            sample = self.removed.without(row, erased_pairs=gone) if self.removed else row
            if sample is not None and (split is None or sample.split == split):
                yield sample

    def videos(self) -> Iterator[ExportVideo]:
        """Every video that a pair comes from."""
        return (video for video in self._rows("videos.jsonl", VIDEO_LINE) if not self.removed.has_video(video))

    def artifact(self, name: str) -> Path:
        """The file of an artifact such as `ExportSide.crop`. Raises ImportRefused when the export does not list it."""
        try:
            place = artifact_path(name)
        except ValueError as error:
            raise ImportRefused(f"{self.folder}: {error}") from error
        if place not in self.files:
            raise ImportRefused(f"{self.folder} does not list {place}; export it again")
        return self.folder / place

    def _erased_pairs(self) -> frozenset[str]:
        rows = self._rows("pairs.jsonl", PAIR_LINE) if self.removed else ()
        return frozenset(pair.pair_id for pair in rows if self.removed.has_pair(pair))

    def _check_split(self, split: str | None) -> None:
        if split is not None and split not in self.num_pairs_by_split:
            known = ", ".join(self.num_pairs_by_split) or "none"
            raise ImportRefused(f"{self.folder} has no split {split!r}; it has {known}")

    def _rows(self, name: str, adapter: TypeAdapter[Row]) -> Iterator[Row]:
        with (self.folder / name).open("rb") as file:
            number = 0
            while data := file.readline(MAX_LINE_BYTES):
                number += 1
                try:
                    yield adapter.validate_python(json.loads(data, parse_constant=_no_constant))
                except ValidationError as error:
                    first = error.errors(include_url=False)[0]
                    place = ".".join(str(part) for part in first["loc"])
                    raise ImportRefused(f"{name} line {number}, {place or 'whole line'}: {first['msg']}") from error
                except (ValueError, RecursionError) as error:
                    raise ImportRefused(f"{name} line {number} is no JSON: {error}") from error


def read_manifest(folder: Path, *, verify: bool = True) -> ManifestReader:
    """Opens an export; with `verify` every listed file is compared with its checksum.

    What was erased from its project since is passed over, where a `removed.jsonl` in it or beside it says so.
    Raises ImportRefused when the folder is no export, was made by a newer version, names a path outside itself, or a
    file is missing or changed.
    """
    hashes = _listing(folder)
    for name, expected in hashes.items():
        path = _inside(folder, name)
        if verify and _sha256(path) != expected:
            raise ImportRefused(
                f"{name} in {folder} is not what {MANIFEST} lists; it was changed or cut short, export again"
            )
    return ManifestReader(folder=folder, files=frozenset(hashes), removed=read_removed(folder), **_header(folder))


def _listing(folder: Path) -> dict[str, str]:
    try:
        text = (folder / MANIFEST).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ImportRefused(f"{folder} is no export: {MANIFEST} cannot be read") from error
    hashes: dict[str, str] = {}
    for number, entry in enumerate(text.split("\n")[:-1], start=1):
        found = _LISTED.fullmatch(entry)
        if not found:
            raise ImportRefused(f"{MANIFEST} line {number} in {folder} is not 'CHECKSUM  PATH'; export again")
        hashes[found[2]] = found[1]
    missing = [name for name in REQUIRED if name not in hashes]
    if missing:
        raise ImportRefused(f"{MANIFEST} in {folder} does not list {missing[0]}; the export is not whole, export again")
    return hashes


def _inside(folder: Path, name: str) -> Path:
    """The file's path. Links are refused: what they point to is not what was exported."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or "\\" in name or ":" in name or any(part in ("..", "") for part in name.split("/")):
        raise ImportRefused(f"{MANIFEST} in {folder} names {name!r}, which leads out of the folder")
    path = folder / name
    if any(step.is_symlink() for step in (path, *path.parents) if step != folder and folder in step.parents):
        raise ImportRefused(f"{name} in {folder} is a link; an export holds plain files")
    if not path.is_file():
        raise ImportRefused(f"{name} is missing from {folder}; export it again")
    return path


def _sha256(path: Path) -> str:
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            hasher.update(data)
    return hasher.hexdigest()


def _header(folder: Path) -> dict[str, Any]:
    """The fields of `ManifestReader` that about.json tells."""
    try:
        header = json.loads((folder / "about.json").read_text("utf-8"), parse_constant=_no_constant)
        name, version = header["format"], int(header["format_version"])
        if name == FORMAT and version <= FORMAT_VERSION:
            return {
                "about": ABOUT.validate_python(header["about"]),
                "num_pairs": int(header["num_pairs"]),
                "num_videos": int(header["num_videos"]),
                "num_pairs_by_split": {str(split): int(count) for split, count in header["num_pairs_by_split"].items()},
            }
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors(include_url=False)[0]["loc"])
        raise ImportRefused(f"about.json in {folder} is wrong at {place or 'about'}; export again") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ImportRefused(f"about.json in {folder} cannot be read: {error!r}") from error
    if name != FORMAT:
        raise ImportRefused(f"{folder} is of format {name!r}, not {FORMAT}")
    raise ImportRefused(
        f"{folder} has format version {version}, this version reads {FORMAT_VERSION}; update Subject Studio"
    )


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
