"""The study page against bodies that no page of ours sends: JSON that is none, and right calls with anything in a field."""

import json
import random
from typing import Any

import httpx
import pytest

from backend.api import Api
from backend.service.study_page.asked import BadRequest
from tests.attacks.targets import Target
from tests.attacks.test_schema import NASTY
from tests.backend.service.study_page.visitor import Visitor
from tests.promises import Tally

pytestmark = [pytest.mark.server, pytest.mark.slow]
ANYTHING = (
    None, True, False, -1, 0, 1, 10**6, 10**30, 0.5, -1e300, "", "left", "x" * 99, "x" * 200, "a\u202eb", "\ud7ff", "\x07",
    "2026-01-02T03:04:05Z", "0000-00-00T99:99:99Z", "../../etc/passwd", "' or 1=1 --", "<script>alert(1)</script>", [], [None],
    ["left"] * 60, {}, {"a": {}}, [[0.0, 1.0]], [[]], [{}],
)  # fmt: skip
ANSWERS = {200, 400, 403, 409, 413, 422}


def sound_calls(visitor: Visitor) -> dict[str, dict[str, Any]]:
    """What the page sends, by route."""
    trial = visitor.trials(0)[0]
    question = trial["questions"][0]
    now = "2026-01-02T03:04:05.678Z"
    event = {"id": "0" * 36, "name": "shown", "trial": trial["id"], "value": 1.0, "made_at": now}
    return {
        "/s/join": {"login": "ann", "background": "film"},
        "/s/consent": {"agreed": True},
        "/s/trials": {"start": 0},
        "/s/vote": {
            "vote": question["vote"],
            "rev": 1,
            "trial": trial["id"],
            "question": question["name"],
            "choice": "left",
            "reasons": [],
            "comment": "",
            "visible_ms": 5,
            "made_at": now,
        },
        "/s/events": {"events": [event]},
        "/s/slid": {"nonce": "n", "value": 5, "trace": [[0.0, 1.0]], "by_keys": False},
    }


def taken(visitor: Visitor, target: Target, routes: tuple[str, ...]) -> list[str]:
    """Routes and bodies that were answered with a fault of ours, or taken although they are no JSON."""
    sound, found = {route: json.dumps(body).encode() for route, body in sound_calls(visitor).items()}, []
    before = target.num_events
    for route in routes:
        twice = {"its own fields twice": sound[route][:-1] + b", " + sound[route][1:]}
        for what, body in (NASTY | twice).items():
            status = visitor.post(route, body).status_code
            if status not in (413, 422):
                found.append(f"{route}: {what}: {status}")
    return found + ["a row"] * (target.num_events - before)


def spoiled(sound: Any, chance: random.Random) -> Any:
    """A call with anything in place of one of its values, one of them missing, or one too many."""
    if not isinstance(sound, (dict, list)) or not sound or chance.random() < 0.1:
        return chance.choice(ANYTHING)
    if isinstance(sound, list):
        return [spoiled(sound[0], chance), *sound[1:]] if chance.random() < 0.8 else sound * 60
    name = chance.choice(list(sound))
    match chance.randrange(8):
        case 0:
            return {key: value for key, value in sound.items() if key != name}
        case 1:
            return {**sound, "more": chance.choice(ANYTHING)}
        case _:
            return {**sound, name: spoiled(sound[name], chance)}


def wrong_answers(visitor: Visitor, *, each: int) -> tuple[int, list[str]]:
    """How many spoiled calls of each route were made in all, and those that were answered otherwise than by a status of the page."""
    chance, found, tried = random.Random(7), [], 0
    for route, sound in sound_calls(visitor).items():
        for _ in range(each):
            body = spoiled(sound, chance)
            tried += 1
            try:
                answer = visitor.post(route, body)
            except httpx.TransportError as error:  # closed after a fault of ours
                found.append(f"{route}: {str(body)[:200]}: {error}")
                continue
            if answer.status_code not in ANSWERS or "application/json" not in answer.headers["content-type"]:
                found.append(f"{route}: {str(body)[:200]}: {answer.status_code}")
    return tried, found


@pytest.mark.promise(
    "no JSON that is none, or that another reader would read otherwise, breaks a call of the study page, is taken, or leaves a row",
    area="Service",
    goal="0 of 35 bodies on each of 6 calls",
    control="tests/attacks/test_page_bodies.py::test_json_as_pydantic_reads_it_would_be_taken",
)
def test_json_that_is_none_is_refused_by_the_page(participant: Visitor, page_target: Target, tally: Tally) -> None:
    routes = tuple(sound_calls(participant))
    found = taken(participant, page_target, routes)
    tally.record(len(routes) * (len(NASTY) + 1), lost=len(found))
    assert found == []


def test_json_as_pydantic_reads_it_would_be_taken(
    participant: Visitor, page_target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.service.study_page.asked.strict_json", lambda raw, takes_nul: None)
    assert any("its own fields twice" in one for one in taken(participant, page_target, ("/s/trials", "/s/vote")))


@pytest.mark.promise(
    "no call of the study page with anything in its fields, without one or with one more, is answered by a fault of ours",
    area="Service",
    goal="0 of 1,500 calls, 250 of each kind",
    control="tests/attacks/test_page_bodies.py::test_a_call_that_breaks_on_a_word_is_found_out",
)
def test_calls_with_anything_in_their_fields_are_answered(participant: Visitor, api: Api, long: bool, tally: Tally) -> None:
    tried, found = wrong_answers(participant, each=250 if long else 20)
    tally.record(tried, lost=len(found))
    assert found == []
    assert tried >= (1500 if long else 120)
    assert participant.state()["step"] in ("start", "trials", "trial", "overview", "answering"), participant.state()


def test_a_call_that_breaks_on_a_word_is_found_out(participant: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = BadRequest.__init__

    def breaking(self: BadRequest, *words: str) -> None:
        broken(self, *words)
        raise KeyError(words)

    monkeypatch.setattr(BadRequest, "__init__", breaking)
    assert any(": 500" in one for one in wrong_answers(participant, each=10)[1])
