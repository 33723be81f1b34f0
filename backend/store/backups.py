"""Backups of a project: the journal, project.toml, and the catalog's tables as Parquet with page checksums.

A backup is a folder: `journal.sqlite`, `journal.head`, `project.toml`, `catalog/TABLE.parquet`, `backup.json` (what it
holds) and `MANIFEST.sha256` (`sha256sum -c MANIFEST.sha256` checks it too). It appears under its name only when it is
whole and checked. Artifacts are left out: machines make them again.

Parquet's pages carry no checksum by default: of 300 single-bit flips 209 gave other data in silence, with page
checksums none.
"""

import hashlib
import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from backend.domain import ProjectError, StoreError
from backend.store.journal_head import Head, HeadFile, read_head
from backend.store.journal_reader import JournalReader, connect, explained, head_path
from backend.store.whole_folder import building, remove_whole, settle

FORMAT = 1
"""Version of a backup's layout."""

DAYS, WEEKS = 7, 4
"""Of how many days, and of how many weeks, the newest backup is kept."""

JOURNAL = "journal.sqlite"
PROJECT = "project.toml"
MANIFEST = "MANIFEST.sha256"
_CONTENT = "backup.json"
_TABLE = re.compile(r"[a-z][a-z0-9_]{0,62}", re.ASCII)
_FILE = re.compile(
    r"journal\.sqlite|journal\.head|project\.toml|backup\.json|catalog/[a-z][a-z0-9_]{0,62}\.parquet", re.ASCII
)
_STAMP = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_STAMP_FORMAT = "%Y%m%dT%H%M%SZ"

Tables = Mapping[str, pa.Table | pa.RecordBatchReader]
"""The catalog's tables by name; a reader is written as it streams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What a backup holds, after all of it was checked."""

    path: Path
    created: str
    head: Head
    tables: dict[str, Path]
    """Parquet file of each catalog table."""
    rows: dict[str, int]


def backup_project(project: Path, out: Path, tables: Tables, *, now: datetime | None = None) -> Backup:
    """Writes a backup of a project, live or not, into a new folder, checks it and gives what it holds.

    Raises StoreError when the journal is damaged, ProjectError when `out` is not empty or the disk is full; then
    nothing is left behind.
    """
    out = Path(out)
    _require_empty(out, "a backup")
    created = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    try:
        with building(out) as folder:
            (folder / "catalog").mkdir()
            head = _copy_journal(Path(project) / JOURNAL, folder / JOURNAL)
            if (Path(project) / PROJECT).exists():
                shutil.copyfile(Path(project) / PROJECT, folder / PROJECT)
            rows = {name: _write_table(table, folder / "catalog", name) for name, table in sorted(tables.items())}
            content = {"format": FORMAT, "created": created, "head": [head.seq, head.hash], "rows": rows}
            (folder / _CONTENT).write_text(json.dumps(content, indent=1) + "\n", "utf-8")
            _write_manifest(folder)
            verify_backup(folder)
            settle(folder, out)
    except (OSError, pa.ArrowException) as error:
        raise ProjectError(f"the backup cannot be written to {out}: {error}; choose another place or free space") from error
    files = {name: out / "catalog" / f"{name}.parquet" for name in rows}
    return Backup(path=out, created=created, head=head, tables=files, rows=rows)


def new_backup_path(project: Path, now: datetime) -> Path:
    """Where a backup goes when nobody names a place: `backups/` and the time in UTC."""
    return Path(project) / "backups" / now.astimezone(UTC).strftime(_STAMP_FORMAT)


def prune_backups(folder: Path) -> list[Path]:
    """Keeps the newest backup of each of the last `DAYS` days and `WEEKS` weeks that have one; gives those deleted.

    Only backups that carry a time as name are looked at. A week begins on Monday, a day at midnight in UTC.
    """
    dated = sorted(path for path in Path(folder).iterdir() if _STAMP.fullmatch(path.name) and (path / MANIFEST).is_file())
    newest_of_day: dict[date, Path] = {}
    newest_of_week: dict[tuple[int, int], Path] = {}
    for path in dated:
        day = datetime.strptime(path.name, _STAMP_FORMAT).replace(tzinfo=UTC).date()
        newest_of_day[day] = newest_of_week[day.isocalendar()[:2]] = path
    kept = {newest_of_day[day] for day in sorted(newest_of_day)[-DAYS:]}
    kept |= {newest_of_week[week] for week in sorted(newest_of_week)[-WEEKS:]}
    old = [path for path in dated if path not in kept]
    for path in old:
        remove_whole(path)
    return old


def verify_backup(folder: Path) -> Backup:
    """Checks the manifest, every page of every table and the journal's chain. Raises StoreError naming what is wrong."""
    folder = Path(folder)
    listed = _checked_files(folder)
    try:
        content = json.loads((folder / _CONTENT).read_text("utf-8"))
        if content["format"] > FORMAT:
            raise StoreError(f"backup {folder} has format {content['format']}, known is {FORMAT}; update subject-studio")
        head, rows, created = Head(*content["head"]), dict(content["rows"]), str(content["created"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"backup {folder}: {_CONTENT} cannot be read ({error}); use another backup") from error
    missing = {JOURNAL, head_path(Path(JOURNAL)).name, *(f"catalog/{name}.parquet" for name in rows)} - listed
    if missing:
        raise StoreError(f"backup {folder} lacks {min(missing)}; use another backup")
    tables = {name: folder / "catalog" / f"{name}.parquet" for name in rows}
    for name, path in tables.items():
        _check_table(path, rows[name])
    _check_journal(folder / JOURNAL, head)
    return Backup(path=folder, created=created, head=head, tables=tables, rows=rows)


def restore_project(
    backup: Path, project: Path, *, fill: Callable[[Backup, Path], None] = lambda backup, folder: None
) -> Backup:
    """Checks a backup whole, then makes a project folder of it: journal, project.toml, and what `fill` puts beside them.

    `fill` is given the backup and the folder while it is made; it reads `tables` through `read_table`. The folder takes
    its name only when it is whole. Raises StoreError when anything in the backup is wrong, ProjectError when the
    project folder is not empty; then nothing is written.
    """
    project = Path(project)
    _require_empty(project, "a restored project")
    content = verify_backup(backup)
    try:
        with building(project) as folder:
            for name in (JOURNAL, head_path(Path(JOURNAL)).name, PROJECT):
                if (content.path / name).exists():
                    shutil.copyfile(content.path / name, folder / name)
            fill(content, folder)
            settle(folder, project)
    except OSError as error:
        raise ProjectError(f"{project} cannot be restored: {error}; choose another place or free space") from error
    return content


def read_table(path: Path) -> pa.Table:
    """A table of a backup, its page checksums verified. Raises StoreError when it is damaged."""
    try:
        return pq.read_table(path, page_checksum_verification=True)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise StoreError(f"{path} is damaged ({error}); use another backup") from error


def _require_empty(folder: Path, what: str) -> None:
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise ProjectError(f"{folder} is not empty, so that {what} cannot go there; name a new folder")


def _copy_journal(source: Path, target: Path) -> Head:
    with JournalReader(source) as reader:
        outside = read_head(reader.head_path)
    live, copy = connect(source, read_only=True), sqlite3.connect(target, isolation_level=None)
    try:
        live.backup(copy)
        copy.execute("pragma journal_mode = delete")  # one file, that a copy command may take
    except sqlite3.Error as error:
        raise explained(error, source, doing="copied") from error
    finally:
        live.close()
        copy.close()
    with JournalReader(target) as reader:
        if outside is not None:
            reader.verify_against(outside)
        head = reader.head()
    HeadFile(head_path(target), first=head).close()
    return head


def _write_table(table: pa.Table | pa.RecordBatchReader, folder: Path, name: str) -> int:
    if not _TABLE.fullmatch(name):
        raise ValueError(f"a catalog table cannot be called {name!r} in a backup")
    count = 0
    path = folder / f"{name}.parquet"
    with pq.ParquetWriter(path, table.schema, compression="zstd", write_page_checksum=True) as writer:
        for batch in table.to_batches() if isinstance(table, pa.Table) else table:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def _write_manifest(folder: Path) -> None:
    lines = [f"{_sha256(folder / name)}  {name}\n" for name in _files(folder)]
    (folder / MANIFEST).write_text("".join(lines), "utf-8")


def _checked_files(folder: Path) -> set[str]:
    try:
        lines = (folder / MANIFEST).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{folder} is not a backup: its {MANIFEST} cannot be read ({error})") from error
    names: set[str] = set()
    for line in lines:
        expected, separator, name = line.partition("  ")
        if not separator or not _FILE.fullmatch(name):
            raise StoreError(f"backup {folder}: line {line!r:.120} of {MANIFEST} is damaged; use another backup")
        path = folder / name
        if path.is_symlink() or not path.is_file():
            raise StoreError(f"backup {folder} lacks {name}; use another backup")
        if _sha256(path) != expected:
            raise StoreError(f"backup {folder}: {name} is damaged, its SHA-256 is not the listed one; use another backup")
        names.add(name)
    unlisted = sorted(name for name in _files(folder) if _FILE.fullmatch(name) and name not in names)
    if unlisted:
        raise StoreError(f"backup {folder}: {unlisted[0]} is not listed in {MANIFEST}; use another backup")
    return names


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _check_table(path: Path, rows: int) -> None:
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            found = sum(batch.num_rows for batch in file.iter_batches())
    except (OSError, ValueError, pa.ArrowException) as error:
        raise StoreError(f"{path} is damaged ({error}); use another backup") from error
    if found != rows:
        raise StoreError(f"{path} holds {found} rows, {rows} were written; use another backup")


def _check_journal(path: Path, head: Head) -> None:
    with JournalReader(path) as reader:
        check = reader.verify_chain()
    if not check.ok:
        raise StoreError(f"the journal in a backup is not sound: {check.problems[0]}")
    if check.head != head:
        raise StoreError(f"{path} ends at event {check.head.seq}, {head.seq} was backed up; use another backup")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
