"""Running a plan: for each step, find what lacks work, have it done, commit what comes back."""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pyarrow as pa

from backend.domain import Clip, Failed, Filtered, Item, Ok, Source, SurveyingStage
from backend.engine.chain import Feed, Follower, chain_from
from backend.engine.crews import Crew
from backend.engine.plan import Plan, Step
from backend.engine.tables import LISTED, WITHOUT_VALUE, Pending, PlanTables
from backend.engine.work import Batch, Outcome
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog, Work
from backend.store.schema import ARTIFACT_COLUMNS

BATCH_ITEMS = 8  # items of one group worked on together: they share decoded frames
CLIPS_TOGETHER = 1  # the frames of what a worker has in hand should fit engine.frames.CACHE_BYTES
LOAD_ITEMS = 256  # items whose records are read by one query
COMMIT_S = 0.25  # outcomes that arrive within this time share a transaction


@dataclass(slots=True)
class RunSummary:
    """What a run did: items worked on by stage, and how many failed."""

    run_id: str
    worked: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    cancelled: bool = False


@dataclass(slots=True, kw_only=True)
class PlanRun:
    """One run of a plan. `progress(stage, done, total)` is called after each commit, `say` told of stages and failures.

    Each batch is committed whole, in one transaction with its work keys; what a killed run had not committed is
    pending again. Items that failed before stay failed unless `retry_failed`, or their work keys are in `retry`.
    """

    catalog: Catalog
    artifacts: Artifacts
    plan: Plan
    crew: Crew
    cancelled: Event = field(default_factory=Event)
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None
    say: Callable[[str], None] = lambda text: None
    retry_failed: bool = False
    retry: Collection[str] = ()
    summary: RunSummary = field(default_factory=lambda: RunSummary(run_id=uuid.uuid4().hex))

    def __call__(self) -> RunSummary:
        """Works on everything that is pending, step by step."""
        with self.catalog.reading() as connection:
            tables = PlanTables(connection, self.plan)
            for step in self.plan.steps:
                tables.enter(step)
                pending = tables.pending(step, run_id=self.summary.run_id, retry_failed=self.retry_failed, retry=self.retry)
                if pending:
                    self._run_step(step, tables, pending)
                if self.cancelled.is_set():
                    self.summary.cancelled = True
                    break
                tables.leave(step)
        return self.summary

    def _run_step(self, step: Step, tables: PlanTables, pending: Sequence[Pending]) -> None:
        """Works on what is pending at a step, and follows it through the steps of its chain."""
        attempts = _attempts(self.catalog, step.stage.name)
        chain = chain_from(self.plan, step)
        follower = Follower(plan=self.plan, chain=chain, is_done=tables.finished)
        label = step.stage.name if len(chain) == 1 else f"{step.stage.name} to {chain[-1].stage.name}"
        total, done, started_s = len(pending) * len(chain), 0, time.monotonic()
        last = started_s
        waiting: list[tuple[Batch, Outcome]] = []
        listed = {kind for link in chain for kind in link.stage.gathers if kind in LISTED}
        feed = Feed(_batches(step, pending, self._loader(step, tables, listed)))
        self.progress(label, 0, total)
        self.say(f"{label}: {len(pending)} to do")
        states: Counter[str] = Counter()
        for batch, outcome in self.crew.work(feed, self.cancelled):
            waiting.append((batch, outcome))
            states.update(_describe(note)[0] for note in outcome.notes)
            self._tell_failures(batch, outcome)
            following = follower.after(batch, outcome)
            if following is not None:
                feed.follow(following)
            left = len(outcome.notes) - (len(following.items) if following is not None else 0)
            done += len(outcome.notes) + left * follower.left(batch)
            if time.monotonic() - last > COMMIT_S:
                self._commit(waiting, attempts)
                self.progress(label, done, total)
                waiting, last = [], time.monotonic()
        self._commit(waiting, attempts)
        self.progress(label, done, total)
        ended = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "nothing done"
        self.say(f"{label}: {ended}, in {time.monotonic() - started_s:.1f} s")

    def _tell_failures(self, batch: Batch, outcome: Outcome) -> None:
        for item, note in zip(batch.items, outcome.notes, strict=True):
            if isinstance(note, Failed):
                name = " ".join(dict.fromkeys([*(Path(source.uri).name for source in item.all(Source)), item.id]))
                self.say(f"{batch.stage.name} failed({note.kind}) on {name}: {note.message}")

    def _loader(
        self, step: Step, tables: PlanTables, listed: Collection[type]
    ) -> Callable[[Sequence[str]], Sequence[Item]]:
        """Reads items by id; those of a stage that surveys are shown the roll, which is kept as an artifact."""
        stage = step.stage
        if not isinstance(stage, SurveyingStage):
            return lambda item_ids: tables.load(step, item_ids, also=listed)
        roll = self.artifacts.put(tables.roll(stage), "json")
        return lambda item_ids: tables.surveyed(stage, roll, tables.load(step, item_ids, also=listed))

    def _commit(self, finished: Sequence[tuple[Batch, Outcome]], attempts: dict[str, int]) -> None:
        """Commits outcomes, their artifacts on the disk before."""
        if not finished:
            return
        work = [row for batch, outcome in finished for row in self._work(batch, outcome, attempts)]
        parts: dict[str, list[pa.Table]] = {}
        for _, outcome in finished:
            for name, rows in outcome.tables.items():
                parts.setdefault(name, []).append(rows)
        tables = {name: pa.concat_tables(rows) for name, rows in parts.items()}
        columns = [tables[table].column(column) for table, column in ARTIFACT_COLUMNS if table in tables]
        self.artifacts.settle({name for column in columns for name in column.to_pylist() if name is not None})
        superseded = [(row.work_key, row.attempt - 1) for row in work if row.attempt]
        self.catalog.commit(work, tables, superseded=superseded)
        self.crew.committed()

    def _work(self, batch: Batch, outcome: Outcome, attempts: dict[str, int]) -> Iterator[Work]:
        name, stage_key = batch.stage.name, self.plan.stage_key(batch.stage)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.summary.worked[name] = self.summary.worked.get(name, 0) + len(outcome.notes)
        for note, key in zip(outcome.notes, batch.work_keys, strict=True):
            state, kind, message = _describe(note)
            self.summary.failed += state == "failed"
            yield Work(
                work_key=key,
                stage=name,
                stage_key=stage_key,
                item_id=note.item_id,
                state=state,
                kind=kind,
                message=message,
                attempt=attempts.get(key, -1) + 1,
                seconds=outcome.seconds / len(outcome.notes),
                run_id=self.summary.run_id,
                ended_at=now,
            )


def _batches(step: Step, pending: Sequence[Pending], load: Callable[[Sequence[str]], Sequence[Item]]) -> Iterator[Batch]:
    """Batches of one group each, in id order: the same for every engine."""
    size = CLIPS_TOGETHER if step.stage.over is Clip else BATCH_ITEMS
    for start in range(0, len(pending), LOAD_ITEMS):
        part = pending[start : start + LOAD_ITEMS]
        loaded = zip(part, load([found.item_id for found in part]), strict=True)
        items = [replace(item, again=True) if found.again else item for found, item in loaded]
        position = 0
        while position < len(part):
            stop = position + 1
            while stop < len(part) and stop - position < size and part[stop].group == part[position].group:
                stop += 1
            keys = tuple(found.work_key for found in part[position:stop])
            yield Batch(stage=step.stage, items=tuple(items[position:stop]), work_keys=keys)
            position = stop


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
    """By work key, the number of the last attempt of those that can be tried again."""
    which = f"w.stage = ? AND (w.state = 'failed' OR {WITHOUT_VALUE})"
    return dict(catalog.query(f"SELECT w.work_key, max(w.attempt) FROM work w WHERE {which} GROUP BY 1", [stage]))
