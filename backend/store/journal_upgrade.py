"""A journal of an older version, brought up to this one in a new file."""

import contextlib
import logging
import sqlite3
from pathlib import Path

from backend.domain import StoreError
from backend.store.journal_reader import JournalReader, check_identity, connect, explained
from backend.store.journal_schema import MIGRATIONS, NEWEST, applied_last, wrap
from backend.store.upgrading import upgrade

_log = logging.getLogger(__name__)


def upgrade_journal(path: Path) -> None:
    """Does nothing to one of this version, or without events. The chain is walked before the new file takes its place.

    Raises ProjectError for a newer journal, while another program reads this one, and on a full disk; StoreError for a
    damaged one. Then the file stays as it is.
    """
    try:
        version = _version(path, read_only=True)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_READONLY:
            raise explained(error, path, doing="opened for writing") from error
        version = _version(path, read_only=False)  # a killed writer's log has to be read in first
    except sqlite3.Error as error:
        raise explained(error, path, doing="opened for writing") from error
    if not version:
        return

    def build(fresh: Path) -> None:
        try:
            with (
                contextlib.closing(connect(path, read_only=False)) as old,
                contextlib.closing(sqlite3.connect(fresh)) as new,
            ):
                old.execute("pragma journal_mode = delete")  # the log is in the file then, which is kept under another name
                old.backup(new)
                MIGRATIONS.apply(wrap(new))
        except sqlite3.Error as error:
            raise explained(error, path, doing="brought up to this version") from error
        with JournalReader(fresh) as reader:  # beside `journal.head`, by which it is checked too
            check = reader.verify_chain()
        if not check.ok:
            raise StoreError(f"{path} is of an older version ({version}) and not sound: {check.problems[0]}")

    _log.warning("journal %s has schema %s and is brought up to %s; the old file stays beside it", path, version, NEWEST)
    upgrade(path, version, build)


def _version(path: Path, *, read_only: bool) -> str:
    with contextlib.closing(connect(path, read_only=read_only)) as reading:
        (tables,) = reading.execute("select count(*) from sqlite_master").fetchone()
        if tables:
            check_identity(reading, path)
        return applied_last(reading)
