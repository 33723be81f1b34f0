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
    before: tuple[Plan, ...] = (),
) -> str:
    """Works on everything pending in the plans `before` and in the plan; 0 workers takes the number of cores."""
    worked = failed = 0
    crew = make_crew(workers, engine=engine, num_workers=num_workers)
    try:
        for one in (*before, plan):
            run = PlanRun(
                catalog=catalog,
                artifacts=artifacts,
                plan=one,
                crew=crew,
                cancelled=ticket.cancelled,
                progress=ticket.report,
                retry_failed=retry_failed,
            )
            summary = run()
            worked, failed = worked + sum(summary.worked.values()), failed + summary.failed
    finally:
        crew.close()
    return f"{worked} items worked on, {failed} failed"


def make_crew(workers: WorkerSettings, *, engine: str, num_workers: int) -> Crew:
    """The crew of an engine's name."""
    match engine:
        case "inline":
            return Inline(workers)
        case "process":
            return Process(workers, num_workers=num_workers or os.cpu_count() or 1)
    raise ValueError(f"engine is {engine!r}; choose inline or process")
