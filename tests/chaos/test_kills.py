"""kill -9 of owners and workers at random moments: nothing committed is lost, nothing is there twice."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from backend.engine.context import WorkerSettings
from backend.engine.crews import Inline
from backend.engine.run import PlanRun
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog, Work
from backend.workspace.corrections import apply_corrections
from backend.workspace.snapshot import Snapshot
from tests.chaos.killed_run import NUM_SOURCES, open_catalog, plan
from tests.promises import Tally

OVER_CLIPS = dict.fromkeys(("mark_clips", "sum_marks", "trouble"), 4 * NUM_SOURCES)
STAGES = {"make_video": NUM_SOURCES, "split_evenly": NUM_SOURCES, "count_clips": NUM_SOURCES, **OVER_CLIPS}


@pytest.mark.slow
@pytest.mark.promise(
    "Work that was committed survives kill -9 of a run's owner and workers and is done once, and the run ends as one that nobody killed",
    area="Durability",
    goal="0 lost, 0 doubled in 100 kills",
    control="tests/chaos/test_kills.py::test_work_that_is_committed_apart_from_its_rows_is_doubled",
    kills=(4, 100),
)
def test_killed_runs_lose_and_double_nothing(tmp_path: Path, long: bool, tally: Tally) -> None:
    wanted, seed, kills, halfway = 100 if long else 4, 0, 0, 0
    while kills < wanted and seed < wanted:
        seed += 1
        folder = tmp_path / str(seed)
        folder.mkdir()
        met, between = kill_and_check(folder, kills=10 if long else wanted, seed=seed)
        kills, halfway = kills + met, halfway + between
        tally.record(met, note=f"{halfway} of them between two commits")
    assert kills >= wanted, "most kills met a run that had ended"
    assert halfway, "no kill met a run that had committed something and had more to do"


@pytest.mark.thorough
@pytest.mark.slow
def test_work_that_is_committed_apart_from_its_rows_is_doubled(tmp_path: Path) -> None:
    """Why rows and the keys of the work that made them are one transaction: killed between two, it is done again."""
    assert start(tmp_path, "apart").wait(60) == -signal.SIGKILL
    with pytest.raises(AssertionError, match="a clip stands there twice"):
        check_end(tmp_path)


def test_a_committed_row_that_goes_is_seen(tmp_path: Path) -> None:
    catalog = open_catalog(tmp_path)
    catalog.commit([Work(work_key="a", stage="toy", stage_key="toy", item_id="a", state="ok")], {})
    before = committed_since(set(), catalog)
    assert before == {"a"}
    catalog.query("DELETE FROM work")
    with pytest.raises(AssertionError, match="a committed row was lost"):
        committed_since(before, catalog)
    catalog.close()


def kill_and_check(folder: Path, *, kills: int, seed: int) -> tuple[int, int]:
    """Kills the owner or a worker of a run until it is done, then lets it end and compares it with one that nobody killed.

    Gives how many of at most `kills` kills met an owner that lived and had work left, and how many of those one that had committed.
    """
    rng, met, halfway = random.Random(seed), 0, 0
    committed: set[str] = set()
    for _ in range(kills):
        owner = start(folder)
        wait_for_commits(owner, rng.choice((0, 1, 1, 2)))
        time.sleep(rng.uniform(0.0, 1.0) ** 3)
        was_alive = kill_somebody(owner, rng)
        catalog = open_catalog(folder)
        committed = committed_since(committed, catalog)
        done = done_of(catalog)
        catalog.close()
        if done == STAGES:
            break
        met += was_alive
        halfway += was_alive and bool(done)
    check_end(folder)
    return met, halfway


def committed_since(before: set[str], catalog: Catalog) -> set[str]:
    """The keys of all committed work. Raises AssertionError when one of those before is gone."""
    now = {row[0] for row in catalog.query("SELECT work_key FROM work")}
    assert before <= now, "a committed row was lost"
    return now


def done_of(catalog: Catalog) -> dict[str, int]:
    """Of each stage how many items are done."""
    return dict(catalog.query("SELECT stage, count(*) FROM work WHERE state = 'ok' GROUP BY 1"))


def check_end(folder: Path) -> None:
    """Lets a run that was killed end, and compares it with one that nobody killed."""
    assert start(folder).wait(120) == 0
    catalog = open_catalog(folder)
    doubled = catalog.query("SELECT work_key FROM work GROUP BY 1 HAVING count(*) > 1")
    assert catalog.query("SELECT id FROM clip GROUP BY 1 HAVING count(*) > 1") == [], "a clip stands there twice"
    assert doubled == []
    assert done_of(catalog) == STAGES
    with Snapshot(catalog, prepare=apply_corrections).of(plan()) as found:
        assert found.catalog_hash() == undisturbed(folder / "undisturbed")
    catalog.close()


def start(folder: Path, how: str = "") -> subprocess.Popen[str]:
    """`apart`: a mutant that commits rows and the keys of their work in two transactions, and is killed between."""
    script = Path(__file__).with_name("killed_run.py")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    process = subprocess.Popen(
        [sys.executable, str(script), str(folder), how], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def wait_for_commits(owner: subprocess.Popen[str], number: int) -> None:
    """Until a run has told of so many commits, or has ended."""
    assert owner.stdout is not None
    for _ in range(number):
        owner.stdout.readline()


def kill_somebody(owner: subprocess.Popen[str], rng: random.Random) -> bool:
    """SIGKILL to a worker or to the owner; a run whose worker died is then ended by killing its owner too.

    Whether the owner still lived then.
    """
    try:
        workers = psutil.Process(owner.pid).children()
        if workers and rng.random() < 0.5:
            rng.choice(workers).send_signal(signal.SIGKILL)
            time.sleep(rng.uniform(0.0, 0.5))
    except psutil.NoSuchProcess:
        workers = []
    owner.send_signal(signal.SIGKILL)
    ended = owner.wait(10)
    psutil.wait_procs(workers, timeout=10)
    assert not any(worker.is_running() for worker in workers), "a worker outlived its owner"
    return ended == -signal.SIGKILL


def undisturbed(folder: Path) -> str:
    """The catalog hash of the same work done in one process without a kill."""
    folder.mkdir()
    catalog: Catalog = open_catalog(folder)
    settings = WorkerSettings(artifacts=folder / "artifacts", roles={})
    PlanRun(catalog=catalog, artifacts=Artifacts(folder / "artifacts"), plan=plan(), crew=Inline(settings))()
    with Snapshot(catalog, prepare=apply_corrections).of(plan()) as found:
        digest = found.catalog_hash()
    catalog.close()
    return digest
