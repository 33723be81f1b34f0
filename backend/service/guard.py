"""Who may call the service: bearer token, exact host, same origin, JSON only, bounded bodies.

An ASGI middleware in front of everything. Each control answers a threat of its own (see docs/reliability.md): other
users and processes (token), DNS rebinding (host), pages in a browser (origin, content type), floods (body size).
"""

import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

MAX_BODY_BYTES = 1 << 20  # a page of 200 votes with comments is about 100 kB


class Guard:
    """Refuses with 401, 403, 413, 415 or 421 and a reason in JSON; passes everything else on."""

    def __init__(self, app: Callable[..., Awaitable[None]], *, token: str, hosts: frozenset[str]) -> None:
        self._app = app
        self._token = b"Bearer " + token.encode()
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(send, *refusal)
            return
        await self._app(scope, _bounded(receive), send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name, []).append(value)
        hosts = headers.get(b"host", [])
        if len(hosts) != 1 or hosts[0].decode("latin-1").lower() not in self._hosts:
            return 421, "this service does not answer to that host"
        if b"origin" in headers:
            return 403, "this service does not take calls from web pages"
        if headers.get(b"sec-fetch-site", [b"none"])[0] not in (b"none", b"same-origin"):
            return 403, "this service does not take calls from web pages"
        sent = headers.get(b"authorization", [])
        if len(sent) != 1 or not hmac.compare_digest(sent[0], self._token):
            return 401, "the token is missing or wrong"
        if scope["method"] == "POST":
            kinds = headers.get(b"content-type", [])
            if len(kinds) != 1 or kinds[0].split(b";")[0].strip().lower() != b"application/json":
                return 415, "send application/json"
            length = headers.get(b"content-length", [b"0"])[0]
            if not length.isdigit() or int(length) > MAX_BODY_BYTES:
                return 413, f"a body may hold at most {MAX_BODY_BYTES} bytes"
        return None


class BodyTooLarge(Exception):
    """A body without a declared length went over the limit."""


def _bounded(receive: Receive) -> Receive:
    taken = 0

    async def bounded() -> dict[str, Any]:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MAX_BODY_BYTES:
            raise BodyTooLarge(f"a body may hold at most {MAX_BODY_BYTES} bytes")
        return message

    return bounded


async def _refuse(send: Send, status: int, message: str) -> None:
    body = json.dumps({"error": {"type": "StudioError", "kind": "refused", "message": message}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
