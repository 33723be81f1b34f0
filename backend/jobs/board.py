"""The owner's jobs: one at a time in each lane, followed by anybody, cancelled by anybody, journalled from asking to end."""

import contextlib
import logging
import threading
import traceback
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backend.api import Progress
from backend.domain import ProjectError, StudioError
from backend.domain.jobs import JobLog
from backend.engine.context import load
from backend.jobs import JOBS, LANES, WHOLE
from backend.jobs.free_space import shortage
from backend.jobs.job_log import JobLogFile, make_room, read_log
from backend.store.job_events import ended_event, submitted_event
from backend.store.journal import Journal

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JobTicket:
    """What a running job holds: where to report, whether to stop, and where to say what belongs into its log."""

    report: Callable[[str, int, int], None]
    """`report(stage, done, total)`."""
    cancelled: threading.Event
    say: Callable[[str], None] = lambda text: None


@dataclass(slots=True)
class _Job:
    progress: Progress
    log: JobLogFile
    cancelled: threading.Event = field(default_factory=threading.Event)
    end_if_stopped: str = "cancelled"
    thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        return self.thread is not None and self.thread.is_alive()


class JobBoard:
    """Runs jobs in threads, one a lane: an owner has one set of workers, and one machine to train on.

    `logs` is the folder of the logs, one folder a job.
    """

    def __init__(self, journal: Journal, logs: Path) -> None:
        self._journal = journal
        self._logs = logs
        self._lock = threading.Lock()
        self._jobs: dict[str, _Job] = {}
        self._stopping = False

    def submit(
        self,
        kind: str,
        *,
        actor: str,
        asked: Mapping[str, str],
        out: str = "",
        about: Mapping[str, Any] | None = None,
        remarks: Sequence[str] = (),
        joins: bool = False,
        **arguments: Any,
    ) -> Progress:
        """Starts a job of a kind in JOBS. With `joins` it gives the one that runs in its lane, if any.

        `asked`, `out` and `about` are journalled, `remarks` are the log's first lines. Raises ProjectError while the lane is
        taken, and while the disk has little room.
        """
        with self._lock:
            running = self._running(kind)
            if running is not None and joins:
                return running.progress
            self._refuse_beside(running, kind)
            if short := shortage(self._logs.parent):
                raise ProjectError(f"{kind} is not started: {short}. Votes are taken as before")
            job_id = uuid.uuid4().hex
            job = _Job(Progress(job_id=job_id, kind=kind, state="running"), JobLogFile(self._logs / job_id))
            self._journal.append([submitted_event(job_id, kind, actor=actor, asked=asked, out=out, about=about or {})])
            self._jobs[job_id] = job
            job.log.say("\n".join([f"{kind}, asked for by {actor}", *(f"  {k} = {v}" for k, v in asked.items()), *remarks]))
            self._make_room()
            job.thread = threading.Thread(target=self._run, args=(job, kind, arguments), name=kind, daemon=True)
            job.thread.start()
            return job.progress

    def require_free(self, kind: str) -> None:
        """Raises ProjectError while a job runs in the lane of a kind."""
        with self._lock:
            self._refuse_beside(self._running(kind), kind)

    def is_busy(self, kind: str) -> bool:
        """Whether a job runs in the lane of a kind."""
        with self._lock:
            return self._running(kind) is not None

    def progress(self, job_id: str) -> Progress:
        """Raises ProjectError for a job that this owner does not run."""
        if job_id not in self._jobs:
            raise ProjectError(
                f"job {job_id[:80]} is not run here; it was another owner's, or never was: `studio-backend jobs list` says"
            )
        return self._jobs[job_id].progress

    def known(self) -> dict[str, Progress]:
        """The jobs that this owner has run, by id."""
        return {job_id: job.progress for job_id, job in tuple(self._jobs.items())}

    def read_log(self, job_id: str, *, after: int, limit: int) -> JobLog:
        """Lines of a job's log, also of an earlier owner's; none where no log is kept."""
        return read_log(self._logs / job_id, after=after, limit=limit)

    def cancel(self, job_id: str) -> Progress:
        """Asks a job to stop; what is done stays done. Raises ProjectError for one of a kind that is done whole."""
        self.progress(job_id)
        job = self._jobs[job_id]
        if job.is_running and job.progress.kind in WHOLE:
            raise ProjectError(
                f"{job.progress.kind} is done whole or not at all; wait for its end, then delete what it wrote"
            )
        if job.is_running and not job.cancelled.is_set():
            job.log.say("asked to stop")
            job.cancelled.set()
        return self.progress(job_id)

    def stop(self) -> None:
        """Stops every job and waits for their ends, which are journalled as `interrupted`."""
        with self._lock:
            self._stopping = True
            running = [job for job in self._jobs.values() if job.is_running]
        for job in running:
            if not job.cancelled.is_set():
                job.end_if_stopped = "interrupted"
                job.cancelled.set()
        for job in running:
            assert job.thread is not None, "a job that runs has a thread"
            job.thread.join()

    def _make_room(self) -> None:
        spared = {job_id for job_id, job in self._jobs.items() if job.is_running}
        with contextlib.suppress(OSError):  # a log too many does no harm
            make_room(self._logs, spared=spared)

    def _running(self, kind: str) -> _Job | None:
        lane = LANES[kind]
        return next((job for job in self._jobs.values() if LANES[job.progress.kind] == lane and job.is_running), None)

    def _refuse_beside(self, running: _Job | None, kind: str) -> None:
        if self._stopping:
            raise ProjectError(f"the project is being closed; start {kind} when it is open again")
        if running is not None:
            raise ProjectError(
                f"{running.progress.kind} is running in this project; start {kind} when it has ended, or cancel it"
            )

    def _run(self, job: _Job, kind: str, arguments: dict[str, Any]) -> None:
        def report(stage: str, done: int, total: int) -> None:
            job.progress = replace(job.progress, stage=stage, done=done, total=total)

        try:
            message = load(JOBS[kind])(JobTicket(report, job.cancelled, job.log.say), **arguments)
            state = job.end_if_stopped if job.cancelled.is_set() and kind not in WHOLE else "done"
        except StudioError as error:
            state, message = "failed", str(error)
        except Exception:
            log.exception("job %s broke", job.progress.job_id)
            state, message = "failed", traceback.format_exc(limit=-3)
        job.log.say(f"{state}: {message}")
        found = job.progress
        try:
            self._journal.append(
                [
                    ended_event(
                        found.job_id,
                        state=state,
                        message=message,
                        stage=found.stage,
                        done=found.done,
                        total=found.total,
                    )
                ]
            )
        except StudioError as error:
            state, message = "failed", f"{message}; its end could not be journalled: {error}"
        job.progress = replace(found, state=state, message=message)
