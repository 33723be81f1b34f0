"""The process that holds models: it answers calls that come over a socket, one micro-batch after another.

One thread runs the models; one a client reads what it sends; one watches. What cannot be stopped at a border ends with
the process itself: the owner starts another, and clients ask it again.
"""

import contextlib
import os
import pickle
import queue
import secrets
import signal
import socket
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from backend.domain import ModelUnavailable
from backend.domain.errors import ModelFailed
from backend.engine.children import become_child
from backend.engine.context import load
from backend.engine.patience import Patience
from backend.jobs.model_ladder import Ended, Ladder, Raised, raised_or
from backend.jobs.model_queue import ModelQueue, Waiting
from backend.models.borders import Interrupted, border, make_borders, watched
from backend.models.call_wire import Alive, Answer, Ask, BoundModel, CallWire, Cancel, Fault, Frames, Hello, Read, portable
from backend.models.devices import is_device_lost, total_memory
from backend.models.places import ModelPlace, place_of
from backend.models.remote_role import plain_attributes
from backend.models.residency import ModelKey, Residency

BEAT_S = 1.0
WATCH_S = 0.1
DEATHS = 2  # of a call before it fails: one death may be another's doing
GPU_SHARE = 0.8  # of a GPU's memory for models; the rest is for what they compute (research: 20 % reserve)
CPU_SHARE = 0.5  # of the machine's memory


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelWorkerSettings:
    """How a model worker works; travels to it by pickling."""

    device: str = "cpu"
    or_cpu: bool = True
    """Whether the CPU will do where torch knows no such device."""
    budget_bytes: int = 0
    """What models may take together; 0 for a share of the device's memory."""
    cpu_allowed: bool = False
    """Whether a model that finds no memory on a GPU goes on on the CPU: slower, and other in the last bits."""
    call_s: float = 120.0
    """From one border to the next, of each thread's processor time, or by the wall's clock while next to none is used: a
    call that takes longer is taken for hung. One that waits for a GPU uses it, since CUDA asks over and over."""
    load_s: float = 900.0
    """To load a model, counted as a call: 15 GB from a slow disk take minutes."""
    grace_s: float = 5.0
    """From a call's cancelling to the worker's end, where the call reaches no border."""
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Suspect:
    """A call that was worked on when a worker died."""

    deaths: int
    message: str
    kind: str


def serve_models(
    control: socket.socket,
    listening: socket.socket,
    settings: ModelWorkerSettings,
    suspects: Mapping[str, Suspect],
    token: str,
    stderr: str,
    owner: int,
) -> None:
    """A worker's life, until the control socket closes or the owner dies."""
    become_child(owner, stderr)
    ModelWorker(CallWire(control), settings, suspects).run(listening, token)


@dataclass(slots=True)
class _Current:
    """What is being worked on."""

    calls: Sequence[Waiting]
    patience: Patience | None = None
    """Since the last border; made by the thread that watches, whose own processor time does not count."""
    borders: int = 0
    loading: bool = False
    reading: bool = False


class ModelWorker:
    """Takes calls from connections, and tells the owner over `control` what it does."""

    def __init__(self, control: CallWire, settings: ModelWorkerSettings, suspects: Mapping[str, Suspect]) -> None:
        self._control = control
        self._control_lock = threading.Lock()
        self._settings = settings
        self._suspects = suspects
        self._queue = ModelQueue()
        self._current: _Current | None = None
        self._callers: set[_Caller] = set()
        self._device = ""
        self._ladder: Ladder | None = None
        self._budget_bytes = 0
        self._lent_bytes = 0
        self._lending = threading.Lock()
        self._rows: list[tuple[str, list[str], str, int, bool, int]] = []

    def run(self, listening: socket.socket, token: str) -> None:
        for target, args in ((self._accept, (listening, token)), (self._watch, ()), (self._obey, ())):
            threading.Thread(target=target, args=args, daemon=True).start()
        self.tell("ready")
        while group := self._queue.take():
            self._work(group)

    def tell(self, kind: str, *facts: Any) -> None:
        """A message to the owner."""
        with self._control_lock:
            self._control.send((kind, *facts))

    def take(self, ask: Ask, caller: "_Caller") -> None:
        """Puts a call into the queue, or refuses one that has killed too often."""
        suspect = self._suspects.get(ask.id)
        if suspect is not None and suspect.deaths >= DEATHS:
            caller.reply(Fault(ask.id, ModelFailed(suspect.message, kind=suspect.kind)))
            return
        self._queue.put(Waiting(ask, caller.reply, alone=suspect is not None))

    def cancel(self, call_id: str) -> None:
        """Takes a waiting call out, or has a running one stop at its next border."""
        waiting = self._queue.remove(call_id)
        if waiting is not None:
            waiting.reply(Fault(call_id, None))
            return
        current = self._current
        for call in current.calls if current is not None else ():
            if call.ask.id == call_id and call.cancelled_s is None:
                call.cancelled_s = time.monotonic()

    def forget(self, caller: "_Caller") -> None:
        self._callers.discard(caller)

    def reading(self, asks: bool) -> None:
        """Told when a model waits for a client's frames, which is no fault of its own."""
        border()
        if self._current is not None:
            self._current.reading = asks

    def _work(self, group: Sequence[Waiting]) -> None:
        first = group[0].ask
        what = f"{first.model.role}.{first.method}" if first.method else f"loading {first.model.role}"
        self._current = _Current(group)
        self.tell("began", [call.ask.id for call in group], what, _class_name(first.model))
        lost = False
        try:
            with watched(self._at_border):
                ended = raised_or(lambda: self._answered(group))
        except Interrupted:
            ended = [None] * len(group)
        if isinstance(ended, Raised):
            ended = [ended] * len(group)
        self._current = None
        for call, one in zip(group, ended, strict=True):
            lost |= isinstance(one, Raised) and is_device_lost(one.error)
            call.reply(_reply(call, one))
        self.tell("ended")
        self._rows = self._resident_rows()
        if lost:
            self._die("device lost", group)

    def _answered(self, group: Sequence[Waiting]) -> list[Ended]:
        ladder = self._ready_ladder()
        model = group[0].ask.model
        key = ModelKey(model.implementation, model.location, self._device, model.dtype)
        if group[0].ask.method:
            return ladder(key, group)
        with ladder.residency.pinned(key, model.role) as resident:
            return [plain_attributes(resident.model)] * len(group)

    def _ready_ladder(self) -> Ladder:
        """Made at the first call, since finding a GPU takes torch."""
        if self._ladder is None:
            self._device = self._found_device()
            share = CPU_SHARE if self._device == "cpu" else GPU_SHARE
            budget = self._settings.budget_bytes or int(share * total_memory(self._device))
            self._budget_bytes = budget
            residency = Residency(budget, make=_make, expected=_expected, say=self._say)
            self._ladder = Ladder(residency=residency, cpu_allowed=self._settings.cpu_allowed, say=self._say)
            with self._lending:
                residency.lend(self._lent_bytes)
        return self._ladder

    def _found_device(self) -> str:
        wanted = self._settings.device
        if wanted == "cpu" or not self._settings.or_cpu:
            return wanted
        import torch

        return wanted if torch.cuda.is_available() else "cpu"

    def _say(self, kind: str, text: str) -> None:
        current = self._current  # which may end meanwhile, where room is made beside it
        if current is not None:
            current.loading = kind == "loading"
            current.patience = None
        self.tell("event", kind, text)
        if kind in ("loaded", "evicted"):
            self._rows = self._resident_rows()
            self.tell("residents", self._rows, self._budget_bytes)

    def _resident_rows(self) -> list[tuple[str, list[str], str, int, bool, int]]:
        """Of the thread that runs the models, or of one that makes room: they may wait for the residency's lock."""
        return [
            (one.key.implementation, sorted(one.roles), one.key.device, one.num_bytes, one.pins > 0, one.uses)
            for one in (self._ladder.residency.residents() if self._ladder is not None else ())
        ]

    def _at_border(self) -> None:
        current = self._current
        assert current is not None, "borders are passed while something is worked on"
        current.patience = None
        current.borders += 1
        if all(call.cancelled_s is not None for call in current.calls):
            raise Interrupted

    def _accept(self, listening: socket.socket, token: str) -> None:
        while True:
            connection, _ = listening.accept()
            caller = _Caller(connection, self)
            self._callers.add(caller)
            threading.Thread(target=caller.listen, args=(token,), daemon=True).start()

    def _obey(self) -> None:
        """The owner says how many bytes are lent. Once it closes the socket, what is under way is not waited for."""
        with contextlib.suppress(EOFError):
            while True:
                self._lent_bytes = self._control.receive()
                threading.Thread(target=self._make_room, daemon=True).start()
        os._exit(0)

    def _make_room(self) -> None:
        """Of a thread of its own, since it waits while a model is loaded.

        One at a time, each with what is lent then: of two that wait, the later must not bring back a loan that has ended.
        """
        with self._lending:
            lent, freed, held = self._lent_bytes, 0, 0
            if self._ladder is not None:
                freed, held = self._ladder.residency.lend(lent), self._ladder.residency.num_bytes
            self.tell("room", lent, freed, held)

    def _watch(self) -> None:
        beaten = 0.0
        while True:
            time.sleep(WATCH_S)
            current, now = self._current, time.monotonic()
            if current is not None:
                self._watch_current(current, now)
            if now - beaten > BEAT_S:
                beaten = now
                borders = current.borders if current is not None else 0
                self.tell("beat", len(self._queue), borders, len(self._callers))
                self.tell("residents", self._rows, self._budget_bytes)
                for caller in list(self._callers):
                    caller.comfort()

    def _watch_current(self, current: _Current, now: float) -> None:
        running = [call for call in current.calls if call.running] or list(current.calls)
        unwanted = [call.cancelled_s for call in running if call.cancelled_s is not None]
        if len(unwanted) == len(running) and now - max(unwanted) > self._settings.grace_s:
            self._die("cancelled", running)
        elif not current.reading and (fault := self._fault(current)):
            self._die("hung", running, fault)

    def _fault(self, current: _Current) -> str | None:
        patience = current.patience
        if patience is None:
            threads = self._settings.threads
            patience = Patience(worked_s=lambda: _others_cpu_s() / threads, moved_s=_others_cpu_s)
            current.patience = patience
        return patience.fault(self._settings.load_s if current.loading else self._settings.call_s)

    def _die(self, cause: str, calls: Sequence[Waiting], fault: str = "") -> None:
        """`fault` says of a hung call how long it took."""
        self.tell("dying", cause, [call.ask.id for call in calls], fault)
        os.kill(os.getpid(), signal.SIGKILL)


class _Caller:
    """A client's connection."""

    def __init__(self, connection: socket.socket, worker: ModelWorker) -> None:
        self._wire = CallWire(connection, ask_back=self._ask_back)
        self._worker = worker
        self._lock = threading.Lock()
        self._frames: queue.SimpleQueue[Frames | None] = queue.SimpleQueue()
        self._open: set[str] = set()

    def listen(self, token: str) -> None:
        try:
            hello = self._wire.receive()
            if not isinstance(hello, Hello) or not secrets.compare_digest(hello.token, token):
                return
            while True:
                match self._wire.receive():
                    case Ask() as ask:
                        self._open.add(ask.id)
                        self._worker.take(ask, self)
                    case Cancel(id=call_id):
                        self._worker.cancel(call_id)
                    case Frames() as frames:
                        self._frames.put(frames)
        except (EOFError, ConnectionError, pickle.UnpicklingError):
            return
        finally:
            self._worker.forget(self)
            self._frames.put(None)
            for call_id in list(self._open):
                self._worker.cancel(call_id)
            self._wire.close()

    def reply(self, message: Answer | Fault) -> None:
        """Sends what a call came to; nothing when the client has gone."""
        self._open.discard(message.id)
        with self._lock:
            try:
                self._wire.send(message)
            except (TypeError, AttributeError, pickle.PicklingError) as error:
                self._wire.send(Fault(message.id, RuntimeError(f"the answer cannot be sent: {error}")))
            except OSError:
                return

    def comfort(self) -> None:
        """Tells a client that waits that its call is not forgotten."""
        if self._open and self._lock.acquire(blocking=False):
            try:
                self._wire.send(Alive())
            except OSError:
                return
            finally:
                self._lock.release()

    def _ask_back(self, asked: Read) -> Any:
        """Frames of a reader at the client, for the thread that runs the models."""
        self._worker.reading(True)
        try:
            with self._lock:
                self._wire.send(asked)
        except OSError:
            raise Interrupted from None
        frames = self._frames.get()
        if frames is None:
            self._frames.put(None)
            raise Interrupted
        self._worker.reading(False)
        if frames.error is not None:
            raise frames.error
        return frames.value


def _others_cpu_s() -> float:
    """Of this process without the thread that asks."""
    return time.process_time() - time.thread_time()


def _make(key: ModelKey, role: str) -> object:
    implementation = cast(Any, load(key.implementation))
    place = place_of(role, implementation, {role: key.location})
    if place is None:
        raise ModelUnavailable(f"{role}: {key.implementation} has no weights; it is not asked here")
    model = implementation(place, device=key.device, dtype=key.dtype)
    make_borders(model)
    return model


def _expected(key: ModelKey) -> int:
    return ModelPlace("", key.location).weight_bytes()


def _reply(call: Waiting, ended: Ended) -> Answer | Fault:
    if call.cancelled_s is not None:
        return Fault(call.ask.id, None)
    if isinstance(ended, Raised):
        told = portable(ended.error)
        told.add_note("".join(traceback.format_tb(ended.error.__traceback__)[-1:]).strip() or "in the model worker")
        return Fault(call.ask.id, told)
    return Answer(call.ask.id, ended)


def _class_name(model: BoundModel) -> str:
    return model.implementation.partition(":")[2]
