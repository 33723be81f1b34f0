"""What people and the project said of footage that is to be erased: which events of the journal name it."""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import PurePath

from backend.domain import Vote
from backend.store.case_events import PUT_UP, case_of
from backend.store.correction_events import CORRECTED
from backend.store.erasing_events import BEGUN, FOOTAGE
from backend.store.journal import Journal
from backend.store.journal_schema import RIGHTS, SCHEMA_VERSION, Event, StoredEvent, said_of_rest
from backend.store.library_events import ASKED, EXCLUDED
from backend.store.privacy_events import CONSENT
from backend.store.study_events import CREATED, ITEMS

LISTS = {EXCLUDED: "items", ASKED: "items", CONSENT: "items", RIGHTS: "sources"}
"""Words on many things at once, and the field that names them: they are said again of the rest."""

OF_STUDIES = (CREATED, ITEMS)
"""A study's own design stays: answers are of no use without it."""

OPINIONS = (Vote.KIND, CORRECTED)
"""What a person says of another item stays, even if a comment has the name of a file in it."""

JUDGED = ("pair", "subject", "anchor", "clip", "appearance", "content")
"""Kinds of ids that an answer or a correction can name."""

_ID = re.compile(r"[a-z]+_[0-9a-f]{20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Events that go, how many of each kind, and what is said again of the rest."""

    seqs: tuple[int, ...]
    unsalted: tuple[int, ...]
    """Those of version 1: sealed, and named by an event of their own."""
    counts: dict[str, int]
    rests: tuple[Event, ...]
    studies: frozenset[str]
    """Ids of studies whose design names what goes."""


class Naming:
    """Tells whether a text names what goes: by an id, by the path of a file, or by its name as a word."""

    def __init__(self, ids: Collection[str], uris: Iterable[str]) -> None:
        self._ids = frozenset(ids)
        paths = sorted(set(uris))
        names = sorted({PurePath(path).name for path in paths} - {""})
        self._paths = [json.dumps(path)[1:-1] for path in paths]
        self._name = _any_of([json.dumps(name)[1:-1] for name in names])
        raw = {one.encode("utf-8", "surrogateescape").decode("latin-1") for one in (*paths, *names)}
        self._raw = _any_of([*sorted(raw), *self._paths, *(json.dumps(name)[1:-1] for name in names)])

    def ids_in(self, text: str) -> set[str]:
        """The ids that go which a text holds."""
        return {name for name in _ID.findall(text) if name in self._ids}

    def in_json(self, text: str, *, by_name: bool = True) -> bool:
        """Whether a text as JSON spells it names anything; without `by_name` a file is known by its whole path only."""
        if self.ids_in(text) or any(path in text for path in self._paths):
            return True
        return by_name and self._name is not None and self._name.search(text) is not None

    def in_bytes(self, data: bytes) -> bool:
        """The same of a file's bytes."""
        text = data.decode("latin-1")
        return bool(self.ids_in(text)) or (self._raw is not None and self._raw.search(text) is not None)


def words_on(journal: Journal, naming: Naming, *, erasure_id: str) -> Words:
    """Looks through the whole journal."""
    seqs: list[int] = []
    unsalted: list[int] = []
    counts: Counter[str] = Counter()
    rests: list[Event] = []
    studies: set[str] = set()
    for event in journal.stream():
        if event.is_redacted or event.kind in (BEGUN, FOOTAGE):
            continue
        if not naming.in_json(f"{event.id} {event.text}", by_name=event.kind not in OPINIONS):
            continue
        if event.kind in OF_STUDIES:
            studies.add(event.body["study_id"])
            continue
        seqs.append(event.seq)
        counts[event.kind] += 1
        if event.schema_version == SCHEMA_VERSION:
            unsalted.append(event.seq)
        rests += _rest(event, naming, erasure_id)
    return Words(
        seqs=tuple(seqs), unsalted=tuple(unsalted), counts=dict(counts), rests=tuple(rests), studies=frozenset(studies)
    )


def pictures_of_cases(journal: Journal, naming: Naming) -> tuple[set[str], set[str]]:
    """Of cases that were put up and name what goes: BLAKE2b-128 of their pictures, and their contents.

    Where only some references show what goes, only theirs: others may be of cases that stay.
    """
    pictures: set[str] = set()
    contents: set[str] = set()
    last = 0
    while page := journal.events(last, kind=PUT_UP):
        last = page[-1].seq
        for event in page:
            if not event.is_redacted and naming.in_json(event.text):
                body = event.body
                case = case_of(json.dumps(body["case"]))
                shown = [naming.ids_in(one) for one in body.get("appearances", ())]
                some = any(shown) and len(shown) == len(case.hashes) and not naming.ids_in(body["clip_id"] or "")
                pictures |= (
                    {one for one, goes in zip(case.hashes, shown, strict=True) if goes} if some else set(case.hashes)
                )
                contents.add(case.content)
    return pictures, contents


def _rest(event: StoredEvent, naming: Naming, erasure_id: str) -> list[Event]:
    field = LISTS.get(event.kind)
    if field is None:
        return []
    named = naming.ids_in(event.text)
    rest = [name for name in event.body[field] if name not in named]
    return [said_of_rest(event, field, rest, id=f"{erasure_id}-{event.seq}")] if rest and named else []


def _any_of(names: Iterable[str]) -> re.Pattern[str] | None:
    """A name that is no part of a longer one."""
    found = "|".join(re.escape(name) for name in names)
    return re.compile(rf"(?<![\w.-])(?:{found})(?!\w)") if found else None
