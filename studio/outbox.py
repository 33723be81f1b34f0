"""The outbox: every vote is on this machine's disk before the screen moves on, and leaves only for a receipt.

A vote waits as `pending`, becomes `sent` when the service's receipt came, or `attention` when the service refused it
(a person must look; it is never dropped). Every revision is a row of its own, so that an edit made while an earlier
revision is on its way is not taken for sent. Rows stay, with their receipts: `recheck` sends the newest ones again,
and a service that lost them (a restored backup, a damaged disk) stores them anew.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from backend.domain import ProjectError, Receipt, ServiceError, StoreError, StudioError, Vote
from backend.sqlite import Database, Migrations

Send = Callable[[tuple[Vote, ...]], tuple[Receipt, ...]]
"""`Api.submit_votes` as a function of the votes."""

RETRIED_KINDS = frozenset({"service", "project", "store"})
"""Kinds of StudioError that say nothing against a vote: it stays pending and is sent again later."""

APPLICATION_ID = 0x53534F42
"""SQLite's mark of whose database a file is: the letters SSOB."""

BUSY_S = 1.5  # how long a statement waits for another Studio that shares the file

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


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxCounts:
    """How many votes wait, were acknowledged, and need a person."""

    pending: int
    sent: int
    attention: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A vote that the service refused, and why."""

    vote: Vote
    problem: str


class Outbox:
    """The votes of one project on this machine. Every method may be called from any thread.

    Raises ProjectError or StoreError in one sentence, within 5 s, when the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._lock = threading.RLock()
        self._connection = _open(self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; calling it twice is harmless."""
        with self._lock:
            self._connection.close()

    def put(self, vote: Vote) -> None:
        """Commits a vote before returning; putting the same vote again changes nothing.

        Raises ValueError when its revision is not above those that the outbox holds, ProjectError on a full disk.
        """
        text = _to_json(vote)
        with self._lock:
            newest = self.latest(vote.id)
            if newest == vote:
                return
            if newest is not None and newest.rev >= vote.rev:
                raise ValueError(f"vote {vote.id} has rev {vote.rev}, but rev {newest.rev} is stored; give it a higher one")
            self._run("insert into votes (id, rev, vote, state) values (?, ?, ?, 'pending')", vote.id, vote.rev, text)

    def undo(self, vote_id: str, *, made_at: str) -> Vote:
        """Puts the next revision of a vote without a choice, and gives it. Raises KeyError for an unknown vote."""
        newest = self.latest(vote_id)
        if newest is None:
            raise KeyError(f"there is no vote {vote_id} in the outbox")
        undone = replace(newest, rev=newest.rev + 1, choice=None, strength=None, reasons=(), comment="", made_at=made_at)
        self.put(undone)
        return undone

    def latest(self, vote_id: str) -> Vote | None:
        """The highest revision of a vote."""
        rows = self._run("select vote from votes where id = ? order by rev desc limit 1", vote_id)
        return _vote(rows[0][0]) if rows else None

    def unsent(self, limit: int = 100) -> tuple[Vote, ...]:
        """Pending votes, oldest first, every revision."""
        rows = self._run("select vote from votes where state = 'pending' order by n limit ?", limit)
        return tuple(_vote(text) for (text,) in rows)

    def mark_sent(self, vote_id: str, rev: int, receipt: Receipt) -> None:
        """Records the receipt of exactly this revision. Raises ValueError when the receipt is another vote's."""
        if (receipt.id, receipt.rev) != (vote_id, rev):
            raise ValueError(f"receipt of {receipt.id} rev {receipt.rev} was given for {vote_id} rev {rev}")
        text = json.dumps(asdict(receipt))
        self._run(
            "update votes set state = 'sent', receipt = ?, problem = null where id = ? and rev = ?", text, vote_id, rev
        )

    def mark_attention(self, vote_id: str, rev: int, problem: str) -> None:
        """Puts aside a revision that the service refused, for a person to look at."""
        self._run("update votes set state = 'attention', problem = ? where id = ? and rev = ?", problem, vote_id, rev)

    def refused(self) -> tuple[Refused, ...]:
        """What needs a person, oldest first."""
        rows = self._run("select vote, problem from votes where state = 'attention' order by n")
        return tuple(Refused(vote=_vote(text), problem=problem) for text, problem in rows)

    def retry(self, vote_id: str, rev: int) -> None:
        """Puts a refused revision back among the pending ones."""
        self._run("update votes set state = 'pending' where id = ? and rev = ? and state = 'attention'", vote_id, rev)

    def sent(self, limit: int = 100) -> tuple[tuple[Vote, Receipt], ...]:
        """The newest acknowledged votes with their receipts, newest first."""
        rows = self._run("select vote, receipt from votes where state = 'sent' order by n desc limit ?", limit)
        return tuple((_vote(text), Receipt(**json.loads(receipt))) for text, receipt in rows)

    def counts(self) -> OutboxCounts:
        """How many revisions are in each state."""
        found: dict[str, int] = dict(self._run("select state, count(*) from votes group by state"))
        return OutboxCounts(pending=found.get("pending", 0), sent=found.get("sent", 0), attention=found.get("attention", 0))

    @contextmanager
    def together(self) -> Iterator[None]:
        """Makes the changes of the block one commit; other threads wait for its end."""
        with self._lock:
            self._run("begin immediate")
            try:
                yield
                self._run("commit")
            finally:
                if self._connection.in_transaction:
                    self._run("rollback")

    def _run(self, statement: str, *values: object) -> list[Any]:
        try:
            with self._lock:
                return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise _explained(error, self.path) from error


def send_pending(outbox: Outbox, send: Send, *, limit: int = 100) -> int:
    """Sends the oldest pending votes and gives how many were acknowledged; the caller repeats, with a growing pause.

    Raises the StudioError of a service that is away or cannot store now: everything stays pending. A vote that the
    service refuses goes to `attention`, after its neighbours were sent without it.
    """
    votes = outbox.unsent(limit)
    return _send(outbox, send, votes) if votes else 0


def recheck(outbox: Outbox, send: Send, *, limit: int = 500) -> int:
    """Sends the newest acknowledged votes again and gives how many the service had lost (it has them now).

    A stored vote gives its first receipt again, so that another receipt means that the first was lost.
    """
    known = {(vote.id, vote.rev): (vote, receipt) for vote, receipt in reversed(outbox.sent(limit))}
    if not known:
        return 0
    _send(outbox, send, tuple(vote for vote, _ in known.values()))
    now = {(vote.id, vote.rev): receipt for vote, receipt in outbox.sent(limit)}
    return sum(now.get(key) != receipt for key, (_, receipt) in known.items())


def _send(outbox: Outbox, send: Send, votes: tuple[Vote, ...]) -> int:
    try:
        receipts = send(votes)
    except StudioError as error:
        if error.kind in RETRIED_KINDS:
            raise
        if len(votes) > 1:
            return sum(_send(outbox, send, (vote,)) for vote in votes)
        for vote in votes:
            outbox.mark_attention(vote.id, vote.rev, str(error))
        return 0
    _require_match(votes, receipts)
    with outbox.together():
        for receipt in receipts:
            outbox.mark_sent(receipt.id, receipt.rev, receipt)
    return len(receipts)


def _require_match(votes: Sequence[Vote], receipts: Sequence[Receipt]) -> None:
    asked = [(vote.id, vote.rev) for vote in votes]
    answered = [(receipt.id, receipt.rev) for receipt in receipts]
    if asked != answered:
        raise ServiceError(f"{len(asked)} votes were sent, and the receipts are for others; nothing is marked as sent")


def _open(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ProjectError(f"{path.parent} cannot be made: {error.strerror}; check who owns it") from error
    if path.exists() and not path.is_file():
        raise ProjectError(f"{path} is not a file, so that votes cannot be kept there; move it away")
    if path.exists() and not path.stat().st_mode & 0o222:
        raise ProjectError(f"{path} is read-only; give yourself the right to write it (chmod u+w)")
    try:
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise _explained(error, path) from error
    try:
        _prepare(connection, path)
    except (StudioError, sqlite3.Error) as error:
        connection.close()
        raise _explained(error, path) from error
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    (tables,) = connection.execute("select count(*) from sqlite_master").fetchone()
    (mark,) = connection.execute("pragma application_id").fetchone()
    if tables and mark != APPLICATION_ID:
        raise StoreError(f"{path} is an SQLite database but not an outbox; move it away")
    database = Database(connection, execute_plugins=False)
    known = {migration.name for migration in MIGRATIONS.pending(Database(memory=True, execute_plugins=False))}
    newer = [applied.name for applied in MIGRATIONS.applied(database) if applied.name not in known]
    if newer:
        raise ProjectError(f"{path} was written by a newer version (it has {newer[-1]}); update subject-studio")
    if not tables:
        connection.execute(f"pragma application_id = {APPLICATION_ID}")
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("pragma fullfsync = on")
    connection.execute("pragma checkpoint_fullfsync = on")
    MIGRATIONS.apply(database)


def _explained(error: BaseException, path: Path) -> StudioError:
    if isinstance(error, StudioError):
        return error
    text = f"the outbox {path} cannot be used: {error}"
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL | sqlite3.SQLITE_IOERR:
            return ProjectError(f"{text}. The disk is full or refuses to write; free some space and try again")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return ProjectError(f"{text}. Another program holds it; close that program and try again")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return ProjectError(f"{text}. Give yourself the right to write this file and its folder")
        case _ if isinstance(error, sqlite3.ProgrammingError):
            return ProjectError(f"{text}. It was closed before; open it again")
        case _:
            return StoreError(f"{text}. Keep the file for rescue, and move it away to start with an empty one")


def _to_json(vote: Vote) -> str:
    return json.dumps(asdict(vote), sort_keys=True, separators=(",", ":"))


def _vote(text: str) -> Vote:
    body = json.loads(text)
    return Vote(**{**body, "reasons": tuple(body["reasons"]), "shown_order": tuple(body["shown_order"])})
