"""Who may call the service: bearer token, exact host, no web pages, JSON only, bounded heads and bodies.

An ASGI middleware in front of everything. Each check answers a threat of its own (docs/reliability.md): floods (head,
body), DNS rebinding (host), pages in a browser (origin, content type), other users and processes (token).
"""

import hmac
import ipaddress
import json
from collections.abc import Callable
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

MAX_BODY_BYTES = 1 << 20  # a page of 200 votes with comments is about 100 kB
PROBES = ("/livez", "/readyz")
"""Asked by whoever watches over a server: without a token, since they tell nothing of the project."""
METRICS = "/metrics"
OURS = (b"none", b"same-origin")
HEADERS = ((b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"), *PLAIN)
"""Of every answer: nothing here is a page, or a part of somebody's."""


class Guard:
    """Refuses with a status and a reason in JSON; passes everything else on.

    With `shows_metrics_here`, processes of this machine may read /metrics without the token; a proxy on it may not exist then.
    """

    max_body_bytes = MAX_BODY_BYTES

    def __init__(self, app: App, *, token: str, hosts: frozenset[str], shows_metrics_here: bool = False) -> None:
        self._app = app
        self._hosts = hosts
        self._authorization = self.authorization(token)
        self._shows_metrics_here = shows_metrics_here

    @staticmethod
    def authorization(token: str) -> bytes:
        """The header by which callers show the token."""
        return b"Bearer " + token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # neither websockets nor a life span
        send = Said(send, more=HEADERS)
        call = Call(scope)
        refusal = next((found for check in self.checks if (found := check(self, call)) is not None), None)
        if refusal is not None:
            await refuse(send, refusal)
            return
        await self._app(scope, bounded(receive, max_bytes=self.max_body_bytes), send)

    def of_head(self, call: Call) -> Refusal | None:
        return check_head(call)

    def of_host(self, call: Call) -> Refusal | None:
        return check_host(call, self._hosts)

    def of_origin(self, call: Call) -> Refusal | None:
        """Nothing here is a web page, so that whatever says it comes from one is refused, `null` too."""
        if b"origin" in call.headers or any(site not in OURS for site in call.headers.get(b"sec-fetch-site", [])):
            return Refusal(403, "origin", "this service does not take calls from web pages")
        return None

    def of_token(self, call: Call) -> Refusal | None:
        if call.path in PROBES or (call.path == METRICS and self._shows_metrics_here and is_loopback(call.peer)):
            return None
        sent = call.only(b"authorization")
        if sent is None or not hmac.compare_digest(sent, self._authorization):
            return Refusal(401, "token", "the token is missing or wrong")
        return None

    def of_body(self, call: Call) -> Refusal | None:
        return check_body(call, self.max_body_bytes)

    checks: tuple[Callable[[Any, Call], Refusal | None], ...] = (of_head, of_host, of_origin, of_token, of_body)
    """In this order; the first that refuses answers."""


def is_loopback(address: str) -> bool:
    """Whether an IP address or name is this machine's own."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


async def refuse(send: Send, refusal: Refusal) -> None:
    """Answers with a refusal as the client reads it."""
    body = json.dumps({"error": {"type": "StudioError", "kind": refusal.word, "message": refusal.message}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
