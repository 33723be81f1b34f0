"""The part of a workspace that starts long work, follows it, and looks after what it could not do."""

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from backend.api import EvaluationJob, ExportSummary, IngestSummary, Progress
from backend.domain import SettingsError
from backend.domain.jobs import JobField, JobForm, JobLog, JobRow, QuarantinePage, StageFlow
from backend.domain.privacy import TRAINING
from backend.engine.plan import Plan
from backend.engine.ray_crew import RaySettings
from backend.exports import EXPORTS
from backend.jobs import LANES
from backend.jobs.board import JobBoard
from backend.jobs.model_service import ModelService
from backend.recipes import settings_schema, worker_settings
from backend.settings import ProjectSettings
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.store.journal import Journal
from backend.workspace import distances, evaluating, flow
from backend.workspace.job_forms import form_of, values_of, with_choices
from backend.workspace.job_rows import row_of, rows_of
from backend.workspace.layout import Layout
from backend.workspace.library import Library
from backend.workspace.projection import Projection
from backend.workspace.snapshot import Snapshot
from backend.workspace.training_operations import TRAIN

MAX_LIMIT = 1000  # rows or lines of one call
MAX_RETRIED = 5000  # work keys of one event: all beyond are better asked for as all
COMMAND = "command"
PLACES = {"export": ("exports", "export"), "generate": ("generated", "videos"), "train": ("runs", "run")}
"""Where a job writes when nobody says where: a folder of the project, and how names in it begin; a run's is its recipe."""
NOBODY = "user"
"""The actor of what somebody asked without saying who they are."""


class _Opened(Protocol):
    layout: Layout
    plan: Plan
    journal: Journal
    catalog: Catalog
    artifacts: Artifacts
    settings: ProjectSettings
    model_service: ModelService
    _jobs: JobBoard
    _projection: Projection
    _library: Library
    _snapshot: Snapshot

    def ingest(
        self, *, paths: tuple[str, ...], licence: str | None = None, attribution: str | None = None
    ) -> IngestSummary: ...

    def export(self, *, format: str, out: str, where: str = "", split: str = "", purpose: str = "") -> ExportSummary: ...

    def export_selection(
        self, *, name: str, format: str, out: str, split: str = "", purpose: str = ""
    ) -> ExportSummary: ...

    def job_form(self, *, kind: str, recipe: str = "") -> JobForm: ...

    def _looking(self) -> AbstractContextManager[tuple[Snapshot, Plan]]: ...

    def _curate(self, values: Mapping[str, Any], *, asked: Mapping[str, str], actor: str, joins: bool) -> Progress: ...

    def _evaluate(self, values: Mapping[str, Any], *, asked: Mapping[str, str], actor: str) -> EvaluationJob: ...

    def _export(self, values: Mapping[str, Any], *, asked: Mapping[str, str], actor: str) -> Progress: ...

    def _known(self, kind: str, field: JobField, *, recipe: str = "") -> JobField: ...

    def recipes(self) -> tuple[str, ...]: ...

    def further_fields(self, kind: str, recipe: str) -> tuple[JobField, ...]: ...

    def start_command(
        self,
        kind: str,
        values: Mapping[str, Any],
        *,
        assignments: list[str],
        asked: Mapping[str, str],
        actor: str,
    ) -> Progress: ...


class JobOperations:
    """Operations of the Api on jobs."""

    def open_jobs(self: _Opened) -> None:
        """Called once, when the journal is open."""
        self._jobs = JobBoard(self.journal, self.layout.job_logs)

    def curate(
        self: _Opened, *, workers: int | None = None, engine: str | None = None, retry_failed: bool = False
    ) -> Progress:
        values = {"workers": workers, "engine": engine, "retry_failed": retry_failed}
        return self._curate(values, asked=_as_asked(values), actor=NOBODY, joins=True)

    def evaluate(
        self: _Opened,
        *,
        cases: str,
        videos: str,
        system: str,
        references: str | None = None,
        metrics: tuple[str, ...] = (),
        workers: int | None = None,
        engine: str | None = None,
        retry_failed: bool = False,
        max_cost: float | None = None,
        prices: str | None = None,
        real: str | None = None,
    ) -> EvaluationJob:
        values = {
            "cases": cases,
            "videos": videos,
            "system": system,
            "references": references,
            "metrics": ",".join(metrics) or None,
            "workers": workers,
            "engine": engine,
            "retry_failed": retry_failed,
            "max_cost": max_cost,
            "prices": prices,
            "real": real,
        }
        return self._evaluate(values, asked=_as_asked(values), actor=NOBODY)

    def progress(self: _Opened, *, job_id: str) -> Progress:
        return self._jobs.progress(job_id)

    def cancel(self: _Opened, *, job_id: str) -> Progress:
        return self._jobs.cancel(job_id)

    def job_form(self: _Opened, *, kind: str, recipe: str = "") -> JobForm:
        if LANES.get(kind) != COMMAND:
            return form_of(kind, adds=partial(self._known, kind))
        recipe = (recipe or self.recipes()[0]) if kind == TRAIN else ""
        more = self.further_fields(kind, recipe)
        return form_of(kind, adds=partial(self._known, kind, recipe=recipe), more=more)

    def start_job(self: _Opened, *, kind: str, settings: dict[str, str], rater: str = "") -> JobRow:
        form = self.job_form(kind=kind, recipe=settings.get("recipe", ""))
        values, actor = values_of(form, settings, root=self.layout.root), rater or NOBODY
        asked = {**{one.name: one.default for one in form.main if one.required}, **settings}
        self._jobs.require_free(kind)
        if kind == "curate":
            started = self._curate(values, asked=asked, actor=actor, joins=False)
        elif kind == "evaluate":
            started = self._evaluate(values, asked=asked, actor=actor).job
        elif kind == "export":
            started = self._export(values, asked=asked, actor=actor)
        else:
            further = [f"{one.name}={settings[one.name]}" for one in form.more if _is_given(one, settings)]
            started = self.start_command(kind, values, assignments=further, asked=asked, actor=actor)
        self._projection.refresh()
        return row_of(self.catalog, self._jobs.known(), started.job_id)

    def jobs(self: _Opened, *, limit: int = 100) -> tuple[JobRow, ...]:
        _check_limit(limit)
        self._projection.refresh()
        return rows_of(self.catalog, self._jobs.known(), limit=limit)

    def job_log(self: _Opened, *, job_id: str, after: int = 0, limit: int = 1000) -> JobLog:
        _check_limit(limit)
        if after < 0:
            raise SettingsError(f"after is {after}; give 0 or `next_after` of the lines before")
        self._projection.refresh()
        row_of(self.catalog, {}, job_id)
        return self._jobs.read_log(job_id, after=after, limit=limit)

    def stage_flow(self: _Opened) -> tuple[StageFlow, ...]:
        with self._looking() as (now, plan):
            return flow.stage_flow(now, plan)

    def quarantine(
        self: _Opened, *, stage: str = "", search: str = "", limit: int = 200, after: str | None = None
    ) -> QuarantinePage:
        _check_limit(limit)
        with self._looking() as (now, plan):
            return flow.quarantine(now, plan, stage=stage, search=search, limit=limit, after=after)

    def retry(self: _Opened, *, work_keys: tuple[str, ...], rater: str = "") -> JobRow:
        self._jobs.require_free("curate")
        if len(work_keys) > MAX_RETRIED:
            raise SettingsError(f"{len(work_keys)} items at once; name at most {MAX_RETRIED}, or none to try all again")
        with self._looking() as (now, plan):
            flow.require_stuck(now, plan, work_keys)
        asked = {"retry": json.dumps(work_keys)} if work_keys else {"retry_failed": "true"}
        values = {"retry": work_keys, "retry_failed": not work_keys}
        started = self._curate(values, asked=asked, actor=rater or NOBODY, joins=False)
        self._projection.refresh()
        return row_of(self.catalog, self._jobs.known(), started.job_id)

    def _curate(self: _Opened, values: Mapping[str, Any], *, asked: Mapping[str, str], actor: str, joins: bool) -> Progress:
        remarks: tuple[str, ...] = ()
        if values.get("paths"):
            remarks = self.ingest(paths=values["paths"]).remarks
        engine, num_workers = _crew(values, self.settings)
        return self._jobs.submit(
            "curate",
            actor=actor,
            asked=asked,
            about={"engine": engine, "workers": num_workers, "stages": [s.stage.name for s in self.plan.steps]},
            remarks=remarks,
            joins=joins,
            catalog=self.catalog,
            artifacts=self.artifacts,
            plan=self.plan,
            workers=worker_settings(self.settings, self.layout.artifacts),
            engine=engine,
            num_workers=num_workers,
            retry_failed=bool(values.get("retry_failed")),
            retry=tuple(values.get("retry") or ()),
            models=self.model_service,
            ray=_cluster(self.settings),
        )

    def _evaluate(self: _Opened, values: Mapping[str, Any], *, asked: Mapping[str, str], actor: str) -> EvaluationJob:
        self._jobs.require_free("evaluate")
        made_by = worker_settings(self.settings, self.layout.artifacts)
        costs = {"max_cost": values["max_cost"], "prices": values["prices"]}
        evaluating.plan((), made_by, self.layout, **costs)  # refuses before anything is listed
        cases, videos, system = values["cases"], values["videos"], values["system"]
        metrics = tuple(name.strip() for name in (values["metrics"] or "").split(",") if name.strip())
        found = evaluating.listed(self.catalog, cases, videos, system, values["references"], metrics, made_by)
        found, before = distances.with_real(self.catalog, found, values["real"], made_by, self.layout)
        engine, num_workers = _crew(values, self.settings)
        job = self._jobs.submit(
            "evaluate",
            actor=actor,
            asked=asked,
            about={"engine": engine, "system": system, "cases": cases, "metrics": list(found.metrics)},
            remarks=(*found.remarks, *(f"case {name} has no video" for name in found.missing)),
            catalog=self.catalog,
            artifacts=self.artifacts,
            plan=evaluating.plan(found.metrics, made_by, self.layout, only=found.generations, **costs),
            workers=made_by,
            engine=engine,
            num_workers=num_workers,
            retry_failed=bool(values["retry_failed"]),
            before=before,
            models=self.model_service,
            ray=_cluster(self.settings),
        )
        return evaluating.described(found, job)

    def _export(self: _Opened, values: Mapping[str, Any], *, asked: Mapping[str, str], actor: str) -> Progress:
        where, selection = values["where"] or "", values["selection"]
        if selection and where:
            raise SettingsError("selection brings its own condition; leave where out")
        told = {
            "format": values["format"],
            "out": values["out"],
            "split": values["split"] or "",
            "purpose": values["purpose"] or TRAINING,
        }
        write = partial(self.export, where=where) if not selection else partial(self.export_selection, name=selection)
        return self._jobs.submit("export", actor=actor, asked=asked, out=values["out"], write=partial(write, **told))

    def _known(self: _Opened, kind: str, field: JobField, *, recipe: str = "") -> JobField:
        """A field with what the project knows: its own settings as defaults, where to write, and what there is to choose from."""
        match field.name:
            case "out":
                folder, stem = PLACES[kind]
                return replace(field, default=str(_free_place(self.layout.root / folder, recipe or stem)), required=False)
            case "recipe":
                return with_choices(replace(field, default=recipe), self.recipes())
            case "engine":
                schema = settings_schema(self.settings)["properties"]["engine"]
                return with_choices(replace(field, default=schema["default"]), tuple(schema["enum"]))
            case "workers":
                return replace(field, default=str(self.settings.workers))
            case "format":
                return with_choices(field, tuple(EXPORTS))
            case "selection":
                return with_choices(field, tuple(sorted(self.settings.selections)))
        return field

    @contextmanager
    def _looking(self: _Opened) -> Iterator[tuple[Snapshot, Plan]]:
        """The current plan, exact while the owner's workers rest; while they commit, at most a few evaluations old."""
        plan = self.plan
        self._projection.refresh()
        if self._jobs.is_busy("curate"):
            with self._library.of(plan) as reading:
                yield reading.now, plan
        else:
            with self._snapshot.of(plan) as now:
                yield now, plan


def _is_given(field: JobField, settings: Mapping[str, str]) -> bool:
    """A text may be given as none; of anything else, nothing is not given."""
    return field.name in settings and (field.type == "text" or bool(settings[field.name].strip()))


def _crew(values: Mapping[str, Any], settings: ProjectSettings) -> tuple[str, int]:
    """Engine and number of workers: the project's, but for what is asked."""
    workers = values.get("workers")
    return values.get("engine") or settings.engine, settings.workers if workers is None else workers


def _cluster(settings: ProjectSettings) -> RaySettings:
    return RaySettings(address=settings.ray_address, store=settings.ray_store)


def _as_asked(values: Mapping[str, Any]) -> dict[str, str]:
    """Values of an operation as a form has them."""
    given = {name: value for name, value in values.items() if value is not None and value is not False}
    return {name: "true" if value is True else str(value) for name, value in given.items()}


def _free_place(folder: Path, stem: str) -> Path:
    """The first of `stem-1`, `stem-2` ... that is not there."""
    number = 1
    while (place := folder / f"{stem}-{number}").exists():
        number += 1
    return place


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= MAX_LIMIT:
        raise SettingsError(f"limit is {limit}; ask for 1 to {MAX_LIMIT}")
