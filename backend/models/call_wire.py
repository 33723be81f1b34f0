"""How calls of models travel between processes: one message after another over a Unix socket, arrays as they lie in memory.

What comes in is read with a list of what may be in it (numbers, texts, arrays, records of the kernel, errors), so that a
process taken over by a weight file cannot run code in the one that asked it. Readers of frames stay where they are: the
other side gets a stand-in that asks back.
"""

import io
import pickle
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any

import numpy as np

_HEAD = struct.Struct("<QI")  # bytes of the message, number of buffers beside it
_LENGTH = struct.Struct("<Q")

SAFE_BUILTINS = frozenset({"set", "frozenset", "complex", "slice", "range", "bytearray"})
SAFE_OTHERS = frozenset(
    {("collections", "OrderedDict"), ("pathlib", "PosixPath"), ("pathlib", "Path"), ("_codecs", "encode")}
)


@dataclass(frozen=True, slots=True)
class BoundModel:
    """Which model is asked: the class bound to a role, and its weights."""

    role: str
    implementation: str
    """Dotted path of the class."""
    location: str
    dtype: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A call of a model's method; without a method, only to load it."""

    id: str
    lane: str
    """`interactive`, where somebody waits for the answer, or `bulk`."""
    model: BoundModel
    method: str = ""
    args: tuple[Any, ...] = ()
    named: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message of whoever asks."""

    token: str


@dataclass(frozen=True, slots=True)
class Cancel:
    id: str


@dataclass(frozen=True, slots=True)
class Answer:
    id: str
    value: Any


@dataclass(frozen=True, slots=True)
class Fault:
    """Why there is no answer: what the model raised, or None for a call that was cancelled."""

    id: str
    error: Exception | None


@dataclass(frozen=True, slots=True)
class Alive:
    """The call is waiting or worked on."""


@dataclass(frozen=True, slots=True)
class Read:
    """A model asks for frames of reader `number`: `at`, `stream` (gives a number to be used with `next`), `next`."""

    number: int
    method: str
    args: tuple[Any, ...] = ()
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Frames:
    """What was read, or why it could not be."""

    value: Any
    error: Exception | None = None


class CallWire:
    """One end of a connection. `ask_back` is set at the end whose arguments hold stand-ins of readers."""

    def __init__(self, connection: socket.socket, *, ask_back: Callable[[Read], Any] | None = None) -> None:
        self.socket = connection
        self._ask_back = ask_back

    def send(self, message: object, *, readers: list[Any] | None = None) -> None:
        """Sends one message; readers of frames in it go into `readers`. Raises ConnectionError when nobody is there."""
        buffers: list[pickle.PickleBuffer] = []
        text = io.BytesIO()
        _Pickler(text, [] if readers is None else readers, buffers).dump(message)
        views = [buffer.raw() for buffer in buffers]
        head = [_HEAD.pack(text.tell(), len(views)), *(_LENGTH.pack(view.nbytes) for view in views)]
        self.socket.sendall(b"".join(head))
        for part in (text.getbuffer(), *views):
            self.socket.sendall(part)

    def receive(self) -> Any:
        """The next message. Raises EOFError when the other end has gone, pickle.UnpicklingError for what may not come."""
        size, count = _HEAD.unpack(self._taken(_HEAD.size))
        lengths = [_LENGTH.unpack(self._taken(_LENGTH.size))[0] for _ in range(count)]
        text = self._taken(size)
        return _Unpickler(text, [self._taken(length) for length in lengths], self._ask_back).load()

    def close(self) -> None:
        self.socket.close()

    def _taken(self, size: int) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        done = 0
        while done < size:
            try:
                count = self.socket.recv_into(view[done:])
            except OSError as error:
                raise EOFError("the connection broke") from error
            if count == 0:
                raise EOFError("the other end has gone")
            done += count
        return data


class RemoteReader:
    """`FrameReader` over frames that lie in the asking process."""

    def __init__(self, number: int, facts: tuple[int, int, int, np.ndarray], ask_back: Callable[[Read], Any]) -> None:
        self._number = number
        self._ask_back = ask_back
        self.num_frames, self.width, self.height, self.times_s = facts

    def at(self, indices: Sequence[int], *, size: tuple[int, int] | None = None) -> np.ndarray:
        return self._ask_back(Read(self._number, "at", ([int(index) for index in indices],), size))

    def stream(
        self,
        start: int = 0,
        stop: int | None = None,
        *,
        step: int = 1,
        size: tuple[int, int] | None = None,
        chunk: int = 32,
    ) -> Iterator[tuple[int, np.ndarray]]:
        place = self._ask_back(Read(self._number, "stream", (start, stop, step, chunk), size))
        while (found := self._ask_back(Read(self._number, "next", (place,)))) is not None:
            yield found


class ReadersHere:
    """Answers what a model reads of readers in this process, for one call."""

    def __init__(self, readers: Sequence[Any]) -> None:
        self._readers = readers
        self._streams: list[Iterator[tuple[int, np.ndarray]]] = []

    def __call__(self, asked: Read) -> Any:
        reader = self._readers[asked.number]
        match asked.method:
            case "at":
                return reader.at(asked.args[0], size=asked.size)
            case "stream":
                start, stop, step, chunk = asked.args
                self._streams.append(reader.stream(start, stop, step=step, size=asked.size, chunk=chunk))
                return len(self._streams) - 1
            case "next":
                return next(self._streams[asked.args[0]], None)
        raise ValueError(f"a reader has no {asked.method!r}")


def portable(error: Exception) -> Exception:
    """The error as another process can raise it: itself when it is of ours or Python's, else a RuntimeError of its words."""
    kind = type(error)
    if kind.__module__ == "backend.domain.errors":
        return error
    if kind.__module__ == "builtins":
        return kind(*error.args)
    return RuntimeError(f"{kind.__name__}: {error}")


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, readers: list[Any], buffers: list[pickle.PickleBuffer]) -> None:
        super().__init__(file, protocol=5, buffer_callback=lambda buffer: buffers.append(buffer))
        self._readers = readers

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, type) or not (hasattr(type(obj), "at") and hasattr(type(obj), "stream")):
            return None
        if not any(obj is known for known in self._readers):
            self._readers.append(obj)
        number = next(n for n, known in enumerate(self._readers) if known is obj)
        return number, int(obj.num_frames), int(obj.width), int(obj.height), np.asarray(obj.times_s)


class _Unpickler(pickle.Unpickler):
    def __init__(self, text: bytearray, buffers: list[bytearray], ask_back: Callable[[Read], Any] | None) -> None:
        super().__init__(io.BytesIO(text), buffers=buffers)
        self._ask_back = ask_back

    def persistent_load(self, pid: Any) -> Any:
        if self._ask_back is None:
            raise pickle.UnpicklingError("a reader of frames is no answer")
        number, *facts = pid
        return RemoteReader(number, tuple(facts), self._ask_back)  # pyright: ignore[reportArgumentType]

    def find_class(self, module: str, name: str) -> Any:
        root = module.partition(".")[0]
        if "." in name:  # a way through what a module has imported, to anything
            raise pickle.UnpicklingError(f"{module}.{name} may not come over the wire")
        if module == "builtins":
            found = super().find_class(module, name)
            if name in SAFE_BUILTINS or (isinstance(found, type) and issubclass(found, Exception)):
                return found
        elif (module, name) in SAFE_OTHERS or (
            root == "numpy" and name in ("_reconstruct", "_frombuffer", "ndarray", "dtype", "scalar")
        ):
            return super().find_class(module, name)
        elif root in ("backend", "metrics"):
            found = super().find_class(module, name)
            is_own = module.startswith("backend.domain.") and getattr(found, "__module__", "") == module
            if is_own or (isinstance(found, type) and is_dataclass(found)):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} may not come over the wire")
