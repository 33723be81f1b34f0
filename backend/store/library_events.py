"""What people say of items in the library, as events of the journal and as rows of the catalog."""

from collections.abc import Sequence
from typing import Any

from backend.store.journal_schema import Event, StoredEvent, place_of

EXCLUDED, ASKED = "items_excluded", "verification_asked"


def excluded_event(kind: str, ids: Sequence[str], *, rater: str, reason: str, excluded: bool) -> Event:
    """Items that a person takes out, or (with `excluded` false) in again. Read by `exclusions_of`."""
    body = {"kind": kind, "items": list(ids), "excluded": excluded, "reason": reason}
    return Event(kind=EXCLUDED, actor=rater, body=body, redactable=True)


def exclusions_of(event: StoredEvent) -> list[dict[str, Any]]:
    """A row for each item of an event of kind `items_excluded`."""
    body, place = event.body, place_of(event)
    said = {"seq": place.seq, "kind": body["kind"], "excluded": body["excluded"], "reason": body["reason"]}
    return [{**said, "item_id": item, "rater": event.actor, "made_at": place.server_time} for item in body["items"]]


def asked_event(study_id: str, ids: Sequence[str], *, rater: str) -> Event:
    """Items of a standing study that a person wants judged before others. Read by `asked_of`."""
    return Event(kind=ASKED, actor=rater, body={"study_id": study_id, "items": list(ids)}, redactable=True)


def asked_of(event: StoredEvent) -> list[dict[str, Any]]:
    """A row for each item of an event of kind `verification_asked`."""
    body = event.body
    said = {"seq": place_of(event).seq, "study_id": body["study_id"], "rater": event.actor}
    return [{**said, "item_id": item} for item in body["items"]]
