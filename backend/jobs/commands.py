"""Commands as jobs: `studio-backend COMMAND --json` as a child, so that the owner imports no torch and outlives what breaks there.

The child's progress comes as lines of JSON on its stderr; every other line goes into the job's log. It is asked to stop by SIGTERM,
on which training keeps a checkpoint, and killed with all that it started when it has not ended after GRACE_S. When the owner
dies, the kernel asks it to stop (`backend.jobs.child`).
"""

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from typing import IO, Any

from backend.domain import StudioError
from backend.engine.children import death_of
from backend.jobs.board import JobTicket
from backend.jobs.model_service import ModelService

GRACE_S = 60.0  # a step and a checkpoint of a large model; a smaller one has ended long before
LOOK_S = 0.1
LINE_BYTES = 2**16
TAIL_LINES = 5


def run_command(
    ticket: JobTicket,
    *,
    command: Sequence[str],
    grace_s: float = GRACE_S,
    models: ModelService | None = None,
    weight_bytes: int = 0,
) -> str:
    """Runs a command until it ends or is asked to stop. Raises StudioError for one that failed, with what it said.

    `models` lend it their room meanwhile: that of its weights, all of it where `weight_bytes` is 0.
    """
    with models.lent(weight_bytes, say=ticket.say) if models is not None else nullcontext():
        return _run(ticket, command, grace_s)


def _run(ticket: JobTicket, command: Sequence[str], grace_s: float) -> str:
    process = subprocess.Popen(
        [sys.executable, "-m", "backend.jobs.child", str(os.getpid()), command[0], "--json", *command[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is the owner's, and what the command starts ends with it
    )
    assert process.stdout is not None and process.stderr is not None, "both are pipes"
    ticket.say(f"process {process.pid}: studio-backend {' '.join(command)}")
    said, told = _Said(process.stderr, ticket), _Told(process.stdout)
    _wait(process.pid, ticket, grace_s)
    code = process.wait()
    return _outcome(command[0], code, told.document(), said.tail(), stopped=ticket.cancelled.is_set())


def _wait(pid: int, ticket: JobTicket, grace_s: float) -> None:
    """Until a command has ended; it stays a zombie, so that its process group is nobody else's when that is ended too."""
    asked, deadline_s = False, math.inf
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if ticket.cancelled.is_set() and not asked:
            asked, deadline_s = True, time.monotonic() + grace_s
            os.kill(pid, signal.SIGTERM)
        if time.monotonic() > deadline_s:
            ticket.say(f"it has not ended within {grace_s:g} s and is killed")
            break
        time.sleep(LOOK_S)
    with suppress(PermissionError):  # what macOS says where nothing but the zombie is left
        os.killpg(pid, signal.SIGKILL)


class _Said:
    """Reads a command's stderr: progress is reported, anything else logged."""

    def __init__(self, stream: IO[bytes], ticket: JobTicket) -> None:
        self._stream, self._ticket = stream, ticket
        self._stage = ""
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._thread = threading.Thread(target=self._read, name="what a command says", daemon=True)
        self._thread.start()

    def tail(self) -> str:
        """Its last lines, once it has ended."""
        self._thread.join()
        return "\n".join(self._tail)

    def _read(self) -> None:
        with self._stream:
            while line := self._stream.readline(LINE_BYTES):
                text = line.decode("utf-8", "replace").rstrip().rpartition("\r")[2]  # of a bar, how it ended
                if text and not self._is_progress(text):
                    self._tail.append(text)
                    self._ticket.say(text)

    def _is_progress(self, text: str) -> bool:
        if not text.startswith("{"):
            return False
        with suppress(ValueError, KeyError, TypeError):
            found = json.loads(text)
            stage, done, total = str(found["stage"]), int(found["done"]), int(found["total"])
            if stage != self._stage:
                self._stage = stage
                self._ticket.say(f"{stage}: {total} to do")
            self._ticket.report(stage, done, total)
            return True
        return False


class _Told:
    """Reads a command's stdout: one JSON document."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._bytes = stream, b""
        self._thread = threading.Thread(target=self._read, name="what a command tells", daemon=True)
        self._thread.start()

    def document(self) -> dict[str, Any]:
        """What it told, once it has ended; empty where that is no object."""
        self._thread.join()
        with suppress(ValueError):
            found = json.loads(self._bytes)
            return found if isinstance(found, dict) else {}
        return {}

    def _read(self) -> None:
        with self._stream:
            self._bytes = self._stream.read()


def _outcome(name: str, code: int, document: dict[str, Any], tail: str, *, stopped: bool) -> str:
    """What a command did. Raises StudioError where it failed."""
    text = str(document.get("text", ""))
    if stopped:
        return text or "stopped"
    if "error" in document:
        error = StudioError(str(document["error"]["message"]))
        error.kind = str(document["error"]["kind"])
        raise error
    if code == 0 or (code == 1 and text):  # 1: some items failed, the rest is done
        return text or "done"
    raise StudioError(f"{name} {death_of(code)}; its log has all that it said, the last is:\n{tail}")
