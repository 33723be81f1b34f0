"""Who may call the page and how: our host, our own pages, JSON, small bodies, not too often; and what every answer says.

An ASGI middleware in front of everything (threats and controls: docs/studies.md). Nothing but /s/ exists here.
"""

import html
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from backend.service.guard import BodyTooLarge, Receive, Scope, Send
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
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
TELLING = (b"etag", b"last-modified", b"server", b"content-disposition")
"""Headers that could tell one file from another, or what serves it."""


class PageGuard:
    """Refuses with a status and a word; passes everything else on with the headers above."""

    def __init__(self, app: Callable[..., Awaitable[None]], *, place: PagePlace, limits: PageLimits) -> None:
        self._app, self._place = app, place
        self._hosts = frozenset(host.lower() for host in place.hosts)
        self._addresses, self._joins = Buckets(limits.per_address), Buckets(limits.joins_per_address)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # no websockets; the server closes the connection
        said = _Said(send, is_secure=self._place.is_secure)
        scope["study_address"] = self._place.address_of(scope)
        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(said, scope, *refusal)
            return
        try:
            await self._app(scope, _bounded(receive), said)
        except BodyTooLarge:
            await _refuse(said, scope, 413, "too_large", 0)

    def _refusal(self, scope: Scope) -> tuple[int, str, float] | None:
        headers = _single(scope["headers"])
        if headers is None or headers.get(b"host", b"").decode("latin-1").lower() not in self._hosts:
            return 421, "host", 0
        if not scope["path"].startswith(ROOT):
            return 404, "nothing", 0
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return 405, "method", 0
        if not self._is_ours(scope, headers):
            return 403, "origin", 0
        if scope["method"] == "POST":
            if headers.get(b"content-type", b"").split(b";")[0].strip().lower() != b"application/json":
                return 415, "json", 0
            length = headers.get(b"content-length", b"0")
            if not length.isdigit() or int(length) > MAX_BODY_BYTES:
                return 413, "too_large", 0
        wait_s = self._addresses.take(scope["study_address"])
        if not wait_s and scope["path"] == "/s/join":
            wait_s = self._joins.take(scope["study_address"])
        return (429, "slow_down", wait_s) if wait_s else None

    def _is_ours(self, scope: Scope, headers: dict[bytes, bytes]) -> bool:
        """Whether a call comes from our own page, or is somebody opening a link.

        A link in a mail is a navigation from another site; so is the redirect that follows it. Both change nothing.
        """
        site = headers.get(b"sec-fetch-site", b"")
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        if scope["method"] == "POST":
            return origin in self._place.origins and site in (b"", b"same-origin")
        if origin and origin not in self._place.origins:
            return False
        if site in (b"", b"none", b"same-origin"):
            return True
        is_link = scope["path"] == ROOT or scope["path"].startswith("/s/join/")
        return is_link and headers.get(b"sec-fetch-mode") == b"navigate" and headers.get(b"sec-fetch-dest") == b"document"


class _Said:
    """Sends on, with our headers and without those that tell too much."""

    def __init__(self, send: Send, *, is_secure: bool) -> None:
        self._send = send
        self._more = (*HEADERS, (b"strict-transport-security", b"max-age=31536000")) if is_secure else HEADERS

    async def __call__(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message["headers"] if name.lower() not in TELLING]
            if not any(name.lower() == b"cache-control" for name, _ in kept):
                kept.append((b"cache-control", b"no-store"))
            message = {**message, "headers": [*kept, *self._more]}
        await self._send(message)


def _single(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes] | None:
    """Headers by name; None when one that decides comes twice."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in found and name in (b"host", b"origin", b"content-type", b"content-length", b"sec-fetch-site"):
            return None
        found[name] = value
    return found


def _bounded(receive: Receive) -> Receive:
    taken = 0

    async def bounded() -> dict[str, Any]:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MAX_BODY_BYTES:
            raise BodyTooLarge
        return message

    return bounded


SENTENCES = {
    "host": "This page is not served under that name.",
    "nothing": "There is nothing here. Please open the link of your invitation.",
    "method": "This cannot be done here.",
    "origin": "This call does not come from the study's own page.",
    "json": "This is not in a form that the study's page sends.",
    "too_large": "This is too long to be kept. Please shorten it.",
    "slow_down": "That was very quick. Please wait a moment and try again.",
}


async def _refuse(send: Callable[..., Awaitable[None]], scope: Scope, status: int, word: str, wait_s: float) -> None:
    accepts = next((value for name, value in scope["headers"] if name == b"accept"), b"")
    if scope["method"] == "GET" and b"text/html" in accepts:
        kind, body = b"text/html; charset=utf-8", f"<!doctype html><title>-</title><p>{html.escape(SENTENCES[word])}</p>"
    else:
        kind, body = b"application/json", json.dumps({"error": {"code": word, "message": SENTENCES[word]}})
    headers = [(b"content-type", kind), (b"content-length", str(len(body.encode())).encode())]
    if wait_s:
        headers.append((b"retry-after", str(max(1, round(wait_s + 0.5))).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})
