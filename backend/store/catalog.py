"""catalog.duckdb: what machines found, and the projection of what people said.

Append-only tables, batches through Arrow, no secondary indexes, one connection behind one lock. Results and the
work keys that produced them are committed in one transaction; so are projected votes and their watermark.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from backend.domain import ProjectError, Record, StoreError, StudioError
from backend.store.catalog_upgrade import up_to_date
from backend.store.commit_marks import TABLE as COMMIT_MARK
from backend.store.commit_marks import CommitMarks
from backend.store.journal_head import sync_folder
from backend.store.schema import (
    KINDS,
    PEOPLE,
    WORK_SCHEMA,
    create_statements,
    from_arrow,
    to_arrow,
)
from backend.store.upgrading import aside

log = logging.getLogger(__name__)
_NO_ROOM = ("No space left", "failed to offload", "Could not write", "CHECKPOINT during DETACH failed")
"""What DuckDB says of a disk that takes no more."""
_NO_DAMAGE = (
    "No space left",
    "Could not write",
    "Read-only file system",
    "Permission denied",
    "Too many open files",
    "Could not set lock",
)
"""What DuckDB says where the file may be sound."""

_REPAIR = (
    "run `studio-backend rebuild`, which keeps it under another name and makes people's part again, then `curate` and "
    "`evaluate` for the rest, or restore a backup"
)
GIVEN_UP = (duckdb.FatalException, duckdb.ConnectionException)
"""After these DuckDB serves nothing more from an open file."""


class CatalogDamaged(StoreError):
    """The catalog cannot be opened: what it holds is not what was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One finished work item: a row of the `work` table."""

    work_key: str
    stage: str
    stage_key: str
    item_id: str
    state: str
    kind: str | None = None
    message: str | None = None
    attempt: int = 0
    seconds: float = 0.0
    run_id: str = ""
    ended_at: str = ""


class Catalog:
    """The open catalog. `threads` bounds DuckDB's own; every method may be called from any thread."""

    def __init__(self, path: Path, *, threads: int = 2, memory_limit: str = "4GB") -> None:
        self.path = path
        self._lock = threading.RLock()
        self._alone: int | None = None
        self._free = threading.Condition(self._lock)
        self._settings = {"threads": threads, "memory_limit": memory_limit}
        self._connection = self._open()
        self._is_given_up = False
        self._num_readers = 0
        self.version = 0
        """Rises with every change of the machines' part, so that readers know when to evaluate a plan again."""
        self.let_go: list[Callable[[], None]] = []
        """Called before the file is rewritten: those who keep a reading connection between calls give it up."""

    def close(self) -> None:
        with self._lock:
            self._connection.close()
            self._marks.close()

    def problems(self) -> tuple[str, ...]:
        """What is wrong with the file as it was found, in sentences."""
        with self.session() as connection:
            lost = self._marks.lost(connection)
        if not lost:
            return ()
        return (
            f"catalog {self.path} has lost {lost} transactions: its log or file is damaged; run `studio-backend rebuild`, "
            "which makes people's part again and accepts the rest as it is, then `curate` and `evaluate` for what is missing",
        )

    @contextmanager
    def session(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The connection, locked. Raises StoreError where DuckDB gave the file up, as after a checkpoint on a full disk."""
        with self._lock:
            connection = self._current()
            try:
                yield connection
            except duckdb.Error as error:
                if isinstance(error, GIVEN_UP) or is_damage(error):
                    raise self._given_up(connection, error) from error
                raise

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of its own for reading: its temporary tables are nobody else's, and it waits for no lock.

        Raises StoreError as `session`.
        """
        with self._lock:
            self._free.wait_for(lambda: self._alone in (None, threading.get_ident()))
            connection = self._current()
            cursor = connection.cursor()
            self._num_readers += 1
        try:
            yield cursor
        except duckdb.Error as error:
            if isinstance(error, GIVEN_UP) or is_damage(error):
                raise self._given_up(connection, error) from error
            raise
        finally:
            cursor.close()
            with self._lock:
                self._num_readers -= 1

    def _current(self) -> duckdb.DuckDBPyConnection:
        """The connection, opened anew where DuckDB gave up the one before."""
        if self._is_given_up:
            try:
                self._connection.close()  # and every reader's with it
            except duckdb.ResourceInUseException as error:
                raise StoreError(f"catalog {self.path} is being opened again; try again in a moment") from error
            self._marks.close()
            self._connection = self._open()
            self._is_given_up = False
        return self._connection

    def _given_up(self, connection: duckdb.DuckDBPyConnection, error: duckdb.Error) -> StoreError:
        """DuckDB serves nothing more from a file that it could not write, until it is opened anew: the next call does."""
        with self._lock:
            if connection is self._connection and isinstance(error, duckdb.FatalException):
                log.warning("catalog %s is given up and will be opened again: %s", self.path, error)
                self._is_given_up = True
            self.version += 1
        if is_damage(error):
            return CatalogDamaged(f"catalog {self.path} cannot be read: {_first_line(error)}; {_REPAIR}")
        return StoreError(
            f"catalog {self.path} could not write: {_first_line(error)}; free some space and run the command again"
        )

    def commit(
        self, work: Sequence[Work], tables: Mapping[str, pa.Table], *, superseded: Sequence[tuple[str, int]] = ()
    ) -> None:
        """Adds finished work and its rows in one transaction: all of it is there afterwards, or none."""
        columns = {name: [getattr(w, name) for w in work] for name in WORK_SCHEMA.names}
        batch = dict(tables)
        batch["work"] = pa.table(columns, schema=WORK_SCHEMA)
        if superseded:
            keys, attempts = zip(*superseded, strict=True)
            batch["superseded"] = pa.table({"work_key": keys, "attempt": pa.array(attempts, pa.int32())})
        self.append(batch)

    def append(self, tables: Mapping[str, pa.Table]) -> None:
        """Adds rows to several tables in one transaction. Raises ProjectError on a full disk, with nothing added."""
        self._insert(tables)
        self.version += 1

    def add_records(self, rows: Sequence[Record], *, work_key: str) -> None:
        """Adds records that no stage made (listed sources)."""
        by_kind: dict[str, list[Record]] = {}
        for row in rows:
            by_kind.setdefault(row.KIND, []).append(row)
        self.append({kind: to_arrow(KINDS[kind], found, [work_key] * len(found)) for kind, found in by_kind.items()})

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple]:
        """Rows of a SELECT; values go in as `?`."""
        with self.session() as connection:
            return connection.execute(sql, list(parameters)).fetchall()

    def arrow(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """A SELECT as an Arrow table."""
        with self.session() as connection:
            return connection.sql(sql, params=list(parameters)).to_arrow_table()

    def tables(self) -> dict[str, pa.Table]:
        """Every table of rows, all of one moment."""
        with self.reading() as connection:
            connection.begin()
            which = "SELECT table_name FROM duckdb_tables() WHERE NOT temporary AND table_name <> ?"
            names = connection.execute(which, [COMMIT_MARK]).fetchall()
            found = {name: connection.sql(f'SELECT * FROM "{name}"').to_arrow_table() for (name,) in names}
            connection.commit()
        return found

    def records(self, record: type, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Records of a SELECT over the record's table."""
        return from_arrow(record, self.arrow(sql, parameters))

    def watermark(self) -> tuple[int, str]:
        """The journal's `(seq, hash)` up to which people's part is projected; `(0, "")` at the start."""
        rows = self.query("SELECT seq, hash FROM watermark ORDER BY seq DESC LIMIT 1")
        return rows[0] if rows else (0, "")

    def project(self, rows: Mapping[str, Sequence[Mapping[str, Any]]], *, seq: int, hash: str) -> None:
        """Adds what events say, rows by table of `PEOPLE`, and moves the watermark to `seq`, in one transaction."""
        tables = {name: pa.Table.from_pylist(list(found), schema=PEOPLE[name]) for name, found in rows.items()}
        self._insert({**tables, "watermark": pa.table({"seq": pa.array([seq], pa.int64()), "hash": [hash]})})
        if any(rows.get(name) for name in ("rights", "exclusion", "correction", "erased_span")):
            self.version += 1  # unlike votes, they stand in tables that a reader has evaluated

    def forget_projection(self) -> None:
        """Empties people's part, so that projecting the journal from its start makes it again; the rest is taken as it is."""
        with self._transaction() as connection:
            for table in (*PEOPLE, "watermark"):
                connection.execute(f"TRUNCATE {table}")
            self._marks.accept(connection)
        self.version += 1

    def require_unread(self) -> None:
        """Raises ProjectError while somebody reads apart, who would keep the old file alive."""
        for let_go in self.let_go:
            let_go()
        self._refuse_readers()

    def _refuse_readers(self) -> None:
        with self._lock:
            if self._num_readers:
                raise ProjectError(
                    f"catalog {self.path} is being read by {self._num_readers} longer calls (a report, an export, a job); "
                    "try again when they have ended"
                )

    @contextmanager
    def unread(self) -> Iterator[None]:
        """Keeps everybody else from reading apart while the block runs: they wait. Raises ProjectError as `require_unread`."""
        self.require_unread()
        with self._lock:
            self._refuse_readers()
            self._alone = threading.get_ident()
        try:
            yield
        finally:
            with self._lock:
                self._alone = None
                self._free.notify_all()

    def delete(self, conditions: Mapping[str, str]) -> None:
        """Deletes rows `r` by table and condition, in one transaction; their bytes stay until `rewrite`."""
        with self._transaction() as connection:
            for name, condition in conditions.items():
                connection.execute(f'DELETE FROM "{name}" AS r WHERE {condition}')
        self.version += 1

    def rewrite(self) -> None:
        """Copies every table into a new file that takes this one's place.

        DuckDB leaves the bytes of deleted rows in its file, whatever is checkpointed or vacuumed. Raises ProjectError as
        `require_unread`, and when the disk is full; then the old file stays.
        """
        if self._alone != threading.get_ident():
            for let_go in self.let_go:  # outside the lock, for which a reader may wait with its own in hand
                let_go()
        with self._lock:
            self._refuse_readers()
            fresh = self.path.with_name(self.path.name + ".new")
            fresh.unlink(missing_ok=True)
            self._copy_to(fresh)
            self._connection.close()
            self._marks.close()
            fresh.replace(self.path)
            self.path.with_name(self.path.name + ".wal").unlink(missing_ok=True)
            sync_folder(self.path.parent)  # or a cut of power could bring the old file back, and what was erased
            self._connection = self._open()
            self.version += 1

    def checkpoint(self) -> None:
        """Moves the write-ahead log into the file."""
        with self.session() as connection:
            connection.execute("CHECKPOINT")

    def _copy_to(self, fresh: Path) -> None:
        place = str(fresh).replace("'", "''")
        with self.session() as connection:
            try:
                (name,) = connection.execute("SELECT current_database()").fetchall()[0]
                connection.execute(f"ATTACH '{place}' AS rewritten")
                connection.execute(f'COPY FROM DATABASE "{name}" TO rewritten')
                connection.execute("DETACH rewritten")
            except duckdb.FatalException:
                fresh.unlink(missing_ok=True)
                raise
            except duckdb.Error as error:
                with contextlib.suppress(
                    duckdb.Error
                ):  # it is detached, and says that the disk has no room for a checkpoint
                    connection.execute("DETACH DATABASE IF EXISTS rewritten")
                fresh.unlink(missing_ok=True)
                raise _refused(self.path, error) from error

    def _insert(self, tables: Mapping[str, pa.Table]) -> None:
        with self._transaction() as connection:
            for name, rows in tables.items():
                if rows.num_rows:
                    connection.register("incoming", rows)
                    connection.execute(f'INSERT INTO "{name}" BY NAME SELECT * FROM incoming')
                    connection.unregister("incoming")

    @contextmanager
    def _transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The connection in a transaction that is counted: all of the block is there afterwards, or nothing."""
        with self.session() as connection:
            connection.begin()
            try:
                yield connection
                self._marks.add(connection)
                connection.commit()
            except duckdb.FatalException:
                raise
            except duckdb.Error as error:
                with contextlib.suppress(duckdb.TransactionException):  # a commit that failed has rolled back already
                    connection.rollback()
                raise _refused(self.path, error) from error
            self._marks.committed()

    def _open(self) -> duckdb.DuckDBPyConnection:
        try:
            connection = duckdb.connect(str(self.path), config=self._settings)
            connection = up_to_date(connection, self.path, self._settings)
            if not connection.execute("SELECT 1 FROM duckdb_tables() WHERE NOT temporary LIMIT 1").fetchall():
                connection.begin()
                for statement in create_statements():
                    connection.execute(statement)
                connection.commit()
                connection.execute("CHECKPOINT")
            self._marks = CommitMarks(connection, self.path)
        except (duckdb.Error, OSError) as error:
            raise _unopened(self.path, error) from error
        return connection


def set_aside(path: Path) -> Path:
    """Gives a damaged catalog another name, so that an empty one may take its place. Raises ProjectError."""
    kept = aside(path, f"damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}")
    try:
        path.with_suffix(".head").unlink(missing_ok=True)
        log_of = path.with_name(f"{path.name}.wal")
        if log_of.exists():
            log_of.rename(kept.with_name(f"{kept.name}.wal"))
        path.rename(kept)
    except OSError as error:
        raise ProjectError(f"{path} cannot be moved aside: {error.strerror}; check who owns the folder") from error
    return kept


def is_damage(error: duckdb.Error) -> bool:
    """Whether DuckDB says that a block of the file is not what was written."""
    return any(word in str(error).lower() for word in ("checksum", "corrupt", "deserialize"))


def _unopened(path: Path, error: duckdb.Error | OSError) -> StudioError:
    text = _first_line(error)
    if "No space left" in text:
        return ProjectError(f"catalog {path} cannot be opened: {text}; free some space and run the command again")
    if isinstance(error, OSError) or any(words in text for words in _NO_DAMAGE):
        return ProjectError(
            f"catalog {path} cannot be opened: {text}; see to it that nothing else holds it, that the disk has space and "
            "that you may write there, then try again"
        )
    return CatalogDamaged(f"catalog {path} cannot be opened: {text}; {_REPAIR}")


def _refused(path: Path, error: duckdb.Error) -> Exception:
    text = _first_line(error)
    if any(words in text for words in _NO_ROOM):
        return ProjectError(
            f"catalog {path} could not grow: {text}; free some space and run the command again, nothing was lost"
        )
    return StoreError(f"catalog {path} refused rows: {text}")


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0]
