"""Running a plan: for each step, find what lacks work, have it done, commit what comes back."""

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event

import pyarrow as pa

from backend.domain import Failed, Filtered, Ok
from backend.engine.crews import Crew
from backend.engine.plan import Plan, Step
from backend.engine.tables import PlanTables
from backend.engine.work import Batch, Outcome
from backend.store.catalog import Catalog, Work

log = logging.getLogger(__name__)

BATCH_ITEMS = 8  # items of one video worked on together: they share decoded frames
LOAD_ITEMS = 256  # items whose records are read by one query
COMMIT_S = 0.25  # outcomes that arrive within this time share a transaction


@dataclass(slots=True)
class RunSummary:
    """What a run did, by stage: items worked on, and states."""

    run_id: str
    worked: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    cancelled: bool = False


def run_plan(
    catalog: Catalog,
    plan: Plan,
    crew: Crew,
    *,
    cancelled: Event,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
    retry_failed: bool = False,
) -> RunSummary:
    """Works on everything that is pending, step by step.

    Each batch is committed whole, in one transaction with its work keys; what a killed run had not committed is
    pending again. `progress(stage, done, total)` is called after each commit. Items that failed before stay failed
    unless `retry_failed`.
    """
    summary = RunSummary(run_id=uuid.uuid4().hex)
    with catalog.reading() as connection:
        tables = PlanTables(connection, plan)
        for step in plan.steps:
            tables.enter(step)
            pending = tables.pending(step, retry_failed=retry_failed)
            if pending:
                _run_step(catalog, plan, step, tables, pending, crew, cancelled, progress, summary, retry_failed)
            if cancelled.is_set():
                summary.cancelled = True
                break
            tables.leave(step)
    return summary


def _run_step(
    catalog: Catalog,
    plan: Plan,
    step: Step,
    tables: PlanTables,
    pending: Sequence[tuple[str, str, str]],
    crew: Crew,
    cancelled: Event,
    progress: Callable[[str, int, int], None],
    summary: RunSummary,
    retry_failed: bool,
) -> None:
    stage, total, done = step.stage, len(pending), 0
    attempts = _attempts(catalog, stage.name) if retry_failed else {}
    progress(stage.name, 0, total)
    waiting: list[tuple[Batch, Outcome]] = []
    last = time.monotonic()

    def flush() -> None:
        nonlocal last, done
        if waiting:
            done += _commit(catalog, plan, waiting, attempts, summary)
            progress(stage.name, done, total)
        waiting.clear()
        last = time.monotonic()

    for batch, outcome in crew.work(_batches(step, tables, pending), cancelled):
        waiting.append((batch, outcome))
        if time.monotonic() - last > COMMIT_S:
            flush()
    flush()


def _batches(step: Step, tables: PlanTables, pending: Sequence[tuple[str, str, str]]) -> Iterator[Batch]:
    """Batches of one group (one video) each, in id order: the same for every engine."""
    for start in range(0, len(pending), LOAD_ITEMS):
        part = pending[start : start + LOAD_ITEMS]
        items = tables.load(step, [item_id for item_id, _, _ in part])
        position = 0
        while position < len(part):
            stop = position + 1
            while stop < len(part) and stop - position < BATCH_ITEMS and part[stop][2] == part[position][2]:
                stop += 1
            keys = tuple(key for _, key, _ in part[position:stop])
            yield Batch(stage=step.stage, items=tuple(items[position:stop]), work_keys=keys)
            position = stop


def _commit(
    catalog: Catalog, plan: Plan, finished: Sequence[tuple[Batch, Outcome]], attempts: dict[str, int], summary: RunSummary
) -> int:
    work: list[Work] = []
    tables: dict[str, list[pa.Table]] = {}
    superseded = []
    for batch, outcome in finished:
        stage_key = plan.stage_key(batch.stage)
        for note, key in zip(outcome.notes, batch.work_keys, strict=True):
            state, kind, message = _describe(note)
            attempt = attempts.get(key, -1) + 1
            if attempt:
                superseded.append((key, attempt - 1))
            work.append(
                Work(
                    work_key=key,
                    stage=batch.stage.name,
                    stage_key=stage_key,
                    item_id=note.item_id,
                    state=state,
                    kind=kind,
                    message=message,
                    attempt=attempt,
                    seconds=outcome.seconds / len(outcome.notes),
                    run_id=summary.run_id,
                )
            )
            summary.failed += state == "failed"
        for name, rows in outcome.tables.items():
            tables.setdefault(name, []).append(rows)
        summary.worked[batch.stage.name] = summary.worked.get(batch.stage.name, 0) + len(outcome.notes)
    catalog.commit(work, {name: pa.concat_tables(parts) for name, parts in tables.items()}, superseded=superseded)
    return len(work)


def _describe(note: Ok | Filtered | Failed) -> tuple[str, str | None, str | None]:
    match note:
        case Ok(warnings=()):
            return "ok", None, None
        case Ok(warnings=warnings):
            return "warned", None, "; ".join(warnings)
        case Filtered(reason=reason):
            return "filtered", None, reason
        case Failed(kind=kind, message=message):
            return "failed", kind, message


def _attempts(catalog: Catalog, stage: str) -> dict[str, int]:
    rows = catalog.query("SELECT work_key, max(attempt) FROM work WHERE stage = ? AND state = 'failed' GROUP BY 1", [stage])
    return dict(rows)
