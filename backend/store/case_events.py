"""What people ask and say about a benchmark's cases, as events of the journal and as rows of the catalog.

An approval or a refusal is a Vote in the study `backend.domain.CASES_STUDY` on the case's content, another prompt for it is
a `backend.domain.corrections.Correction`. Here is the rest: which cases somebody put up for approval, which are faulty on
purpose, and prompts as they were journalled before they were corrections.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from backend.domain import Case
from backend.store.journal_schema import Event, StoredEvent

PUT_UP, EDITED, PLANTED = "case_put_up", "case_edited", "case_planted"


def put_up_event(
    case: Case, *, draw: str, path: str, clip_id: str | None, pictures: Sequence[str], appearances: Sequence[str]
) -> Event:
    """A case that a person is asked to approve; the last `draw` of a cases file at `path` replaces those before.

    `pictures` are artifacts of the references, in their order; `appearances` say what of this project each shows (empty
    for one from elsewhere), by which it is found again when that is to be erased.
    """
    path = path.encode("utf-8", "backslashreplace").decode("utf-8")  # a name of another encoding; no column holds it
    body = {"draw": draw, "path": path, "clip_id": clip_id, "pictures": list(pictures), "case": asdict(case)}
    body["appearances"] = list(appearances)
    return Event(kind=PUT_UP, actor="user", body=body, redactable=True)


def put_up_of(event: StoredEvent) -> list[dict[str, Any]]:
    """The row of an event of kind `case_put_up`."""
    body = event.body
    case = json.dumps(body["case"])
    row = {name: body[name] for name in ("draw", "path", "clip_id", "pictures")}
    return [{**row, "seq": event.seq, "name": body["case"]["name"], "content": case_of(case).content, "body": case}]


def case_of(body: str) -> Case:
    """The Case in a row's `body`."""
    return Case(**{name: _tuple(value) for name, value in json.loads(body).items()})


def edits_of(event: StoredEvent) -> list[dict[str, Any]]:
    """The row of an event of kind `case_edited`: a prompt, by a person, for the case of a content."""
    return [{**event.body, "seq": event.seq, "rater": event.actor, "made_at": event.server_time}]


def planted_event(content: str, *, prompt_of: str, pictures_of: str) -> Event:
    """A case that is faulty on purpose: the prompt of one content with the pictures of another. Read by `planted_of`."""
    body = {"content": content, "prompt_of": prompt_of, "pictures_of": pictures_of}
    return Event(kind=PLANTED, id=content, actor="queue", body=body, redactable=True)


def planted_of(event: StoredEvent) -> list[dict[str, Any]]:
    """The row of an event of kind `case_planted`."""
    return [{**event.body, "seq": event.seq}]


def _tuple(value: Any) -> Any:
    return tuple(_tuple(one) for one in value) if isinstance(value, list) else value
