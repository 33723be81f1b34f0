"""kill -9 of workers while they load a model, infer with it and write an artifact: the run ends as one that nobody killed."""

from pathlib import Path

import pytest

from backend.engine.context import WorkerSettings
from backend.engine.crews import Crew, Inline, Process
from backend.engine.plan import Plan, Step
from backend.engine.run import PlanRun
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from tests.backend.engine.toy_stages import MakeVideo, source
from tests.chaos.dying_stages import MARKS, Measure
from tests.promises import Tally

MOMENTS = ("load", "infer", "write")


@pytest.fixture
def marks(memory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = memory / "marks"
    folder.mkdir()
    monkeypatch.setenv(MARKS, str(folder))
    return folder


@pytest.mark.slow
@pytest.mark.promise(
    "A worker that is killed while it loads, infers or writes costs its run nothing but time",
    area="Durability",
    goal="0 results lost or different in 60 kills",
    control="tests/chaos/test_worker_kills.py::test_a_worker_that_is_killed_each_time_changes_the_outcome",
    kills=(3, 60),
)
def test_killed_workers_change_no_outcome(memory: Path, marks: Path, long: bool, tally: Tally) -> None:
    wanted = outcome(memory / "whole", workers=0)
    for moment in MOMENTS:
        for number in range(20 if long else 1):
            (marks / moment).touch()
            found = outcome(memory / f"{moment}-{number}", workers=2)
            assert not (marks / moment).exists(), f"nobody was killed at {moment}"
            tally.record(1, lost=found != wanted)
            assert found == wanted, moment


@pytest.mark.slow
def test_a_worker_that_is_killed_each_time_changes_the_outcome(memory: Path, marks: Path) -> None:
    wanted = outcome(memory / "whole", workers=0)
    (marks / "infer.always").touch()
    assert outcome(memory / "killed", workers=1) != wanted


def outcome(folder: Path, *, workers: int) -> tuple[list[tuple], list[tuple], list[str], list[Path]]:
    """After a run: its scores, how much of each stage ended how, what is wrong with artifacts, and unfinished files."""
    folder.mkdir()
    catalog = Catalog(folder / "catalog.duckdb")
    catalog.add_records([source(f"{n}.mp4") for n in range(3)], work_key="listed")
    plan = Plan(steps=(Step(MakeVideo()), Step(Measure())))
    settings = WorkerSettings(artifacts=folder / "artifacts", roles={"Detector": "tests.chaos.dying_stages:Doubler"})
    artifacts = Artifacts(folder / "artifacts")
    crew: Crew = Process(settings, num_workers=workers) if workers else Inline(settings)
    PlanRun(catalog=catalog, artifacts=artifacts, plan=plan, crew=crew)()
    crew.close()
    rows = catalog.query("SELECT stage || ' ' || state, count(*) FROM work GROUP BY 1 ORDER BY 1")
    scores = catalog.query("SELECT target, name, value, producer, evidence FROM score ORDER BY ALL")
    catalog.close()
    again = Artifacts(folder / "artifacts")
    again.clean()  # as the next opening does
    unfinished = list((folder / "artifacts" / ".incoming").iterdir())
    return scores, rows, again.verify_all(), unfinished
