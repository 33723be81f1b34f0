"""What failed with a score that says so is tried again where that is asked, and one score is in force whatever comes of it.

Of 8 clips of 2 videos, those that start at frame 50 fail first.
"""

import pytest

from backend.engine.context import WorkerSettings
from backend.engine.crews import Inline
from backend.engine.plan import Gate, Plan, Step
from backend.engine.run import PlanRun
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.workspace.snapshot import Snapshot
from tests.backend.engine.toy_stages import MakeVideo, Moody, MoodyWithRegions, SplitEvenly


def plan(moody: Moody) -> Plan:
    gate = Gate(record="clip", score="mood", comparison=">=", value=0.5, source="test", unmeasured="drop")
    return Plan(steps=(Step(MakeVideo()), Step(SplitEvenly()), Step(moody, (gate,))))


def tried(catalog: Catalog, moody: Moody, settings: WorkerSettings, *, asked: bool) -> int:
    """How many items a run of the stage tries."""
    artifacts = Artifacts(settings.artifacts)
    run = PlanRun(catalog=catalog, artifacts=artifacts, plan=plan(moody), crew=Inline(settings), retry_failed=asked)
    return run().worked.get("moody", 0)


def in_force(catalog: Catalog, moody: Moody) -> tuple[list[tuple], int, tuple[int, int]]:
    """Scores by value, how many stand behind them, and how many records enter the gate and how many it holds back."""
    with Snapshot(catalog).of(plan(moody)) as now:
        (gate,) = now.gate_counts()
        values = now.query("SELECT value, count(*) FROM live_score WHERE name = 'mood' GROUP BY 1 ORDER BY 1 NULLS FIRST")
        (earlier,) = now.query(f"SELECT count(*) FROM ({now.tables.earlier_scores()})")[0]
        assert now.counts()["clips"] == sum(count for value, count in values if value is not None)
    return values, earlier, (gate.entering, gate.dropped)


@pytest.mark.parametrize(
    ("then", "values", "gate", "left"),
    [
        ("value", [(1.0, 8)], (8, 0), 0),
        ("no value", [(None, 2), (1.0, 6)], (8, 2), 2),
        ("fail", [(1.0, 6)], (6, 0), 2),
        ("unavailable", [(1.0, 6)], (6, 0), 2),
    ],
)
def test_another_try_takes_the_place_of_the_first(
    catalog: Catalog, worker_settings: WorkerSettings, then: str, values: list[tuple], gate: tuple[int, int], left: int
) -> None:
    moody = Moody(then=then)
    assert tried(catalog, moody, worker_settings, asked=False) == 8
    assert in_force(catalog, moody) == ([(None, 2), (1.0, 6)], 0, (8, 2))
    assert tried(catalog, moody, worker_settings, asked=False) == 0, (
        "what failed is finished, unless another try is asked for"
    )
    assert tried(catalog, moody, worker_settings, asked=True) == 2
    assert in_force(catalog, moody) == (values, 2, gate)
    assert tried(catalog, moody, worker_settings, asked=True) == left
    assert len(catalog.query("SELECT 1 FROM score WHERE name = 'mood' AND value IS NULL")) >= 2, "the first row is kept"


def test_what_is_unavailable_at_another_try_is_tried_by_every_run(
    catalog: Catalog, worker_settings: WorkerSettings
) -> None:
    moody = Moody(then="unavailable")
    for asked, expected in ((False, 8), (True, 2), (False, 2), (False, 0)):
        assert tried(catalog, moody, worker_settings, asked=asked) == expected
    assert in_force(catalog, moody) == ([(None, 2), (1.0, 6)], 2, (8, 2)), "without being asked it ends as at first"


def test_a_stage_that_makes_other_rows_too_is_not_tried_again(catalog: Catalog, worker_settings: WorkerSettings) -> None:
    """Its regions would stand there twice."""
    assert tried(catalog, MoodyWithRegions(), worker_settings, asked=False) == 8
    assert tried(catalog, MoodyWithRegions(), worker_settings, asked=True) == 0


def test_no_run_tries_an_item_twice(catalog: Catalog, worker_settings: WorkerSettings) -> None:
    """Clips are followed to the stage while their video is cut, and the stage has its own turn after that."""
    assert tried(catalog, Moody(), worker_settings, asked=True) == 8
    assert catalog.query("SELECT max(attempt) FROM work") == [(0,)]
