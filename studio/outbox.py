"""The outbox: every vote and correction is on this machine's disk before the screen moves on, and leaves only for a receipt.

It waits as `pending`, becomes `sent` when the service's receipt came, or `attention` when the service refused it
(a person must look, who sends it again or drops it; nothing else does, but for what is about footage that was erased: of that no byte
may stay). Every revision is a row of its own, so that an edit made while an earlier
revision is on its way is not taken for sent. Rows stay, with their receipts: `recheck` sends the newest ones again,
and a service that lost them (a restored backup, a damaged disk) stores them anew.
"""

import contextlib
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from backend.domain import ItemErased, ProjectError, Receipt, ServiceError, StoreError, StudioError, Vote
from backend.domain.corrections import Correction
from backend.sqlite import Database
from studio.outbox_schema import APPLICATION_ID, MIGRATIONS, applied_last, check_origin
from studio.outbox_seal import RESCUE, SOUND, Seal, register
from studio.outbox_upgrade import upgrade_outbox

Said = Vote | Correction
"""What a person said, known by its `id` and `rev`."""

OneKind = TypeVar("OneKind", Vote, Correction)

Send = Callable[[tuple[Any, ...]], tuple[Receipt, ...]]
"""`Api.submit_votes` or `Api.correct` as a function of votes, or of corrections: never of both at once."""

KINDS: dict[str, type[Vote] | type[Correction]] = {"vote": Vote, "correction": Correction}
"""By their names in the file."""

CORRECTIONS_AT_ONCE = 20  # each may cut a picture out anew

RETRIED_KINDS = frozenset({"service", "project", "store"})
"""Kinds of StudioError that say nothing against a vote: it stays pending and is sent again later."""

BUSY_S = 1.5  # how long a statement waits for another Studio that shares the file


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxCounts:
    """How many votes and corrections wait, were acknowledged, and need a person."""

    pending: int
    sent: int
    attention: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What the service refused, and why."""

    said: Said
    problem: str


class Outbox:
    """What people said in one project on this machine. Every method may be called from any thread.

    Raises ProjectError or StoreError in one sentence, within 5 s, when the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._lock = threading.RLock()
        self._connection, self._seal = _open(self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; calling it twice is harmless."""
        with self._lock:
            self._connection.close()
            self._seal.close()

    def put(self, said: Said) -> None:
        """Commits a vote or a correction before returning; putting the same again changes nothing.

        Raises ValueError when its revision is not above those that the outbox holds, ProjectError on a full disk.
        """
        kind, text = _kind_of(type(said)), _to_json(said)
        with self._lock:
            newest = self.latest(said.id)
            if newest == said:
                return
            if newest is not None and newest.rev >= said.rev:
                raise ValueError(
                    f"{kind} {said.id} has rev {said.rev}, but rev {newest.rev} is stored; give it a higher one"
                )
            self._change(
                "insert into votes (id, rev, vote, state, kind, digest) values (?1, ?2, ?3, 'pending', ?4, "
                "row_digest(?1, ?2, ?4, ?3, 'pending', null, null))",
                *(said.id, said.rev, text, kind),
            )

    def undo(self, vote_id: str, *, made_at: str) -> Vote:
        """Puts the next revision of a vote without a choice, and gives it. Raises KeyError for an unknown vote."""
        newest = self.latest(vote_id)
        if not isinstance(newest, Vote):
            raise KeyError(f"there is no vote {vote_id} in the outbox")
        undone = replace(newest, rev=newest.rev + 1, choice=None, strength=None, reasons=(), comment="", made_at=made_at)
        self.put(undone)
        return undone

    def latest(self, said_id: str) -> Said | None:
        """The highest revision of a vote or a correction."""
        rows = self._rows("kind, vote", "id = ? order by rev desc limit 1", said_id)
        return _said(*rows[0]) if rows else None

    def unsent(self, limit: int = 100, *, of: type[OneKind] = Vote) -> tuple[OneKind, ...]:
        """Pending votes or corrections, oldest first, every revision."""
        kind = _kind_of(of)
        rows = self._rows("vote", "state = 'pending' and kind = ? order by n limit ?", kind, limit)
        return tuple(_read(of, text) for (text,) in rows)

    def mark_sent(self, vote_id: str, rev: int, receipt: Receipt) -> None:
        """Records the receipt of exactly this revision. Raises ValueError when the receipt is another vote's."""
        if (receipt.id, receipt.rev) != (vote_id, rev):
            raise ValueError(f"receipt of {receipt.id} rev {receipt.rev} was given for {vote_id} rev {rev}")
        text = json.dumps(asdict(receipt))
        self._change(
            "update votes set state = 'sent', receipt = ?1, problem = null, digest = row_digest(id, rev, kind, vote, 'sent', ?1, "
            "null) where id = ?2 and rev = ?3",
            *(text, vote_id, rev),
        )

    def mark_attention(self, vote_id: str, rev: int, problem: str) -> None:
        """Puts aside a revision that the service refused, for a person to look at."""
        self._change(
            "update votes set state = 'attention', problem = ?1, digest = row_digest(id, rev, kind, vote, 'attention', receipt, ?1) "
            "where id = ?2 and rev = ?3",
            *(problem, vote_id, rev),
        )

    def forget(self, said_id: str) -> None:
        """Removes every revision and every byte of it: what it is about was erased, or its maker still has it before them."""
        self._change("delete from votes where id = ?", said_id)
        self._run("pragma wal_checkpoint(truncate)")

    def drop(self, said_id: str, rev: int) -> None:
        """Removes a revision that was refused; one that is not, stays."""
        self._change("delete from votes where id = ? and rev = ? and state = 'attention'", said_id, rev)

    def refused(self) -> tuple[Refused, ...]:
        """What needs a person, oldest first."""
        rows = self._rows("kind, vote, problem", "state = 'attention' order by n")
        return tuple(Refused(said=_said(kind, text), problem=problem) for kind, text, problem in rows)

    def retry(self, vote_id: str, rev: int) -> None:
        """Puts a refused revision back among the pending ones."""
        self._change(
            "update votes set state = 'pending', digest = row_digest(id, rev, kind, vote, 'pending', receipt, problem) "
            "where id = ? and rev = ? and state = 'attention'",
            *(vote_id, rev),
        )

    def sent(self, limit: int = 100, *, of: type[OneKind] = Vote) -> tuple[tuple[OneKind, Receipt], ...]:
        """The newest acknowledged votes or corrections with their receipts, newest first."""
        which = "state = 'sent' and kind = ? order by n desc limit ?"
        rows = self._rows("vote, receipt", which, _kind_of(of), limit)
        return tuple((_read(of, text), Receipt(**json.loads(receipt))) for text, receipt in rows)

    def counts(self) -> OutboxCounts:
        """How many revisions are in each state."""
        found: dict[str, int] = dict(self._run("select state, count(*) from votes group by state"))
        return OutboxCounts(pending=found.get("pending", 0), sent=found.get("sent", 0), attention=found.get("attention", 0))

    @contextmanager
    def together(self) -> Iterator[None]:
        """Makes the changes of the block one commit; other threads wait for its end."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._run("begin immediate")
            try:
                yield
                self._seal.count()
                self._run("commit")
            finally:
                if self._connection.in_transaction:
                    self._run("rollback")
            with contextlib.suppress(OSError):  # it lags then, which harms nobody
                self._seal.committed()

    def _change(self, statement: str, *values: object) -> None:
        with self.together():
            self._run(statement, *values)

    def _rows(self, columns: str, which: str, *values: object) -> list[Any]:
        rows = self._run(f"select {columns}, {SOUND} from votes where {which}", *values)
        if not all(row[-1] for row in rows):
            raise StoreError(f"the outbox {self.path} is damaged: a row is not as it was written. {RESCUE}")
        return [row[:-1] for row in rows]

    def _run(self, statement: str, *values: object) -> list[Any]:
        try:
            with self._lock:
                return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise _explained(error, self.path) from error


def send_pending(
    outbox: Outbox, send: Send, *, limit: int = 100, refused: Callable[[Said, str], object] = lambda said, problem: None
) -> int:
    """Sends the oldest pending votes, then corrections, and gives how many were acknowledged; the caller repeats.

    Raises the StudioError of a service that is away or cannot store now: everything stays pending. What the service
    refuses goes to `attention`, after its neighbours were sent without it; `refused` is told.
    """
    votes, corrections = outbox.unsent(limit), outbox.unsent(min(limit, CORRECTIONS_AT_ONCE), of=Correction)
    return sum(_send(outbox, send, said, refused) for said in (votes, corrections) if said)


def recheck(outbox: Outbox, send: Send, *, limit: int = 500) -> int:
    """Sends the newest acknowledged votes and corrections again and gives how many the service had lost (it has them now).

    What is stored gives its first receipt again, so that another receipt means that the first was lost.
    """
    return _recheck(outbox, send, Vote, limit) + _recheck(outbox, send, Correction, limit)


def _recheck(outbox: Outbox, send: Send, of: type[OneKind], limit: int) -> int:
    known = {(said.id, said.rev): (said, receipt) for said, receipt in reversed(outbox.sent(limit, of=of))}
    if not known:
        return 0
    _send(outbox, send, tuple(said for said, _ in known.values()), lambda said, problem: None)
    now = {(said.id, said.rev): receipt for said, receipt in outbox.sent(limit, of=of)}
    return sum(now.get(key) != receipt for key, (_, receipt) in known.items())


def _send(outbox: Outbox, send: Send, said: Sequence[Said], refused: Callable[[Said, str], object]) -> int:
    try:
        receipts = send(tuple(said))
    except StudioError as error:
        if error.kind in RETRIED_KINDS:
            raise
        if len(said) > 1:
            return sum(_send(outbox, send, (one,), refused) for one in said)
        for one in said:
            if error.kind == ItemErased.kind:
                outbox.forget(one.id)
            else:
                outbox.mark_attention(one.id, one.rev, str(error))
            refused(one, str(error))
        return 0
    _require_match(said, receipts)
    with outbox.together():
        for receipt in receipts:
            outbox.mark_sent(receipt.id, receipt.rev, receipt)
    return len(receipts)


def _require_match(said: Sequence[Said], receipts: Sequence[Receipt]) -> None:
    asked = [(one.id, one.rev) for one in said]
    answered = [(receipt.id, receipt.rev) for receipt in receipts]
    if asked != answered:
        raise ServiceError(f"{len(asked)} answers were sent, and the receipts are for others; nothing is marked as sent")


def _open(path: Path) -> tuple[sqlite3.Connection, Seal]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ProjectError(f"{path.parent} cannot be made: {error.strerror}; check who owns it") from error
    if path.exists() and not path.is_file():
        raise ProjectError(f"{path} is not a file, so that votes cannot be kept there; move it away")
    if path.exists() and not path.stat().st_mode & 0o222:
        raise ProjectError(f"{path} is read-only; give yourself the right to write it (chmod u+w)")
    try:
        upgrade_outbox(path, busy_s=BUSY_S)
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    except (StudioError, sqlite3.Error, OSError) as error:
        raise _explained(error, path) from error
    try:
        _prepare(connection, path)
        return connection, Seal(connection, path)
    except (StudioError, sqlite3.Error, OSError) as error:
        connection.close()
        raise _explained(error, path) from error


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    check_origin(connection, path)
    if not applied_last(connection):
        connection.execute(f"pragma application_id = {APPLICATION_ID}")
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma secure_delete = on")  # what is forgotten leaves no byte
    connection.execute("pragma synchronous = full")
    connection.execute("pragma fullfsync = on")
    connection.execute("pragma checkpoint_fullfsync = on")
    register(connection)
    MIGRATIONS.apply(Database(connection, execute_plugins=False))


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
        case _ if isinstance(error, OSError):
            return ProjectError(f"{text}. Free some space, or give yourself the right to write this file and its folder")
        case _ if isinstance(error, sqlite3.ProgrammingError):
            return ProjectError(f"{text}. It was closed before; open it again")
        case _:
            return StoreError(f"{text}. {RESCUE}")


def _to_json(said: Said) -> str:
    return json.dumps(asdict(said), sort_keys=True, separators=(",", ":"))


def _kind_of(kind: type) -> str:
    return next(name for name, known in KINDS.items() if known is kind)


def _said(kind: str, text: str) -> Said:
    return _read(Vote, text) if KINDS[kind] is Vote else _read(Correction, text)


def _read(of: type[OneKind], text: str) -> OneKind:
    plain: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in json.loads(text).items()}
    return of(**plain)
