"""Following items through steps gives what step by step gives, only sooner."""

from pathlib import Path

import pytest

from backend.engine import run as running
from backend.engine.chain import chain_from
from backend.engine.context import WorkerSettings
from backend.engine.crews import Crew, Inline, Process
from backend.engine.plan import Gate, Plan, Step
from backend.engine.run import PlanRun
from backend.recipes import plan_for
from backend.settings import ProjectSettings
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.workspace.snapshot import Snapshot
from tests.backend.engine.toy_stages import (
    CountClips,
    MakeVideo,
    MarkClips,
    SplitEvenly,
    SumMarks,
    TellWorker,
    Trouble,
    source,
)

FIRST_TWO_HELD_BACK = Gate(record="clip", score="num_marks", comparison=">=", value=2, source="test")
PLAN = Plan(
    steps=(
        Step(MakeVideo()),
        Step(SplitEvenly()),
        Step(MarkClips(), (FIRST_TWO_HELD_BACK,)),
        Step(SumMarks()),
        Step(Trouble(what="fail")),
        Step(CountClips()),
    )
)


def test_chain_goes_on_while_items_are_looked_at_alone() -> None:
    names = [[step.stage.name for step in chain_from(PLAN, start)] for start in PLAN.steps]
    assert names == [
        ["make_video"],
        ["split_evenly"],  # then clips, no longer videos
        ["mark_clips", "sum_marks", "trouble"],
        ["sum_marks", "trouble"],
        ["trouble"],
        ["count_clips"],
    ]


def test_chain_does_not_start_where_earlier_rows_would_be_missed() -> None:
    plan = Plan(steps=(Step(MarkClips()), Step(Trouble()), Step(SumMarks())))
    assert [step.stage.name for step in chain_from(plan, plan.steps[1])] == ["trouble"], "regions were made before it"


def test_clips_of_the_default_recipe_are_decoded_in_one_go() -> None:
    plan = plan_for(ProjectSettings())
    start = next(step for step in plan.steps if step.stage.name == "find_borders")
    chain = [step.stage.name for step in chain_from(plan, start)]
    assert (chain[0], chain[-1], len(chain)) == ("find_borders", "find_subjects", 9)


@pytest.mark.parametrize("engine", [Inline, lambda settings: Process(settings, num_workers=2)], ids=["inline", "process"])
def test_followed_items_give_what_step_by_step_gives(
    catalog: Catalog, worker_settings: WorkerSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine
) -> None:
    worked = run(catalog, worker_settings, engine(worker_settings))
    # Two videos of four clips; the first two clips of each are held back by the gate, and each third one fails.
    assert worked == {
        "make_video": 4,
        "split_evenly": 2,
        "mark_clips": 8,
        "sum_marks": 4,
        "trouble": 4,
        "count_clips": 2,
    }
    assert run(catalog, worker_settings, Inline(worker_settings)) == {}, "the steps' own turns find nothing left"
    monkeypatch.setattr(running, "chain_from", lambda plan, step: (step,))
    stepwise = Catalog(tmp_path / "stepwise.duckdb")
    stepwise.add_records([source(name) for name in ("a.mp4", "b.mp4", "copy-of-a.mp4", "notes.txt")], work_key="listed")
    assert run(stepwise, worker_settings, Inline(worker_settings)) == worked
    with Snapshot(catalog).of(PLAN) as followed, Snapshot(stepwise).of(PLAN) as plain:
        assert followed.catalog_hash() == plain.catalog_hash()
        assert followed.query("SELECT value FROM live_score WHERE name = 'sum_marks' ORDER BY 1") == [
            (1.0,),
            (1.0,),
            (3.0,),
            (3.0,),
        ]
    stepwise.close()


def test_items_finished_before_are_not_followed_again(catalog: Catalog, worker_settings: WorkerSettings) -> None:
    run(catalog, worker_settings, Inline(worker_settings))
    catalog_of_marks_only = Plan(steps=(*PLAN.steps[:2], Step(MarkClips()), *PLAN.steps[3:]))
    worked = run(catalog, worker_settings, Inline(worker_settings), catalog_of_marks_only)
    assert worked == {"sum_marks": 4, "trouble": 4, "count_clips": 2}, "the clips that the gate had held back"


def test_item_stays_with_its_worker(catalog: Catalog, worker_settings: WorkerSettings) -> None:
    told = tuple(Step(TellWorker(name=f"tell_{n}")) for n in range(5))  # pyright: ignore[reportArgumentType]
    plan = Plan(steps=(Step(MakeVideo()), Step(SplitEvenly()), *told))
    run(catalog, worker_settings, Process(worker_settings, num_workers=2), plan)
    with Snapshot(catalog).of(plan) as now:
        pids = now.query("SELECT target, count(DISTINCT value) FROM live_score WHERE name LIKE 'tell_%' GROUP BY 1")
        workers = now.query("SELECT count(DISTINCT value) FROM live_score WHERE name LIKE 'tell_%'")
    assert workers == [(2,)]
    assert len(pids) == 8
    # A worker without work takes another's, so that on a busy machine some move; by chance one of 16 would stay.
    assert sum(count == 1 for _, count in pids) >= 5


def run(catalog: Catalog, settings: WorkerSettings, crew: Crew, plan: Plan = PLAN) -> dict[str, int]:
    artifacts = Artifacts(settings.artifacts)
    try:
        return PlanRun(catalog=catalog, artifacts=artifacts, plan=plan, crew=crew)().worked
    finally:
        crew.close()
