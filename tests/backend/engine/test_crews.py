"""Workers that fail, die and hang: one culprit among 8 clips, and its neighbours unharmed."""

import time
from threading import Event, Timer

import pytest

from backend.domain import Source
from backend.engine.context import WorkerSettings
from backend.engine.crews import Crew, Inline, Process
from backend.engine.plan import Plan, Step
from backend.engine.run import PlanRun, RunSummary
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.workspace.snapshot import Snapshot
from tests.backend.engine.toy_stages import Bulky, CountClips, MakeVideo, SplitEvenly, Trouble


def plan(what: str = "nothing", seconds: float = 0.0) -> Plan:
    return Plan(steps=(Step(MakeVideo()), Step(SplitEvenly(seconds=seconds)), Step(Trouble(what=what)), Step(CountClips())))


def run_with(catalog: Catalog, plan: Plan, crew: Crew, *, cancelled: Event, retry_failed: bool = False) -> RunSummary:
    artifacts = Artifacts(catalog.path.parent / "artifacts")
    run = PlanRun(
        catalog=catalog, artifacts=artifacts, plan=plan, crew=crew, cancelled=cancelled, retry_failed=retry_failed
    )
    return run()


@pytest.mark.parametrize("what", ["error", "fail"])
def test_inline_one_failing_item_leaves_its_neighbours(
    catalog: Catalog, worker_settings: WorkerSettings, what: str
) -> None:
    summary = run_with(catalog, plan(what), Inline(worker_settings), cancelled=Event())
    assert summary.failed == 2
    assert catalog.query("SELECT count(*) FROM score WHERE name = 'fine'") == [(6,)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "kind", "words"),
    [
        ("segfault", "crash", "SIGSEGV"),
        ("segfault", "crash", "about to die"),
        ("exit", "crash", "exit code 7"),
        ("hang", "timeout", "stood still for more than 3 s"),
    ],
)
def test_process_quarantines_the_culprit(
    catalog: Catalog, worker_settings: WorkerSettings, what: str, kind: str, words: str
) -> None:
    crew = Process(worker_settings, num_workers=2, seconds_per_item=3.0)
    try:
        summary = run_with(catalog, plan(what), crew, cancelled=Event())
    finally:
        crew.close()
    assert summary.failed == 2
    assert catalog.query("SELECT count(*) FROM score WHERE name = 'fine'") == [(6,)]
    rows = catalog.query("SELECT kind, message FROM work WHERE state = 'failed'")
    assert [row[0] for row in rows] == [kind, kind]
    assert words in rows[0][1]


@pytest.mark.slow
def test_engines_give_the_same_catalog_hash(catalog: Catalog, worker_settings: WorkerSettings, tmp_path) -> None:
    other = Catalog(tmp_path / "other.duckdb")
    other.add_records(catalog.records(Source, "SELECT * FROM source"), work_key="")
    run_with(catalog, plan(), Inline(worker_settings), cancelled=Event())
    crew = Process(worker_settings, num_workers=2)
    run_with(other, plan(), crew, cancelled=Event())
    crew.close()
    with Snapshot(catalog).of(plan()) as one, Snapshot(other).of(plan()) as two:
        assert one.catalog_hash() == two.catalog_hash()
    other.close()


@pytest.mark.slow
def test_cancelling_keeps_what_is_done_and_resumes(catalog: Catalog, worker_settings: WorkerSettings) -> None:
    cancelled, crew = Event(), Process(worker_settings, num_workers=1)
    Timer(1.5, cancelled.set).start()
    started = time.monotonic()
    summary = run_with(catalog, plan(seconds=1.2), crew, cancelled=cancelled)
    assert summary.cancelled
    assert time.monotonic() - started < 5
    rest = run_with(catalog, plan(seconds=1.2), crew, cancelled=Event())
    crew.close()
    done = summary.worked.get("split_evenly", 0)
    assert 0 < done + rest.worked.get("split_evenly", 0) == 2
    assert catalog.query("SELECT count(*) FROM (SELECT work_key FROM work GROUP BY 1 HAVING count(*) > 1)") == [(0,)]


def test_retrying_failed_items_supersedes_their_attempt(catalog: Catalog, worker_settings: WorkerSettings) -> None:
    run_with(catalog, plan("fail"), Inline(worker_settings), cancelled=Event())
    assert run_with(catalog, plan("fail"), Inline(worker_settings), cancelled=Event()).worked == {}
    again = run_with(catalog, plan("fail"), Inline(worker_settings), cancelled=Event(), retry_failed=True)
    assert again.worked == {"trouble": 2}
    assert catalog.query("SELECT attempt, count(*) FROM work WHERE stage = 'trouble' GROUP BY 1 ORDER BY 1") == [
        (0, 8),
        (1, 2),
    ]
    assert catalog.query("SELECT count(*) FROM superseded") == [(2,)]


@pytest.mark.slow
def test_large_batches_and_outcomes_pass_each_other(catalog: Catalog, worker_settings: WorkerSettings) -> None:
    crew = Process(worker_settings, num_workers=1, seconds_per_item=20.0)
    summary = run_with(catalog, Plan(steps=(Step(Bulky()),)), crew, cancelled=Event())
    crew.close()
    assert (summary.worked, summary.failed) == ({"bulky": 4}, 0)
