"""Curation as a job: one at a time in the owner, followed by anybody, cancelled by anybody."""

import logging
import os
import threading
import traceback
import uuid
from collections.abc import Callable

from backend.api import Progress
from backend.domain import ProjectError, StudioError
from backend.engine.context import WorkerSettings
from backend.engine.crews import Crew, Inline, Process
from backend.engine.plan import Plan
from backend.engine.run import run_plan
from backend.store.catalog import Catalog
from backend.store.journal import Journal
from backend.store.journal_schema import Event

log = logging.getLogger(__name__)


class Curation:
    """Runs plans in a thread. Submitting while one runs joins it: one owner has one set of workers."""

    def __init__(self, catalog: Catalog, journal: Journal) -> None:
        self._catalog = catalog
        self._journal = journal
        self._lock = threading.Lock()
        self._jobs: dict[str, Progress] = {}
        self._thread: threading.Thread | None = None
        self._current = ""
        self._cancelled = threading.Event()

    def start(
        self, plan: Plan, workers: WorkerSettings, *, engine: str, num_workers: int, actor: str, retry_failed: bool = False
    ) -> Progress:
        """Starts a job, or gives the one that is running."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return self._jobs[self._current]
            job_id = uuid.uuid4().hex
            self._cancelled = threading.Event()
            self._current = job_id
            self._jobs[job_id] = Progress(job_id=job_id, kind="curate", state="running")
            body = {"job": "curate", "engine": engine, "workers": num_workers, "stages": [s.stage.name for s in plan.steps]}
            self._journal.append([Event(kind="job_submitted", id=job_id, actor=actor, body=body)])
            arguments = (job_id, plan, workers, engine, num_workers, retry_failed)
            self._thread = threading.Thread(target=self._run, args=arguments, name="curation", daemon=True)
            self._thread.start()
            return self._jobs[job_id]

    def progress(self, job_id: str) -> Progress:
        """Raises ProjectError for a job that this owner does not know."""
        if job_id not in self._jobs:
            raise ProjectError(
                f"job {job_id} is not known here; jobs are forgotten when their owner ends: ask for `status`"
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

    def _run(
        self, job_id: str, plan: Plan, workers: WorkerSettings, engine: str, num_workers: int, retry_failed: bool
    ) -> None:
        def report(stage: str, done: int, total: int) -> None:
            self._jobs[job_id] = Progress(
                job_id=job_id, kind="curate", state="running", stage=stage, done=done, total=total
            )

        crew: Crew | None = None
        try:
            crew = make_crew(workers, engine=engine, num_workers=num_workers)
            summary = run_plan(
                self._catalog, plan, crew, cancelled=self._cancelled, progress=report, retry_failed=retry_failed
            )
            state = "cancelled" if summary.cancelled else "done"
            message = f"{sum(summary.worked.values())} items worked on, {summary.failed} failed"
        except StudioError as error:
            state, message = "failed", str(error)
        except Exception:
            log.exception("job %s broke", job_id)
            state, message = "failed", traceback.format_exc(limit=-3)
        finally:
            if crew is not None:
                crew.close()
        kind = "job_cancelled" if state == "cancelled" else "job_finished"
        self._journal.append([Event(kind=kind, id=job_id, rev=1, actor="owner", body={"state": state, "message": message})])
        self._jobs[job_id] = Progress(job_id=job_id, kind="curate", state=state, message=message)


def make_crew(workers: WorkerSettings, *, engine: str, num_workers: int) -> Crew:
    """The crew of an engine's name; 0 workers takes the number of cores."""
    crews: dict[str, Callable[[], Crew]] = {
        "inline": lambda: Inline(workers),
        "process": lambda: Process(workers, num_workers=num_workers or os.cpu_count() or 1),
    }
    return crews[engine]()
