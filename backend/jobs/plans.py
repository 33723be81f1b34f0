"""Working through a plan as a job: curation, evaluation."""

import os

from backend.engine.context import WorkerSettings
from backend.engine.crews import Crew, Inline, Process
from backend.engine.plan import Plan
from backend.engine.run import PlanRun
from backend.jobs.board import JobTicket
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog


def work_through(
    ticket: JobTicket,
    *,
    catalog: Catalog,
    artifacts: Artifacts,
    plan: Plan,
    workers: WorkerSettings,
    engine: str,
    num_workers: int,
    retry_failed: bool,
) -> str:
    """Works on everything pending in a plan; 0 workers takes the number of cores."""
    crew = make_crew(workers, engine=engine, num_workers=num_workers)
    try:
        run = PlanRun(
            catalog=catalog,
            artifacts=artifacts,
            plan=plan,
            crew=crew,
            cancelled=ticket.cancelled,
            progress=ticket.report,
            retry_failed=retry_failed,
        )
        summary = run()
    finally:
        crew.close()
    return f"{sum(summary.worked.values())} items worked on, {summary.failed} failed"


def make_crew(workers: WorkerSettings, *, engine: str, num_workers: int) -> Crew:
    """The crew of an engine's name."""
    match engine:
        case "inline":
            return Inline(workers)
        case "process":
            return Process(workers, num_workers=num_workers or os.cpu_count() or 1)
    raise ValueError(f"engine is {engine!r}; choose inline or process")
