"""How many transactions a catalog holds, counted in it and outside it, so that a shortened one is noticed.

DuckDB's log ends at some flipped bits without any error (44 of 300), and all that was committed behind is gone. Rows of
machines' work that are lost so would only seem not to be done yet. So every transaction adds its number to the table
`commit_mark`, and `catalog.head` beside the file names the last one. A number that is missing later is a lost transaction.
"""

import logging
import uuid
from pathlib import Path

import duckdb

from backend.domain import StoreError
from backend.store.journal_head import Head, HeadFile, read_head

TABLE = "commit_mark"
_log = logging.getLogger(__name__)


class CommitMarks:
    """The count of one open catalog; the table is made where there is none. Raises OSError, duckdb.Error."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalog: Path) -> None:
        self._catalog = catalog
        self._identity = _identity(connection)
        newest = connection.execute(f"SELECT max(n) FROM {TABLE}").fetchall()[0][0]
        outside = _outside(catalog.with_suffix(".head"))
        if outside is None or outside.hash != self._identity:  # none was kept yet, or another file was put here
            catalog.with_suffix(".head").unlink(missing_ok=True)
            outside = Head(newest, self._identity)
        if outside.seq > newest:
            _log.error("catalog %s: transactions %s to %s are lost", catalog, newest + 1, outside.seq)
        self._newest = max(newest, outside.seq)
        self._file = HeadFile(catalog.with_suffix(".head"), first=outside, waits=False)

    def add(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Counts the transaction that is open."""
        connection.execute(f"INSERT INTO {TABLE} VALUES (?, NULL)", [self._newest + 1])

    def committed(self) -> None:
        """Says that the transaction is there. The disk is not waited for: a head that lags raises no alarm."""
        self._newest += 1
        try:
            self._file.write(Head(self._newest, self._identity))
        except OSError as error:
            _log.warning("catalog %s: its head could not be written: %s", self._catalog, error)

    def accept(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Forgets, in the open transaction, that some before it are lost."""
        connection.execute(f"TRUNCATE {TABLE}")
        connection.execute(f"INSERT INTO {TABLE} VALUES (?, ?)", [self._newest, self._identity])

    def lost(self, connection: duckdb.DuckDBPyConnection) -> int:
        """How many transactions are missing."""
        first, count = connection.execute(f"SELECT min(n), count(*) FROM {TABLE}").fetchall()[0]
        return self._newest - first + 1 - count

    def close(self) -> None:
        self._file.close()


def _identity(connection: duckdb.DuckDBPyConnection) -> str:
    made = connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = ? AND NOT temporary", [TABLE]).fetchall()
    if not made:
        connection.begin()
        connection.execute(f"CREATE TABLE {TABLE} (n BIGINT, catalog VARCHAR)")
        connection.execute(f"INSERT INTO {TABLE} VALUES (0, ?)", [uuid.uuid4().hex])
        connection.commit()
        connection.execute("CHECKPOINT")
    return connection.execute(f"SELECT max(catalog) FROM {TABLE}").fetchall()[0][0]


def _outside(path: Path) -> Head | None:
    try:
        return read_head(path)
    except StoreError as error:
        _log.warning("%s; it is made anew", error)
        return None
