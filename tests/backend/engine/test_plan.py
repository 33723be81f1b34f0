"""What the current plan shows, worked out by hand for 2 distinct videos of 4 clips each (positions 0, 1, none, 3)."""

import pytest

from backend.engine.context import WorkerSettings
from backend.engine.crews import Inline
from backend.engine.plan import Gate, Plan, Step
from backend.engine.run import PlanRun, RunSummary
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.workspace.snapshot import Snapshot
from tests.backend.engine.toy_stages import CountClips, MakeVideo, MarkClips, SplitEvenly, Trouble


def position(comparison: str, value: float, unmeasured: str = "keep") -> Gate:
    return Gate(record="clip", score="position", comparison=comparison, value=value, source="test", unmeasured=unmeasured)


def plan(*gates: Gate, frames: int = 25) -> Plan:
    return Plan(steps=(Step(MakeVideo()), Step(SplitEvenly(frames=frames), gates), Step(CountClips())))


def run(catalog: Catalog, plan: Plan, settings: WorkerSettings) -> RunSummary:
    artifacts = Artifacts(settings.artifacts)
    return PlanRun(catalog=catalog, artifacts=artifacts, plan=plan, crew=Inline(settings))()


def test_exact_copies_are_one_video(catalog: Catalog, worker_settings: WorkerSettings) -> None:
    run(catalog, plan(), worker_settings)
    with Snapshot(catalog).of(plan()) as now:
        assert now.counts()["videos"] == 2
        assert now.counts()["clips"] == 8


def test_running_again_does_nothing(catalog: Catalog, worker_settings: WorkerSettings) -> None:
    first = run(catalog, plan(), worker_settings)
    assert first.worked == {"make_video": 4, "split_evenly": 2, "count_clips": 2}
    assert run(catalog, plan(), worker_settings).worked == {}


@pytest.mark.parametrize(
    ("gate", "kept", "dropped", "unmeasured"),
    [
        (position(">=", 1), 6, 2, 2),
        (position(">=", 1, "drop"), 4, 4, 2),
        (position("<", 3), 6, 2, 2),
        (position(">=", 9), 2, 6, 2),
        (position("top", 3), 3, 5, 2),
        (position("top", 100), 8, 0, 2),
        (position("top", 100, "drop"), 6, 2, 2),
    ],
)
def test_gate_hides_rows_at_once(
    catalog: Catalog, worker_settings: WorkerSettings, gate: Gate, kept: int, dropped: int, unmeasured: int
) -> None:
    run(catalog, plan(), worker_settings)
    with Snapshot(catalog).of(plan(gate)) as now:
        assert now.counts()["clips"] == kept
        (count,) = now.gate_counts()
        assert (count.entering, count.dropped, count.unmeasured) == (8, dropped, unmeasured)


def test_scores_of_what_a_gate_holds_back_before_their_stage_are_none_of_the_plan_s(
    catalog: Catalog, worker_settings: WorkerSettings
) -> None:
    def marked(*gates: Gate) -> Plan:
        return Plan(steps=(Step(MakeVideo()), Step(SplitEvenly(), gates), Step(MarkClips())))

    run(catalog, marked(), worker_settings)
    with Snapshot(catalog).of(marked(position(">=", 1))) as now:
        values = now.query("SELECT value FROM live_score WHERE name = 'num_marks' ORDER BY ALL")
        assert [value for (value,) in values] == [1, 1, 2, 2, 3, 3], "not those of the two first clips, which had none"


def test_changed_group_is_worked_on_again(catalog: Catalog, worker_settings: WorkerSettings) -> None:
    run(catalog, plan(), worker_settings)
    tighter = plan(position(">=", 1))
    assert run(catalog, tighter, worker_settings).worked == {"count_clips": 2}
    with Snapshot(catalog).of(tighter) as now:
        values = now.query("SELECT name, value FROM live_score WHERE name LIKE 'num_%' ORDER BY ALL")
        assert values == [("num_clips", 3.0), ("num_clips", 3.0), ("num_scores", 3.0), ("num_scores", 3.0)]
    assert run(catalog, plan(), worker_settings).worked == {}


def test_other_settings_show_other_rows_and_keep_the_old(catalog: Catalog, worker_settings: WorkerSettings) -> None:
    run(catalog, plan(), worker_settings)
    before = hash_of(catalog, plan())
    assert run(catalog, plan(frames=50), worker_settings).worked == {"split_evenly": 2, "count_clips": 2}
    with Snapshot(catalog).of(plan(frames=50)) as now:
        assert now.counts()["clips"] == 4
    assert hash_of(catalog, plan()) == before != hash_of(catalog, plan(frames=50))


def hash_of(catalog: Catalog, plan: Plan) -> str:
    with Snapshot(catalog).of(plan) as now:
        return now.catalog_hash()


def test_what_was_not_measured_yet_does_not_pass(catalog: Catalog, worker_settings: WorkerSettings) -> None:
    gate = Gate(record="clip", score="fine", comparison=">=", value=0.0, source="test")
    gated = Plan(steps=(Step(MakeVideo()), Step(SplitEvenly()), Step(Trouble(what="fail"), (gate,))))
    run(catalog, gated, worker_settings)
    with Snapshot(catalog).of(gated) as now:
        assert now.counts()["clips"] == 6, "the clip of each video whose measuring failed is held back"


def test_the_highest_are_kept_of_all_together(catalog: Catalog, worker_settings: WorkerSettings) -> None:
    run(catalog, plan(position("top", 3)), worker_settings)
    with Snapshot(catalog).of(plan(position("top", 3))) as now:
        values = now.query("SELECT s.value FROM live_score s JOIN kept_clip k ON k.id = s.target WHERE s.name = 'position'")
        assert sorted(values, reverse=True) == [(3.0,), (3.0,), (1.0,)], "of 3, 3, 1, 1, 0, 0 and two without a value"


def test_what_a_finished_item_has_no_score_for_passes(catalog: Catalog, worker_settings: WorkerSettings) -> None:
    """CountClips finishes each video and scores the video, never its clips: a gate on clips there has nothing to say."""
    gate = Gate(record="clip", score="of_others", comparison=">=", value=1.0, source="test")
    gated = Plan(steps=(Step(MakeVideo()), Step(SplitEvenly()), Step(CountClips(), (gate,))))
    with Snapshot(catalog).of(gated) as now:
        assert now.counts()["clips"] == 0
    run(catalog, gated, worker_settings)
    with Snapshot(catalog).of(gated) as now:
        assert now.counts()["clips"] == 8


@pytest.mark.parametrize(("unmeasured", "kept"), [("keep", 8), ("drop", 6)])
def test_what_a_stage_does_not_apply_to_is_unmeasured(
    catalog: Catalog, worker_settings: WorkerSettings, unmeasured: str, kept: int
) -> None:
    gate = Gate(record="clip", score="fine", comparison=">=", value=0.5, source="test", unmeasured=unmeasured)
    gated = Plan(steps=(Step(MakeVideo()), Step(SplitEvenly()), Step(Trouble(what="filter"), (gate,)), Step(CountClips())))
    run(catalog, gated, worker_settings)
    with Snapshot(catalog).of(gated) as now:
        assert now.counts()["clips"] == kept
        counted = now.query("SELECT DISTINCT value FROM live_score WHERE name = 'num_clips'")
        assert counted == [(kept / 2,)], "what follows a clip through its steps decides alike"
