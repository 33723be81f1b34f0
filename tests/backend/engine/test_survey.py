"""A stage that surveys is shown what came of the sources listed before; worked out by hand for three sources."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import pytest

from backend.domain import Appearance, BankPart, Context, Item, Ok, Resources, Result, Score, Source, Survey
from backend.engine.context import WorkerSettings
from backend.engine.crews import Inline, Process
from backend.engine.plan import Gate, Plan, Step
from backend.engine.run import PlanRun, RunSummary
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.workspace.snapshot import Snapshot
from tests.backend.engine.toy_stages import source


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeParts:
    """A part and a picture for each source but texts."""

    name: ClassVar[str] = "make_parts"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Source
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (BankPart, Appearance, Score)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()
    same: bool = False

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._one(item, context) for item in items]

    def _one(self, item: Item, context: Context) -> Result:
        uri = item.one(Source).uri
        if uri.endswith(".txt"):
            return Ok(item.id)
        name = context.artifacts.put((b"same" if self.same else uri.encode()), "part")
        part = BankPart(source_id=item.id, artifact=name, num_views=1)
        shown = Appearance(subject_id=None, frame=None, box=(0, 0, 1, 1), confidence=1.0, origin="external", artifact=name)
        return Ok(item.id, (part, shown, Score(target=part.id, name="length", value=float(len(uri)), producer="toy")))


@dataclass(frozen=True, slots=True, kw_only=True)
class CountBefore:
    """How many parts came before a source's own."""

    name: ClassVar[str] = "count_before"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Source
    gathers: ClassVar[tuple[type, ...]] = (BankPart,)
    surveys: ClassVar[tuple[type, ...]] = (BankPart,)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._one(item, context) for item in items]

    def _one(self, item: Item, context: Context) -> Result:
        if not item.all(Survey):
            return Ok(item.id)
        survey = item.one(Survey)
        roll = json.loads(context.artifacts.get(survey.artifact))
        assert roll[survey.position]["id"] == item.id
        assert roll[survey.position]["bank_part"][0]["artifact"] == item.one(BankPart).artifact
        return Ok(item.id, (Score(target=item.id, name="before", value=float(survey.position), producer="toy"),))


PLAN = Plan(steps=(Step(MakeParts()), Step(CountBefore())))


def run(catalog: Catalog, plan: Plan, settings: WorkerSettings) -> RunSummary:
    return PlanRun(catalog=catalog, artifacts=Artifacts(settings.artifacts), plan=plan, crew=Inline(settings))()


def before(catalog: Catalog, plan: Plan = PLAN) -> dict[str, float]:
    with Snapshot(catalog).of(plan) as now:
        return dict(
            now.query("SELECT s.uri, l.value FROM live_score l JOIN source s ON s.id = l.target WHERE l.name = 'before'")
        )


def test_each_source_is_shown_those_listed_before(catalog: Catalog, worker_settings: WorkerSettings) -> None:
    run(catalog, PLAN, worker_settings)
    assert before(catalog) == {"a.mp4": 0.0, "b.mp4": 1.0, "copy-of-a.mp4": 2.0}
    assert run(catalog, PLAN, worker_settings).worked == {}


def test_a_new_source_makes_itself_pending_and_nothing_else(catalog: Catalog, worker_settings: WorkerSettings) -> None:
    run(catalog, PLAN, worker_settings)
    catalog.add_records([source("aa.mp4")], work_key="listed")
    assert run(catalog, PLAN, worker_settings).worked == {"make_parts": 1, "count_before": 1}
    assert before(catalog)["aa.mp4"] == 3.0


def test_a_changed_part_makes_those_after_it_pending(catalog: Catalog, worker_settings: WorkerSettings) -> None:
    gate = Gate(record="bank_part", score="length", comparison="<", value=13, source="test")
    run(catalog, PLAN, worker_settings)
    catalog.add_records([source("z.mp4")], work_key="listed")
    run(catalog, PLAN, worker_settings)
    fewer = Plan(steps=(Step(MakeParts(), (gate,)), Step(CountBefore())))  # the third, copy-of-a.mp4, goes
    assert run(catalog, fewer, worker_settings).worked == {"count_before": 2}  # it has nothing, z.mp4 less before it
    assert before(catalog, fewer) == {"a.mp4": 0.0, "b.mp4": 1.0, "z.mp4": 2.0}
    assert run(catalog, PLAN, worker_settings).worked == {}


def test_pictures_without_a_subject_are_kept(catalog: Catalog, worker_settings: WorkerSettings) -> None:
    run(catalog, PLAN, worker_settings)
    with Snapshot(catalog).of(PLAN) as now:
        assert now.counts()["appearances"] == 3
        assert now.query("SELECT count(*) FROM kept_appearance WHERE subject_id IS NULL AND source_id NOTNULL") == [(3,)]


@pytest.mark.slow
def test_workers_are_shown_the_same(catalog: Catalog, worker_settings: WorkerSettings) -> None:
    crew = Process(worker_settings, num_workers=2)
    try:
        PlanRun(catalog=catalog, artifacts=Artifacts(worker_settings.artifacts), plan=PLAN, crew=crew)()
    finally:
        crew.close()
    assert before(catalog) == {"a.mp4": 0.0, "b.mp4": 1.0, "copy-of-a.mp4": 2.0}


def test_a_picture_that_was_listed_twice_is_one(catalog: Catalog, worker_settings: WorkerSettings) -> None:
    plan = Plan(steps=(Step(MakeParts(same=True)),))
    run(catalog, plan, worker_settings)
    with Snapshot(catalog).of(plan) as now:
        assert now.counts()["appearances"] == 1
