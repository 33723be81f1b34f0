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
from backend.store.catalog import Catalog
from backend.workspace.snapshot import Snapshot
from tests.chaos.killed_run import NUM_SOURCES, open_catalog, plan

OVER_CLIPS = dict.fromkeys(("mark_clips", "sum_marks", "trouble"), 4 * NUM_SOURCES)
STAGES = {"make_video": NUM_SOURCES, "split_evenly": NUM_SOURCES, "count_clips": NUM_SOURCES, **OVER_CLIPS}


@pytest.mark.slow
def test_ten_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    kill_and_check(tmp_path, kills=10, seed=1)


@pytest.mark.chaos
def test_hundred_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    for seed in range(10):
        folder = tmp_path / str(seed)
        folder.mkdir()
        kill_and_check(folder, kills=10, seed=seed)


def kill_and_check(folder: Path, *, kills: int, seed: int) -> None:
    """Kills the owner or a worker of a run `kills` times, then lets it end and compares it with one that nobody killed."""
    rng = random.Random(seed)
    committed: set[str] = set()
    for _ in range(kills):
        owner = start(folder)
        time.sleep(rng.uniform(0.0, 1.2))
        kill_somebody(owner, rng)
        catalog = open_catalog(folder)
        now = {row[0] for row in catalog.query("SELECT work_key FROM work")}
        catalog.close()
        assert committed <= now, "a committed row was lost"
        committed = now
    last = start(folder)
    assert last.wait(120) == 0
    catalog = open_catalog(folder)
    doubled = catalog.query("SELECT work_key FROM work GROUP BY 1 HAVING count(*) > 1")
    rows = dict(catalog.query("SELECT stage, count(*) FROM work WHERE state = 'ok' GROUP BY 1"))
    assert doubled == []
    assert rows == STAGES
    assert catalog.query("SELECT id FROM clip GROUP BY 1 HAVING count(*) > 1") == []
    with Snapshot(catalog).of(plan()) as found:
        assert found.catalog_hash() == undisturbed(folder / "undisturbed")
    catalog.close()


def start(folder: Path) -> subprocess.Popen[str]:
    script = Path(__file__).with_name("killed_run.py")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    process = subprocess.Popen(
        [sys.executable, str(script), str(folder)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def kill_somebody(owner: subprocess.Popen[str], rng: random.Random) -> None:
    """SIGKILL to a worker or to the owner; a run whose worker died is then ended by killing its owner too."""
    try:
        workers = psutil.Process(owner.pid).children()
        if workers and rng.random() < 0.5:
            rng.choice(workers).send_signal(signal.SIGKILL)
            time.sleep(rng.uniform(0.0, 0.5))
    except psutil.NoSuchProcess:
        workers = []
    owner.send_signal(signal.SIGKILL)
    owner.wait(10)
    psutil.wait_procs(workers, timeout=10)
    assert not any(worker.is_running() for worker in workers), "a worker outlived its owner"


def undisturbed(folder: Path) -> str:
    """The catalog hash of the same work done in one process without a kill."""
    folder.mkdir()
    catalog: Catalog = open_catalog(folder)
    settings = WorkerSettings(artifacts=folder / "artifacts", roles={})
    PlanRun(catalog=catalog, artifacts=Artifacts(folder / "artifacts"), plan=plan(), crew=Inline(settings))()
    with Snapshot(catalog).of(plan()) as found:
        digest = found.catalog_hash()
    catalog.close()
    return digest
