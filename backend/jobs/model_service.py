"""The owner's model workers: one a GPU, or one on the CPU, started when somebody calls and again when one dies."""

import contextlib
import itertools
import logging
import multiprocessing
import os
import pickle
import secrets
import select
import socket
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from backend.domain.model_work import ModelEvent, ModelWorkerRow, ResidentModel
from backend.engine.children import Threads, death_of
from backend.engine.context import WorkerSettings, has_weights
from backend.engine.crew_folder import PREFIX, CrewFolder
from backend.engine.patience import Patience
from backend.jobs.model_worker import DEATHS, ModelWorkerSettings, Suspect, serve_models
from backend.models.call_wire import CallWire
from backend.models.devices import num_gpus
from backend.models.remote_role import BULK, ModelAddress
from backend.sockets import SHORT, is_short_enough

log = logging.getLogger(__name__)

SILENT_S = 30.0  # without a beat, as its patience counts: not even the thread that watches runs any more
FALSE_STARTS = 3  # workers in a row that die before they are ready; then nobody is started again
STDERR_TAIL = 500
MAX_EVENTS = 1000
MAX_SUSPECTS = 10_000
WAIT_S = 0.5
ROOM_S = 30.0  # to put models out takes no second; while one is being loaded nobody can, and that is not waited for
NO_MODELS = "the project holds no models on the device"
EVERYTHING = 2**62  # bytes: more than any device has
SOCKET_BELOW = f"{PREFIX}12345678/models-99.sock"
"""As long as a worker's socket is named, below the folder of crews."""


@dataclass(slots=True)
class _Worker:
    """One device's worker: the process may come and go, the socket stays."""

    settings: ModelWorkerSettings
    path: Path
    listening: socket.socket
    stderr: Path
    process: BaseProcess | None = None
    control: CallWire | None = None
    state: str = "idle"
    started: int = 0
    false_starts: int = 0
    patience: Patience | None = None
    """Since it last said something."""
    busy_s: float = 0.0
    executing: list[str] = field(default_factory=list)
    what: str = ""
    model: str = ""
    borders: int = 0
    dying: tuple[str, list[str], str] | None = None
    """Why, the calls under way, and what a hung one did for too long."""
    residents: tuple[ResidentModel, ...] = ()
    budget_bytes: int = 0
    waiting: int = 0
    clients: int = 0
    made_room: threading.Event = field(default_factory=threading.Event)
    """Whether it has said what became of the last request for room, in `room`, or has died."""
    room: Sequence[int] = (0, 0)
    """Bytes that were put out, and that stay."""


class ModelService:
    """Holds models with weights for everybody who works for one owner. Nothing is started before the first call.

    `mode` is auto (where a role needs weights, and several workers or a GPU would load them), on or off.
    """

    def __init__(self, settings: ModelWorkerSettings, *, mode: str = "auto", devices: Iterable[str] | None = None) -> None:
        self._settings = settings
        self._mode = mode
        self._devices = devices
        self._lock = threading.Lock()
        self._workers: list[_Worker] = []
        self._suspects: dict[str, Suspect] = {}
        self._events: deque[ModelEvent] = deque(maxlen=MAX_EVENTS)
        self._numbers = itertools.count(1)
        self._thread: threading.Thread | None = None
        self._token = secrets.token_urlsafe(32)
        self._stopped = False
        self._lent_bytes = 0
        self._folder: CrewFolder
        self._wake: Connection
        self._woken: Connection

    def wanted(self, workers: WorkerSettings, roles: Iterable[str], *, num_crew: int) -> bool:
        """Whether a crew of so many that asks these roles is to share models instead of loading them."""
        if self._mode == "off" or not any(has_weights(workers, role) for role in roles):
            return False
        return self._mode == "on" or num_crew > 1 or (workers.device != "cpu" and num_gpus() > 0)

    def address(self, lane: str = BULK) -> ModelAddress:
        """Where to call. Sockets are open from now on; a worker starts when somebody comes."""
        with self._lock:
            if self._thread is None:
                self._open()
            return ModelAddress(tuple(str(worker.path) for worker in self._workers), self._token, lane)

    def rows(self) -> tuple[ModelWorkerRow, ...]:
        """Each worker, with the models that it holds."""
        return tuple(
            ModelWorkerRow(
                device=worker.settings.device,
                state=worker.state,
                budget_bytes=worker.budget_bytes,
                resident=worker.residents,
                running=worker.what,
                running_s=round(time.monotonic() - worker.busy_s, 3) if worker.what else 0.0,
                waiting=worker.waiting,
                clients=worker.clients,
                restarts=max(0, worker.started - 1),
                pid=worker.process.pid or 0 if worker.process is not None else 0,
            )
            for worker in self._workers
        )

    def events(self, *, after: int = 0) -> tuple[ModelEvent, ...]:
        """What happened since the event of that number, oldest first; the last thousand are kept."""
        return tuple(event for event in list(self._events) if event.number > after)

    @contextlib.contextmanager
    def lent(self, num_bytes: int = 0, *, say: Callable[[str], None]) -> Iterator[None]:
        """Leaves bytes of the first device to a process of somebody else's while the block runs; all that models may take for 0.

        `say` is told what became of it. Models that are in use stay; calls are answered on, with less room. One loan at a time.
        """
        say(self._lend(num_bytes or EVERYTHING))
        try:
            yield
        finally:
            self._lend(0)

    def close(self) -> None:
        """Ends the workers with whatever they do."""
        with self._lock:
            if self._thread is None or self._stopped:
                return
            self._stopped = True
            self._wake.send(None)
        self._thread.join()
        self._folder.close()

    def _lend(self, num_bytes: int) -> str:
        """What became of it, for people. A worker that is not there yet is told when it starts."""
        with self._lock:
            self._lent_bytes = num_bytes
            if not self._workers:
                return NO_MODELS
            worker = self._workers[0]
            worker.made_room.clear()  # before its control is looked at: one that dies now says so afterwards
            worker.room = (0, 0)
            control = worker.control
            if control is None:
                return NO_MODELS
            with contextlib.suppress(OSError):  # it has just died, and holds nothing any more
                control.send(num_bytes)
        where = f"models on {worker.settings.device}"
        if num_bytes and not worker.made_room.wait(ROOM_S):
            return f"{where} are being loaded and make room afterwards"
        freed, held = worker.room
        return f"{where} make room: {freed} bytes put out, {held} bytes stay"

    def _open(self) -> None:
        place = Path(tempfile.gettempdir())
        self._folder = CrewFolder(place if is_short_enough(place / SOCKET_BELOW) else SHORT)
        self._wake, self._woken = multiprocessing.Pipe()
        for number, device in enumerate(self._devices if self._devices is not None else _devices(self._settings.device)):
            path = self._folder.path / f"models-{number}.sock"
            listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listening.bind(str(path))
            listening.listen(128)
            settings = replace(self._settings, device=device)
            self._workers.append(_Worker(settings, path, listening, self._folder.path / f"models-{number}.stderr"))
        self._thread = threading.Thread(target=self._supervise, name="models", daemon=True)
        self._thread.start()

    def _supervise(self) -> None:
        """Starts, hears and buries workers. They are children of this thread, which lives as long as the owner."""
        while not self._stopped:
            idle = [worker.listening for worker in self._workers if worker.process is None and worker.state != "failed"]
            controls = [worker.control.socket for worker in self._workers if worker.control is not None]
            sentinels = [worker.process.sentinel for worker in self._workers if worker.process is not None]
            ready = wait([self._woken, *idle, *controls, *sentinels], timeout=WAIT_S)
            for worker in self._workers:
                if worker.process is None:
                    if worker.listening in ready:
                        self._start(worker)
                    continue
                self._hear(worker)
                if not worker.process.is_alive():
                    self._bury(worker)
                elif fault := _silence(worker):
                    worker.dying = worker.dying or ("hung", worker.executing, f"gave no sign of life and {fault}")
                    worker.process.kill()
        for worker in self._workers:
            self._end(worker)

    def _start(self, worker: _Worker) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = socket.socketpair()
        arguments = (
            theirs,
            worker.listening,
            worker.settings,
            dict(self._suspects),
            self._token,
            str(worker.stderr),
            os.getpid(),
        )
        process = context.Process(target=serve_models, args=arguments, daemon=True)
        with Threads(worker.settings.threads):
            process.start()
        theirs.close()
        worker.process, worker.control = process, CallWire(ours)
        worker.state, worker.patience, worker.started = "starting", None, worker.started + 1
        if self._lent_bytes and worker is self._workers[0]:
            worker.control.send(self._lent_bytes)
        self._say(worker, "started", f"worker {worker.started}")

    def _hear(self, worker: _Worker) -> None:
        """Takes what a worker says. One that says nothing more, or what may not be said, is ended."""
        assert worker.process is not None and worker.control is not None, "a worker that runs has a control socket"
        try:
            while select.select([worker.control.socket], [], [], 0)[0]:
                self._note(worker, *worker.control.receive())
        except (EOFError, pickle.UnpicklingError) as error:
            log.debug("models on %s: %s", worker.settings.device, error)
            worker.process.kill()

    def _note(self, worker: _Worker, kind: str, *facts: Any) -> None:
        worker.patience = None
        match kind:
            case "ready":
                worker.state, worker.false_starts = "ready", 0
                self._say(worker, "ready", f"worker {worker.started}")
            case "beat":
                waiting, borders, worker.clients = facts
                if worker.what and borders != worker.borders:
                    self._say(worker, "progress", f"{worker.what}: {borders} passes, {waiting} calls wait")
                worker.waiting, worker.borders = waiting, borders
            case "began":
                worker.executing, worker.what, worker.model = facts
                worker.state, worker.busy_s, worker.borders = "busy", time.monotonic(), 0
            case "ended":
                for call_id in worker.executing:
                    self._suspects.pop(call_id, None)
                worker.executing, worker.what, worker.state = [], "", "ready"
            case "residents":
                rows, worker.budget_bytes = facts
                worker.residents = tuple(_resident(*row) for row in rows)
            case "room":
                lent, *worker.room = facts
                if lent == self._lent_bytes:  # else of a loan that has ended
                    worker.made_room.set()
            case "dying":
                cause, calls, fault = facts
                worker.dying = cause, calls, fault
            case "event":
                self._say(worker, *facts)

    def _bury(self, worker: _Worker) -> None:
        """Notes who may have killed the worker. The next one starts when a client asks again, which is at once."""
        assert worker.process is not None and worker.control is not None, "a worker is buried once"
        worker.process.join()
        self._hear(worker)
        cause, guilty, fault = worker.dying or ("crash", worker.executing, "")
        died = fault or death_of(worker.process.exitcode)
        tail = worker.stderr.read_text(errors="replace")[-STDERR_TAIL:].strip() if worker.stderr.exists() else ""
        self._say(
            worker, cause.replace(" ", "_"), f"{worker.what or 'nothing under way'}: {died}" + (f"; {tail}" if tail else "")
        )
        if cause != "cancelled":
            for call_id in guilty:
                self._suspects[call_id] = self._suspected(
                    worker, call_id, cause, alone=len(guilty) == 1, died=died, tail=tail
                )
        while len(self._suspects) > MAX_SUSPECTS:
            self._suspects.pop(next(iter(self._suspects)))
        if worker.state == "starting":
            worker.false_starts += 1
        worker.control.close()
        worker.process = worker.control = worker.dying = None
        worker.made_room.set()
        worker.executing, worker.what, worker.residents, worker.waiting, worker.clients = [], "", (), 0, 0
        worker.state = "idle"
        if worker.false_starts >= FALSE_STARTS:
            worker.state = "failed"
            self._say(worker, "failed", f"{worker.false_starts} workers died before they were ready: {tail or died}")
            worker.listening.close()

    def _suspected(self, worker: _Worker, call_id: str, cause: str, *, alone: bool, died: str, tail: str) -> Suspect:
        before = self._suspects.get(call_id)
        deaths = (before.deaths if before is not None else 0) + 1
        who = f"{worker.what} ({worker.model})"
        if cause == "hung":
            # Alone it is the culprit, and a second wait would be as long
            return Suspect(DEATHS if alone else deaths, f"{who} {died} on {worker.settings.device}", "timeout")
        said = f"; stderr: {tail}" if tail else ""
        return Suspect(
            deaths, f"{who} killed its worker on {worker.settings.device}, {deaths} times: {died}{said}", "crash"
        )

    def _end(self, worker: _Worker) -> None:
        worker.listening.close()
        worker.made_room.set()
        if worker.process is None or worker.control is None:
            return
        worker.control.close()
        worker.process.join(1.0)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.process = worker.control = None
        worker.state = "idle"

    def _say(self, worker: _Worker, kind: str, text: str) -> None:
        log.info("models on %s: %s %s", worker.settings.device, kind, text)
        self._events.append(
            ModelEvent(number=next(self._numbers), at_s=time.time(), device=worker.settings.device, kind=kind, text=text)
        )


def _silence(worker: _Worker) -> str | None:
    """What a worker did for too long without a word; None while that may still come."""
    if worker.patience is None:
        assert worker.process is not None and worker.process.pid is not None, "a worker that is listened to runs"
        worker.patience = Patience.with_process(worker.process.pid)
    return worker.patience.fault(SILENT_S)


def _devices(device: str) -> list[str]:
    """The devices that get a worker each: every GPU for `auto` and `cuda`, the one that is named otherwise."""
    if device in ("auto", "cuda") and num_gpus() > 0:
        return [f"cuda:{number}" for number in range(num_gpus())]
    return ["cpu"] if device == "auto" else [device]


def _resident(implementation: str, roles: list[str], device: str, num_bytes: int, pinned: bool, uses: int) -> ResidentModel:
    return ResidentModel(
        model=implementation.partition(":")[2],
        roles=tuple(roles),
        device=device,
        num_bytes=num_bytes,
        in_use=pinned,
        uses=uses,
    )
