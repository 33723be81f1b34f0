"""Owning means serving: an owner answers on its socket while it works, and over the network where it is asked to."""

import dataclasses
import os
import secrets
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.api import Api
from backend.client import ServicePlace
from backend.domain import SettingsError
from backend.service.app import make_routes
from backend.service.calls import App
from backend.service.guard import Guard
from backend.service.network_place import NetworkPlace, listening
from backend.service.server_thread import ServerThread

HOSTS = frozenset({"subject-studio"})
"""What clients on the project's socket call it."""
MIN_TOKEN = 32


class Serving:
    """Servers of one Api: on the project's Unix socket, and at `network`, each with its own token.

    The network's token is `network_token`, or the socket's where none is given. `place` is where it really listens.
    """

    def __init__(self, api: Api, project: Path, *, network: NetworkPlace | None = None, network_token: str = "") -> None:
        self._place = ServicePlace(project)
        self._place.clear()
        self._place.create()
        token = secrets.token_urlsafe(32)
        self._leaving = threading.Event()
        app = make_routes(api, leaving=self._leaving)
        self.network = network
        self._servers: list[ServerThread] = []
        try:
            if network is not None:
                self._serve_network(app, network, network_token or token)
            unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            unix.bind(str(self._place.socket))
            unix.listen(128)
            self._servers.append(ServerThread(Guard(app, token=token, hosts=HOSTS), unix, name="the service"))
            self._place.write_token(token)
        except BaseException:
            self.stop()
            raise

    @property
    def connections(self) -> int:
        """Clients connected now."""
        return sum(server.num_connections for server in self._servers)

    def stop(self) -> None:
        """Lets open calls finish, then ends."""
        self._place.clear()
        self._leaving.set()
        for server in self._servers:
            server.leave()
        for server in self._servers:
            server.stop()

    def _serve_network(self, app: App, network: NetworkPlace, token: str) -> None:
        listens = listening(network, what="the service")
        self.network = network = dataclasses.replace(network, port=listens.getsockname()[1])
        guard = Guard(app, token=token, hosts=network.hosts, shows_metrics_here=network.is_local)
        name = f"the service at {network.url}"
        self._servers.append(ServerThread(guard, listens, name=name, tls_cert=network.tls_cert, tls_key=network.tls_key))


def token_of_file(path: Path) -> str:
    """The token kept at `path` for callers over the network, made when there is no file (mode 0600).

    Raises SettingsError for one that others can read, or that could be guessed.
    """
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    except OSError as error:
        raise SettingsError(f"token file {path} cannot be made: {error.strerror}; choose another --token-file") from error
    else:
        with os.fdopen(made, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
    try:
        facts, token = path.stat(), path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"token file {path} cannot be read: {error}; give one line of letters and digits") from error
    if not stat.S_ISREG(facts.st_mode) or facts.st_mode & 0o077:
        raise SettingsError(f"token file {path} can be read by others (mode {facts.st_mode & 0o777:o}); chmod 600 it")
    if len(token) < MIN_TOKEN or not token.isprintable() or " " in token:
        raise SettingsError(f"the token in {path} has {len(token)} characters; delete the file to have one of 256 bit made")
    return token


@contextmanager
def serving(api: Api, project: Path, *, network: NetworkPlace | None = None, network_token: str = "") -> Iterator[Serving]:
    """Serves while the block runs."""
    server = Serving(api, project, network=network, network_token=network_token)
    try:
        yield server
    finally:
        server.stop()
