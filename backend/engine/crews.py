"""Who works: `Inline` in the owner itself, `Process` in spawned workers fed by the owner; `ray_crew.Ray` on a cluster.

A crew takes batches and gives outcomes as they finish, in any order. A worker that dies or hangs takes only its
current batch with it: the batch is bisected until the culprit is alone, and the culprit fails after its second death
with the signal and the end of its stderr.
"""

import contextlib
import logging
import multiprocessing
import os
import queue
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Event
from typing import Protocol

from backend.domain import Failed
from backend.engine.chain import Feed
from backend.engine.children import Threads, become_child, death_of
from backend.engine.context import WorkContext, WorkerSettings
from backend.engine.crew_folder import CrewFolder
from backend.engine.patience import Patience
from backend.engine.work import Batch, Outcome, work_on
from backend.models.borders import Interrupted, border, watched

log = logging.getLogger(__name__)

IN_FLIGHT = 2  # batches at a worker: one worked on, one waiting, so that it never idles while the owner commits
DEATHS = 2  # of a single item before it fails
SECONDS_PER_ITEM = 120.0  # as `Patience` counts them; a batch that takes longer is taken for hung
START_S = 60.0  # the same, to spawn and import; torch alone takes 3 s
READY = "ready"
CANCEL = "cancel"
SIGN_S = 5.0  # between signs of life of a worker that waits for a model
GRACE_S = 5.0  # between asking a worker to stop and killing it


class Crew(Protocol):
    """Whoever works on batches."""

    def work(self, feed: Feed, cancelled: Event) -> Iterator[tuple[Batch, Outcome]]:
        """Ends when the feed has nothing more and nothing is being worked on, or at most GRACE_S after `cancelled`.

        What is worked on then is given up at its next border (frames that are read, a model that is asked), and is pending.
        """
        ...

    def committed(self) -> None:
        """Told when all that `work` gave so far is in the catalog."""
        ...

    def close(self) -> None: ...


class Inline:
    """Works in the calling thread."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._context = WorkContext(settings)

    def work(self, feed: Feed, cancelled: Event) -> Iterator[tuple[Batch, Outcome]]:
        self._context.cancelled = cancelled
        with contextlib.suppress(Interrupted), watched(_ends_if(cancelled)):
            while not cancelled.is_set() and (batch := feed.take()) is not None:
                yield batch, work_on(batch, self._context)

    def committed(self) -> None:
        """Nothing is kept elsewhere."""

    def close(self) -> None:
        self._context.close()


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    stderr: Path
    patience: Patience
    batches: deque[Batch] = field(default_factory=deque)
    ready: bool = False
    called_off_s: float | None = None

    def begin(self) -> None:
        """Counts anew what its current batch takes."""
        assert self.process.pid is not None, "a started process has a number"
        self.patience = Patience.with_process(self.process.pid)


class Process:
    """Works in `num_workers` spawned processes; decoders and models crash there, not in the owner."""

    def __init__(self, settings: WorkerSettings, *, num_workers: int, seconds_per_item: float = SECONDS_PER_ITEM) -> None:
        self._settings = settings
        self._num_workers = num_workers
        self._seconds_per_item = seconds_per_item
        self._context = multiprocessing.get_context("spawn")
        self._folder = CrewFolder(Path(tempfile.gettempdir()))
        self._workers: list[_Worker] = []
        self._started = 0

    def work(self, feed: Feed, cancelled: Event) -> Iterator[tuple[Batch, Outcome]]:
        again = deque[Batch]()
        deaths: dict[str, int] = {}
        while True:
            while not cancelled.is_set() and (worker := self._free()) is not None:
                batch = again.popleft() if again else feed.take()
                if batch is None:
                    break
                self._give(worker, batch)
            busy = [worker for worker in self._workers if worker.batches]
            if not busy:
                return
            if cancelled.is_set():
                self._call_off(busy)
            wait([w.pipe for w in busy] + [w.process.sentinel for w in busy], timeout=0.5)
            for worker in busy:
                fault = None
                # Asked now, not before: whoever takes an outcome may have been long about it.
                if worker.pipe.poll() and (outcome := self._receive(worker)) is not None:
                    worker.begin()
                    if isinstance(outcome, Outcome):
                        yield worker.batches.popleft(), outcome
                    worker.ready = True
                elif not worker.process.is_alive() or (fault := self._fault(worker)) or _stays(worker):
                    yield from self._bury(worker, again, deaths, fault)

    def committed(self) -> None:
        """Nothing is kept elsewhere."""

    def close(self) -> None:
        """Asks workers to stop, waits up to GRACE_S, then kills."""
        for worker in self._workers:
            worker.pipe.close()
        for worker in self._workers:
            worker.process.join(GRACE_S if not worker.batches else 0.1)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._workers.clear()
        self._folder.close()

    def _free(self) -> _Worker | None:
        if len(self._workers) < self._num_workers and all(worker.batches for worker in self._workers):
            self._workers.append(self._hire())
        free = min(self._workers, key=lambda worker: len(worker.batches))
        return free if len(free.batches) < IN_FLIGHT else None

    def _hire(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        self._started += 1
        stderr = self._folder.path / f"worker-{self._started}.stderr"
        process = self._context.Process(target=_serve, args=(theirs, self._settings, str(stderr), os.getpid()), daemon=True)
        with Threads():
            process.start()
        theirs.close()
        assert process.pid is not None, "a started process has a number"
        return _Worker(process, ours, stderr, Patience.with_process(process.pid))

    def _give(self, worker: _Worker, batch: Batch) -> None:
        if not worker.batches:
            worker.begin()
        worker.batches.append(batch)
        try:
            worker.pipe.send(batch)
        except (BrokenPipeError, ConnectionResetError):
            log.debug("worker %s died before it took a batch", worker.process.pid)

    def _call_off(self, busy: list[_Worker]) -> None:
        """Has workers give up what they do at its next border."""
        for worker in busy:
            if worker.called_off_s is None:
                worker.called_off_s = time.monotonic()
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    worker.pipe.send(CANCEL)

    def _receive(self, worker: _Worker) -> Outcome | str | None:
        try:
            return worker.pipe.recv()
        except (EOFError, ConnectionResetError):
            return None

    def _fault(self, worker: _Worker) -> str | None:
        limit = self._seconds_per_item * len(worker.batches[0].items) if worker.ready else START_S
        return worker.patience.fault(limit)

    def _bury(
        self, worker: _Worker, again: deque[Batch], deaths: dict[str, int], fault: str | None
    ) -> Iterator[tuple[Batch, Outcome]]:
        """Replaces a dead or hung worker; its current batch is bisected or, alone for the second time, fails.

        `fault` says how long a hung one took.
        """
        if worker.process.is_alive():
            worker.process.kill()
        worker.process.join()
        worker.pipe.close()
        self._workers.remove(worker)
        suspect, *waiting = worker.batches
        culprit = suspect.items[0].id
        again.extend(waiting)
        if worker.called_off_s is not None:  # it went because it was told to
            again.append(suspect)
            return
        if len(suspect.items) > 1:
            again.extend(suspect.halves())
            return
        key = suspect.work_keys[0]
        deaths[key] = deaths.get(key, 0) + 1
        if deaths[key] < DEATHS:
            again.append(suspect)
            return
        kind = "timeout" if fault else "crash"
        how = fault or death_of(worker.process.exitcode)
        tail = worker.stderr.read_text(errors="replace")[-500:].strip() if worker.stderr.exists() else ""
        mend = "; try it again with --retry-failed" if fault else ""
        message = f"{suspect.stage.name} {how}, twice{mend}" + (f"; stderr: {tail}" if tail else "")
        yield suspect, Outcome(notes=(Failed(culprit, kind, message),), tables={}, seconds=0.0)


def _stays(worker: _Worker) -> bool:
    """Whether a worker came to no border since it was called off."""
    return worker.called_off_s is not None and time.monotonic() - worker.called_off_s > GRACE_S


def _ends_if(cancelled: Event) -> Callable[[], None]:
    def look() -> None:
        if cancelled.is_set():
            raise Interrupted

    return look


def _serve(pipe: Connection, settings: WorkerSettings, stderr: str, owner: int) -> None:
    """A worker's life: batches in, outcomes out, until the pipe closes or the owner dies."""
    become_child(owner, stderr)
    cancelled = Event()
    context = WorkContext(settings, cancelled=cancelled, alive=_Sign(pipe))
    batches: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
    threading.Thread(target=_take, args=(pipe, batches, cancelled), daemon=True).start()
    pipe.send(READY)
    # Interrupted, the batch is not done, and its owner wants no more of it
    with contextlib.suppress(Interrupted), watched(_ends_if(cancelled)):
        while (batch := batches.get()) is not None:
            border()
            pipe.send(work_on(batch, context))


def _take(pipe: Connection, batches: "queue.SimpleQueue[Batch | None]", cancelled: Event) -> None:
    """Empties the pipe at once: an owner that sends a large batch must not wait while this worker sends a large outcome."""
    while True:
        try:
            given = pipe.recv()
        except (EOFError, ConnectionResetError):
            batches.put(None)
            return
        if given == CANCEL:
            cancelled.set()
        else:
            batches.put(given)


class _Sign:
    """Tells the owner that a batch is not hung but waits for a model or a holding, at most every so often; any thread may."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._last = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            if time.monotonic() - self._last > SIGN_S:
                self._last = time.monotonic()
                self._pipe.send(READY)
