"""What shows that an outbox is as it was written: a digest in each row, and the count of its changes, kept outside it too.

SQLite has no checksums on its pages, and a flipped bit in its log ends the log there without an error: a vote that nobody has
sent yet would be another one, or gone. The file `outbox.head` beside the outbox names its last change; it may lag, never lead.
"""

import hashlib
import json
import sqlite3
import uuid
from pathlib import Path

from backend.domain import StoreError
from backend.store.journal_head import Head, HeadFile, read_head

SOUND = "digest is row_digest(id, rev, kind, vote, state, receipt, problem)"
"""Whether a row is as it was written."""
RESCUE = "Keep the file for rescue, and move it away to start with an empty one"


def row_digest(*values: str | int | None) -> str:
    """Of a row's columns, as SQL's `row_digest`."""
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:32]


def register(connection: sqlite3.Connection) -> None:
    """Gives a connection the function that its statements use."""
    connection.create_function("row_digest", 7, row_digest, deterministic=True)


class Seal:
    """The seal of an open outbox; checked when it is made. Raises StoreError for damage, OSError, sqlite3.Error."""

    def __init__(self, connection: sqlite3.Connection, outbox: Path) -> None:
        self._connection = connection
        (finding,) = connection.execute("pragma integrity_check(1)").fetchone()
        if finding != "ok":
            raise StoreError(f"the outbox {outbox} is damaged: {finding}. {RESCUE}")
        (unsound,) = connection.execute(f"select count(*) from votes where not ({SOUND})").fetchone()
        if unsound:
            raise StoreError(
                f"the outbox {outbox} is damaged: {unsound} of its rows are not as they were written. {RESCUE}"
            )
        beside = outbox.with_suffix(".head")
        inside, outside = self._inside(), _outside(beside)
        if outside is not None and outside.hash != inside.hash:  # that of an outbox which was moved away
            beside.unlink()
            outside = None
        if outside is not None and outside.seq > inside.seq:
            raise StoreError(
                f"the outbox {outbox} has lost its last {outside.seq - inside.seq} changes: its log is damaged, and votes that "
                f"were not sent yet may be gone. {RESCUE}"
            )
        self._file = HeadFile(beside, first=inside, waits=False)

    def count(self) -> None:
        """Counts a change, in its transaction."""
        self._connection.execute("update changes set n = n + 1")

    def committed(self) -> None:
        """Says that the change is there. Raises OSError."""
        self._file.write(self._inside())

    def close(self) -> None:
        self._file.close()

    def _inside(self) -> Head:
        return Head(*self._connection.execute("select n, outbox from changes").fetchone())


def new_identity() -> str:
    """What tells an outbox from others that stood in its place."""
    return uuid.uuid4().hex


def _outside(path: Path) -> Head | None:
    try:
        return read_head(path)
    except StoreError:  # both of its entries: nothing can be told from it, and it is made anew
        path.unlink()
        return None
