"""catalog.duckdb: what machines found, and the projection of what people said.

Append-only tables, batches through Arrow, no secondary indexes, one connection behind one lock. Results and the
work keys that produced them are committed in one transaction; so are projected votes and their watermark.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from backend.domain import ProjectError, Record, StoreError
from backend.store.schema import (
    JOBS_SINCE,
    KINDS,
    PEOPLE,
    SCHEMA_VERSION,
    WORK_SCHEMA,
    create_statements,
    from_arrow,
    to_arrow,
)

log = logging.getLogger(__name__)


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
        self._settings = {"threads": threads, "memory_limit": memory_limit, "preserve_insertion_order": False}
        self._connection = self._open()
        self._num_readers = 0
        self.version = 0
        """Rises with every change of the machines' part, so that readers know when to evaluate a plan again."""
        self.let_go: list[Callable[[], None]] = []
        """Called before the file is rewritten: those who keep a reading connection between calls give it up."""

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def session(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The connection, locked. DuckDB invalidates an instance after a failed checkpoint; then it is opened again."""
        with self._lock:
            try:
                yield self._connection
            except duckdb.FatalException as error:
                log.warning("catalog %s was invalidated and is opened again: %s", self.path, error)
                self._connection.close()
                self._connection = self._open()
                self.version += 1
                raise StoreError(
                    f"catalog {self.path} could not write: {error}; free some space and run the command again"
                ) from error

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of its own for reading: its temporary tables are nobody else's, and it waits for no lock."""
        with self._lock:
            self._free.wait_for(lambda: self._alone in (None, threading.get_ident()))
            cursor = self._connection.cursor()
            self._num_readers += 1
        try:
            yield cursor
        finally:
            cursor.close()
            with self._lock:
                self._num_readers -= 1

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
        """Every table, all of one moment."""
        with self.reading() as connection:
            connection.begin()
            names = connection.execute("SELECT table_name FROM duckdb_tables() WHERE NOT temporary").fetchall()
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
        """Empties people's part, so that projecting the journal from its start makes it again."""
        with self.session() as connection:
            connection.begin()
            for table in (*PEOPLE, "watermark"):
                connection.execute(f"TRUNCATE {table}")
            connection.commit()
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
        with self.session() as connection:
            connection.begin()
            try:
                for name, condition in conditions.items():
                    connection.execute(f'DELETE FROM "{name}" AS r WHERE {condition}')
                connection.commit()
            except duckdb.FatalException:
                raise
            except duckdb.Error as error:
                connection.rollback()
                raise _refused(self.path, error) from error
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
            place = str(fresh).replace("'", "''")
            try:
                (name,) = self._connection.execute("SELECT current_database()").fetchall()[0]
                self._connection.execute(f"ATTACH '{place}' AS rewritten")
                self._connection.execute(f'COPY FROM DATABASE "{name}" TO rewritten')
                self._connection.execute("DETACH rewritten")
            except duckdb.Error as error:
                raise _refused(self.path, error) from error
            self._connection.close()
            fresh.replace(self.path)
            self.path.with_name(self.path.name + ".wal").unlink(missing_ok=True)
            self._connection = self._open()
            self.version += 1

    def checkpoint(self) -> None:
        """Moves the write-ahead log into the file."""
        with self.session() as connection:
            connection.execute("CHECKPOINT")

    def _insert(self, tables: Mapping[str, pa.Table]) -> None:
        with self.session() as connection:
            connection.begin()
            try:
                for name, rows in tables.items():
                    if rows.num_rows:
                        connection.register("incoming", rows)
                        connection.execute(f'INSERT INTO "{name}" BY NAME SELECT * FROM incoming')
                        connection.unregister("incoming")
                connection.commit()
            except duckdb.FatalException:
                raise
            except duckdb.Error as error:
                connection.rollback()
                raise _refused(self.path, error) from error

    def _open(self) -> duckdb.DuckDBPyConnection:
        try:
            connection = duckdb.connect(str(self.path), config=self._settings)
            columns = "SELECT table_name, list(column_name) FROM duckdb_columns() WHERE NOT internal GROUP BY 1"
            tables = dict(connection.execute(columns).fetchall())
            version = int(connection.execute("SELECT value FROM meta").fetchall()[0][0]) if tables else 0
            if version < SCHEMA_VERSION:
                connection.begin()
                for statement in create_statements(tables):
                    connection.execute(statement)
                for table in (*PEOPLE, "watermark") if 0 < version < JOBS_SINCE else ():
                    connection.execute(f"TRUNCATE {table}")
                connection.commit()
                connection.execute("CHECKPOINT")
        except duckdb.Error as error:
            raise StoreError(
                f"catalog {self.path} cannot be opened: {_first_line(error)}; move it aside and run `studio-backend rebuild`, "
                "which makes people's part again, then `curate` for the rest"
            ) from error
        if version > SCHEMA_VERSION:
            connection.close()
            raise ProjectError(
                f"catalog {self.path} was made by a newer version (schema {version}, this one reads {SCHEMA_VERSION}); "
                "update subject-studio"
            )
        return connection


def _refused(path: Path, error: duckdb.Error) -> Exception:
    text = _first_line(error)
    if "No space left" in text or "failed to offload" in text or "Could not write" in text:
        return ProjectError(
            f"catalog {path} could not grow: {text}; free some space and run the command again, nothing was lost"
        )
    return StoreError(f"catalog {path} refused rows: {text}")


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0]
