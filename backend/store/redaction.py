"""Erasing what one person said: rows of the journal keep their place and a digest that proves nothing about them."""

import sqlite3

from backend.domain import StoreError
from backend.store.journal import Journal
from backend.store.journal_schema import COLUMNS, REDACTABLE_VERSION, StoredEvent, redacted

_TRIGGER = "events_no_update"


def redact(journal: Journal, *, actor: str) -> dict[str, int]:
    """Removes every redactable event of an actor, then every byte of them; gives how many by kind.

    The chain still verifies. Raises StoreError when the actor has events that cannot be redacted; nothing is changed.
    """
    counts = journal.write(lambda connection: _redact(connection, actor))
    journal.compact()
    return counts


def _redact(connection: sqlite3.Connection, actor: str) -> dict[str, int]:
    found = connection.execute(f"select {COLUMNS} from events where actor = ?", (actor,)).fetchall()
    rows = [StoredEvent._make(row) for row in found]
    fixed = [row for row in rows if row.schema_version != REDACTABLE_VERSION]
    if fixed:
        raise StoreError(f"event {fixed[0].seq} ({fixed[0].kind}) of {actor} cannot be erased; only participants' can")
    (guard,) = connection.execute("select sql from sqlite_master where name = ?", (_TRIGGER,)).fetchone()
    connection.execute(f"drop trigger {_TRIGGER}")
    counts: dict[str, int] = {}
    for row in rows:
        new = redacted(row)
        connection.execute(
            "update events set id = ?, actor = ?, body = ?, client_time = ?, salt = ? where seq = ?",
            (new.id, new.actor, new.text, new.client_time, new.salt, new.seq),
        )
        counts[row.kind] = counts.get(row.kind, 0) + 1
    connection.execute(guard)
    return counts
