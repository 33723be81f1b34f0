"""Consent of people whom footage shows, and who opened or exported a project, as events of the journal."""

from collections.abc import Sequence
from typing import Any

from backend.domain.privacy import AuditRow
from backend.store.erasing_events import FOOTAGE
from backend.store.journal_schema import RIGHTS, Event, StoredEvent, place_of
from backend.store.library_events import EXCLUDED
from backend.store.study_events import ERASED

CONSENT, EXPORTED, OPENED, CLEARED = "consent_stated", "exported", "project_opened", "storage_cleared"


def consent_event(
    kind: str, ids: Sequence[str], *, rater: str, version: str, scope: str, purposes: Sequence[str], given_at: str
) -> Event:
    """What was agreed to for items; without purposes, that it was withdrawn. Read by `consents_of`."""
    about = {"version": version, "scope": scope, "purposes": list(purposes), "given_at": given_at}
    return Event(kind=CONSENT, actor=rater, body={"kind": kind, "items": list(ids), **about}, redactable=True)


def consents_of(event: StoredEvent) -> list[dict[str, Any]]:
    """A row for each item of an event of kind `consent_stated`."""
    body, place = event.body, place_of(event)
    said = {name: body[name] for name in ("kind", "version", "scope", "purposes")}
    said |= {"seq": place.seq, "given_at": body["given_at"] or place.server_time, "rater": event.actor}
    return [{**said, "item_id": item} for item in body["items"]]


def opened_event(actor: str, *, day: str) -> Event:
    """That somebody opened a project that holds footage; once a day, by its key."""
    return Event(kind=OPENED, id=f"{day}-{actor}"[:500], actor=actor, body={"day": day})


def exported_event(actor: str, **about: str | int | dict[str, int]) -> Event:
    """That pairs were exported: format, purpose, how many, and the hash of the folder's manifest, by which it is known again."""
    return Event(kind=EXPORTED, actor=actor, body=about)


def audit_row(event: StoredEvent) -> AuditRow | None:
    """What an event says of dealings with people's data; None for parts that say nothing of them. Of what was erased the time stays."""
    what, told = AUDITED[event.kind]
    body = {} if event.is_redacted else event.body
    if event.kind == FOOTAGE and "rows" not in body:
        return None
    about = {name: body[name] for name in told if name in body}
    return AuditRow(seq=event.seq, at=event.server_time, what=what, who=event.actor, about=about)


AUDITED: dict[str, tuple[str, tuple[str, ...]]] = {
    OPENED: ("opened", ("day",)),
    EXPORTED: ("exported", ("format", "purpose", "pairs", "left_out", "manifest", "catalog")),
    FOOTAGE: ("erased", ("rows", "said")),
    ERASED: ("participant_erased", ("study_id", "events", "votes")),
    CONSENT: ("consent", ("kind", "items", "version", "purposes")),
    RIGHTS: ("rights", ("sources", "licence")),
    EXCLUDED: ("excluded", ("kind", "items", "excluded")),
    CLEARED: ("cleared", ("kinds",)),
}
"""By kind of event: what was done, and the fields of its body that tell of it. None holds a name, a path or a text of people."""
