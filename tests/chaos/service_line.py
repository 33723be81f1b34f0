"""Studio's way to a service that is killed, stopped or cut off: the outbox and its sender are the product's own."""

import contextlib
import os
import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from backend.client import ServicePlace
from backend.client.remote import RemoteApi
from backend.domain import Receipt, ServiceError
from backend.store.journal_reader import JournalReader
from studio.outbox import Outbox, Said
from studio.sync import VoteSync
from tests.chaos import killed_work
from tests.chaos.killing import begin

PATIENCE_S = 120.0
FAULTS = ("none", "none", "before", "after", "half")
"""What happens to a request on its way: cut before the service has it, after it was carried out, or in the middle of its answer."""
SLOW_FAULTS = (*FAULTS, "late", "twice", "again")
"""`late`: held back; `twice`: passed on a second time over another connection at once; `again`: cut off and passed on later, after those that came meanwhile."""


class Service:
    """A process that serves a project; killed and started again as often as wanted."""

    def __init__(self, project: Path, work: Callable[..., None] = killed_work.serve) -> None:
        self.project, self._work = project, work
        self.process = self._start()

    def _start(self) -> BaseProcess:
        process, pipe = begin(self._work, self.project, folder=self.project)
        assert pipe.poll(PATIENCE_S), "the service did not start"
        assert pipe.recv() == "serving"
        return process

    def send(self, number: signal.Signals) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        self.process.kill()
        self.process.join(10)

    def restart(self) -> None:
        self.kill()
        self.process = self._start()


class Proxy:
    """A Unix socket before the service's: passes requests on, one after another, or cuts them off as `draw` says."""

    def __init__(self, path: Path, behind: Path, draw: Callable[[], str], *, late_s: float = 0.0) -> None:
        self.path, self._behind, self._draw, self._late_s = path, behind, draw, late_s
        self.faults: Counter[str] = Counter()
        self._repeating: list[threading.Thread] = []
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(str(path))
        self._listening.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def arrived(self) -> None:
        """Waits until what was held back or doubled has reached the service."""
        for one in self._repeating:
            one.join(PATIENCE_S)
            assert not one.is_alive(), "a doubled request is not answered"

    def _repeat(self, request: bytes, *, after_s: float) -> None:
        """Passes a request on over a connection of its own; nobody reads its answer."""

        def send() -> None:
            time.sleep(after_s)
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as service, contextlib.suppress(OSError):
                service.connect(str(self._behind))
                service.sendall(request)
                _message(service)

        self._repeating.append(threading.Thread(target=send, daemon=True))
        self._repeating[-1].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._pass_all, args=(client,), daemon=True).start()

    def _pass_all(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as service, contextlib.suppress(OSError):
            service.connect(str(self._behind))
            while request := _message(client):
                fault = self._draw()
                self.faults[fault] += 1
                if fault in ("late", "again", "twice"):
                    time.sleep(self._late_s if fault == "late" else 0)
                    for _ in range(fault != "late"):
                        self._repeat(request, after_s=0 if fault == "twice" else 3 * self._late_s)
                if fault in ("before", "again"):
                    return
                service.sendall(request)
                answer = _message(service)
                if fault == "half":
                    client.sendall(answer[: len(answer) // 2])
                if fault in ("after", "half") or not answer:
                    return
                client.sendall(answer)


def _message(source: socket.socket) -> bytes:
    """A request or an answer whole, by its Content-Length; b"" at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = source.recv(1 << 16)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while len(body) < int(lengths[0]):
        piece = source.recv(1 << 16)
        if not piece:
            return b""
        body += piece
    return head + b"\r\n\r\n" + body


class Reach:
    """`submit_votes` of whatever serves the project now, as Studio's link does it: a lost connection is made anew."""

    def __init__(self, project: Path, *, through: Path | None = None) -> None:
        self._project, self._through = project, through
        self._api: RemoteApi | None = None

    def __call__(self, said: tuple[Said, ...]) -> tuple[Receipt, ...]:
        try:
            if self._api is None:
                place = ServicePlace(self._project)
                place.socket = self._through or place.socket
                self._api = RemoteApi(place)
            return self._api.submit_votes(votes=said)  # type: ignore[attr-defined]
        except ServiceError:
            self.close()
            raise

    def close(self) -> None:
        if self._api is not None:
            self._api.close()
            self._api = None


@dataclass
class Line:
    """A sender, and what it has stored in its outbox."""

    sync: VoteSync
    saved: list[Said]


@contextlib.contextmanager
def sending(outbox: Outbox, submit: Callable[[tuple[Any, ...]], tuple[Receipt, ...]]) -> Iterator[Line]:
    """Studio's sender over an outbox, at work while the block runs."""

    def ignore(*_: object) -> None:
        """The outbox tells more."""

    saved: list[Said] = []
    sync = VoteSync(
        outbox=outbox,
        submit=submit,
        saved=saved.append,
        not_saved=ignore,
        sent=ignore,
        refused=ignore,
        state=ignore,
        first_wait_s=0.002,
    )
    sync.start()
    try:
        yield Line(sync, saved)
    finally:
        sync.close()


def wait_until(claim: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not claim():
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE_S:.0f} s"
        time.sleep(0.01)


def drawn(seed: int, faults: Sequence[str] = FAULTS) -> Callable[[], str]:
    chance = random.Random(seed)
    return lambda: chance.choice(faults)


def stored_times(project: Path, study_id: str) -> Counter[tuple[str, int]]:
    """How often each vote stands in the journal, by trial and revision."""
    with JournalReader(project / "journal.sqlite") as journal:
        assert journal.verify_chain().problems == ()
        found = [event.body for event in journal.stream() if event.kind == "vote"]
    return Counter((vote["trial_id"], vote["rev"]) for vote in found if vote["study_id"] == study_id)
