"""The cache of latents: sharded safetensors with an index, packed from what the stages kept.

A folder holds `shards/NNNNN.safetensors`, `shards/NNNNN.jsonl` (a line an item: its key, its shapes, SHA-256 of each tensor
and of the line; those of earlier versions have no checksums) and `work/` (the catalog and what is not packed yet). A shard counts
only when its index is there, and what was packed is removed from `work/` only after that, so that whoever is killed loses
nothing. Keys name the stage, its settings and its models' weights: latents of several versions lie side by side and are never mixed.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save_file

from backend.domain import ProjectError, StoreError, json_checksum
from backend.store.artifacts import Artifacts

SHARD_BYTES = 256 * 2**20  # our choice: a few seconds to write, thousands for a data set of terabytes
_EARLIER = {"key", "target", "artifact", "tensors"}
"""What a line of an earlier version holds."""


class Kept(NamedTuple):
    """An item that a stage finished: the key of its version, what it is of, and the artifact with its tensors."""

    key: str
    target: str
    artifact: str


@dataclass(frozen=True, slots=True)
class Entry:
    """Where an item lies, and the shape of each of its tensors."""

    shard: str
    artifact: str
    """What it was packed from: names its content."""
    shapes: Mapping[str, tuple[int, ...]]
    digests: Mapping[str, str]
    """By tensor; none in a cache of an earlier version."""


class LatentCache:
    """What is packed. Tensors are read from the shards as they are asked for, through the page cache of the system."""

    def __init__(self, folder: Path) -> None:
        """Reads the index. Raises StoreError for one that is damaged."""
        self.folder = folder
        self._entries: dict[tuple[str, str], Entry] = {}
        self._open: dict[str, safe_open] = {}
        self._checked: set[tuple[str, str, str]] = set()
        for path in sorted((folder / "shards").glob("*.jsonl")):
            self._entries.update(_read_index(path))

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, key: str, target: str) -> Entry | None:
        """The entry of an item in this version."""
        return self._entries.get((key, target))

    def tensor(self, key: str, target: str, name: str) -> torch.Tensor:
        """One tensor of an item that is there; its checksum is looked at the first time.

        Raises StoreError where its shard is damaged or gone.
        """
        entry = self._entries[key, target]
        shard = entry.shard
        try:
            if shard not in self._open:
                self._open[shard] = safe_open(self.folder / "shards" / shard, framework="pt")
            found = self._open[shard].get_tensor(f"{key}/{target}/{name}")
        except (OSError, SafetensorError) as error:
            raise StoreError(
                f"{shard} in {self.folder} cannot be read: {error}; delete the folder, and the latents are made again"
            ) from error
        if entry.digests and (key, target, name) not in self._checked:
            if _digest(found) != entry.digests.get(name):
                raise StoreError(
                    f"{name} of {target} in {shard} of {self.folder} does not fit its checksum; delete the folder, and the "
                    "latents are made again"
                )
            self._checked.add((key, target, name))
        return found

    def pack(self, kept: Iterable[Kept], artifacts: Artifacts, *, shard_bytes: int = SHARD_BYTES) -> int:
        """Adds items that are not there with this content, and removes their artifacts. Gives how many were added.

        Raises ProjectError on a full disk; what was packed until then is there.
        """
        items = list(kept)
        fresh = [item for item in items if not self._holds(item)]
        for part in _parts(fresh, artifacts, shard_bytes):
            self._write(part, artifacts)
        for item in items:
            artifacts.path(item.artifact).unlink(missing_ok=True)
        return len(fresh)

    def _holds(self, item: Kept) -> bool:
        entry = self._entries.get((item.key, item.target))
        return entry is not None and entry.artifact == item.artifact

    def _write(self, part: Sequence[Kept], artifacts: Artifacts) -> None:
        tensors: dict[str, torch.Tensor] = {}
        lines = []
        for item in part:
            found = load(artifacts.get(item.artifact))
            tensors |= {f"{item.key}/{item.target}/{name}": values for name, values in found.items()}
            lines.append(_line(item, found))
        shards = self.folder / "shards"
        shards.mkdir(parents=True, exist_ok=True)
        name = f"{len(list(shards.glob('*.jsonl'))):05d}"
        try:
            _whole(shards / f"{name}.safetensors", lambda to: save_file(tensors, to))
            _whole(shards / f"{name}.jsonl", lambda to: to.write_text("\n".join(lines) + "\n", encoding="utf-8"))
        except (OSError, SafetensorError) as error:
            raise ProjectError(
                f"{shards} cannot take another shard: {error}; free some space and run the command again"
            ) from error
        self._entries.update(_read_index(shards / f"{name}.jsonl"))


def _parts(kept: Sequence[Kept], artifacts: Artifacts, shard_bytes: int) -> Iterator[list[Kept]]:
    part: list[Kept] = []
    size = 0
    for item in kept:
        part.append(item)
        size += artifacts.path(item.artifact).stat().st_size
        if size >= shard_bytes:
            yield part
            part, size = [], 0
    if part:
        yield part


def _whole(path: Path, write: Callable[[Path], object]) -> None:
    """A file that has its name only when it is on the disk."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _line(item: Kept, tensors: Mapping[str, torch.Tensor]) -> str:
    told = {
        "key": item.key,
        "target": item.target,
        "artifact": item.artifact,
        "tensors": {name: list(values.shape) for name, values in tensors.items()},
        "sha256": {name: _digest(values) for name, values in tensors.items()},
    }
    return json.dumps({**told, "line": json_checksum(told)})


def _digest(tensor: torch.Tensor) -> str:
    """SHA-256 of what a tensor is and of its bytes."""
    found = hashlib.sha256(f"{tensor.dtype} {list(tensor.shape)} ".encode())
    found.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def _read_index(path: Path) -> dict[tuple[str, str], Entry]:
    found = {}
    try:
        for line in path.read_text("utf-8").splitlines():
            told = json.loads(line)
            said = told.pop("line", None)
            if said != json_checksum(told) and not (said is None and set(told) == _EARLIER):
                raise ValueError("a line does not fit its checksum")
            shapes = {name: tuple(shape) for name, shape in told["tensors"].items()}
            found[told["key"], told["target"]] = Entry(
                f"{path.stem}.safetensors", told["artifact"], shapes, told.get("sha256", {})
            )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{path} is no index of latents: {error!r}; delete the folder, and they are made again") from error
    return found
