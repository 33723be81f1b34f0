"""A proxy as people put before the service: it speaks TLS, and says who asks."""

import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CALLER = b"203.0.113.9"
HEAD_END = b"\r\n\r\n"


@contextmanager
def tls_proxy(pem: Path, *, to: int) -> Iterator[int]:
    """Its port on this machine, while it hands each call on to port `to`: one call a connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with context.wrap_socket(self.request, server_side=True) as caller:
                _hand_on(caller, to)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def _hand_on(caller: socket.socket, port: int) -> None:
    read = b""
    while HEAD_END not in read:
        read += caller.recv(65_536)
    head, _, body = read.partition(HEAD_END)
    first, *fields = head.split(b"\r\n")
    told = dict(field.lower().split(b":", 1) for field in fields)
    while len(body) < int(told.get(b"content-length", b"0")):
        body += caller.recv(65_536)
    kept = [field for field in fields if not field.lower().startswith((b"x-forwarded-for:", b"connection:"))]
    with socket.create_connection(("127.0.0.1", port), timeout=60) as behind:
        behind.sendall(b"\r\n".join([first, *kept, b"X-Forwarded-For: " + CALLER, b"Connection: close"]) + HEAD_END + body)
        while answer := behind.recv(65_536):
            caller.sendall(answer)
