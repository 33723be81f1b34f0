"""Long work in the journal: asked for, and how it ended."""

import json
from collections.abc import Mapping
from typing import Any

from backend.store.journal_schema import Event, StoredEvent

SUBMITTED, FINISHED, CANCELLED = "job_submitted", "job_finished", "job_cancelled"
JOB_EVENTS = (SUBMITTED, FINISHED, CANCELLED)


def submitted_event(
    job_id: str, kind: str, *, actor: str, asked: Mapping[str, str], out: str, about: Mapping[str, Any]
) -> Event:
    """Somebody wants a job. `asked` is what it can be started with again, `about` what it came to besides."""
    body = {**about, "job": kind, "asked": dict(asked), "out": out}
    return Event(kind=SUBMITTED, id=job_id, actor=actor, body=body)


def ended_event(job_id: str, *, state: str, message: str, stage: str, done: int, total: int) -> Event:
    """A job ended in a state, at a place of a stage."""
    body = {"state": state, "message": message, "stage": stage, "done": done, "total": total}
    return Event(kind=CANCELLED if state == "cancelled" else FINISHED, id=job_id, rev=1, actor="owner", body=body)


def job_rows(event: StoredEvent) -> list[dict[str, Any]]:
    """The row of an event of `JOB_EVENTS`."""
    said = {"seq": event.seq, "job_id": event.id, "event": event.kind, "actor": event.actor, "at": event.server_time}
    return [{**said, "body": json.dumps(event.body)}]
