"""Work on untrusted files in a child process with limits of memory, processor time, file size and wall time.

A child handles many files, one after another, and is replaced when it dies. What comes back from it is read as data
(JSON and raw arrays), never as pickles: a child taken over by a file cannot run code in its parent.
"""

import atexit
import importlib
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend.domain import MediaError, StudioError
from backend.media.container import FilePath, display_name
from backend.media.probe import DEFAULT_LIMITS, Limits, Probe, probe, probe_from_plain, probe_to_plain
from backend.media.wire import receive, send

GIB = 2**30
MAX_IDLE = 2
MAX_JOBS = 500
"""A child is retired after this many calls, so that small leaks in decoders do not add up."""
MAX_OPEN_FILES = 64
MAX_WRITTEN_BYTES = 64 * 2**20
STDERR_TAIL = 400
READ_RATE = 20e6
"""Bytes per second at which even a slow disk is read; a long file gets wall time in proportion."""


def run_guarded(
    function: Callable[..., Any],
    args: tuple[Any, ...] = (),
    *,
    subject: str = "",
    wall_s: float = 30.0,
    cpu_s: float = 60.0,
    address_space_gib: float = 4.0,
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
    if answer["state"] == "ok":
        return answer["value"]
    raise MediaError(answer["message"], kind=answer["kind"])


def guarded_probe(path: FilePath, *, limits: Limits = DEFAULT_LIMITS, wall_s: float | None = None) -> Probe:
    """`probe` in a child with limits. Raises MediaError as `probe` and `run_guarded` do.

    The default wall time is 30 s and a second for each 20 MB of the file.
    """
    if wall_s is None:
        size = Path(path).stat().st_size if Path(path).is_file() else 0
        wall_s = 30.0 + size / READ_RATE
    plain = run_guarded(
        _probe_plain,
        (os.fspath(path), limits.to_plain()),
        subject=display_name(path),
        wall_s=wall_s,
        cpu_s=2 * wall_s,
    )
    return probe_from_plain(plain)


def close_children() -> None:
    """Ends the idle children; the next guarded call starts a new one."""
    with _lock:
        children, _idle[:] = list(_idle), []
    for child in children:
        child.close()


class _Child:
    def __init__(self) -> None:
        self.owner = os.getpid()
        self.jobs = 0
        self.stderr = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the child)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from backend.media.guard import serve; serve()"],
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
        code = self.process.wait(timeout=10)
        self.stderr.seek(0)
        tail = " ".join(self.stderr.read().decode("utf-8", "replace")[-STDERR_TAIL:].split())
        if code == -signal.SIGXCPU:
            return MediaError(f"{subject}: stopped after {cpu_s:g} s of processor time", kind="timeout")
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return MediaError(f"{subject}: the reading process died ({how}) {tail}".rstrip(), kind="crash")

    def close(self) -> None:
        if self.process.poll() is None:
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


def serve() -> None:
    """The child's loop: calls from standard input, answers to standard output, until the parent is gone."""
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


def _probe_plain(path: str, limits: dict[str, Any]) -> dict[str, Any]:
    return probe_to_plain(probe(path, limits=Limits.from_plain(limits)))
