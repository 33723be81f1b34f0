"""A role served by the model worker: an object of the implementation's methods, whose calls are answered over a socket.

Stages see no difference: the same methods, the same constants, numpy in and out, the same errors.
"""

import inspect
import pickle
import select
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

from backend.domain.errors import ModelFailed, StudioError
from backend.models.borders import Interrupted
from backend.models.call_wire import (
    Alive,
    Answer,
    Ask,
    BoundModel,
    CallWire,
    Cancel,
    Fault,
    Frames,
    Hello,
    Read,
    ReadersHere,
    portable,
)

POLL_S = 0.1  # how often a waiting caller looks whether it is still wanted
FORCED_S = 6.0  # after which a cancelled caller stops waiting: the worker has killed itself before
INTERACTIVE, BULK = "interactive", "bulk"
ASK = "ask"
"""The method of a judge, which is told of answers as they come."""


@dataclass(frozen=True, slots=True)
class ModelAddress:
    """Where model workers answer, one a device; travels to crews by pickling."""

    sockets: tuple[str, ...]
    token: str
    lane: str = BULK


class ModelLine:
    """A line to one of the workers. One call at a time; threads take turns.

    `alive` is called now and then while a call waits. `cancelled` ends a waiting call with Interrupted.
    """

    def __init__(
        self,
        address: ModelAddress,
        *,
        choice: int = 0,
        alive: Callable[[], None] = lambda: None,
        cancelled: Event | None = None,
    ) -> None:
        self._path = address.sockets[choice % len(address.sockets)]
        self._address = address
        self._alive = alive
        self.cancelled = cancelled
        self._lock = threading.Lock()
        self._wire: CallWire | None = None

    def load(self, model: BoundModel) -> dict[str, Any]:
        """Has the model loaded, and gives its public numbers and texts by name. Raises what its constructor raises."""
        return self._ask(Ask(uuid.uuid4().hex, self._address.lane, model))

    def call(self, model: BoundModel, method: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """What the method gives. Raises what it raises; ModelFailed when memory, time or the worker's lives ran out."""
        return self._ask(Ask(uuid.uuid4().hex, self._address.lane, model, method, args, tuple(sorted(named.items()))))

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _ask(self, ask: Ask) -> Any:
        with self._lock:
            while True:
                try:
                    ended = self._exchange(self._connected(ask), ask)
                except (EOFError, ConnectionError):  # the worker died; the next one knows whether this call killed it
                    self.close()
                    if self.cancelled is not None and self.cancelled.is_set():
                        raise Interrupted from None
                    continue
                except pickle.UnpicklingError as error:
                    self.close()
                    what = f"{ask.model.role}.{ask.method}"
                    raise ModelFailed(
                        f"{what} gave an answer of a kind that no role gives: {error}", kind="answer"
                    ) from error
                except BaseException:
                    self.close()  # what is still under way for this call must not be taken for the next one's answer
                    raise
                if isinstance(ended, Answer):
                    return ended.value
                raise Interrupted if ended.error is None else ended.error

    def _connected(self, ask: Ask) -> CallWire:
        if self._wire is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.connect(self._path)
            except OSError as error:
                connection.close()
                raise ModelFailed(
                    f"{ask.model.role}: the model worker has ended ({error.strerror}); `status` says why, starting again helps"
                ) from error
            self._wire = CallWire(connection)
            self._wire.send(Hello(self._address.token))
        return self._wire

    def _exchange(self, wire: CallWire, ask: Ask) -> Answer | Fault:
        readers: list[Any] = []
        wire.send(ask, readers=readers)
        here = ReadersHere(readers)
        while True:
            self._wait(wire, ask)
            match wire.receive():
                case Answer(id=ask.id) | Fault(id=ask.id) as ended:
                    return ended
                case Alive():
                    self._alive()
                case Read() as asked:
                    wire.send(_frames(here, asked))

    def _wait(self, wire: CallWire, ask: Ask) -> None:
        """Until something comes in; tells the worker once when the call is wanted no more."""
        deadline = None
        while not select.select([wire.socket], [], [], POLL_S)[0]:
            if self.cancelled is not None and self.cancelled.is_set():
                if deadline is None:
                    wire.send(Cancel(ask.id))
                    deadline = time.monotonic() + FORCED_S
                elif time.monotonic() > deadline:
                    raise Interrupted


class RemoteRole:
    """Serves a role through a line. Its class is made by `remote_role`, with the implementation's methods."""

    def __init__(self, line: ModelLine, model: BoundModel) -> None:
        self._line = line
        self._model = model
        for name, value in line.load(model).items():
            setattr(self, name, value)


def remote_role(line: ModelLine, model: BoundModel, implementation: type) -> RemoteRole:
    """An object with the methods and constants of an implementation, loaded in the worker. Raises as its constructor does."""
    members: dict[str, Any] = {"__doc__": implementation.__doc__}
    for name in dir(implementation):
        if name.startswith("_"):
            continue
        member = inspect.getattr_static(implementation, name)
        if name == ASK:
            members[name] = _ask
        elif inspect.isfunction(member):
            members[name] = _method(name)
        elif isinstance(member, staticmethod | classmethod):
            members[name] = staticmethod(getattr(implementation, name))
        elif _is_plain(member):
            members[name] = member
    return type(f"Remote{implementation.__name__}", (RemoteRole,), members)(line, model)


def plain_attributes(model: object) -> dict[str, Any]:
    """The public numbers and texts of an object, by name."""
    names = [name for name, member in inspect.getmembers_static(type(model)) if isinstance(member, property)]
    found = {**getattr(model, "__dict__", {}), **{name: getattr(model, name) for name in names if name[0] != "_"}}
    return {name: value for name, value in found.items() if name[0] != "_" and _is_plain(value)}


def _method(name: str) -> Callable[..., Any]:
    def call(self: RemoteRole, *args: Any, **named: Any) -> Any:
        return self._line.call(self._model, name, args, named)

    call.__name__ = name
    return call


def _ask(self: RemoteRole, inquiries: Sequence[Any], answered: Callable[[Any, Any], None] | None = None) -> list[Any]:
    """`Judge.ask`. A function does not travel, so that `answered` is told here, once all answers are there."""
    verdicts = self._line.call(self._model, ASK, (list(inquiries),), {})
    if answered is not None:
        for inquiry, verdict in zip(inquiries, verdicts, strict=True):
            answered(inquiry, verdict)
    return verdicts


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple):
        return all(_is_plain(part) for part in value)
    return value is None or isinstance(value, str | int | float | bool)


def _frames(here: ReadersHere, asked: Read) -> Frames:
    try:
        return Frames(here(asked))
    except (StudioError, LookupError, ValueError, OSError, RuntimeError) as error:  # the model must hear of it
        return Frames(None, portable(error))
