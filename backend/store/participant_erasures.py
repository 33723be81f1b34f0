"""Erasures of participants as events of the journal.

`participant_erasure_begun` names who goes, so that one that breaks off is finished at the next opening. When it is done,
`study_erased` stays, which names nobody, and what `participant_erasure_begun` said is removed.
"""

import uuid
from dataclasses import asdict, dataclass, field

from backend.store.journal import Journal
from backend.store.journal_schema import Event
from backend.store.study_events import erased_event

BEGUN = "participant_erasure_begun"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantErasure:
    """One erasure: of whom, how much, whose place in the study's order is free then, and whether backups go too."""

    participant: str
    study_id: str
    place: int | None
    events: int
    votes: int
    delete_backups: bool
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


def begun_event(erasure: ParticipantErasure) -> Event:
    """To be journalled before anything goes. Somebody who asks again may want backups deleted besides: a revision."""
    return Event(
        kind=BEGUN,
        id=erasure.id,
        rev=int(erasure.delete_backups),
        actor="user",
        body=asdict(erasure),
        redactable=True,
    )


def finished_event(erasure: ParticipantErasure) -> Event:
    """What stays of an erasure. Its id is the erasure's, so that finishing it twice stores it once."""
    return erased_event(erasure.study_id, id=erasure.id, events=erasure.events, votes=erasure.votes, place=erasure.place)


def unfinished(journal: Journal) -> list[tuple[ParticipantErasure, tuple[int, ...]]]:
    """Erasures that were begun and not finished, oldest first, each as it was asked for last, with its own events' numbers."""
    found: dict[str, tuple[ParticipantErasure, tuple[int, ...]]] = {}
    for event in journal.of_kind(BEGUN):
        if not event.is_redacted:
            _, earlier = found.get(event.id, (None, ()))
            found[event.id] = ParticipantErasure(**event.body), (*earlier, event.seq)
    return list(found.values())
