"""Erasing what was said: rows of the journal keep their place and a digest that proves nothing about them."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from backend.domain import StoreError
from backend.store.journal import Journal
from backend.store.journal_schema import COLUMNS, REDACTABLE_VERSION, SCHEMA_VERSION, StoredEvent, redacted, sealed

_TRIGGER = "events_no_update"
_ROWS_AT_ONCE = 500  # values of one statement; SQLite takes 999


def redact(journal: Journal, *, actor: str) -> dict[str, int]:
    """Removes the content of every redactable event of an actor; gives how many by kind. The chain still verifies.

    The caller calls `Journal.compact` when all is removed: until then bytes stay in the file and its log. Raises StoreError
    when the actor has events that cannot be redacted; nothing is changed.
    """
    return journal.write(lambda connection: _rewrite(connection, _redactable(connection, actor), redacted))


def count_redactable(journal: Journal, *, actor: str) -> dict[str, int]:
    """How many events `redact` would remove, by kind. Raises StoreError as it does."""
    rows = journal.write(lambda connection: _redactable(connection, actor))
    return dict(Counter(row.kind for row in rows))


def remove(journal: Journal, seqs: Sequence[int]) -> dict[str, int]:
    """Removes the content of these events, of whatever version; gives how many by kind. Those without any are passed over.

    The caller has journalled `sealing_events` for those of version 1, and calls `Journal.compact` when all is removed.
    """
    return journal.write(lambda connection: _remove(connection, seqs))


def _redactable(connection: sqlite3.Connection, actor: str) -> list[StoredEvent]:
    rows = _rows(connection, "actor = ?", (actor,))
    fixed = [row for row in rows if row.schema_version != REDACTABLE_VERSION]
    if fixed:
        raise StoreError(f"event {fixed[0].seq} ({fixed[0].kind}) of {actor} cannot be erased; only participants' can")
    return rows


def _remove(connection: sqlite3.Connection, seqs: Sequence[int]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for start in range(0, len(seqs), _ROWS_AT_ONCE):
        part = tuple(seqs[start : start + _ROWS_AT_ONCE])
        rows = [row for row in _rows(connection, f"seq in ({','.join('?' * len(part))})", part) if not row.is_redacted]
        for kind, number in _rewrite(connection, rows, _without_content).items():
            counts[kind] = counts.get(kind, 0) + number
    return counts


def _without_content(row: StoredEvent) -> StoredEvent:
    return sealed(row) if row.schema_version == SCHEMA_VERSION else redacted(row)


def _rows(connection: sqlite3.Connection, where: str, values: Iterable[object]) -> list[StoredEvent]:
    found = connection.execute(f"select {COLUMNS} from events where {where}", tuple(values)).fetchall()
    return [StoredEvent._make(row) for row in found]


def _rewrite(
    connection: sqlite3.Connection, rows: Sequence[StoredEvent], change: Callable[[StoredEvent], StoredEvent]
) -> dict[str, int]:
    """Stores rows changed, under the one exception to the rule that the journal is append-only."""
    (guard,) = connection.execute("select sql from sqlite_master where name = ?", (_TRIGGER,)).fetchone()
    connection.execute(f"drop trigger {_TRIGGER}")
    counts: dict[str, int] = {}
    for row in rows:
        new = change(row)
        connection.execute(
            "update events set id = ?, actor = ?, body = ?, client_time = ?, schema_version = ?, salt = ? where seq = ?",
            (new.id, new.actor, new.text, new.client_time, new.schema_version, new.salt, new.seq),
        )
        counts[row.kind] = counts.get(row.kind, 0) + 1
    connection.execute(guard)
    return counts
