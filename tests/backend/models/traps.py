"""A server on loopback that nobody may reach, and a record of every connection that this process tried."""

import contextlib
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_watching: list["Trap"] = []
_hooked: list[bool] = []


class Trap:
    """Counts who connects. `tried`: host and port of each attempt of this process, whether or not anything answers there."""

    def __init__(self) -> None:
        self.port = 0
        self.accepted = 0
        self.tried: list[tuple[str, int]] = []

    @property
    def sprung(self) -> int:
        """Connections to the trap, from whatever process, and attempts anywhere on its port."""
        return max(self.accepted, sum(port == self.port for _, port in self.tried))


@contextmanager
def trap() -> Iterator[Trap]:
    """While it runs, this process connects nowhere but on loopback."""
    found = Trap()
    servers = [socket.create_server(("127.0.0.1", 0))]
    found.port = servers[0].getsockname()[1]
    with contextlib.suppress(OSError):  # where there is no IPv6, attempts are recorded all the same
        servers.append(socket.create_server(("::1", found.port), family=socket.AF_INET6))
    ended = threading.Event()
    threads = [threading.Thread(target=_accepts, args=(server, found, ended), daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    if not _hooked:
        sys.addaudithook(_audited)
        _hooked.append(True)
    _watching.append(found)
    try:
        yield found
    finally:
        _watching.remove(found)
        ended.set()
        for thread in threads:
            thread.join()
        for server in servers:
            server.close()


def _accepts(server: socket.socket, found: Trap, ended: threading.Event) -> None:
    server.settimeout(0.05)
    while not ended.is_set():
        try:
            connection, _ = server.accept()
        except TimeoutError:
            continue
        found.accepted += 1
        connection.close()


def _audited(event: str, arguments: tuple) -> None:
    if event != "socket.connect" or not _watching or not isinstance(arguments[1], tuple):
        return
    host, port = str(arguments[1][0]), int(arguments[1][1])
    for one in _watching:
        one.tried.append((host, port))
    if host not in ("127.0.0.1", "::1"):
        raise OSError(f"no test connects to {host}")
