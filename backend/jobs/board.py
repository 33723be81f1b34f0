"""The owner's jobs: one at a time, followed by anybody, cancelled by anybody, journalled from asking to end."""

import logging
import threading
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from backend.api import Progress
from backend.domain import ProjectError, StudioError
from backend.engine.context import load
from backend.jobs import JOBS
from backend.store.journal import Journal
from backend.store.journal_schema import Event

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JobTicket:
    """What a running job holds: where to report, and whether to stop."""

    report: Callable[[str, int, int], None]
    """`report(stage, done, total)`."""
    cancelled: threading.Event


class JobBoard:
    """Runs jobs in a thread. Submitting while one runs joins it: one owner has one set of workers."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._jobs: dict[str, Progress] = {}
        self._thread: threading.Thread | None = None
        self._current = ""
        self._cancelled = threading.Event()

    def submit(self, kind: str, *, actor: str, about: dict[str, Any], **arguments: Any) -> Progress:
        """Starts a job of a kind in JOBS, or gives the one that is running. `about` is journalled."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return self._jobs[self._current]
            job_id = uuid.uuid4().hex
            self._cancelled = threading.Event()
            self._current = job_id
            self._jobs[job_id] = Progress(job_id=job_id, kind=kind, state="running")
            self._journal.append([Event(kind="job_submitted", id=job_id, actor=actor, body={"job": kind, **about})])
            self._thread = threading.Thread(target=self._run, args=(job_id, kind, arguments), name=kind, daemon=True)
            self._thread.start()
            return self._jobs[job_id]

    def progress(self, job_id: str) -> Progress:
        """Raises ProjectError for a job that this owner does not know."""
        if job_id not in self._jobs:
            raise ProjectError(
                f"job {job_id[:80]} is not known here; jobs are forgotten when their owner ends: ask for `status`"
            )
        return self._jobs[job_id]

    def cancel(self, job_id: str) -> Progress:
        """Asks a job to stop; what is done stays done."""
        self.progress(job_id)
        if job_id == self._current:
            self._cancelled.set()
        return self.progress(job_id)

    def stop(self) -> None:
        """Cancels and waits."""
        self._cancelled.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, job_id: str, kind: str, arguments: dict[str, Any]) -> None:
        def report(stage: str, done: int, total: int) -> None:
            self._jobs[job_id] = replace(self._jobs[job_id], stage=stage, done=done, total=total)

        try:
            message = load(JOBS[kind])(JobTicket(report, self._cancelled), **arguments)
            state = "cancelled" if self._cancelled.is_set() else "done"
        except StudioError as error:
            state, message = "failed", str(error)
        except Exception:
            log.exception("job %s broke", job_id)
            state, message = "failed", traceback.format_exc(limit=-3)
        ended = "job_cancelled" if state == "cancelled" else "job_finished"
        try:
            self._journal.append(
                [Event(kind=ended, id=job_id, rev=1, actor="owner", body={"state": state, "message": message})]
            )
        except StudioError as error:
            state, message = "failed", f"{message}; its end could not be journalled: {error}"
        self._jobs[job_id] = replace(self._jobs[job_id], state=state, message=message)
