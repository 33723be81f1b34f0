"""What a guard looks at before anything else does: an HTTP call's head, and its body as it comes in.

Shared by the guards of the Api and of the study page. A check gives a Refusal or None.
"""

from asyncio import get_running_loop, timeout_at
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[..., Awaitable[None]]

MAX_HEADERS = 100
MAX_HEADER_BYTES = 16 * 1024  # names and values together; a browser with our cookies sends about 1 kB
PLAIN = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""Of every answer of ours, whoever asked."""
BODY_S = 20.0  # from the head to the last byte of a body: the largest one at 0.4 Mbit/s


@dataclass(frozen=True, slots=True)
class Refusal:
    """`word` names it for programs, `message` says it to people."""

    status: int
    word: str
    message: str
    wait_s: float = 0.0


class Call:
    """The head of a call. `headers`: every value that came under a name in lower case, in order."""

    def __init__(self, scope: Mapping[str, Any]) -> None:
        self._scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.peer: str = (scope.get("client") or ("", 0))[0]

    @cached_property
    def headers(self) -> dict[bytes, list[bytes]]:
        found: dict[bytes, list[bytes]] = {}
        for name, value in self._scope["headers"]:
            found.setdefault(name, []).append(value)
        return found

    @property
    def num_headers(self) -> int:
        return len(self._scope["headers"])

    @property
    def num_header_bytes(self) -> int:
        return sum(len(name) + len(value) for name, value in self._scope["headers"])

    def only(self, name: bytes) -> bytes | None:
        """The value of a header that came exactly once; None when it is missing or came twice."""
        found = self.headers.get(name, [])
        return found[0] if len(found) == 1 else None


def check_head(call: Call) -> Refusal | None:
    """Few and short headers, a path as target, one way of saying how long the body is."""
    if call.num_headers > MAX_HEADERS or call.num_header_bytes > MAX_HEADER_BYTES:
        return Refusal(431, "headers", f"send at most {MAX_HEADERS} headers of {MAX_HEADER_BYTES} bytes together")
    if not call.path.startswith("/"):  # http://HOST/PATH would stand beside the Host header, and win
        return Refusal(421, "host", "ask for a path, not for an address")
    if b"transfer-encoding" in call.headers and b"content-length" in call.headers:
        return Refusal(400, "length", "a body is either chunked or has a length")
    return None


def check_host(call: Call, hosts: frozenset[str]) -> Refusal | None:
    """One Host header, letter by letter one of ours: a name that somebody else points here is none."""
    host = call.only(b"host")
    if host is None or host.decode("latin-1") not in hosts:
        return Refusal(421, "host", "this service does not answer to that host")
    return None


def check_body(call: Call, max_bytes: int) -> Refusal | None:
    """JSON, plain, and declared no longer than allowed: what no form and no page of elsewhere can send unasked."""
    if call.method != "POST":
        return None
    kind = call.only(b"content-type") or b""
    if kind.split(b";")[0].strip().lower() != b"application/json":
        return Refusal(415, "json", "send application/json")
    if (call.only(b"content-encoding") or b"identity").lower() != b"identity" or len(
        call.headers.get(b"content-encoding", [])
    ) > 1:
        return Refusal(415, "json", "send the body as it is, not compressed")
    lengths = call.headers.get(b"content-length", [b"0"])
    if len(lengths) != 1 or not lengths[0].isdigit() or int(lengths[0]) > max_bytes:
        return too_large(max_bytes)
    return None


def too_large(max_bytes: int) -> Refusal:
    return Refusal(413, "too_large", f"a body may hold at most {max_bytes} bytes")


class Said:
    """`send` that adds headers to the head of an answer and takes others away, by their names in lower case."""

    def __init__(self, send: Send, *, more: Sequence[tuple[bytes, bytes]], without: Collection[bytes] = ()) -> None:
        self._send, self._more, self._without = send, more, without

    async def __call__(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message["headers"] if name.lower() not in self._without]
            if not any(name.lower() == b"cache-control" for name, _ in kept):
                kept.append((b"cache-control", b"no-store"))
            message = {**message, "headers": [*kept, *self._more]}
        await self._send(message)


class BodyRefused(Exception):
    """A body went over its limit of bytes or of time while it came in."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def bounded(receive: Receive, *, max_bytes: int) -> Receive:
    """`receive` that raises BodyRefused for a body that is too long, or that comes too slowly."""
    taken, is_whole = 0, False
    deadline = get_running_loop().time() + BODY_S

    async def limited() -> dict[str, Any]:
        nonlocal taken, is_whole
        if is_whole:  # what comes now is only that the caller left, whenever that may be
            return await receive()
        try:
            async with timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise BodyRefused(Refusal(408, "slow", f"the body did not come within {BODY_S:.0f} s")) from None
        taken += len(message.get("body", b""))
        is_whole = not message.get("more_body", False)
        if taken > max_bytes:
            raise BodyRefused(too_large(max_bytes))
        return message

    return limited
