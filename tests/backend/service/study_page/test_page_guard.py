"""Who may call the page, how often, and what every answer carries."""

import json

import pytest

from backend.api import Api
from backend.client.wire import operations
from tests.backend.service.study_page.visitor import URL, Visitor

NAVIGATION = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.test"}, 421),
        ({"host": "study.example.org.evil.test"}, 421),
        ({"host": "127.0.0.1"}, 421),
        ({"origin": "https://evil.test"}, 403),
        ({"origin": "http://study.example.org"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "multipart/form-data; boundary=x"}, 415),
        ({"content-length": "70000"}, 413),
        ({"content-length": "many"}, 413),
    ],
)
def test_calls_from_elsewhere_change_nothing(
    api: Api, visitor: Visitor, token: str, headers: dict[str, str], status: int
) -> None:
    visitor.open(token)
    joined = api.studies()[0].joined
    answer = visitor.post("/s/join", b"{}", headers)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
    assert api.studies()[0].joined == joined


def test_a_link_in_a_mail_may_be_opened_and_nothing_else_may_be_fetched_from_elsewhere(
    visitor: Visitor, token: str
) -> None:
    assert visitor.get(f"/s/join/{token}", NAVIGATION).status_code == 303
    assert visitor.get("/s/", NAVIGATION).status_code == 200
    for path in ("/s/state", "/s/static/main.js", f"/s/media/{'0' * 32}"):
        assert visitor.get(path, NAVIGATION).status_code == 403
    framed = {**NAVIGATION, "sec-fetch-dest": "iframe"}
    assert visitor.get(f"/s/join/{token}", framed).status_code == 403
    fetched = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}
    assert visitor.get(f"/s/join/{token}", fetched).status_code == 403


def test_no_operation_of_the_api_is_served(visitor: Visitor) -> None:
    for name in operations():
        for path in (f"/api/{name}", f"/s/api/{name}", f"/s/../api/{name}"):
            assert visitor.post(path, {}).status_code in (404, 405), path
    for path in ("/", "/media/t-1-left", "/livez", "/docs", "/openapi.json", "/s", "/s/static/../page.html", "/s/nothing"):
        assert visitor.get(path).status_code in (307, 404), path
    assert visitor.http.request("PUT", "/s/join").status_code == 405
    assert visitor.http.options("/s/join", headers={"origin": URL}).status_code == 405


def test_every_answer_is_armoured_and_tells_nothing_of_its_file(visitor: Visitor, token: str) -> None:
    visitor.begin(token)
    trial = visitor.trials()[0]
    for panel in trial["panels"]:
        if panel["media"]:
            visitor.get(panel["media"])
    visitor.get("/s/")
    visitor.get("/s/static/main.js")
    visitor.get("/s/none")
    visitor.post("/s/vote", b"[")
    assert len(visitor.answers) > 8
    for answer in visitor.answers:
        headers = answer.headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "max-age" in headers["strict-transport-security"]
        assert [name for name in ("etag", "last-modified", "server", "content-disposition") if name in headers] == []
        assert headers["cache-control"] in ("no-store", "private, no-store", "no-cache")
        assert "access-control-allow-origin" not in headers


BODIES = (
    b"",
    b"[",
    b"[]",
    b"null",
    b"{",
    b'{"start": NaN}',
    b'{"start": 1e400}',
    b'{"start": -1}',
    b'{"start": "1"}x',
    b'{"other": 1}',
    b'{"login": "\\ud800"}',
    b'{"\\ud800": 1}',
    b'{"login": "\xff"}',
    b'{"login": 1}',
    b"[" * 30_000,
    b'{"events": []}',
    b'{"trace": [[1]], "nonce": "", "value": 1}',
    json.dumps({"login": "x" * 300}).encode(),
)


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_no_body_breaks_the_page(api: Api, newcomer, body: bytes) -> None:
    visitor = newcomer()
    for name in ("join", "consent", "trials", "vote", "events", "slid"):
        answer = visitor.post(f"/s/{name}", body)
        assert answer.status_code < 500
        if answer.status_code != 200:
            assert answer.json()["error"]["code"] == "bad_request"


def test_a_body_without_a_length_is_cut_off(newcomer) -> None:
    headers = {"origin": URL, "content-type": "application/json"}
    endless = (b" " * 1024 for _ in range(100))
    answer = newcomer().http.post("/s/vote", content=endless, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_calls_without_a_session_are_refused(visitor: Visitor) -> None:
    for name in ("consent", "trials", "vote", "events", "slider", "slid", "finish", "withdraw"):
        answer = visitor.post(f"/s/{name}", {})
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "no_session")
    visitor.http.cookies.set("study_session", "cDE=.0000", domain="study.example.org", path="/s")
    assert visitor.post("/s/trials", {}).status_code == 401


def test_a_session_that_hurries_is_slowed_down(newcomer) -> None:
    visitor = newcomer()
    answers = [visitor.post("/s/trials", {}) for _ in range(30)]
    slowed = [answer for answer in answers if answer.status_code == 429]
    assert 5 <= len(slowed) <= 15  # 20 at once, less consent, and what comes back meanwhile
    assert slowed[0].json()["error"]["code"] == "slow_down"
    assert int(slowed[0].headers["retry-after"]) >= 1


def test_an_address_that_hurries_is_slowed_down_and_others_are_not(api: Api) -> None:
    hurried = Visitor(api, address="203.0.113.9")
    statuses = [hurried.get("/s/nothing").status_code for _ in range(400)]
    assert set(statuses) == {404, 429}
    assert statuses[:120] == [404] * 120
    assert hurried.get("/s/", {"accept": "text/html"}).headers["content-type"].startswith("text/html")
    other = hurried.http.get("/s/", headers={"x-forwarded-for": "203.0.113.10"})
    assert other.status_code == 200


def test_invitations_are_tried_ten_times_a_minute_at_most(api: Api, token: str) -> None:
    visitor = Visitor(api, address="203.0.113.77")
    codes = [visitor.join(f"guess{number}").status_code for number in range(14)]
    assert codes == [403] * 10 + [429] * 4
    assert int(visitor.answers[-1].headers["retry-after"]) <= 7
    assert visitor.join(token).status_code == 429  # also a good one


def test_media_is_given_in_ranges_to_its_own_session_only(newcomer) -> None:
    visitor, other = newcomer(), newcomer()
    address = next(panel["media"] for panel in visitor.trials()[0]["panels"] if panel["shows"] == "video")
    whole = visitor.get(address)
    assert (whole.status_code, whole.headers["content-type"], whole.headers["accept-ranges"]) == (200, "video/mp4", "bytes")
    size = len(whole.content)
    for asked, first, last in (("0-99", 0, 99), ("100-", 100, size - 1), ("-50", size - 50, size - 1)):
        part = visitor.get(address, {"range": f"bytes={asked}"})
        assert (part.status_code, part.content) == (206, whole.content[first : last + 1])
        assert part.headers["content-range"] == f"bytes {first}-{last}/{size}"
    assert visitor.get(address, {"range": f"bytes={size}-"}).status_code == 416
    assert other.get(address).status_code == 404
    visitor.http.cookies.clear()
    assert visitor.get(address).status_code == 404
    for wrong in ("..%2f..%2fproject.toml", "%2e%2e", "t-1-left", "0" * 32, "\\", "a%00b"):
        assert other.get(f"/s/media/{wrong}").status_code == 404
