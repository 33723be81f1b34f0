"""Reading and checking a journal: any process may, while another one writes."""

import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from backend.domain import ProjectError, StoreError, StudioError
from backend.store.journal_head import Head, read_head, sync_folder
from backend.store.journal_schema import (
    APPLICATION_ID,
    COLUMNS,
    GENESIS,
    NEWEST,
    SEALED_VERSION,
    SEALING,
    StoredEvent,
    row_hash,
    schema_problem,
    unknown_migrations,
)
from backend.store.mounts import network_filesystem

BUSY_S = 1.5
"""How long a statement waits for another process's lock; opening waits for at most two, so that it ends within 5 s."""

EMPTY = Head(0, GENESIS)
"""The head of a journal without events."""

_PAGE = 2000  # rows read under one lock; the writer is never kept out for longer than about 10 ms


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """The outcome of checking a journal: `first_bad` is the number of the first event that is wrong or missing."""

    head: Head
    events: int
    first_bad: int | None = None
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems


class JournalReader:
    """A journal opened for reading only. Raises ProjectError or StoreError in one sentence when it cannot be."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.head_path = head_path(self.path)
        if not self.path.exists():
            raise ProjectError(f"there is no journal at {self.path}; is this a project folder?")
        inspect_file(self.path)
        self._lock = threading.RLock()
        self._reading = connect(self.path, read_only=True)
        try:
            check_identity(self._reading, self.path)
            self._columns = _present_columns(self._reading)
        except (StudioError, sqlite3.Error) as error:
            self._reading.close()
            raise explained(error, self.path, doing="opened") from error

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; calling it twice is harmless."""
        with self._lock:
            self._reading.close()

    def head(self) -> Head:
        """The last event's number and hash, `EMPTY` when there is none."""
        rows = self._select("order by seq desc limit 1")
        return Head(rows[0].seq, rows[0].hash) if rows else EMPTY

    def events(self, after_seq: int = 0, limit: int = 1000, *, kind: str | None = None) -> list[StoredEvent]:
        """Up to `limit` events with a number above `after_seq`, oldest first; only those of a kind when it is given."""
        if kind is None:
            return self._select("where seq > ? order by seq limit ?", after_seq, limit)
        return self._select("where seq > ? and kind = ? order by seq limit ?", after_seq, kind, limit)

    def of_kind(self, kind: str, after_seq: int = 0) -> Iterator[StoredEvent]:
        """Every event of a kind with a number above `after_seq`, oldest first, read in pages."""
        while page := self.events(after_seq, kind=kind):
            yield from page
            after_seq = page[-1].seq

    def event(self, seq: int) -> StoredEvent | None:
        """One event by its number."""
        return next(iter(self._select("where seq = ?", seq)), None)

    def stored(self, kind: str, id: str, rev: int) -> StoredEvent | None:
        """The event of a key."""
        return next(iter(self._select("where kind = ? and id = ? and rev = ?", kind, id, rev)), None)

    def tail(self, limit: int = 20) -> list[StoredEvent]:
        """The newest events, newest last."""
        return self._select("order by seq desc limit ?", limit)[::-1]

    def stream(self, after_seq: int = 0) -> Iterator[StoredEvent]:
        """Every event above `after_seq`, oldest first, read in pages."""
        while page := self.events(after_seq, _PAGE):
            yield from page
            after_seq = page[-1].seq

    def export(self, path: Path) -> int:
        """Writes every event as one JSON object a line and gives their number. Raises ProjectError on a full disk."""
        path = Path(path)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
        count = 0
        try:
            with temporary.open("w", encoding="utf-8") as file:
                for event in self.stream():
                    file.write(json.dumps(event.as_dict(), ensure_ascii=False, sort_keys=True) + "\n")
                    count += 1
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
        except OSError as error:
            raise ProjectError(
                f"the journal cannot be exported to {path}: {error.strerror}; choose another place"
            ) from error
        finally:
            temporary.unlink(missing_ok=True)
        return count

    def verify_chain(self) -> ChainCheck:
        """Recomputes every hash, and checks SQLite's pages and indexes, the schema and `journal.head`."""
        outside: Head | None = None
        problems: list[str] = []
        try:
            outside = read_head(self.head_path)  # before the events: the journal is never behind it
        except StoreError as error:
            problems.append(str(error))
        check = self._walk()
        problems += check.problems
        problems += self._structure_problems()
        first_bad = check.first_bad
        if outside is None and check.events and not problems:
            problems.append(f"{self.head_path} is missing, so that lost events could not be noticed; restore it")
        if outside is not None and first_bad is None:
            try:
                self.verify_against(outside)
            except StoreError as error:
                problems.append(str(error))
                first_bad = min(outside.seq, check.head.seq + 1)
        return ChainCheck(check.head, check.events, first_bad, tuple(problems))

    def verify_against(self, head: Head) -> None:
        """Raises StoreError when the journal does not hold the event that a head from outside names."""
        if head.seq == 0:
            return
        found = self.event(head.seq)
        last = self.head().seq
        if found is None:
            raise StoreError(
                f"{self.path} ends at event {last}, but event {head.seq} was recorded as stored: events "
                f"{last + 1} to {head.seq} are missing. Keep the file as it is and restore the newest backup"
            )
        if found.hash != head.hash:
            raise StoreError(
                f"{self.path}: event {head.seq} has hash {found.hash[:12]}, recorded was {head.hash[:12]}: "
                "this is another journal or it was changed. Keep the file and restore the newest backup"
            )

    def _walk(self) -> ChainCheck:
        previous = EMPTY
        sealed: set[int] = set()
        try:
            for row in self.stream():
                wrong = _row_problem(row, previous)
                if wrong:
                    problem = f"{self.path}: event {previous.seq + 1} is damaged ({wrong}); restore the newest backup"
                    return ChainCheck(previous, previous.seq, previous.seq + 1, (problem,))
                previous = Head(row.seq, row.hash)
                if row.schema_version == SEALED_VERSION:
                    sealed.add(row.seq)
                elif row.kind == SEALING:
                    sealed.difference_update(row.body["seqs"])
        except StudioError as error:
            problem = f"{self.path}: events after {previous.seq} cannot be read ({error})"
            return ChainCheck(previous, previous.seq, previous.seq + 1, (problem,))
        if sealed:
            lost = min(sealed)
            problem = f"{self.path}: event {lost} has no content, and nothing says it was erased; restore the newest backup"
            return ChainCheck(previous, previous.seq, lost, (problem,))
        return ChainCheck(previous, previous.seq)

    def _structure_problems(self) -> list[str]:
        try:
            with self._lock:
                findings = [str(row[0]) for row in self._reading.execute("pragma integrity_check(5)")]
                different = schema_problem(self._reading)
        except sqlite3.Error as error:
            return [f"{self.path} cannot be checked: {error}; restore the newest backup"]
        problems = [f"{self.path}: {finding}; restore the newest backup" for finding in findings if finding != "ok"]
        return problems + ([f"{self.path}: {different}; restore the newest backup"] if different else [])

    def _select(self, clause: str, *values: object) -> list[StoredEvent]:
        try:
            with self._lock:
                rows = self._reading.execute(f"select {self._columns} from events {clause}", values).fetchall()
        except sqlite3.Error as error:
            raise explained(error, self.path, doing="read") from error
        return [StoredEvent._make(row) for row in rows]


def head_path(journal: Path) -> Path:
    """Where a journal's head is kept: `journal.head` beside `journal.sqlite`."""
    return journal.with_suffix(".head")


def inspect_file(path: Path) -> None:
    """Raises ProjectError when a path cannot be a journal, before SQLite sees it: some of these would make it wait.

    The file is not opened: closing it would drop every lock that this process's own connections hold on it
    (sqlite.org/howtocorrupt.html, section 2.2), and another program could then delete the log under the writer.
    """
    if not path.parent.is_dir():
        raise ProjectError(f"{path.parent} is not a folder, so that no journal can stand there; make it first")
    remote = network_filesystem(path.parent)
    if remote:
        raise ProjectError(
            f"{path} lies on a {remote} file system, where SQLite's log is not safe (it needs shared memory and exact "
            "locks); put the project on a local disk and back it up to the network instead"
        )
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "not a regular file"
        raise ProjectError(f"{path} is {what}, not a journal; move it away")


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """A connection in autocommit mode that waits `BUSY_S` for locks and may be handed to another thread."""
    uri = f"file:{quote(str(path.resolve()))}?mode={'ro' if read_only else 'rwc'}"
    try:
        return sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise explained(error, path, doing="opened") from error


def check_identity(connection: sqlite3.Connection, path: Path) -> None:
    """Raises when an existing database is another program's, or a newer version's."""
    (mark,) = connection.execute("pragma application_id").fetchone()
    if mark != APPLICATION_ID:
        raise StoreError(f"{path} is an SQLite database but not a journal; move it away or restore a backup")
    newer = unknown_migrations(connection)
    if newer:
        raise ProjectError(
            f"{path} was written by a newer version (schema {newer[-1]}, this one reads up to {NEWEST}); update subject-studio"
        )


def explained(error: BaseException, path: Path, *, doing: str) -> StudioError:
    """What an error of SQLite means for a person. A StudioError is given back as it is."""
    if isinstance(error, StudioError):
        return error
    text = f"{path} cannot be {doing}: {error}"
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL | sqlite3.SQLITE_IOERR:
            return ProjectError(f"{text}. The disk is full or refuses to write; free some space and try again")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return ProjectError(f"{text}. Another program holds it; close that program and try again")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return ProjectError(f"{text}. Give yourself the right to write this file and its folder")
        case sqlite3.SQLITE_MISUSE:
            return ProjectError(f"{text}. It was closed before; open it again")
        case sqlite3.SQLITE_NOTADB:
            return StoreError(f"{path} is not a journal ({error}); move it away or restore a backup")
        case sqlite3.SQLITE_CONSTRAINT:
            return StoreError(f"{text}. That breaks a rule of the journal's tables")
        case _ if isinstance(error, sqlite3.ProgrammingError):
            return ProjectError(f"{text}. It was closed before; open it again")
        case _:
            return StoreError(f"{text}. The file is damaged; keep it and restore the newest backup")


def _present_columns(connection: sqlite3.Connection) -> str:
    """`COLUMNS`, with what a file by an older version lacks as empty text."""
    present = {row[1] for row in connection.execute("pragma table_info(events)")}
    return ", ".join(name if name in present or not present else f"'' as {name}" for name in COLUMNS.split(", "))


def _row_problem(row: StoredEvent, previous: Head) -> str | None:
    if row.seq != previous.seq + 1:
        return f"its place holds event {row.seq}"
    if row.prev_hash != previous.hash:
        return "it does not name the event before it"
    try:
        expected = row_hash(row)
    except (TypeError, ValueError) as error:  # damage can turn a text into a blob
        return f"it holds a value of the wrong type: {error}"
    return None if row.hash == expected else "its hash does not match its content"
