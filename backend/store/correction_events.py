"""What people put right, as events of the journal and as rows of the catalog."""

from typing import Any

from backend.domain.corrections import Correction
from backend.store.journal_schema import Event, StoredEvent

CORRECTED = "corrected"


def corrected_event(said: Correction, *, text: str, living: bool | None, crop: str | None) -> Event:
    """A correction as it is stored: `text` as it was understood, `living` of a category, `crop` of the new cut-out."""
    body = {
        "what": said.kind,
        "item_id": said.item_id,
        "text": text,
        "living": living,
        "box": list(said.box) if said.box else None,
        "counts": said.counts,
        "crop": crop,
        "withdrawn": said.withdrawn,
    }
    return Event(
        kind=CORRECTED, actor=said.rater, body=body, id=said.id, rev=said.rev, client_time=said.made_at, redactable=True
    )


def corrections_of(event: StoredEvent) -> list[dict[str, Any]]:
    """The row of an event of kind `corrected`."""
    made = {"seq": event.seq, "id": event.id, "rev": event.rev, "rater": event.actor, "made_at": event.server_time}
    return [{**event.body, **made}]
