"""What a journal row is, how its hash is made, and the tables that hold it.

`hash = sha256(prev_hash || canonical row)`, both hashes as 64 hexadecimal digits. The canonical row is the ASCII
JSON array `[seq, id, rev, kind, actor, body, client_time, server_time, schema_version]` without spaces, in which
`body` is the body's canonical JSON text. Anybody can recompute the chain from an export with a few lines.

What a person may have erased is stored in rows of version 2. Their canonical row is `[seq, rev, kind, digest, server_time,
schema_version]`, where `digest = sha256(salt || [id, actor, body, client_time])`. Redaction replaces these four by the
digest and removes the salt: the chain still verifies, and without the salt nobody can try out what was said.

A row of version 1 that names what was erased is *sealed* (version 3): its content goes, and the hash that it had stays. That
hash cannot be recomputed, so that a later event of kind `events_sealed` must name the row; without one the journal is damaged.
"""

import hashlib
import json
import secrets
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from backend.domain import StudioError, Trial, Vote
from backend.sqlite import Database, Migrations, Table

SCHEMA_VERSION = 1
"""Version of the canonical row; part of every row, so that old rows keep the hash that they were given."""

REDACTABLE_VERSION = 2
"""Version of rows that can be redacted."""

SEALED_VERSION = 3
"""Version of rows of version 1 whose content was erased."""

SEALING = "events_sealed"
"""Kind of the events that say which rows were sealed: `seqs`."""

REDACTED = "redacted"

RIGHTS = "rights_stated"
IN_PLACE_OF = "in_place_of"
"""Field of the body of an event that says again, without what was erased, what an event before it said."""

GENESIS = "0" * 64
"""The `prev_hash` of the first row."""

APPLICATION_ID = 0x53534A4C
"""SQLite's mark of whose database a file is: the letters SSJL."""

MAX_BODY_BYTES = 1 << 20
"""The largest body; a trial with all its scores is a few KiB, so that more is a caller's mistake."""

SEALED_IN_EVENT = 50_000
"""Rows that one event names: of at most 16 digits each."""

_ENCODER = json.JSONEncoder(ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)
_MAX_REV = 2**53 - 1  # the largest integer that every JSON reader keeps exact


class EventRefused(StudioError):
    """An event is malformed or contradicts a stored one. Sending it again cannot succeed."""

    kind = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something to be journalled. `(kind, id, rev)` is its key: the same key again is the same event.

    Raises EventRefused when a field cannot be stored (not JSON, NaN, lone surrogate, too long).
    """

    kind: str
    actor: str
    body: Mapping[str, Any]
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    rev: int = 0
    client_time: str = ""
    redactable: bool = False
    """Whether a person may have it erased."""
    text: str = field(init=False, repr=False, compare=False)
    """The body as canonical JSON, as it was when the event was made."""

    def __post_init__(self) -> None:
        for name in ("kind", "actor", "id", "client_time"):
            _require_text(self, name)
        if not self.kind or not self.id:
            raise EventRefused(f"event {self.kind or '?'} {self.id or '?'} has no kind or no id; give it both")
        if type(self.rev) is not int or not 0 <= self.rev <= _MAX_REV:
            raise EventRefused(f"{self.kind} {self.id}: rev is {self.rev!r}; it must be an integer of 0 or more")
        try:
            text = canonical_json(dict(self.body))
        except (TypeError, ValueError, RecursionError) as error:
            raise EventRefused(f"{self.kind} {self.id} cannot be written as JSON: {error}; send plain values") from error
        if len(text) > MAX_BODY_BYTES:
            raise EventRefused(
                f"{self.kind} {self.id} holds {len(text)} bytes, at most {MAX_BODY_BYTES} are taken; shorten it"
            )
        object.__setattr__(self, "text", text)


class StoredEvent(NamedTuple):
    """A row of the journal. `text` is the body as stored; `body` parses it."""

    seq: int
    id: str
    rev: int
    kind: str
    actor: str
    text: str
    client_time: str
    server_time: str
    schema_version: int
    prev_hash: str
    hash: str
    salt: str = ""

    @property
    def is_redacted(self) -> bool:
        return self.schema_version == SEALED_VERSION or (self.schema_version == REDACTABLE_VERSION and not self.salt)

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.text)

    def as_dict(self) -> dict[str, Any]:
        """Every field as plain values, the body parsed: one line of an export."""
        row = self._asdict()
        row["body"] = json.loads(row.pop("text"))
        return row


COLUMNS = "seq, id, rev, kind, actor, body, client_time, server_time, schema_version, prev_hash, hash, salt"
"""The columns of `events` in the order of `StoredEvent`'s fields."""


def canonical_json(value: object) -> str:
    """ASCII JSON with sorted keys and no spaces. Raises ValueError for NaN and infinities, TypeError for other types."""
    return _ENCODER.encode(value)


def row_hash(row: StoredEvent) -> str:
    """The hash that a row must carry, from its other fields; of a sealed row, the one that it carries."""
    if row.schema_version == SEALED_VERSION:
        return row.hash
    if row.schema_version == REDACTABLE_VERSION:
        canonical = [row.seq, row.rev, row.kind, _digest(row), row.server_time, row.schema_version]
    else:
        canonical = list(row[:9])
    return hashlib.sha256((row.prev_hash + canonical_json(canonical)).encode("ascii")).hexdigest()


def new_salt() -> str:
    """128 random bits in hexadecimal digits."""
    return secrets.token_hex(16)


def redacted(row: StoredEvent) -> StoredEvent:
    """The row without what it said and who said it; its hash still fits. Raises ValueError for one of version 1."""
    if row.schema_version != REDACTABLE_VERSION:
        raise ValueError(f"event {row.seq} of kind {row.kind} cannot be redacted; it has version {row.schema_version}")
    return row._replace(
        id=f"{REDACTED}-{row.seq}", actor=REDACTED, text=canonical_json({REDACTED: _digest(row)}), client_time="", salt=""
    )


def sealed(row: StoredEvent) -> StoredEvent:
    """A row of version 1 without what it said and who said it. Raises ValueError for one of another version."""
    if row.schema_version != SCHEMA_VERSION:
        raise ValueError(f"event {row.seq} of kind {row.kind} has version {row.schema_version} and is not sealed")
    blank = canonical_json({REDACTED: ""})
    return row._replace(
        id=f"{REDACTED}-{row.seq}", actor=REDACTED, text=blank, client_time="", schema_version=SEALED_VERSION
    )


def sealing_events(erasure_id: str, seqs: Sequence[int]) -> list[Event]:
    """That rows of version 1 are about to be sealed; journalled before they are."""
    parts = [seqs[start : start + SEALED_IN_EVENT] for start in range(0, len(seqs), SEALED_IN_EVENT)]
    return [
        Event(kind=SEALING, id=f"{erasure_id}-{number}", actor="user", body={"seqs": list(part)})
        for number, part in enumerate(parts)
    ]


def vote_event(vote: Vote, *, redactable: bool = False) -> Event:
    """A vote as an event of kind `vote`; its id, rev and rater become the event's."""
    return Event(
        kind=Vote.KIND,
        id=vote.id,
        rev=vote.rev,
        actor=vote.rater,
        body=asdict(vote),
        client_time=vote.made_at,
        redactable=redactable,
    )


def vote_of(event: StoredEvent) -> Vote:
    """The vote that an event of kind `vote` holds."""
    body = event.body
    return Vote(**{**body, "reasons": tuple(body["reasons"]), "shown_order": tuple(body["shown_order"])})


def trial_event(trial: Trial, *, rater: str) -> Event:
    """A trial as an event of kind `trial_shown`, keyed by the trial's id: kept from its first showing. Answers are events of their own."""
    body = {name: value for name, value in asdict(trial).items() if name != "answers"}
    return Event(kind="trial_shown", id=trial.id, actor=rater, body={**body, "id": trial.id}, redactable=True)


def rights_event(source_ids: Sequence[str], *, licence: str | None, attribution: str | None) -> Event:
    """What a person says of sources that were listed before; None leaves what was said. Read by `rights_of`."""
    body = {"sources": list(source_ids), "licence": licence, "attribution": attribution}
    return Event(kind=RIGHTS, actor="user", body=body, redactable=True)


def rights_of(event: StoredEvent) -> list[dict[str, Any]]:
    """A row for each source that an event of kind `rights_stated` speaks of."""
    body = event.body
    said = {"seq": place_of(event).seq, "licence": body["licence"], "attribution": body["attribution"]}
    return [{**said, "source_id": source_id} for source_id in body["sources"]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the order of words one stands."""

    seq: int
    server_time: str


def said_of_rest(event: StoredEvent, field: str, rest: Sequence[str], *, id: str) -> Event:
    """The same word on the rest of the things that it was about: it keeps its place among other words."""
    place = place_of(event)
    body = {**event.body, field: list(rest), IN_PLACE_OF: [place.seq, place.server_time]}
    return Event(kind=event.kind, actor=event.actor, body=body, id=id, client_time=event.client_time, redactable=True)


def place_of(event: StoredEvent) -> Place:
    """Its own, or that of the word of which it is the rest."""
    return Place(*event.body.get(IN_PLACE_OF, (event.seq, event.server_time)))


MIGRATIONS = Migrations("journal")
"""The journal's schema, one function per version, applied in order when a journal is opened for writing."""


@MIGRATIONS()
def m001_events(db: Database) -> None:
    events = _table(db, "events").create(
        {
            "seq": int,
            "id": str,
            "rev": int,
            "kind": str,
            "actor": str,
            "body": str,
            "client_time": str,
            "server_time": str,
            "schema_version": int,
            "prev_hash": str,
            "hash": str,
        },
        pk="seq",
        not_null={name.strip() for name in COLUMNS.split(",")} - {"seq", "salt"},
        strict=True,
    )
    events.create_index(["kind", "id", "rev"], unique=True)
    for verb in ("update", "delete"):
        db.execute(
            f"create trigger events_no_{verb} before {verb} on events "
            "begin select raise(abort, 'the journal is append-only'); end"
        )


@MIGRATIONS()
def m002_leases(db: Database) -> None:
    """Who holds which item until when (seconds since 1970). Not chained: a lost lease is taken again."""
    _table(db, "leases").create(
        {"study_id": str, "item_id": str, "rater": str, "until": float},
        pk=("study_id", "item_id", "rater"),
        not_null={"until"},
        strict=True,
    )


@MIGRATIONS()
def m003_progress(db: Database) -> None:
    """The newest progress of each job as JSON. Not chained: what counts is in job_submitted and job_finished."""
    _table(db, "progress").create(
        {"job_id": str, "body": str, "at": str}, pk="job_id", not_null={"body", "at"}, strict=True
    )


@MIGRATIONS()
def m004_salt(db: Database) -> None:
    """What makes the digest of a redactable row impossible to guess; empty in others, and in redacted ones."""
    db.execute("alter table events add column salt text not null default ''")


NEWEST = MIGRATIONS.pending(Database(memory=True, execute_plugins=False))[-1].name
"""The last migration that this version knows."""


def wrap(connection: sqlite3.Connection) -> Database:
    """The connection as a sqlite-utils database, without loading third-party plug-ins into a file that must not change."""
    return Database(connection, execute_plugins=False)


def unknown_migrations(connection: sqlite3.Connection) -> list[str]:
    """Applied migrations that this version does not know: the file comes from a newer one."""
    known = {migration.name for migration in MIGRATIONS.pending(Database(memory=True, execute_plugins=False))}
    return [applied.name for applied in MIGRATIONS.applied(wrap(connection)) if applied.name not in known]


def applied_last(connection: sqlite3.Connection) -> str:
    """The last migration of an existing journal; empty when this version has none to add to it, or it holds no event yet."""
    tables = {str(name) for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
    if "events" not in tables or not MIGRATIONS.pending(wrap(connection)):
        return ""
    holds_any = connection.execute("select 1 from events limit 1").fetchone()
    return MIGRATIONS.applied(wrap(connection))[-1].name if holds_any else ""


def schema_problem(connection: sqlite3.Connection) -> str | None:
    """A sentence when tables, indexes or triggers differ from those that the file's own migrations make."""
    fresh = Database(memory=True, execute_plugins=False)
    pending = MIGRATIONS.pending(wrap(connection))  # a backup by an older version lacks the latest
    MIGRATIONS.apply(fresh, stop_before=pending[0].name if pending else None)
    expected = _schema_rows(fresh.conn)
    found = _schema_rows(connection)
    differing = sorted(expected ^ found)
    fresh.close()
    return f"the schema of {differing[0][0]} {differing[0][1]} is not the expected one" if differing else None


def _schema_rows(connection: sqlite3.Connection) -> set[tuple[str, str, str]]:
    rows = connection.execute("select type, name, coalesce(sql, '') from sqlite_master where name not like 'sqlite_%'")
    return {(str(kind), str(name), str(sql)) for kind, name, sql in rows}


def _digest(row: StoredEvent) -> str:
    if row.is_redacted:
        return row.body[REDACTED]
    said = canonical_json([row.id, row.actor, row.text, row.client_time])
    return hashlib.sha256((row.salt + said).encode("ascii")).hexdigest()


def _table(db: Database, name: str) -> Table:
    return db.table(name)


def _require_text(event: Event, name: str) -> None:
    value = getattr(event, name)
    if not isinstance(value, str) or len(value) > 512:
        raise EventRefused(f"event {name} is {value!r:.80}; it must be text of at most 512 characters")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise EventRefused(f"event {name} is {value!r:.80}, which is not valid Unicode: {error.reason}") from error
