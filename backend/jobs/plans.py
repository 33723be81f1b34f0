"""Working through a plan as a job: curation, evaluation."""

import os
from collections.abc import Collection
from dataclasses import replace

from backend.engine.context import WorkerSettings
from backend.engine.crews import Crew, Inline, Process
from backend.engine.plan import Plan
from backend.engine.ray_crew import HERE, Ray, RaySettings
from backend.engine.run import PlanRun
from backend.jobs.board import JobTicket
from backend.jobs.model_service import ModelService
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
    retry: Collection[str] = (),
    before: tuple[Plan, ...] = (),
    models: ModelService | None = None,
    ray: RaySettings = HERE,
) -> str:
    """Works on everything pending in the plans `before` and in the plan; 0 workers takes the number of cores, or a cluster's.

    Models with weights are asked of `models`, where that is wanted for such a crew; workers on a cluster load their own.
    """
    worked = failed = 0
    if engine != "ray":
        num_workers = (num_workers or os.cpu_count() or 1) if engine == "process" else 1
    roles = {role for one in (*before, plan) for step in one.steps for role in step.stage.roles}
    if models is not None and engine != "ray" and models.wanted(workers, roles, num_crew=num_workers):
        workers = replace(workers, service=models.address())
    crew = make_crew(workers, engine=engine, num_workers=num_workers, ray=ray)
    try:
        for one in (*before, plan):
            run = PlanRun(
                catalog=catalog,
                artifacts=artifacts,
                plan=one,
                crew=crew,
                cancelled=ticket.cancelled,
                progress=ticket.report,
                say=ticket.say,
                retry_failed=retry_failed,
                retry=retry,
            )
            summary = run()
            worked, failed = worked + sum(summary.worked.values()), failed + summary.failed
    finally:
        crew.close()
    return f"{worked} items worked on, {failed} failed"


def make_crew(workers: WorkerSettings, *, engine: str, num_workers: int, ray: RaySettings = HERE) -> Crew:
    """The crew of an engine's name."""
    match engine:
        case "inline":
            return Inline(workers)
        case "process":
            return Process(workers, num_workers=num_workers)
        case "ray":
            return Ray(workers, num_workers=num_workers, ray=ray)
    raise ValueError(f"engine is {engine!r}; choose inline, process or ray")
