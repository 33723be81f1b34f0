"""The journal: what people said and asked, kept so that nothing that was acknowledged is ever lost.

One thread writes. It takes what has gathered, up to 512 requests or 2 ms, into one transaction (SQLite, WAL,
`synchronous=FULL`), which is on the disk before any caller is answered; then `journal.head` is written; then the
callers get their receipts. NORMAL would be forty times faster and lost up to 20 acknowledged votes in simulated
power cuts, where FULL lost none.

Rules for revisions, by the key `(kind, id, rev)`:
- A new key is appended. It is *applied* when no earlier event of its kind and id has a higher revision.
- A stale revision (one that comes after a higher one) is appended too, with `applied` False: nothing that a person
  said is lost, and what counts is the highest revision, in whatever order they arrive.
- The same key with the same actor and body again changes nothing and gives the first receipt, `applied` included.
- The same key with another actor or body is refused (EventRefused), and with it the whole call.
- A vote's id belongs to the rater who used it first: a revision by somebody else is refused.
"""

import contextlib
import json
import logging
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from backend.domain import ProjectError, Receipt, StoreError, StudioError, Trial, Vote
from backend.store.clock_events import ClockWatch, jumped_event, steady_s
from backend.store.journal_head import Head, HeadFile, read_head
from backend.store.journal_reader import (
    EMPTY,
    JournalReader,
    check_identity,
    connect,
    explained,
    head_path,
    inspect_file,
)
from backend.store.journal_schema import (
    APPLICATION_ID,
    COLUMNS,
    MIGRATIONS,
    REDACTABLE_VERSION,
    SCHEMA_VERSION,
    Event,
    EventRefused,
    StoredEvent,
    canonical_json,
    new_salt,
    row_hash,
    trial_event,
    vote_event,
    wrap,
)
from backend.store.journal_upgrade import upgrade_journal

MAX_GROUP = 512  # requests in one transaction; beyond it a commit no longer gets cheaper
GATHER_S = 0.002  # how long a group waits for company: less than one fsync (2.4-4 ms measured on ext4)
RECENT = 1_000  # transactions whose times are remembered
CHECKPOINTS = 5  # tries to empty the log, each waiting for readers as long as any statement does
CLOSE_S = 10.0  # how long closing waits for the writer to finish what it has

_log = logging.getLogger(__name__)
T = TypeVar("T")
_INSERT = f"insert into events ({COLUMNS}) values ({', '.join('?' * 12)})"


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True, eq=False)
class _Request(Generic[T]):
    work: Callable[[sqlite3.Connection], T]
    answer: Future[T]
    alone: bool = False
    """Whether it runs by itself, outside a transaction."""


class Journal(JournalReader):
    """A journal opened for writing, made when there is none. Every method may be called from any thread.

    Raises ProjectError or StoreError in one sentence, within 5 s, when the file cannot be used; StoreError when
    events that `journal.head` names are missing. `now` gives the server's time, `steady` seconds by which its jumps are seen.
    """

    def __init__(
        self, path: Path, *, now: Callable[[], datetime] = utc_now, steady: Callable[[], float] = steady_s
    ) -> None:
        path = Path(path)
        self._now = now
        self._clock = ClockWatch(steady)
        self._requests: queue.SimpleQueue[_Request[Any] | None] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._closed = False
        self.num_groups = 0
        """How many transactions were committed since opening."""
        self.num_votes = 0
        """How many votes were acknowledged since opening."""
        self._commits_s: deque[float] = deque(maxlen=RECENT)
        _require_history(path)
        self._writing = _open_for_writing(path)
        try:
            super().__init__(path)
            adopted = self._event_for_lost_head()
            self._head_file = HeadFile(head_path(path), first=self.head())
        except (StudioError, OSError) as error:
            self._writing.close()
            raise _unwritable(error, path) from error
        self._identity = _identity(path)
        self._thread = threading.Thread(target=self._write_groups, name=f"journal {path}", daemon=True)
        self._thread.start()
        if adopted:
            self.append([adopted])

    def append(self, events: Sequence[Event], *, keep_first: bool = False, one_actor: bool = False) -> tuple[Receipt, ...]:
        """Stores events in one transaction and gives their receipts once they are on the disk.

        With `keep_first` an event whose key is known is not compared with the stored one; with `one_actor` every
        revision of an id must come from the same actor. Raises EventRefused when an event contradicts a stored one,
        ProjectError when the disk is full; then none of them is stored.
        """

        def work(connection: sqlite3.Connection) -> tuple[Receipt, ...]:
            now = self._now()
            chain = _Chain(connection, now.isoformat(timespec="microseconds"), keep_first=keep_first)
            if by_s := self._clock.jump(now):
                chain.add(jumped_event(by_s), one_actor=False)
            return tuple(chain.add(event, one_actor=one_actor) for event in events)

        return self.write(work) if events else ()

    def append_votes(self, votes: Sequence[Vote], *, redactable: bool = False) -> tuple[Receipt, ...]:
        """Stores votes durably, in order; the same `(id, rev)` again gives the first receipt."""
        receipts = self.append([vote_event(vote, redactable=redactable) for vote in votes], one_actor=True)
        self.num_votes += len(receipts)
        return receipts

    def commit_p99_s(self) -> float | None:
        """The 99th percentile of how long the newest transactions took to be on the disk; None before the first."""
        taken = sorted(self._commits_s)
        return taken[(len(taken) * 99) // 100] if taken else None

    def show_trials(self, trials: Sequence[Trial], *, rater: str) -> tuple[Receipt, ...]:
        """Journals each trial when it is first shown to anybody; later showings give the first receipt."""
        return self.append([trial_event(trial, rater=rater) for trial in trials], keep_first=True)

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `work` on the writer's connection inside the next transaction; gives its result once committed.

        For the unchained tables (leases, progress). When `work` raises, its own changes are undone and its caller alone
        gets the error: a StudioError for an sqlite3.Error, anything else as it is.
        """
        return self._ask(_Request(work, Future()))

    def compact(self) -> None:
        """Rewrites the file and empties its log, so that bytes of rows that were changed are gone from both."""
        self._ask(_Request(_vacuum, Future(), alone=True))

    def _ask(self, request: _Request[T]) -> T:
        with self._gate:
            if self._closed:
                raise ProjectError(f"{self.path} is closed; open the project again")
            self._requests.put(request)
        return request.answer.result()

    def set_progress(self, job_id: str, progress: Mapping[str, Any]) -> None:
        """Keeps the newest progress of a job (plain values), unchained."""
        row = (job_id, canonical_json(dict(progress)), self._now().isoformat(timespec="seconds"))
        self.write(lambda connection: connection.execute("insert or replace into progress values (?, ?, ?)", row).rowcount)

    def progress(self, job_id: str) -> dict[str, Any] | None:
        """The newest progress of a job, None when there is none."""
        find = "select body from progress where job_id = ?"
        found = self.write(lambda connection: connection.execute(find, (job_id,)).fetchone())
        return json.loads(found[0]) if found else None

    def close(self) -> None:
        """Commits what was asked for, folds the log into the file and closes; calling it twice is harmless."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._requests.put(None)
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            _log.warning("journal %s: the writer still waits for the disk after %s s", self.path, CLOSE_S)
            return
        super().close()
        with contextlib.suppress(sqlite3.Error):  # a log that stays is read at the next opening
            self._writing.execute("pragma wal_checkpoint(truncate)")
        self._writing.close()
        self._head_file.close()

    def _event_for_lost_head(self) -> Event | None:
        last = self.head()
        if self.head_path.exists() or last == EMPTY:
            return None
        _log.warning("journal %s: journal.head was missing; the end is taken to be event %s", self.path, last.seq)
        return Event(kind="head_adopted", actor="store", body={"seq": last.seq, "hash": last.hash})

    def _write_groups(self) -> None:
        last_size = 1
        try:
            while True:
                group, is_last = self._gather(alone=last_size == 1)
                if together := [request for request in group if not request.alone]:
                    self._commit(together)
                    last_size = len(together)
                for request in (request for request in group if request.alone):
                    self._run_alone(request)
                if is_last:
                    return
        finally:
            # Reached early only by a fault in this module: nobody may be left waiting for an answer.
            with self._gate:
                self._closed = True
            while not self._requests.empty():
                request = self._requests.get()
                if request is not None:
                    request.answer.set_exception(ProjectError(f"{self.path}: the journal stopped; open the project again"))

    def _gather(self, *, alone: bool) -> tuple[list[_Request[Any]], bool]:
        """The next group, and whether it is the last. A caller that was alone last time does not wait for company."""
        group: list[_Request[Any]] = []
        wait: float | None = None
        deadline = 0.0
        while len(group) < MAX_GROUP:
            try:
                request = self._requests.get(timeout=wait) if wait != 0 else self._requests.get_nowait()
            except queue.Empty:
                break
            if request is None:
                return group, True
            if not group:
                deadline = time.monotonic() + (0 if alone else GATHER_S)
            group.append(request)
            wait = max(deadline - time.monotonic(), 0)
        return group, False

    def _commit(self, group: list[_Request[Any]]) -> None:
        outcomes: list[tuple[_Request[Any], Any, Exception | None]] = []
        failure: StudioError | None = ProjectError(f"{self.path}: the journal stopped; open the project again")
        try:
            outcomes = self._transact(group)
            failure = None
        except (StudioError, sqlite3.Error, OSError) as error:
            failure = _unwritable(error, self.path)
            _log.error("journal %s: %s requests refused: %s", self.path, len(group), error)
        finally:
            if failure is not None:
                if self._writing.in_transaction:
                    with contextlib.suppress(sqlite3.Error):  # SQLite then undoes it when the next one begins
                        self._writing.execute("rollback")
                outcomes = [(request, None, failure) for request in group]
            for request, result, refusal in outcomes:
                if refusal is None:
                    request.answer.set_result(result)
                else:
                    request.answer.set_exception(refusal)

    def _run_alone(self, request: _Request[Any]) -> None:
        try:
            request.answer.set_result(request.work(self._writing))
        except (StudioError, sqlite3.Error) as error:
            request.answer.set_exception(explained(error, self.path, doing="rewritten"))

    def _transact(self, group: list[_Request[Any]]) -> list[tuple[_Request[Any], Any, Exception | None]]:
        run = self._writing.execute
        with self._clock.undone_on_error():
            run("begin immediate")
            outcomes = [self._outcome(request) for request in group]
            head = _last(self._writing)
            began_s = time.monotonic()
            run("commit")
        self.num_groups += 1
        self._head_file.write(head)
        self._commits_s.append(time.monotonic() - began_s)
        if _identity(self.path) != self._identity:  # what was written goes with a file that no path leads to
            raise StoreError(f"{self.path} was moved, deleted or replaced while it was open; put it back and open it again")
        return outcomes

    def _outcome(self, request: _Request[Any]) -> tuple[_Request[Any], Any, Exception | None]:
        """A request done within the open transaction, or why it was undone. Raises what undoes the whole transaction."""
        run = self._writing.execute
        run("savepoint request")
        result, refusal = None, None
        try:
            with self._clock.undone_on_error():
                result = request.work(self._writing)
        except (StudioError, sqlite3.Error) as error:
            if not self._writing.in_transaction or _concerns_the_disk(error):
                raise
            run("rollback to request")
            refusal = explained(error, self.path, doing="written")
        except Exception as error:  # noqa: BLE001 - a fault of one caller: votes of the others must go on
            _log.error("journal %s: a caller's work broke", self.path, exc_info=error)
            run("rollback to request")
            refusal = error
        run("release request")
        return request, result, refusal


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands at a path; None for none."""
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    return facts.st_dev, facts.st_ino


class _Chain:
    """Adds rows behind the last one, within one transaction."""

    def __init__(self, connection: sqlite3.Connection, server_time: str, *, keep_first: bool) -> None:
        self._keep_first = keep_first
        self._run = connection.execute
        self._head = _last(connection)
        self._server_time = server_time

    def add(self, event: Event, *, one_actor: bool) -> Receipt:
        newest, actor = self._run(
            "select max(rev), actor from events where kind = ? and id = ?", (event.kind, event.id)
        ).fetchone()
        if one_actor and newest is not None and actor != event.actor:
            raise EventRefused(f"{event.kind} {event.id} is not {event.actor}'s to change; send it under a new id")
        if newest is not None and newest >= event.rev:
            known = self._known(event)
            if known is not None:
                return known
        row = StoredEvent(
            self._head.seq + 1,
            event.id,
            event.rev,
            event.kind,
            event.actor,
            event.text,
            event.client_time,
            self._server_time,
            REDACTABLE_VERSION if event.redactable else SCHEMA_VERSION,
            self._head.hash,
            "",
            new_salt() if event.redactable else "",
        )
        row = row._replace(hash=row_hash(row))
        self._run(_INSERT, row)
        self._head = Head(row.seq, row.hash)
        return Receipt(id=row.id, rev=row.rev, seq=row.seq, hash=row.hash, applied=newest is None or newest < event.rev)

    def _known(self, event: Event) -> Receipt | None:
        found = self._run(
            "select seq, hash, actor, body, exists(select 1 from events as other where other.kind = events.kind and "
            "other.id = events.id and other.rev > events.rev and other.seq < events.seq) "
            "from events where kind = ? and id = ? and rev = ?",
            (event.kind, event.id, event.rev),
        ).fetchone()
        if found is None:
            return None
        seq, stored_hash, actor, body, was_stale = found
        if not self._keep_first and (actor, body) != (event.actor, event.text):
            raise EventRefused(
                f"{event.kind} {event.id} rev {event.rev} is already stored as event {seq} with other content; "
                "send the change with a higher rev"
            )
        return Receipt(id=event.id, rev=event.rev, seq=seq, hash=stored_hash, applied=not was_stale)


def _require_history(path: Path) -> None:
    """Raises StoreError when events that `journal.head` names are missing.

    Looked at through a read-only connection first: opening for writing would fold a damaged log into the file.
    """
    outside = read_head(head_path(path))
    if outside is None or outside.seq == 0:
        return
    if not path.exists():
        raise StoreError(f"{path} is missing, but {outside.seq} events were stored in it; restore the newest backup")
    with JournalReader(path) as reader:
        reader.verify_against(outside)


def _open_for_writing(path: Path) -> sqlite3.Connection:
    inspect_file(path)
    is_new = not path.exists() or path.stat().st_size == 0
    if not is_new and not path.stat().st_mode & 0o222:
        raise ProjectError(f"{path} is read-only; give yourself the right to write it (chmod u+w)")
    if not is_new:
        upgrade_journal(path)
    connection = connect(path, read_only=False)
    try:
        # A new file's mark is not there yet when its maker was killed: then it has no tables either.
        (tables,) = connection.execute("select count(*) from sqlite_master").fetchone()
        if tables:
            check_identity(connection, path)
        else:
            connection.execute(f"pragma application_id = {APPLICATION_ID}")
        (mode,) = connection.execute("pragma journal_mode = wal").fetchone()
        if mode != "wal":
            raise ProjectError(f"{path} cannot use a write-ahead log here (SQLite says {mode}); use a local disk")
        connection.execute("pragma synchronous = full")
        connection.execute("pragma checkpoint_fullfsync = on")
        connection.execute("pragma fullfsync = on")
        MIGRATIONS.apply(wrap(connection))
    except (StudioError, sqlite3.Error) as error:
        connection.close()
        raise explained(error, path, doing="opened for writing") from error
    return connection


def _vacuum(connection: sqlite3.Connection) -> None:
    connection.execute("vacuum")
    for _ in range(CHECKPOINTS):  # a reader in the middle of a page holds it up for milliseconds
        busy, *_ = connection.execute("pragma wal_checkpoint(truncate)").fetchone()
        if not busy:
            return
    raise ProjectError("the journal's log is being read and still holds what was removed; try again in a moment")


def _last(connection: sqlite3.Connection) -> Head:
    found = connection.execute("select seq, hash from events order by seq desc limit 1").fetchone()
    return Head(*found) if found else EMPTY


def _concerns_the_disk(error: BaseException) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, sqlite3.Error) and code not in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT)


def _unwritable(error: BaseException, path: Path) -> StudioError:
    if isinstance(error, OSError):
        return ProjectError(f"{head_path(path)} cannot be written: {error.strerror}; free some space or check its owner")
    return explained(error, path, doing="written")
