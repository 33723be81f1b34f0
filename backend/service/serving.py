"""Owning means serving: an owner answers on its socket while it works."""

import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from backend.api import Api
from backend.client import ServicePlace
from backend.domain import ServiceError
from backend.service.app import make_app

START_S = 10.0
STOP_S = 10.0


class Serving:
    """A server in a thread on the project's Unix socket."""

    def __init__(self, api: Api, project: Path) -> None:
        self._place = ServicePlace(project)
        self._place.clear()
        self._place.create()
        token = secrets.token_urlsafe(32)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(self._place.socket))
        self._socket.listen(128)
        config = uvicorn.Config(
            make_app(api, token=token),
            log_level="warning",
            timeout_keep_alive=75,  # longer than a person thinks about a pair
            timeout_graceful_shutdown=5,
            lifespan="off",
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=lambda: self._server.run(sockets=[self._socket]), name="service", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise ServiceError(f"the service did not start within {START_S:.0f} s on {self._place.socket}")
            time.sleep(0.005)
        self._place.write_token(token)

    @property
    def connections(self) -> int:
        """Clients connected now."""
        return len(self._server.server_state.connections)

    def stop(self) -> None:
        """Lets open calls finish, then ends."""
        self._place.clear()
        self._server.should_exit = True
        self._thread.join(STOP_S)


@contextmanager
def serving(api: Api, project: Path) -> Iterator[Serving]:
    """Serves while the block runs."""
    server = Serving(api, project)
    try:
        yield server
    finally:
        server.stop()
