"""Where workers on other machines leave what they made, for the owner to take in: a shared folder, or an object store.

A *fragment* is what one batch gave: a Parquet file for each kind of record, and `outcome.json`, written last, with the
results without rows and the checksum of each file. It is called after its work keys, so that an owner that comes back finds
what was finished while nobody was there. A fragment that is not whole is none.
"""

import hashlib
import importlib
import io
import json
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from backend.domain import Failed, Filtered, Ok, Result, SettingsError, digest
from backend.engine.work import Batch, Outcome
from backend.store.artifacts import Artifacts

FRAGMENTS, ARTIFACTS, SIGN = "fragments", "artifacts", "sign"
OUTCOME = "outcome.json"
OUTGOING = ".outgoing"
WITHOUT_FOLDERS = {"s3", "gs", "abfs"}
"""Object stores as fsspec names them: to make a folder there makes a bucket, under whatever name was given."""
_FRAGMENT = re.compile(r"[0-9a-f]{32}")


class Exchange:
    """The place at `url`: a folder, or whatever fsspec has a file system for, as `s3://bucket/prefix`."""

    def __init__(self, url: str) -> None:
        import fsspec

        try:
            self._files, root = fsspec.url_to_fs(url, use_listings_cache=False) if "://" in url else fsspec.url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise SettingsError(f"ray_store is {url!r}: {error}; name a folder, or a URL that fsspec can open") from error
        self.url = url
        self._root = root.rstrip("/")
        self._protocols = {self._files.protocol} if isinstance(self._files.protocol, str) else set(self._files.protocol)
        self._faults = _faults(self._protocols)

    def sign(self) -> str:
        """Leaves a word by which workers know that they see the same place; gives it. Raises SettingsError when nothing can be written."""
        word = secrets.token_hex(8)
        try:
            self._write(f"{SIGN}/{word}", b"")
        except OSError as error:
            raise SettingsError(f"{self.url} cannot be written: {error}; name another place as ray_store") from error
        return word

    def is_signed(self, word: str) -> bool:
        try:
            return bool(self._ask(self._files.exists, f"{self._root}/{SIGN}/{word}"))
        except (OSError, SettingsError):
            return False

    def put(self, batch: Batch, outcome: Outcome, artifacts: Sequence[str] = ()) -> str:
        """Leaves what a batch gave; `artifacts` are those that were left here for it. Gives the fragment's name."""
        name = fragment_of(batch)
        sums = {}
        for kind, table in outcome.tables.items():
            buffer = io.BytesIO()
            pq.write_table(table, buffer)
            sums[kind] = _sum(buffer.getvalue())
            self._write(f"{FRAGMENTS}/{name}/{kind}.parquet", buffer.getvalue())
        about = {
            "notes": [_told(note) for note in outcome.notes],
            "tables": sums,
            "seconds": outcome.seconds,
            "artifacts": list(artifacts),
        }
        self._write(f"{FRAGMENTS}/{name}/{OUTCOME}", json.dumps(about).encode())
        return name

    def get(self, name: str) -> tuple[Outcome, tuple[str, ...]] | None:
        """What a batch gave, and the names of its artifacts; None when the fragment is not there or not whole."""
        folder = f"{self._root}/{FRAGMENTS}/{name}"
        try:
            about = json.loads(self._ask(self._files.cat_file, f"{folder}/{OUTCOME}"))
            tables = {}
            for kind, checksum in about["tables"].items():
                data = self._ask(self._files.cat_file, f"{folder}/{kind}.parquet")
                if _sum(data) != checksum:
                    return None
                tables[kind] = pq.read_table(io.BytesIO(data))
        except (FileNotFoundError, ValueError):
            return None
        notes = tuple(_note(told) for told in about["notes"])
        return Outcome(notes=notes, tables=tables, seconds=about["seconds"]), tuple(about["artifacts"])

    def left(self) -> set[str]:
        """Names of the fragments that are here, whole or not."""
        try:
            found = self._ask(self._files.ls, f"{self._root}/{FRAGMENTS}", detail=False)
        except FileNotFoundError:
            return set()
        return {name for path in found if _FRAGMENT.fullmatch(name := path.rstrip("/").rsplit("/", 1)[-1])}

    def remove(self, fragments: Iterable[str]) -> None:
        """Removes fragments; those that are not there are passed over."""
        for name in fragments:
            self._remove(f"{FRAGMENTS}/{name}")

    def clear(self) -> None:
        """Removes all that was left here."""
        for part in (FRAGMENTS, ARTIFACTS, SIGN):
            self._remove(part)

    def put_artifact(self, name: str, data: bytes) -> None:
        if not self._ask(self._files.exists, self._artifact(name)):
            self._write(f"{ARTIFACTS}/{name[:2]}/{name}", data)

    def get_artifact(self, name: str) -> bytes | None:
        """The bytes as they are here; None when they are not."""
        try:
            return self._ask(self._files.cat_file, self._artifact(name))
        except FileNotFoundError:
            return None

    def put_all(self, artifacts: Artifacts) -> None:
        """Leaves every artifact that is not here."""
        here = {path.rsplit("/", 1)[-1] for path in self._ask(self._files.find, f"{self._root}/{ARTIFACTS}")}
        for name in artifacts.names():
            if name not in here:
                self._write(f"{ARTIFACTS}/{name[:2]}/{name}", artifacts.get(name))

    def _artifact(self, name: str) -> str:
        return f"{self._root}/{ARTIFACTS}/{name[:2]}/{name}"

    def _write(self, path: str, data: bytes) -> None:
        """Under its name only when it is whole; object stores do that by themselves."""
        target = f"{self._root}/{path}"
        if not self._protocols & WITHOUT_FOLDERS:
            self._ask(self._files.makedirs, target.rsplit("/", 1)[0], exist_ok=True)
        if "file" not in self._protocols:
            self._ask(self._files.pipe_file, target, data)
            return
        fresh = f"{target}.{secrets.token_hex(4)}"
        self._files.pipe_file(fresh, data)
        Path(fresh).replace(target)

    def _remove(self, path: str) -> None:
        try:
            self._ask(self._files.rm, f"{self._root}/{path}", recursive=True)
        except FileNotFoundError:
            return

    def _ask(self, call: Callable[..., Any], *arguments: Any, **how: Any) -> Any:
        """What the file system answers. Raises SettingsError where a store on another machine cannot be reached, or refuses."""
        try:
            return call(*arguments, **how)
        except FileNotFoundError:
            raise
        except self._faults as error:
            raise SettingsError(
                f"ray_store {self.url} cannot be used: {error}; look whether it is up, and whether the credentials in the "
                "environment are those of somebody who may read, write and remove there"
            ) from error


class ExchangedArtifacts(Artifacts):
    """A worker's own folder of artifacts: what is missing comes from the exchange, what is new waits to be left there."""

    def __init__(self, root: Path, exchange: Exchange) -> None:
        super().__init__(root, durable=False)
        self._exchange = exchange
        self._outgoing = self.root / OUTGOING
        self._outgoing.mkdir(exist_ok=True)

    def put(self, data: bytes, suffix: str) -> str:
        name = super().put(data, suffix)
        (self._outgoing / name).touch()
        return name

    def put_many(self, items: Sequence[tuple[bytes, str]]) -> list[str]:
        return [self.put(data, suffix) for data, suffix in items]

    def put_file(self, path: Path) -> str:
        name = super().put_file(path)
        (self._outgoing / name).touch()
        return name

    def get(self, name: str) -> bytes:
        if not self.path(name).exists() and (data := self._exchange.get_artifact(name)) is not None:
            super().put(data, Path(name).suffix)
        return super().get(name)

    def leave(self) -> list[str]:
        """Leaves what is new in the exchange; gives the names."""
        names = sorted(path.name for path in self._outgoing.iterdir())
        for name in names:
            self._exchange.put_artifact(name, super().get(name))
            (self._outgoing / name).unlink()
        return names


def _faults(protocols: set[str]) -> tuple[type[Exception], ...]:
    """What a file system raises of the way to it; that of this machine tells of itself."""
    if "file" in protocols:
        return ()
    if "s3" in protocols:  # botocore's own are no OSError
        return OSError, importlib.import_module("botocore.exceptions").BotoCoreError
    return (OSError,)


def fragment_of(batch: Batch) -> str:
    """The name of what a batch gives: its work keys say all that it depends on."""
    return digest(batch.work_keys)


def _told(note: Result) -> list[Any]:
    match note:
        case Ok(item_id=item_id, warnings=warnings):
            return ["ok", item_id, list(warnings)]
        case Filtered(item_id=item_id, reason=reason):
            return ["filtered", item_id, reason]
        case Failed(item_id=item_id, kind=kind, message=message):
            return ["failed", item_id, kind, message]


def _note(told: Sequence[Any]) -> Result:
    match told:
        case ["ok", item_id, warnings]:
            return Ok(item_id, (), tuple(warnings))
        case ["filtered", item_id, reason]:
            return Filtered(item_id, reason)
        case ["failed", item_id, kind, message]:
            return Failed(item_id, kind, message)
    raise ValueError(f"{told!r:.100} is no result")


def _sum(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
