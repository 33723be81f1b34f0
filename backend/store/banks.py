"""Retrieval banks on the disk: unit vectors, what each row is, and a quantised index of large ones.

A bank's *generation* is named by what went into it, so that whoever asks for one gets that one. It is written beside the
others, made durable and swapped in by one rename: a build that is interrupted leaves what was there. Every file's hash
stands in the manifest; a generation with a missing, cut or altered file is noticed when it is opened, and built again.
"""

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from backend.domain import ProjectError, StoreError, digest
from backend.store.banks_index import IndexFacts, IndexSettings, build_index, read_index
from backend.store.banks_search import Bank
from backend.store.journal_head import sync_file, sync_folder

log = logging.getLogger(__name__)

FORMAT = 1
KEPT_GENERATIONS = 2  # the newest ones of a bank: a worker may still read the one before
MANIFEST, VECTORS, ROWS, INDEX = "manifest.json", "vectors.npy", "rows.arrow", "index.faiss"
_INCOMING = ".building-"


@dataclass(frozen=True, slots=True)
class BankContent:
    """What goes into a bank: float32 unit vectors `(N, D)`, and a table that says of each row what it is."""

    vectors: np.ndarray
    rows: pa.Table


def open_bank(
    folder: Path, generation: str, content: Callable[[], BankContent], *, settings: IndexSettings | None = None
) -> Bank:
    """The generation of the bank kept in `folder`, built from `content` when it is not there or damaged.

    `generation` names the content; the settings that shape the index enter the file's name too. One process builds, others
    wait for it. Raises ProjectError when the disk is full or not writable.
    """
    settings = settings or IndexSettings()
    place = folder / f"{generation}-{digest((FORMAT, asdict(settings)), num_bytes=4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            bank = _opened(place)
            if bank is None:
                _build(place, content(), settings)
                bank = _read(place)
            place.touch()
            _prune(folder, place)
    except OSError as error:
        raise ProjectError(
            f"retrieval bank {place} cannot be written: {error.strerror}; free some space or check who owns the folder"
        ) from error
    return bank


def check_generation(place: Path) -> str | None:
    """One sentence about what is wrong with a generation's files; None when every hash agrees."""
    try:
        facts = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
        hashes = facts["files"]
        if facts["format"] != FORMAT or set(hashes) - {VECTORS, ROWS, INDEX} or not {VECTORS, ROWS} <= set(hashes):
            return f"bank {place}: its manifest is of another format"
        if digest((facts["format"], hashes, facts["index"])) != facts["digest"]:
            return f"bank {place}: its manifest was altered"
        for name, expected in hashes.items():
            if _file_hash(place / name) != expected:
                return f"bank {place}: {name} is damaged"
    except FileNotFoundError as error:
        return f"bank {place}: {Path(error.filename).name} is missing"
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return f"bank {place}: its manifest cannot be read ({error})"
    return None


def _opened(place: Path) -> Bank | None:
    if not place.exists():
        return None
    problem = check_generation(place)
    if problem is None:
        try:
            return _read(place)
        except StoreError as error:
            problem = str(error)
    log.warning("%s; it is built again", problem)
    shutil.rmtree(place)
    return None


def _read(place: Path) -> Bank:
    facts = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
    vectors = np.load(place / VECTORS, mmap_mode="r")
    with pa.memory_map(str(place / ROWS)) as file:
        rows = pa.ipc.open_file(file).read_all()
    if vectors.ndim != 2 or len(vectors) != rows.num_rows:
        raise StoreError(f"bank {place}: {len(vectors)} vectors, {rows.num_rows} rows")
    index = read_index(place / INDEX, IndexFacts(**facts["index"])) if facts["index"] else None
    return Bank(vectors=vectors, rows=rows, index=index)


def _build(place: Path, content: BankContent, settings: IndexSettings) -> None:
    """Writes every file beside the place, then renames the folder to it."""
    vectors = np.ascontiguousarray(content.vectors, np.float32)
    assert vectors.ndim == 2, f"vectors of shape {vectors.shape}"
    assert len(vectors) == content.rows.num_rows, f"{len(vectors)} vectors, {content.rows.num_rows} rows"
    incoming = place.parent / f"{_INCOMING}{os.getpid()}-{secrets.token_hex(4)}"
    incoming.mkdir()
    try:
        np.save(incoming / VECTORS, vectors, allow_pickle=False)
        with pa.OSFile(str(incoming / ROWS), "wb") as file, pa.ipc.new_file(file, content.rows.schema) as writer:
            writer.write_table(content.rows)
        facts = build_index(vectors, incoming / INDEX, settings)
        files = {name: _file_hash(incoming / name) for name in (VECTORS, ROWS, INDEX) if (incoming / name).exists()}
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "num_rows": len(vectors),
            "files": files,
            "index": asdict(facts) if facts else {},
        }
        manifest["digest"] = digest((FORMAT, files, manifest["index"]))
        (incoming / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        for path in incoming.iterdir():
            with path.open("rb") as file:
                sync_file(file.fileno())
        sync_folder(incoming)
        incoming.rename(place)
        sync_folder(place.parent)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def _prune(folder: Path, current: Path) -> None:
    """Removes what builders left unfinished, and all but the newest generations."""
    generations = []
    for entry in folder.iterdir():
        if entry.name.startswith(_INCOMING):
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.is_dir() and entry != current:
            generations.append(entry)
    generations.sort(key=lambda entry: (entry.stat().st_mtime_ns, entry.name), reverse=True)
    for entry in generations[KEPT_GENERATIONS - 1 :]:
        shutil.rmtree(entry, ignore_errors=True)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds the bank's lock, which ends with its holder."""
    with (folder / ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
