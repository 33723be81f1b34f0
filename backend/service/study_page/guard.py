"""Who may call the page and how: our host, our own pages, JSON, small bodies, not too often; and what every answer says.

An ASGI middleware in front of everything (threats and controls: docs/studies.md). Nothing but /s/ exists here.
"""

import html
import json
from collections.abc import Awaitable, Callable
from typing import Any

from backend.service.calls import (
    PLAIN,
    App,
    Call,
    Receive,
    Refusal,
    Said,
    Scope,
    Send,
    bounded,
    check_body,
    check_head,
    check_host,
)
from backend.service.study_page.buckets import Buckets, PageLimits
from backend.service.study_page.place import PagePlace

ROOT = "/s/"
MAX_BODY_BYTES = 64 * 1024
CSP = (
    "default-src 'self'; media-src 'self' blob:; img-src 'self' blob:; object-src 'none'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'"
)
HEADERS = (
    (b"content-security-policy", CSP.encode()),
    *PLAIN,
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
SECURE = (b"strict-transport-security", b"max-age=31536000")
TELLING = (b"etag", b"last-modified", b"server", b"content-disposition")
"""Headers that could tell one file from another, or what serves it."""


class PageGuard:
    """Refuses with a status and a word; passes everything else on with the headers above."""

    def __init__(self, app: App, *, place: PagePlace, limits: PageLimits) -> None:
        self._app, self._place = app, place
        self._addresses, self._joins = Buckets(limits.per_address), Buckets(limits.joins_per_address)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # no websockets; the server closes the connection
        said = Said(send, more=(*HEADERS, SECURE) if self._place.is_secure else HEADERS, without=TELLING)
        scope["study_address"] = self._place.address_of(scope)
        call = Call(scope)
        refusal = next((found for check in self.checks if (found := check(self, call)) is not None), None)
        if refusal is None:
            refusal = self._hurry(call, scope["study_address"])
        if refusal is not None:
            await _refuse(said, scope, refusal)
            return
        await self._app(scope, bounded(receive, max_bytes=MAX_BODY_BYTES), said)

    def of_head(self, call: Call) -> Refusal | None:
        return check_head(call)

    def of_host(self, call: Call) -> Refusal | None:
        return check_host(call, self._place.hosts)

    def of_path(self, call: Call) -> Refusal | None:
        if not call.path.startswith(ROOT):
            return Refusal(404, "nothing", "")
        return Refusal(405, "method", "") if call.method not in ("GET", "HEAD", "POST") else None

    def of_origin(self, call: Call) -> Refusal | None:
        """Whether a call comes from our own page, or is somebody opening a link.

        A link in a mail is a navigation from another site; so is the redirect that follows it. Both change nothing.
        """
        sites, origins = call.headers.get(b"sec-fetch-site", [b""]), call.headers.get(b"origin", [])
        is_own = sites in ([b""], [b"same-origin"]) or (sites == [b"none"] and call.method != "POST")
        has_origin = len(origins) == 1 and origins[0].decode("latin-1") in self._place.origins
        if call.method == "POST":
            is_own = is_own and has_origin
        elif origins and not has_origin:
            is_own = False
        elif not is_own:
            is_own = _opens_link(call)
        return None if is_own else Refusal(403, "origin", "")

    def of_body(self, call: Call) -> Refusal | None:
        return check_body(call, MAX_BODY_BYTES)

    checks: tuple[Callable[[Any, Call], Refusal | None], ...] = (of_head, of_host, of_path, of_origin, of_body)
    """In this order; the first that refuses answers."""

    def _hurry(self, call: Call, address: str) -> Refusal | None:
        wait_s = self._addresses.take(address)
        if not wait_s and call.path == "/s/join":
            wait_s = self._joins.take(address)
        return Refusal(429, "slow_down", "", wait_s) if wait_s else None


def _opens_link(call: Call) -> bool:
    is_link = call.path == ROOT or call.path.startswith("/s/join/")
    modes, places = call.only(b"sec-fetch-mode"), call.only(b"sec-fetch-dest")
    return is_link and modes == b"navigate" and places == b"document" and call.only(b"sec-fetch-site") is not None


SENTENCES = {
    "host": "This page is not served under that name.",
    "nothing": "There is nothing here. Please open the link of your invitation.",
    "method": "This cannot be done here.",
    "origin": "This call does not come from the study's own page.",
    "headers": "This carries more than a browser sends to this page.",
    "length": "This does not say plainly how long it is.",
    "json": "This is not in a form that the study's page sends.",
    "too_large": "This is too long to be kept. Please shorten it.",
    "slow_down": "That was very quick. Please wait a moment and try again.",
}


async def _refuse(send: Callable[..., Awaitable[None]], scope: Scope, refusal: Refusal) -> None:
    sentence = SENTENCES[refusal.word]
    accepts = next((value for name, value in scope["headers"] if name == b"accept"), b"")
    if scope["method"] == "GET" and b"text/html" in accepts:
        kind, body = b"text/html; charset=utf-8", f"<!doctype html><title>-</title><p>{html.escape(sentence)}</p>"
    else:
        kind, body = b"application/json", json.dumps({"error": {"code": refusal.word, "message": sentence}})
    headers = [(b"content-type", kind), (b"content-length", str(len(body.encode())).encode())]
    if refusal.wait_s:
        headers.append((b"retry-after", str(max(1, round(refusal.wait_s + 0.5))).encode()))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})
