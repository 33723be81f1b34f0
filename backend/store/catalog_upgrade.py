"""A catalog of an older version, brought up to this one in a new file; one of a newer version is refused."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from backend.domain import ProjectError
from backend.store.schema import SCHEMA_VERSION, create_statements, is_read_anew, table_schemas
from backend.store.upgrading import upgrade

_log = logging.getLogger(__name__)


def up_to_date(opened: duckdb.DuckDBPyConnection, path: Path, settings: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """The catalog at `path`, which was just opened: as it is, empty ones too, or opened again after it was brought up.

    Rows keep their order. Of catalogs before `PEOPLE_SINCE` people's part is left out, which the projection makes again.
    Raises ProjectError for a newer one and on a full disk; then it is closed, and the file as it was.
    """
    found = opened.execute("SELECT table_name, list(column_name) FROM duckdb_columns() WHERE NOT internal GROUP BY 1")
    columns: dict[str, list[str]] = dict(found.fetchall())
    if not columns:
        return opened
    version = int(opened.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchall()[0][0])
    if version == SCHEMA_VERSION:
        return opened
    with opened:
        require_not_newer(path, version)
        opened.execute("CHECKPOINT")  # the log is in the file then, which is kept under another name
    _log.warning("catalog %s has schema %s and is brought up to %s", path, version, SCHEMA_VERSION)
    upgrade(path, str(version), lambda fresh: _copy(path, fresh, columns, version, settings))
    return duckdb.connect(str(path), config=settings)


def require_not_newer(path: Path, version: int) -> None:
    """Raises ProjectError, with both versions, when a newer version wrote a catalog."""
    if version > SCHEMA_VERSION:
        raise ProjectError(
            f"catalog {path} was made by a newer version (schema {version}, this one reads {SCHEMA_VERSION}); update subject-studio"
        )


def _copy(old: Path, fresh: Path, columns: Mapping[str, list[str]], version: int, settings: dict[str, Any]) -> None:
    known = table_schemas()
    with duckdb.connect(str(fresh), config=settings) as new:
        for statement in create_statements():
            new.execute(statement)
        place = str(old).replace("'", "''")
        new.execute(f"ATTACH '{place}' AS older (READ_ONLY)")
        for table, present in columns.items():
            if table not in known:  # what counts transactions, and is of no schema
                new.execute(f'CREATE TABLE "{table}" AS FROM older."{table}"')
            elif not is_read_anew(table, version):
                common = ", ".join(f'"{name}"' for name in known[table].names if name in present)
                new.execute(f'INSERT INTO "{table}" BY NAME SELECT {common} FROM older."{table}"')
        new.execute("DETACH older")
        new.execute("CHECKPOINT")
