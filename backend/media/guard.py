"""Work on untrusted files in a child process with limits of memory, processor time, file size and wall time.

A child handles many files, one after another, and is replaced when it dies. What comes back from it is read as data
(JSON and raw arrays), never as pickles: a child taken over by a file cannot run code in its parent.
"""

import atexit
import importlib
import os
import re
import resource
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from backend.domain import Absent, MediaError, StudioError
from backend.media.audio import Sound, sound_from_first_frame
from backend.media.container import FilePath, display_name
from backend.media.images import read_rgba
from backend.media.index import FrameIndex, build_index
from backend.media.no_network import leave_network
from backend.media.probe import DEFAULT_LIMITS, Limits, Probe, probe, probe_from_plain, probe_to_plain
from backend.media.wire import receive, send

GIB = 2**30
ADDRESS_SPACE_GIB = 4.0
MAX_IDLE = 2
MAX_JOBS = 500
"""A child is retired after this many calls, so that small leaks in decoders do not add up."""
MAX_OPEN_FILES = 64
MAX_WRITTEN_BYTES = 64 * 2**20
STDERR_TAIL = 400
DYING_S = 10.0  # from a child's last word to its end
LOOK_S = 1.0  # how soon a child sees that its owner has gone
SECRET_NAME = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS)$", re.IGNORECASE)
"""Variables of the environment that children do without."""
READ_RATE = 20e6
"""Bytes per second at which even a slow disk is read; a long file gets wall time in proportion."""


def run_guarded(
    function: Callable[..., Any],
    args: tuple[Any, ...] = (),
    *,
    subject: str = "",
    wall_s: float = 30.0,
    cpu_s: float = 60.0,
    address_space_gib: float = ADDRESS_SPACE_GIB,
) -> Any:
    """`function(*args)`, a function of a module, run in a child process.

    Arguments and value are None, bool, int, float, str, bytes, numpy arrays, and tuples, lists and dicts of these;
    tuples come back as lists. A StudioError of the child is raised here as MediaError of the same kind. Raises
    MediaError of kind `timeout` (wall or processor time), `memory`, or `crash`, naming `subject` and what the child
    last wrote.
    """
    child = _take_child()
    try:
        answer = child.call(function, args, subject or function.__qualname__, wall_s, cpu_s, address_space_gib)
    except BaseException:
        child.close()
        raise
    _give_back(child)
    return _value(answer)


class KeptChild:
    """A child kept for one owner: functions called in it find what earlier ones left in their modules.

    It is started, or taken from the idle ones, at the first call, and another one after it has died.
    """

    def __init__(self) -> None:
        self._child: _Child | None = None

    @property
    def is_there(self) -> bool:
        """Whether the child of the last call lives."""
        return self._child is not None and self._child.process.poll() is None

    def run(self, function: Callable[..., Any], args: tuple[Any, ...], *, subject: str, wall_s: float, cpu_s: float) -> Any:
        """As `run_guarded`."""
        if self._child is None or not self.is_there:
            self._end()
            self._child = _take_child()
        try:
            return _value(self._child.call(function, args, subject, wall_s, cpu_s, ADDRESS_SPACE_GIB))
        except MediaError as error:
            if error.kind in ("crash", "timeout"):
                self._end()
            raise
        except BaseException:
            self._end()
            raise

    def close(self) -> None:
        """Gives the child back to the idle ones; what calls have left in its modules should be gone by then."""
        if self._child is not None:
            _give_back(self._child)
            self._child = None

    def _end(self) -> None:
        if self._child is not None:
            self._child.close()
            self._child = None


def guarded_index(path: FilePath) -> FrameIndex:
    """`build_index` in a child with limits. Raises MediaError as it and `run_guarded` do."""
    wall_s = _reading_s(path)
    plain = run_guarded(_index_plain, (os.fspath(path),), subject=display_name(path), wall_s=wall_s, cpu_s=2 * wall_s)
    return FrameIndex.from_bytes(plain)


def guarded_sound(path: FilePath, rate: int = 16_000, *, max_s: float | None = None) -> Sound | Absent:
    """`sound_from_first_frame` in a child with limits. Raises MediaError as it and `run_guarded` do."""
    wall_s, given = _reading_s(path), (os.fspath(path), rate, max_s)
    found = run_guarded(_sound_plain, given, subject=display_name(path), wall_s=wall_s, cpu_s=2 * wall_s)
    return Absent(found) if isinstance(found, str) else Sound(found, rate, 0.0)


def guarded_picture(path: FilePath) -> np.ndarray:
    """`read_rgba` in a child with limits. Raises MediaError as it and `run_guarded` do."""
    return run_guarded(_picture_plain, (os.fspath(path),), subject=display_name(path))


def guarded_probe(path: FilePath, *, limits: Limits = DEFAULT_LIMITS, wall_s: float | None = None) -> Probe:
    """`probe` in a child with limits. Raises MediaError as `probe` and `run_guarded` do.

    The default wall time is 30 s and a second for each 20 MB of the file.
    """
    wall_s = _reading_s(path) if wall_s is None else wall_s
    plain = run_guarded(
        _probe_plain,
        (os.fspath(path), limits.to_plain()),
        subject=display_name(path),
        wall_s=wall_s,
        cpu_s=2 * wall_s,
    )
    return probe_from_plain(plain)


def _reading_s(path: FilePath) -> float:
    return 30.0 + (Path(path).stat().st_size if Path(path).is_file() else 0) / READ_RATE


def close_children() -> None:
    """Ends the idle children; the next guarded call starts a new one."""
    with _lock:
        children, _idle[:] = list(_idle), []
    for child in children:
        child.close()


def _value(answer: dict[str, Any]) -> Any:
    if answer["state"] == "ok":
        return answer["value"]
    raise MediaError(answer["message"], kind=answer["kind"])


class _Child:
    def __init__(self) -> None:
        self.owner = os.getpid()
        self.jobs = 0
        self.stderr = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the child)
        # A file that takes the child over finds no key there.
        plain = {name: value for name, value in os.environ.items() if not SECRET_NAME.search(name)}
        environment = {**plain, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"from backend.media.guard import serve; serve({self.owner})"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            start_new_session=True,
            env=environment,
        )

    def call(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        subject: str,
        wall_s: float,
        cpu_s: float,
        address_space_gib: float,
    ) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.jobs += 1
        self.stderr.seek(0)
        self.stderr.truncate()
        request = {
            "module": function.__module__,
            "name": function.__qualname__,
            "args": list(args),
            "cpu_s": cpu_s,
            "bytes": int(address_space_gib * GIB),
            "subject": subject,
        }
        deadline = time.monotonic() + wall_s
        try:
            send(self.process.stdin, request)
            return receive(_Deadline(self.process.stdout.fileno(), deadline))
        except TimeoutError as error:
            raise MediaError(f"{subject}: stopped after {wall_s:g} s", kind="timeout") from error
        except (EOFError, BrokenPipeError) as error:
            raise self._death(subject, cpu_s) from error

    def _death(self, subject: str, cpu_s: float) -> MediaError:
        self._end_group()
        code = self.process.wait()
        self.stderr.seek(0)
        tail = " ".join(self.stderr.read().decode("utf-8", "replace")[-STDERR_TAIL:].split())
        if code == -signal.SIGXCPU:
            return MediaError(f"{subject}: stopped after {cpu_s:g} s of processor time", kind="timeout")
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return MediaError(f"{subject}: the reading process died ({how}) {tail}".rstrip(), kind="crash")

    def _end_group(self) -> None:
        """Ends what the child may have started. It stays a zombie until then, so that its group is nobody else's."""
        deadline = time.monotonic() + DYING_S
        while time.monotonic() < deadline and not os.waitid(
            os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT
        ):
            time.sleep(0.005)
        with suppress(PermissionError):  # what macOS says where nothing but the zombie is left
            os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        if self.process.returncode is None:
            with suppress(PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.stderr):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue


class _Deadline:
    """Reads exactly so many bytes from a pipe, or raises EOFError or TimeoutError."""

    def __init__(self, descriptor: int, deadline: float) -> None:
        self._descriptor = descriptor
        self._deadline = deadline

    def read(self, size: int) -> bytes:
        pieces = []
        while size > 0:
            left = self._deadline - time.monotonic()
            if left <= 0 or not select.select([self._descriptor], [], [], left)[0]:
                raise TimeoutError
            piece = os.read(self._descriptor, min(size, 2**20))
            if not piece:
                raise EOFError
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)


_idle: list[_Child] = []
_lock = threading.Lock()
atexit.register(close_children)


def _take_child() -> _Child:
    with _lock:
        while _idle:
            child = _idle.pop()
            if child.owner == os.getpid() and child.process.poll() is None:
                return child
    return _Child()


def _give_back(child: _Child) -> None:
    with _lock:
        if len(_idle) < MAX_IDLE and child.jobs < MAX_JOBS:
            _idle.append(child)
            return
    child.close()


def serve(owner: int) -> None:
    """The child's loop: calls from standard input, answers to standard output, until the parent is gone."""
    leave_network()  # first of all: it is refused to a process of several threads
    threading.Thread(target=_end_with, args=(owner,), daemon=True).start()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a decoder prints must not mix with the answers
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_OPEN_FILES, MAX_OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_WRITTEN_BYTES, MAX_WRITTEN_BYTES))
    while True:
        try:
            request = receive(sys.stdin.buffer)
        except EOFError:
            return
        used = resource.getrusage(resource.RUSAGE_SELF)
        cpu_s = int(used.ru_utime + used.ru_stime + request["cpu_s"]) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_AS, (request["bytes"], resource.RLIM_INFINITY))
        send(answers, _answer(request))


def _end_with(owner: int) -> None:
    """Ends this process when its owner has gone, whatever it decodes. A signal of the kernel's would come too early: it is
    sent when the thread ends that started the child, and others go on to use it."""
    while os.getppid() == owner:
        time.sleep(LOOK_S)
    os._exit(1)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    function = getattr(importlib.import_module(request["module"]), request["name"])
    try:
        return {"state": "ok", "value": function(*request["args"])}
    except MemoryError:
        limit = request["bytes"] / GIB
        return {
            "state": "failed",
            "kind": "memory",
            "message": f"{request['subject']}: needs more than {limit:g} GiB of memory",
        }
    except StudioError as error:
        return {"state": "failed", "kind": error.kind, "message": str(error)}


def _index_plain(path: str) -> bytes:
    return build_index(path).to_bytes()


def _sound_plain(path: str, rate: int, max_s: float | None) -> np.ndarray | str:
    found = sound_from_first_frame(path, rate, max_s=max_s)
    return found.reason if isinstance(found, Absent) else found.samples


def _picture_plain(path: str) -> np.ndarray:
    return read_rgba(path)


def _probe_plain(path: str, limits: dict[str, Any]) -> dict[str, Any]:
    return probe_to_plain(probe(path, limits=Limits.from_plain(limits)))
