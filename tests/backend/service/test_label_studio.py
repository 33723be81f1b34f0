"""Who may call the suggestions for Label Studio, over the real port: its own server may, no web page may."""

import base64
import threading
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from backend.api import Api
from backend.domain import VERIFY_STUDY
from backend.exports.label_studio import TOKEN, PushedTrial
from backend.service.label_studio import USER, SuggestionsGuard, serving_suggestions
from tests.promises import Tally

pytestmark = pytest.mark.server

PASSWORD = "w" * 43
OURS = httpx.BasicAuth(USER, PASSWORD)
"""As Label Studio's client sends it, by way of requests' HTTPBasicAuth."""
PUSHED = PushedTrial(token="t1", study_id=VERIFY_STUDY, item_id="pair_1", trial_id="", form="identity", shown=("target",))
TASKS = {"tasks": [{"data": {TOKEN: "t1"}}]}


class Pairs:
    """An Api of one pair that tells when it was asked, and answers when it may go on."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def pair(self, *, pair_id: str) -> Any:
        self.asked.set()
        assert self.go_on.wait(20)
        return SimpleNamespace(accepted=pair_id == "pair_1", scores={"similarity": 0.75})


@pytest.fixture
def pairs() -> Pairs:
    return Pairs()


@pytest.fixture
def client(pairs: Pairs) -> Iterator[httpx.Client]:
    with (
        serving_suggestions(cast(Api, pairs), {"t1": PUSHED}, port=0, token=PASSWORD) as place,
        httpx.Client(base_url=place, trust_env=False, timeout=20, auth=OURS) as found,
    ):
        yield found


def test_label_studios_own_calls_are_answered(client: httpx.Client) -> None:
    assert client.get("/health").json()["status"] == "UP"
    assert client.post("/setup", json={"project": "1"}).status_code == 200
    (told,) = client.post("/predict", json=TASKS).json()["results"]
    assert (told["result"][0]["value"], told["score"]) == ({"choices": ["same"]}, 0.75)


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


WRONG = {
    "none": {},
    "another password": {"authorization": basic(USER, "x" * 43)},
    "the beginning": {"authorization": basic(USER, PASSWORD[:-1])},
    "no password": {"authorization": basic(USER, "")},
    "another user": {"authorization": basic("label-studio", PASSWORD)},
    "as a bearer": {"authorization": f"Bearer {PASSWORD}"},
    "as it is": {"authorization": PASSWORD},
    "in the address": {"x-password": PASSWORD},
    "not ASCII": {"authorization": b"Basic \xff\xfe"},
}


@pytest.mark.promise(
    "suggestions for Label Studio are given to nobody on this machine who does not know their password",
    area="Service",
    goal="0 of 9 wrong passwords on 3 addresses answered",
    control="tests/backend/service/test_label_studio.py::test_a_guard_that_does_not_compare_is_found",
)
def test_without_the_password_nothing_is_suggested(client: httpx.Client, pairs: Pairs, tally: Tally) -> None:
    answered = calls_without(client)
    tally.record(3 * len(WRONG), lost=len(answered))
    assert answered == []
    assert not pairs.asked.is_set()


def test_a_guard_that_does_not_compare_is_found(
    client: httpx.Client, pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.service.guard.hmac.compare_digest", lambda sent, ours: sent[:5] == ours[:5])
    assert sorted({name for name, _ in calls_without(client)}) == [
        "another password",
        "another user",
        "no password",
        "not ASCII",
        "the beginning",
    ]
    assert pairs.asked.is_set()


def calls_without(client: httpx.Client) -> list[tuple[str, str]]:
    """Which wrong passwords were answered, and where."""
    found = []
    with httpx.Client(base_url=client.base_url, trust_env=False, timeout=20) as stranger:
        for name, headers in WRONG.items():
            query = f"?token={PASSWORD}" if name == "in the address" else ""
            answers = {
                "/health": stranger.get(f"/health{query}", headers=headers),
                "/setup": stranger.post(f"/setup{query}", json={"project": "1"}, headers=headers),
                "/predict": stranger.post(f"/predict{query}", json=TASKS, headers=headers),
            }
            found += [(name, path) for path, answer in answers.items() if answer.status_code != 401]
    return found


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.test"}, 421),
        ({"host": "127.0.0.1.evil.test"}, 421),
        ({"origin": "http://evil.test"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"content-type": "text/plain"}, 415),
    ],
)
def test_pages_of_other_sites_neither_read_nor_drive_it(
    client: httpx.Client, pairs: Pairs, headers: Mapping[str, str], status: int
) -> None:
    answer = client.post("/predict", json=TASKS, headers=headers)
    assert answer.status_code == status
    assert not pairs.asked.is_set()
    if "content-type" not in headers:
        assert client.get("/health", headers=headers).status_code == status


def test_a_large_body_is_refused_declared_or_not(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, pairs: Pairs
) -> None:
    declared = HTTPConnection(client.base_url.host, client.base_url.port or 0, timeout=20)
    declared.putrequest("POST", "/predict")
    declared.putheader("Content-Type", "application/json")
    declared.putheader("Authorization", SuggestionsGuard.authorization(PASSWORD).decode())
    declared.putheader("Content-Length", str(SuggestionsGuard.max_body_bytes + 1))
    declared.endheaders()
    assert declared.getresponse().status == 413
    declared.close()
    monkeypatch.setattr(SuggestionsGuard, "max_body_bytes", 1000)
    with serving_suggestions(cast(Api, pairs), {}, port=0, token=PASSWORD) as place:
        pieces = (b" " * 400 for _ in range(4))
        kind = {"content-type": "application/json"}
        assert httpx.post(f"{place}/predict", content=pieces, headers=kind, trust_env=False, auth=OURS).status_code == 413


@pytest.mark.parametrize("body", [b"{", b'{"tasks": [], "tasks": []}', b'{"tasks": [NaN]}', b'{"tasks": 3}', b"[]"])
def test_a_body_that_readers_differ_on_is_refused(client: httpx.Client, body: bytes) -> None:
    assert client.post("/predict", content=body, headers={"content-type": "application/json"}).status_code == 400


def test_health_is_answered_while_a_pair_is_looked_up(client: httpx.Client, pairs: Pairs) -> None:
    pairs.go_on.clear()
    waiting = threading.Thread(target=lambda: client.post("/predict", json=TASKS))
    waiting.start()
    try:
        assert pairs.asked.wait(20)
        assert client.get("/health").json()["status"] == "UP"
    finally:
        pairs.go_on.set()
        waiting.join(20)
