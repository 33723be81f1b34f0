"""Connections that ask for nothing, slowly: others are answered meanwhile, and those are closed."""

import asyncio
import contextlib
import resource
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from backend.api import Api
from backend.service import NetworkPlace, connections, server_thread, serving
from backend.service.connections import patient
from backend.service.study_page import PagePlace, serving_page
from backend.workspace import Workspace
from tests.attacks.conftest import LIMITS
from tests.attacks.targets import TOKEN, Target, request
from tests.promises import Tally

pytestmark = [pytest.mark.server, pytest.mark.slow]

HEAD_S = 1.5


async def alive(scope, receive, send) -> None:
    """An app that answers, and on /large with 2 GB."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    for _ in range(32_768 if scope["path"] == "/large" else 0):
        await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b"{}"})


@contextlib.contextmanager
def served(protocol: type[H11Protocol]) -> Iterator[int]:
    """A server of that app with connections of a kind; gives its port."""
    listens = socket.create_server(("127.0.0.1", 0), backlog=1024)
    config = uvicorn.Config(alive, http=protocol, log_level="error", lifespan="off", ws="none", timeout_keep_alive=75)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listens])), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield listens.getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Room for both ends of 600 connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8_192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def begun(port: int, number: int) -> list[socket.socket]:
    """Connections with half a head: a third say nothing, a third a line, a third a byte more whenever they are asked."""
    found = []
    for k in range(number):
        connection = socket.create_connection(("127.0.0.1", port), 10)
        connection.sendall((b"", b"GET /livez HTTP/1.1\r\n", b"G")[k % 3])
        found.append(connection)
    return found


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        while connection.recv(65_536):  # what is left of answers
            pass
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def wait_s(port: int, path: str = "/livez") -> float:
    """How long an honest caller waits; a minute when nobody answers."""
    began_s = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            connection.sendall(request(path, host=f"127.0.0.1:{port}"))
            return time.monotonic() - began_s if connection.recv(100).startswith(b"HTTP/1.1 200") else 60.0
    except OSError:
        return 60.0


def besieged(port: int, *, number: int, seconds: float, path: str = "/livez") -> tuple[list[float], int]:
    """Waits of honest callers while others hold half-open connections, and how many of those are still open at the end."""
    slow = begun(port, number)
    waits, ends_s = [], time.monotonic() + seconds
    while time.monotonic() < ends_s:
        waits.append(wait_s(port, path))
        for connection in slow[2::3]:
            with contextlib.suppress(OSError):
                connection.send(b"E")
        time.sleep(0.05)
    still = sum(is_open(connection) for connection in slow)
    for connection in slow:
        connection.close()
    return waits, still


@contextlib.contextmanager
def place(kind: str, folder: Path) -> Iterator[tuple[int, str]]:
    """The port of the service of a new project, or of a page of studies, as the product serves them; and what anybody may ask there."""
    workspace = Workspace(folder / "project", create=True)
    with contextlib.closing(workspace):
        api = cast(Api, workspace)
        if kind == "service":
            with serving(api, workspace.layout.root, network=NetworkPlace(port=0), network_token=TOKEN) as server:
                assert server.network is not None
                yield Target(api, server.network.url).port, "/livez"
        else:
            with serving_page(api, secret=folder / "page.key", place=PagePlace(port=0), limits=LIMITS) as page:
                yield Target(api, page.place.url).port, "/s/"


@pytest.mark.promise(
    "connections to the service and to the study page that never finish a head are closed, and others are answered meanwhile: "
    "99 of 100 calls within 500 ms",
    area="Service",
    goal="600 half-open connections to each for 30 s: 0 left open, p99 < 500 ms",
    control="tests/attacks/test_slow_clients.py::test_without_a_time_for_the_head_they_stay_open",
)
@pytest.mark.usefixtures("descriptors")
@pytest.mark.parametrize("kind", ["service", "page"])
def test_half_open_connections_are_closed(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, long: bool, tally: Tally
) -> None:
    number, seconds = (600, 30.0) if long else (60, HEAD_S + 1)
    if not long:
        monkeypatch.setattr(server_thread, "patient", lambda: patient(head_s=HEAD_S))
    with place(kind, tmp_path) as (port, path):
        waits, still = besieged(port, number=number, seconds=seconds, path=path)
    p99_s = sorted(waits)[len(waits) * 99 // 100]
    note = f"{tally.note}, " if tally.note else ""
    tally.record(number, lost=still, note=f"{note}{kind}: p99 of {len(waits)} calls {1000 * p99_s:.0f} ms")
    assert still == 0
    assert p99_s < (0.5 if long else 5.0)  # the short version also runs beside other tests


@pytest.mark.usefixtures("descriptors")
@pytest.mark.parametrize("kind", ["service", "page"])
def test_without_a_time_for_the_head_they_stay_open(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_thread, "patient", lambda: H11Protocol)
    with place(kind, tmp_path) as (port, path):
        _, still = besieged(port, number=30, seconds=HEAD_S + 1, path=path)
    assert still == 30


def test_of_too_many_idle_connections_the_oldest_is_closed() -> None:
    with served(patient(max_idle=20)) as port:
        slow = begun(port, 50)
        assert wait_s(port) < 10
        deadline_s = time.monotonic() + 10
        while sum(is_open(connection) for connection in slow) > 19 and time.monotonic() < deadline_s:
            time.sleep(0.05)
        found = [is_open(connection) for connection in slow]
        assert sum(found) == 19, "an honest caller took one's place"
        # Near the border the loop may take up one connection before it reads what an earlier one said.
        assert not any(found[:20]) and all(found[40:])
        for connection in slow:
            connection.close()


@pytest.mark.parametrize(("soft", "hard", "idle"), [(1024, 1 << 19, 512), (1024, 1024, 256), (256, 256, 64), (3, 3, 1)])
def test_idle_connections_leave_room_for_files(soft: int, hard: int, idle: int, monkeypatch: pytest.MonkeyPatch) -> None:
    raised = []
    monkeypatch.setattr(connections.resource, "getrlimit", lambda which: (soft, hard))
    monkeypatch.setattr(connections.resource, "setrlimit", lambda which, limits: raised.append(limits))
    assert patient().max_idle == idle  # pyright: ignore[reportAttributeAccessIssue]
    assert raised == ([(4096, hard)] if hard > soft else [])


def test_a_second_head_has_as_long_as_the_first() -> None:
    """uvicorn's own time for idle connections ends with the first byte of the next head."""
    with served(patient(head_s=1.0)) as port, socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(1_000).startswith(b"HTTP/1.1 200")
        time.sleep(1.5)
        assert is_open(connection), "between two calls a person may think"
        connection.settimeout(10)
        connection.sendall(b"G")
        began_s = time.monotonic()
        while is_open(connection) and time.monotonic() - began_s < 10:
            time.sleep(0.05)
        assert 0.5 < time.monotonic() - began_s < 8


def test_the_rest_of_a_refused_body_is_not_waited_for() -> None:
    with served(patient(head_s=1.0)) as port, socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n")
        assert connection.recv(1_000).startswith(b"HTTP/1.1 200")
        began_s = time.monotonic()
        while is_open(connection) and time.monotonic() - began_s < 10:
            with contextlib.suppress(OSError):
                connection.send(b"x")
            time.sleep(0.1)
        assert time.monotonic() - began_s < 8


def test_who_takes_no_answer_is_left() -> None:
    with served(patient(stall_s=1.0)) as port, socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(2.5)
        taken = 0
        with contextlib.suppress(ConnectionError):
            while taken < 1 << 30 and (chunk := connection.recv(1 << 20)):
                taken += len(chunk)
        assert taken < 1 << 30, "what lay in buffers, and then the end"
