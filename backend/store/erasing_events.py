"""Erasures of footage as events of the journal.

`erasure_begun` holds all that is needed to carry one out, so that one that breaks off is finished at the next opening. When
it is done, `footage_erased` stays: salted digests by which the same file, or an answer about what was erased, is known when it
comes again; and `clips_erased`, where a file stays but some of its clips do not. What `erasure_begun` said is then removed.
"""

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from backend.store.journal import Journal
from backend.store.journal_reader import JournalReader
from backend.store.journal_schema import Event, StoredEvent

BEGUN, FOOTAGE, CLIPS = "erasure_begun", "footage_erased", "clips_erased"
PER_EVENT = 5_000
"""Ids of about 30 characters, or digests, of one event; a body of the journal holds a megabyte."""
DIGEST_CHARS = 16
"""64 bits: of a million erased ids one in 10^13 others is taken for one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """By which a file is known again: digests of its size, by which most others are told quickly, and of its content."""

    size: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Frames of a video that stays."""

    video_id: str
    start_frame: int
    stop_frame: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """One erasure: ids of sources that go whole, of clips of others, of cases made of them; events that name them; what is known again."""

    id: str
    rater: str
    salt: str
    delete_backups: bool
    sources: tuple[str, ...]
    clips: tuple[str, ...]
    cases: tuple[str, ...]
    events: tuple[int, ...]
    marks: tuple[Mark, ...]
    spans: tuple[Span, ...]
    items: tuple[str, ...]
    """Digests of ids that somebody could still speak of."""


def new_salt() -> str:
    return secrets.token_hex(16)


def salted(salt: str, value: str) -> str:
    """What is kept of an id, of a size or of a content's hash."""
    return hashlib.sha256(f"{salt}:{value}".encode("utf-8", "surrogateescape")).hexdigest()[:DIGEST_CHARS]


def begun_events(erasure: Erasure) -> list[Event]:
    """All of an erasure, in parts; to be journalled together."""
    head = {name: getattr(erasure, name) for name in ("id", "rater", "salt", "delete_backups")}
    parts = [{"head": head}]
    for name in ("sources", "clips", "cases", "events", "items"):
        parts += [{name: list(part)} for part in _parts(getattr(erasure, name))]
    for name in ("marks", "spans"):
        parts += [{name: [asdict(one) for one in part]} for part in _parts(getattr(erasure, name))]
    return [
        Event(
            kind=BEGUN,
            id=f"{erasure.id}-{number}",
            actor=erasure.rater,
            body={"erasure": erasure.id, **part},
            redactable=True,
        )
        for number, part in enumerate(parts)
    ]


def unfinished(journal: Journal) -> list[tuple[Erasure, tuple[int, ...]]]:
    """Erasures that were begun and not finished, oldest first, with the numbers of their own events."""
    parts: dict[str, list[StoredEvent]] = {}
    for event in journal.of_kind(BEGUN):
        if not event.is_redacted:
            parts.setdefault(event.body["erasure"], []).append(event)
    return [(_erasure(events), tuple(event.seq for event in events)) for events in parts.values()]


def finished_events(erasure: Erasure, *, rows: dict[str, int], said: dict[str, int]) -> list[Event]:
    """What stays of an erasure. The same erasure gives the same ids, so that finishing it twice stores it once."""
    about = {"salt": erasure.salt, "rows": rows, "said": said}
    made = [Event(kind=FOOTAGE, id=f"{erasure.id}-0", actor=erasure.rater, body=about)]
    known = [("marks", [asdict(mark) for mark in part]) for part in _parts(erasure.marks)]
    known += [("items", list(part)) for part in _parts(erasure.items)]
    for number, (name, part) in enumerate(known, 1):
        body = {"salt": erasure.salt, name: part}
        made.append(Event(kind=FOOTAGE, id=f"{erasure.id}-{number}", actor=erasure.rater, body=body))
    by_video: dict[str, list[Span]] = {}
    for span in erasure.spans:
        by_video.setdefault(span.video_id, []).append(span)
    for number, (video_id, spans) in enumerate(sorted(by_video.items())):
        body = {"video_id": video_id, "spans": [[span.start_frame, span.stop_frame] for span in spans]}
        made.append(Event(kind=CLIPS, id=f"{erasure.id}-{number}", actor=erasure.rater, body=body, redactable=True))
    return made


def spans_of(event: StoredEvent) -> list[dict[str, Any]]:
    """The rows of an event of kind `clips_erased`."""
    body = event.body
    return [
        {"seq": event.seq, "video_id": body["video_id"], "start_frame": start, "stop_frame": stop}
        for start, stop in body["spans"]
    ]


def events_of_kind(journal: JournalReader, kind: str) -> Iterator[StoredEvent]:
    """Every event of a kind, oldest first."""
    return journal.of_kind(kind)


class Erased:
    """What was erased from a project, as far as it is known again."""

    def __init__(self, journal: Journal) -> None:
        self._marks: dict[str, set[tuple[str, str]]] = {}
        self._items: dict[str, set[str]] = {}
        for event in journal.of_kind(FOOTAGE):
            body = event.body
            self._marks.setdefault(body["salt"], set()).update((m["size"], m["content"]) for m in body.get("marks", ()))
            self._items.setdefault(body["salt"], set()).update(body.get("items", ()))

    @property
    def any_files(self) -> bool:
        return any(self._marks.values())

    def may_be_file(self, num_bytes: int) -> bool:
        """Whether some erased file had this size."""
        return any(salted(salt, str(num_bytes)) in {size for size, _ in marks} for salt, marks in self._marks.items())

    def is_file(self, num_bytes: int, content: str) -> bool:
        """Whether an erased file had this size and content (BLAKE2b-256 of its bytes)."""
        return any((salted(salt, str(num_bytes)), salted(salt, content)) in marks for salt, marks in self._marks.items())

    def is_item(self, item_id: str) -> bool:
        """Whether something of this id was erased."""
        return any(salted(salt, item_id) in items for salt, items in self._items.items())


def _erasure(events: Sequence[StoredEvent]) -> Erasure:
    bodies = [event.body for event in events]
    head = next(body["head"] for body in bodies if "head" in body)

    def gathered(name: str) -> Iterable[Any]:
        return (one for body in bodies for one in body.get(name, ()))

    return Erasure(
        **head,
        sources=tuple(gathered("sources")),
        clips=tuple(gathered("clips")),
        cases=tuple(gathered("cases")),
        events=tuple(gathered("events")),
        marks=tuple(Mark(**one) for one in gathered("marks")),
        spans=tuple(Span(**one) for one in gathered("spans")),
        items=tuple(gathered("items")),
    )


def _parts(values: Sequence[Any]) -> list[Sequence[Any]]:
    return [values[start : start + PER_EVENT] for start in range(0, len(values), PER_EVENT)]
