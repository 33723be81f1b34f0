"""An outbox of an older version, brought up to this one in a new file (`backend.store.upgrading`).

The old file does not stay beside the new one, as a journal's does: what is forgotten may leave no byte on this machine.
"""

import contextlib
import logging
import sqlite3
from pathlib import Path

from backend.domain import StoreError
from backend.sqlite import Database
from backend.store.upgrading import aside, upgrade
from studio.outbox_schema import MIGRATIONS, NAMES, applied_last, check_origin
from studio.outbox_seal import RESCUE, register

_log = logging.getLogger(__name__)
ROWS = "select n, id, rev, vote, state, receipt, problem from votes order by n"
"""What every version has."""


def upgrade_outbox(path: Path, *, busy_s: float) -> None:
    """Does nothing to one of this version, or without tables. Every row is compared before the new file takes its place.

    Raises ProjectError for a newer outbox and on a full disk, StoreError for a damaged one, sqlite3.OperationalError while
    another program holds it. Then the file stays as it is.
    """
    for version in NAMES[:-1]:  # of one that was killed after its swap
        aside(path, version).unlink(missing_ok=True)
    if not path.exists():
        return
    which = path.stat().st_ino
    with contextlib.closing(sqlite3.connect(path, timeout=busy_s, isolation_level=None)) as old:
        check_origin(old, path)
        if applied_last(old) in ("", NAMES[-1]):
            return
        old.execute("pragma journal_mode = delete")  # all of it is in the file then, and nobody else has it open
        old.execute("begin exclusive")  # until the swap, so that nothing is put into the old file meanwhile
        version = applied_last(old)
        if path.stat().st_ino != which:
            raise sqlite3.OperationalError("it was just brought up to this version; open it again")
        _log.warning("outbox %s has schema %s and is brought up to %s", path, version, NAMES[-1])
        upgrade(path, version, lambda fresh: _build(old, fresh, path))
        aside(path, version).unlink()


def _build(old: sqlite3.Connection, fresh: Path, path: Path) -> None:
    fresh.write_bytes(old.serialize())  # `backup` waits for ever for a lock that is its own
    with contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as new:
        (finding,) = new.execute("pragma integrity_check(1)").fetchone()
        if finding != "ok":
            raise StoreError(f"the outbox {path} is damaged: {finding}. {RESCUE}")
        register(new)
        MIGRATIONS.apply(Database(new, execute_plugins=False))
        if new.execute(ROWS).fetchall() != old.execute(ROWS).fetchall():
            raise StoreError(f"the outbox {path} cannot be brought up to this version: its rows would change. {RESCUE}")
