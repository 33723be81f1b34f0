"""Studies as events of the journal and as rows of the catalog.

What participants do is journalled under their id as actor and can be redacted; a study, its invitations and the fact that
one was used cannot. A participant's answers are votes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from backend.domain.studies import PageEvent, Participant, Rules, StudyDesign, StudyItem, StudyMedia
from backend.store.journal_schema import Event, StoredEvent, canonical_json

CREATED, ITEMS = "study_created", "study_items"
INVITED, INVITATION_USED = "study_invited", "study_invitation_used"
JOINED, CONSENTED, ASSIGNED = "study_joined", "study_consented", "study_assigned"
SHOWN, PAGE, FINISHED, WITHDRAWN, ERASED = "study_shown", "study_page", "study_finished", "study_withdrawn", "study_erased"
CHOSEN, CLOSED, REOPENED = "study_chosen", "study_closed", "study_reopened"
HAPPENINGS = (
    INVITED, INVITATION_USED, JOINED, CONSENTED, ASSIGNED, CHOSEN, SHOWN, PAGE, FINISHED, WITHDRAWN, ERASED, CLOSED, REOPENED,
)  # fmt: skip
"""Events about participants, invitations and the study's course: rows of `study_event`."""

ITEMS_AT_ONCE = 400  # items in one event; each is about 1 KB, and an event holds at most 1 MB


def design_events(design: StudyDesign) -> list[Event]:
    """A study that was decided: the design, and its items in parts."""
    body = asdict(replace(design, items=()))
    parts = [design.items[k : k + ITEMS_AT_ONCE] for k in range(0, len(design.items), ITEMS_AT_ONCE)]
    return [
        Event(kind=CREATED, id=design.id, actor="user", body={"study_id": design.id, "design": body}),
        *(
            Event(
                kind=ITEMS,
                id=f"{design.id}-{number}",
                actor="user",
                body={"study_id": design.id, "items": [asdict(item) for item in part]},
            )
            for number, part in enumerate(parts)
        ),
    ]


def design_rows(event: StoredEvent) -> list[dict[str, Any]]:
    """The row of `study` for an event of kind `study_created` or `study_items`."""
    body = event.body
    return [{"seq": event.seq, "kind": event.kind, "study_id": body["study_id"], "body": canonical_json(body)}]


def design_of(rows: Sequence[tuple[str, str]]) -> StudyDesign:
    """The design of a study's rows `(kind, body)`, in their order."""
    fields: dict[str, Any] = {}
    items: list[StudyItem] = []
    for kind, text in rows:
        body = json.loads(text)
        if kind == CREATED:
            fields = body["design"]
        else:
            items += [item_of(item) for item in body["items"]]
    fields |= {"items": tuple(items), "rules": Rules(**fields["rules"])}
    plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    return StudyDesign(**plain)


def item_of(fields: Mapping[str, Any]) -> StudyItem:
    """An item from plain values."""
    media = tuple(StudyMedia(**one) for one in fields["media"])
    gold = tuple((question, tuple(answers)) for question, answers in fields["gold"])
    texts = {name: tuple(fields[name]) for name in ("systems", "references")}
    return StudyItem(**{**fields, **texts, "media": media, "gold": gold})


def invited_event(study_id: str, *, token_hash: str, group: str, expires_at: str) -> Event:
    return _about(
        INVITED, study_id, id=token_hash, body={"token_hash": token_hash, "group": group, "expires_at": expires_at}
    )


def invitation_used_event(study_id: str, *, token_hash: str) -> Event:
    return _about(INVITATION_USED, study_id, id=token_hash, body={"token_hash": token_hash})


def joined_event(participant: Participant) -> Event:
    """Who joined, without times, which are the journal's."""
    kept = ("group", "background", "invited_by", "login_hash", "ip_hash")
    return _by(JOINED, participant, body={name: getattr(participant, name) for name in kept})


def consented_event(participant: Participant, *, text: str) -> Event:
    return _by(CONSENTED, participant, body={"text": text})


def assigned_event(participant: Participant, *, place: int, trials: Sequence[tuple[str, str, Sequence[int]]]) -> Event:
    """Which trials a participant gets, as `(item id, role, order)`: journalled before the first is shown."""
    body = {"place": place, "trials": [[item, role, list(order)] for item, role, order in trials]}
    return _by(ASSIGNED, participant, body=body)


def chosen_event(
    participant: Participant, *, trial_id: str, position: int, item_id: str, role: str, order: Sequence[int]
) -> Event:
    """What an open trial of a sequential study shows: journalled before it is given out."""
    body = {"position": position, "item_id": item_id, "role": role, "order": list(order)}
    return _by(CHOSEN, participant, id=trial_id, body=body)


def closed_event(study_id: str, *, because: str) -> Event:
    return Event(kind=CLOSED, actor="user", body={"study_id": study_id, "because": because})


def reopened_event(study_id: str) -> Event:
    return Event(kind=REOPENED, actor="user", body={"study_id": study_id})


def shown_event(participant: Participant, *, trial_id: str) -> Event:
    return _by(SHOWN, participant, id=trial_id, body={"trial_id": trial_id})


def page_event(participant: Participant, event: PageEvent) -> Event:
    body = {"name": event.name, "trial_id": event.trial_id, "value": event.value}
    return _by(PAGE, participant, id=f"{participant.id}-{event.id}", body=body, client_time=event.made_at)


def finished_event(participant: Participant, *, code: str) -> Event:
    return _by(FINISHED, participant, body={"code": code})


def withdrawn_event(participant: Participant) -> Event:
    return _by(WITHDRAWN, participant, body={})


def erased_event(study_id: str, *, id: str, events: int, votes: int, place: int | None) -> Event:
    """That somebody was erased: how much, and whose place is free; not who. `id` is the erasure's."""
    return _about(ERASED, study_id, id=id, body={"events": events, "votes": votes, "place": place})


def happening_rows(event: StoredEvent) -> list[dict[str, Any]]:
    """The row of `study_event` for an event of `HAPPENINGS`; none for a redacted one."""
    if event.is_redacted:
        return []
    body = event.body
    return [
        {
            "seq": event.seq,
            "kind": event.kind,
            "study_id": body["study_id"],
            "participant": body.get("participant", ""),
            "happened_at": event.server_time,
            "body": canonical_json(body),
        }
    ]


def _about(kind: str, study_id: str, *, id: str, body: Mapping[str, Any]) -> Event:
    return Event(kind=kind, id=id, actor="user", body={"study_id": study_id, **body})


def _by(
    kind: str, participant: Participant, *, body: Mapping[str, Any], id: str | None = None, client_time: str = ""
) -> Event:
    return Event(
        kind=kind,
        id=id or participant.id,
        actor=participant.id,
        body={"study_id": participant.study_id, "participant": participant.id, **body},
        client_time=client_time,
        redactable=True,
    )
