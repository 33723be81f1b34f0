"""An ASGI app served in a thread of its own, until it is stopped."""

import socket
import threading
import time
from typing import Any

import uvicorn

from backend.domain import ServiceError
from backend.service.calls import App
from backend.service.connections import patient

START_S = 10.0
STOP_S = 10.0
GRACE_S = 3  # for calls that are open when it stops
KEEP_ALIVE_S = 75  # longer than a person thinks about a pair
MAX_CONNECTIONS = 1_000  # beyond it the server answers 503


class ServerThread:
    """Serves on a socket that listens already; `name` is the thread's and is used in messages. Raises ServiceError when it does not start."""

    def __init__(self, app: App, listens: socket.socket, *, name: str, tls_cert: str = "", tls_key: str = "") -> None:
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,  # addresses of invitations would stand in it
                server_header=False,
                proxy_headers=False,  # who calls is decided by the guards
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=GRACE_S,
                limit_concurrency=MAX_CONNECTIONS,
                ssl_certfile=tls_cert or None,
                ssl_keyfile=tls_key or None,
                lifespan="off",
                http=patient(),
                ws="none",
            )
        )
        run: Any = self._server.run
        self._thread = threading.Thread(target=lambda: run(sockets=[listens]), name=name, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise ServiceError(f"{name} did not start within {START_S:.0f} s on {listens.getsockname()}")
            time.sleep(0.005)

    @property
    def num_connections(self) -> int:
        """Clients connected now."""
        return len(self._server.server_state.connections)

    def leave(self) -> None:
        """Takes no more calls; those that are open may finish. Does not wait."""
        self._server.should_exit = True

    def stop(self) -> None:
        """Lets open calls finish, then ends."""
        self.leave()
        self._thread.join(STOP_S)
