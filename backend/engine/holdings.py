"""How a worker asks what another process holds: over a Unix socket of its parent's, which passes questions on and answers back.

A connection is about one holding, which is its first message. What comes in is read by `CallWire`, which takes records and
arrays and nothing that could run.
"""

import contextlib
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from pathlib import Path
from threading import Event
from typing import Any

from backend.domain import Holding, HoldingLost, StudioError
from backend.engine.crew_folder import CrewFolder
from backend.models.borders import Interrupted
from backend.models.call_wire import CallWire
from backend.sockets import SHORT, is_short_enough

POLL_S = 0.1  # how often who waits for an answer looks whether it is still wanted
SOCKET_BELOW = "subject-studio-crew-12345678/holdings"
ANSWER, FAULT, ALIVE = "answer", "fault", "alive"
Ask = Callable[[Holding, Any, Callable[[], None]], Any]
"""Asks a holding; calls the function given now and then while that takes long. Raises StudioError, or RuntimeError for a fault of ours."""


class HoldingLine:
    """A worker's line to a holding. One question at a time; threads take turns.

    `alive` is called now and then while an answer takes long. `cancelled` ends the waiting with Interrupted. Where the other end has gone,
    HoldingLost is raised. After either the line is closed, and another is wanted.
    """

    def __init__(self, path: str, holding: Holding, *, alive: Callable[[], None], cancelled: Event | None = None) -> None:
        self._name, self._alive, self._cancelled = holding.name, alive, cancelled
        self._lock = threading.Lock()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._wire = CallWire(connection)
        self.is_open = True
        with self._or_closed():
            connection.connect(path)
        self.is_held: bool = self(holding)
        """Whether there is anybody to ask."""

    def __call__(self, asked: Any) -> Any:
        """What the holding answers. Raises as `Ask` does."""
        with self._lock, self._or_closed():
            self._wire.send(asked)
            while True:
                if self._cancelled is not None and self._cancelled.is_set():
                    raise Interrupted
                if not wait([self._wire.socket], POLL_S):
                    continue
                match self._wire.receive():
                    case (kind, value) if kind == ANSWER:
                        return value
                    case (kind, error) if kind == FAULT:
                        raise error
                    case (kind,) if kind == ALIVE:
                        self._alive()

    def close(self) -> None:
        self.is_open = False
        self._wire.close()

    @contextlib.contextmanager
    def _or_closed(self) -> Iterator[None]:
        try:
            yield
        except Interrupted:
            self.close()  # what is still under way must not be taken for the next answer
            raise
        except (EOFError, OSError) as error:
            self.close()
            raise HoldingLost(f"{self._name}: who has it is out of reach ({error or 'its process ended'})") from error


class HoldingRelay:
    """Where the workers of this process ask: at `path`. `is_held` says for which holdings `ask` has an answer."""

    def __init__(self, is_held: Callable[[Holding], bool], ask: Ask) -> None:
        self._is_held, self._ask = is_held, ask
        place = Path(tempfile.gettempdir())
        self._folder = CrewFolder(place if is_short_enough(place / SOCKET_BELOW) else SHORT)
        self.path = str(self._folder.path / "holdings")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen()
        threading.Thread(target=self._accept, name="holdings", daemon=True).start()

    def close(self) -> None:
        """Nobody new is listened to; who is connected is answered as long as this process lives."""
        self._listener.close()
        self._folder.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it was closed
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(CallWire(connection),), name="holding", daemon=True).start()

    def _serve(self, wire: CallWire) -> None:
        """Until the worker has gone."""
        with contextlib.suppress(EOFError, OSError), contextlib.closing(wire):
            holding: Holding = wire.receive()
            wire.send((ANSWER, self._is_held(holding)))
            while True:
                asked = wire.receive()
                try:
                    found = ANSWER, self._ask(holding, asked, lambda: wire.send((ALIVE,)))
                except (StudioError, RuntimeError) as error:
                    found = FAULT, error
                wire.send(found)
