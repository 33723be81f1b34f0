"""The outbox's tables, and how they came to be."""

import sqlite3
from pathlib import Path

from backend.domain import ProjectError, StoreError
from backend.sqlite import Database, Migrations
from studio.outbox_seal import new_identity

APPLICATION_ID = 0x53534F42
"""SQLite's mark of whose database a file is: the letters SSOB."""

MIGRATIONS = Migrations("outbox")


@MIGRATIONS()
def m001_votes(db: Database) -> None:
    votes = db.table("votes").create(
        {"n": int, "id": str, "rev": int, "vote": str, "state": str, "receipt": str, "problem": str},
        pk="n",
        not_null={"id", "rev", "vote", "state"},
        strict=True,
    )
    votes.create_index(["id", "rev"], unique=True)
    votes.create_index(["state", "n"])


@MIGRATIONS()
def m002_kind(db: Database) -> None:
    """What a row is of `studio.outbox.KINDS`; those of before are votes."""
    db.execute("alter table votes add column kind text not null default 'vote'")


@MIGRATIONS()
def m003_seal(db: Database) -> None:
    """What shows damage: `studio.outbox_seal`."""
    db.execute("alter table votes add column digest text")
    db.execute("update votes set digest = row_digest(id, rev, kind, vote, state, receipt, problem)")
    db.execute("create table changes (n integer not null, outbox text not null) strict")
    db.execute("insert into changes values (0, ?)", (new_identity(),))


NAMES = tuple(migration.name for migration in MIGRATIONS.pending(Database(memory=True, execute_plugins=False)))


def check_origin(connection: sqlite3.Connection, path: Path) -> None:
    """Raises StoreError for a database that is no outbox, ProjectError for one of a newer version."""
    (tables,) = connection.execute("select count(*) from sqlite_master").fetchone()
    (mark,) = connection.execute("pragma application_id").fetchone()
    if tables and mark != APPLICATION_ID:
        raise StoreError(f"{path} is an SQLite database but not an outbox; move it away")
    newer = [name for name in _applied(connection) if name not in NAMES]
    if newer:
        raise ProjectError(f"{path} was written by a newer version (it has {newer[-1]}); update subject-studio")


def applied_last(connection: sqlite3.Connection) -> str:
    """The newest migration of a file; empty for a new one."""
    return max(_applied(connection), key=NAMES.index, default="")


def _applied(connection: sqlite3.Connection) -> list[str]:
    return [one.name for one in MIGRATIONS.applied(Database(connection, execute_plugins=False))]
