"""The page on its own port, in the process that holds the project's Api."""

import dataclasses
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from backend.api import Api
from backend.domain import ServiceError
from backend.service.study_page.app import make_page
from backend.service.study_page.buckets import SHIPPED, PageLimits
from backend.service.study_page.keys import PageKeys
from backend.service.study_page.place import PagePlace

START_S = 10.0
STOP_S = 10.0
BACKLOG = 512
MAX_CONNECTIONS = 1_000  # half-open ones too; beyond it the server answers 503
KEEP_ALIVE_S = 75  # longer than a person thinks about a pair


class PageServing:
    """A server of the study page in a thread. `place` is where it really listens: port 0 takes a free one."""

    def __init__(
        self, api: Api, *, keys: PageKeys, place: PagePlace, limits: PageLimits = SHIPPED, ask_login: bool = False
    ) -> None:
        self._socket = _listening(place)
        self.place = dataclasses.replace(place, port=self._socket.getsockname()[1])
        config = uvicorn.Config(
            make_page(api, keys=keys, place=self.place, limits=limits, ask_login=ask_login),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # who is asked is decided by `PagePlace.address_of`
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=5,
            limit_concurrency=MAX_CONNECTIONS,
            ssl_certfile=self.place.tls_cert or None,
            ssl_keyfile=self.place.tls_key or None,
            lifespan="off",
            ws="none",
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=lambda: self._server.run(sockets=[self._socket]), name="study page", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise ServiceError(f"the study page did not start within {START_S:.0f} s on {self.place.url}")
            time.sleep(0.005)

    def stop(self) -> None:
        """Lets open calls finish, then ends."""
        self._server.should_exit = True
        self._thread.join(STOP_S)


@contextmanager
def serving_page(
    api: Api, *, secret: Path, place: PagePlace, limits: PageLimits = SHIPPED, ask_login: bool = False
) -> Iterator[PageServing]:
    """Serves the page while the block runs; `secret` is the file of the key that its cookies are sealed with."""
    server = PageServing(api, keys=PageKeys.of_file(secret), place=place, limits=limits, ask_login=ask_login)
    try:
        yield server
    finally:
        server.stop()


def _listening(place: PagePlace) -> socket.socket:
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    # Named, so that asyncio switches Nagle's waiting off: an answer's body would come 40 ms after its head
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((place.host, place.port))
    except OSError as error:
        found.close()
        raise ServiceError(
            f"the study page cannot listen on {place.host}:{place.port}: {error.strerror}; choose another --port"
        ) from error
    found.listen(BACKLOG)
    return found
