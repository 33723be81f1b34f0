"""What is attacked, and plain sockets to do it with."""

import contextlib
import json
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from backend.api import Api

TOKEN = "attack-test-token-0123456789-abcdefghijklmnop"


@dataclass(frozen=True)
class Target:
    """A server and the Api behind it."""

    api: Api
    url: str
    is_service: bool = True
    """Of the Api, or of the study page."""

    @property
    def port(self) -> int:
        found = urlsplit(self.url).port
        assert found is not None
        return found

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def num_events(self) -> int:
        """Of the journal: the rows that an attack must not add to."""
        newest = self.api.journal_tail(limit=1)
        return newest[0]["seq"] if newest else 0


def request(
    path: str,
    *,
    host: str | None,
    method: str = "GET",
    body: bytes = b"",
    headers: tuple[str, ...] = (),
    version: str = "1.1",
) -> bytes:
    """The bytes of a call; without `host` no Host header is sent."""
    lines = [f"{method} {path} HTTP/{version}", *([f"Host: {host}"] if host is not None else []), *headers]
    if method == "POST" and not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + body


def posted(operation: str, body: bytes, *, host: str, headers: tuple[str, ...] = (), token: str = TOKEN) -> bytes:
    """The bytes of a call of the Api as its client makes it."""
    sent = (f"Authorization: Bearer {token}", "Content-Type: application/json", *headers)
    return request(f"/api/{operation}", host=host, method="POST", body=body, headers=sent)


@dataclass(frozen=True)
class Answer:
    """`status` 0: the server closed the connection without a word."""

    status: int
    body: bytes
    head: bytes = b""

    def json(self) -> dict:
        return json.loads(self.body)


def ask(port: int, raw: bytes, *, seconds: float = 10.0) -> Answer:
    """Sends bytes as they are, and reads to the end of the answer."""
    with socket.create_connection(("127.0.0.1", port), seconds) as connection:
        with contextlib.suppress(ConnectionError):  # refused before it was all sent
            connection.sendall(raw)
        return read(connection)


def read(connection: socket.socket) -> Answer:
    """The answer of a connection, to where the server closes it or falls silent."""
    found = b""
    with contextlib.suppress(ConnectionError, TimeoutError):
        while chunk := connection.recv(65_536):
            found += chunk
    head, _, body = found.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1]) if head.startswith(b"HTTP/") else 0
    return Answer(status, body, head)
