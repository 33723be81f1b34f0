"""Pages of somebody else in a real Chromium, against the service and the study page on this machine."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backend.service.guard import Guard
from backend.service.study_page import guard as page_guard
from backend.service.study_page.guard import PageGuard
from tests.attacks.hostile_pages import READS, WRITES, hostile_server, script
from tests.attacks.targets import Target
from tests.backend.service.study_page.visitor import Visitor
from tests.chromium import browsing
from tests.promises import Tally

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ARGUMENTS = (
    "--host-resolver-rules=MAP evil.test 127.0.0.1, MAP rebound.test 127.0.0.1",
    # What of Chromium itself would keep a page from this machine is off: the service is to hold without it
    "--disable-features=LocalNetworkAccessChecks,PrivateNetworkAccessSendPreflights,BlockInsecurePrivateNetworkRequests",
)
SERVICE_READS = ("/livez", "/readyz", "/metrics", "/openapi.json", "/events/models")
PAGE_READS = ("/s/", "/s/state", "/s/static/main.js")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browsing(*ARGUMENTS) as browser:
        yield browser


@pytest.fixture(scope="module")
def origins() -> Iterator[tuple[str, str]]:
    """Another port of this machine, which browsers count as the same site, and another site."""
    with hostile_server() as port:
        yield f"http://127.0.0.1:{port}", f"http://evil.test:{port}"


@pytest.fixture
def victim(chromium: Any, participant: Visitor, page_target: Target) -> Iterator[Any]:
    """The browser of somebody who takes part in the study: it holds their cookie."""
    context = chromium.new_context()
    cookie = dict(participant.http.cookies.items())["study_session"]
    given = {
        "name": "study_session",
        "value": cookie,
        "url": f"{page_target.url}/s/",
        "httpOnly": True,
        "sameSite": "Strict",
    }
    context.add_cookies([given])
    yield context
    context.close()


def writing(target: Target) -> dict[str, Any]:
    """A call that leaves an event, as each kind of page can send it."""
    if "/s/" in writes_to(target):
        event = {"id": str(uuid.uuid4()), "name": "visible", "made_at": "CUT"}
        said = json.dumps({"events": [event]})
    else:
        said = json.dumps({"kinds": ["study_copies"], "rater": "CUT"})
    return {"path": writes_to(target), "body": said.replace("CUT", "x"), "form": said.split("CUT")}


def writes_to(target: Target) -> str:
    return "/api/clear_storage" if target.is_service else "/s/events"


def attack(victim: Any, target: Target, origin: str, reads: tuple[str, ...]) -> tuple[int, list[str]]:
    """Tries everything from one origin: how many attacks left a row, and which could read or load something."""
    opened = victim.new_page()
    opened.goto(origin)
    wrote, read = 0, []
    for name in WRITES:
        before = target.num_events
        said = opened.evaluate(script(name), {"url": target.url, **writing(target)})
        wrote += target.num_events > before
        read += [name] if said else []
    for name in READS:
        for path in reads:
            if opened.evaluate(script(name), {"url": target.url, "path": path}):
                read.append(f"{name} {path}")
    opened.close()
    return wrote, read


def rebound(victim: Any, target: Target, reads: tuple[str, ...]) -> tuple[int, list[str]]:
    """As `attack`, from a name that was the attacker's when the page came and is this machine's now."""
    opened = victim.new_page()
    origin = f"http://rebound.test:{target.port}"
    first = "<!doctype html><title>came from elsewhere</title><body></body>"
    opened.route(f"{origin}/first", lambda route: route.fulfill(content_type="text/html", body=first))
    opened.goto(f"{origin}/first")
    here = Target(target.api, origin, is_service=target.is_service)
    before = target.num_events
    read = []
    for name in WRITES:
        opened.evaluate(script(name), {"url": here.url, **writing(target)})
    for path in reads:
        said = opened.evaluate(script("fetch_get"), {"url": here.url, "path": path})
        if said and '"error"' not in said and "not served under" not in said:
            read.append(path)
    opened.close()
    return target.num_events - before, read


@pytest.mark.promise(
    "pages of another port and of another site, with forms, fetch, img, script, iframe, EventSource and WebSocket in a real "
    "Chromium, write nothing and read nothing, of the service and of the study page, and neither does a rebound name",
    area="Service",
    goal="0 rows, 0 bytes of 15 attacks x 2 origins and rebinding on each server",
    control="tests/attacks/test_browser.py::test_without_their_checks_pages_of_elsewhere_write",
)
def test_pages_of_elsewhere_write_and_read_nothing(
    victim: Any, origins: tuple[str, str], service_target: Target, page_target: Target, tally: Tally
) -> None:
    for target, reads in ((service_target, SERVICE_READS), (page_target, PAGE_READS)):
        for origin in origins:
            wrote, read = attack(victim, target, origin, reads)
            tally.record(len(WRITES) + len(READS) * len(reads), lost=wrote + len(read))
            assert (wrote, read) == (0, []), (origin, target.url)
        wrote, read = rebound(victim, target, reads)
        tally.record(len(WRITES) + len(reads), lost=wrote + len(read))
        assert (wrote, read) == (0, []), ("rebound", target.url)


def test_each_layer_alone_keeps_writes_out(
    victim: Any, origins: tuple[str, str], service_target: Target, switched_off: Callable[..., None]
) -> None:
    """With the token's check off: where a page comes from, and what kind its body is of, each suffice."""
    with pytest.MonkeyPatch.context() as only_body:
        only_body.setattr(Guard, "checks", (Guard.of_body,))
        for origin in origins:
            wrote, _ = attack(victim, service_target, origin, ())
            assert wrote == 0
    switched_off(Guard, Guard.of_token, Guard.of_body, Guard.of_host)
    for origin in origins:
        assert attack(victim, service_target, origin, SERVICE_READS) == (0, [])


def test_without_their_checks_pages_of_elsewhere_write(
    victim: Any, origins: tuple[str, str], service_target: Target, page_target: Target, switched_off: Callable[..., None]
) -> None:
    switched_off(Guard, Guard.of_token, Guard.of_origin, Guard.of_body)
    switched_off(PageGuard, PageGuard.of_origin, PageGuard.of_body)
    neighbour, stranger = origins
    for origin in origins:
        wrote, read = attack(victim, service_target, origin, ("/events/models",))
        assert wrote >= 4, "both kinds of fetch, the beacon, the form of text"
        assert read == [], "no answer of ours allows that another origin reads it"
    wrote, read = attack(victim, page_target, neighbour, PAGE_READS)
    assert wrote >= 4, "the cookie goes along from another port"
    assert read == [], "every answer says that it is no part of another page"
    assert attack(victim, page_target, stranger, ())[0] == 0, "SameSite=Strict holds by itself"


def test_without_their_checks_and_headers_pages_of_elsewhere_load_ours(
    victim: Any,
    origins: tuple[str, str],
    page_target: Target,
    switched_off: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    switched_off(PageGuard, PageGuard.of_origin)
    monkeypatch.setattr(page_guard, "HEADERS", ())
    assert "script /s/static/main.js" in attack(victim, page_target, origins[0], ("/s/static/main.js",))[1]


def test_without_its_check_a_rebound_name_reads(
    victim: Any, service_target: Target, page_target: Target, switched_off: Callable[..., None]
) -> None:
    switched_off(Guard, Guard.of_host)
    switched_off(PageGuard, PageGuard.of_host)
    assert "/livez" in rebound(victim, service_target, SERVICE_READS)[1]
    assert "/s/" in rebound(victim, page_target, PAGE_READS)[1]


def test_the_cookie_is_for_our_own_pages_and_no_script(participant: Visitor) -> None:
    (given,) = [
        value
        for answer in participant.answers
        for value in answer.headers.get_list("set-cookie")
        if value.startswith("study_session=")
    ]
    attributes = {word.strip().lower() for word in given.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/s"} <= attributes
