"""What a cluster does to a run: workers, nodes, the driver and the owner are killed, an item is poisoned. Nothing is lost."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from backend.engine.ray_crew import Ray
from tests.cluster.conftest import TestCluster
from tests.cluster.counted import Toy, actors, gone_within, plan, times_worked

WORKERS = 2


@pytest.fixture
def whole(tmp_path: Path) -> str:
    """The hash of a run that nobody disturbs."""
    toy = Toy(tmp_path / "whole", plan(tmp_path / "whole.log"))
    toy.run()
    return toy.hash()


def disturbed(toy: Toy, log: Path, cluster: TestCluster, disturb: Callable[[Ray], None]) -> None:
    """A run amid whose counting something is done to it."""
    crew = Ray(toy.settings, ray=cluster.ray)

    def wait_and_do() -> None:
        while not times_worked(log):
            time.sleep(0.05)
        disturb(crew)

    thread = threading.Thread(target=wait_and_do)
    thread.start()
    toy.run(lambda settings: crew)
    thread.join(60)
    assert not thread.is_alive()


def assert_whole(toy: Toy, log: Path, whole: str, *, again: int) -> None:
    """All is done as if nothing had happened, no work committed twice, and at most so many items worked on again."""
    assert toy.hash() == whole
    assert toy.failures() == []
    assert toy.keys_committed_twice() == []
    repeated = sum(times_worked(log).values()) - len(times_worked(log))
    assert repeated <= again


@pytest.mark.parametrize("who", ["actor", "child"])
def test_a_killed_worker_costs_its_batch(cluster: TestCluster, tmp_path: Path, whole: str, who: str) -> None:
    log = tmp_path / "log"
    toy = Toy(tmp_path / "toy", plan(log, seconds=0.2))

    def kill(crew: Ray) -> None:
        pid = min(actors())
        if who == "child":
            children = psutil.Process(pid).children()
            pid = next(one.pid for one in children if "spawn_main" in " ".join(one.cmdline()))
        os.kill(pid, signal.SIGKILL)

    disturbed(toy, log, cluster, kill)
    assert_whole(toy, log, whole, again=1)


def test_a_killed_node_costs_the_batches_of_its_workers(cluster: TestCluster, tmp_path: Path, whole: str) -> None:
    log = tmp_path / "log"
    toy = Toy(tmp_path / "toy", plan(log, seconds=0.2))
    disturbed(toy, log, cluster, lambda crew: cluster.kill(cluster.nodes[0]))
    assert_whole(toy, log, whole, again=1)


def test_a_killed_driver_is_followed_by_another(cluster: TestCluster, tmp_path: Path, whole: str) -> None:
    log = tmp_path / "log"
    toy = Toy(tmp_path / "toy", plan(log, seconds=0.2))

    def kill(crew: Ray) -> None:
        assert crew._driver is not None
        os.kill(crew._driver.process.pid or 0, signal.SIGKILL)

    disturbed(toy, log, cluster, kill)
    assert_whole(toy, log, whole, again=WORKERS)


def test_a_killed_owner_finds_what_its_workers_finished(cluster: TestCluster, tmp_path: Path, whole: str) -> None:
    log, script = tmp_path / "log", Path(__file__).with_name("owner.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, str(script), str(tmp_path), cluster.ray.address]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    until = time.monotonic() + 120
    while len(times_worked(log)) < 6 and time.monotonic() < until:
        time.sleep(0.05)
    owner.kill()
    owner.wait(20)
    gone_within(30.0)
    assert 6 <= len(times_worked(log)) < 24
    toy = Toy(tmp_path / "toy", plan(log, seconds=0.3))
    toy.run(lambda settings: Ray(settings, ray=cluster.ray))
    assert_whole(toy, log, whole, again=WORKERS)


def test_a_poisoned_item_is_quarantined_alone(cluster: TestCluster, tmp_path: Path) -> None:
    """Of each video the clip at 50 kills its worker, twice; its neighbours are in the same batches."""
    toy = Toy(tmp_path / "toy", plan(tmp_path / "log", trouble="segfault"), num=2)
    toy.run(lambda settings: Ray(settings, ray=cluster.ray))
    assert [(kind, "died of SIGSEGV, twice" in message) for _, kind, message in toy.failures()] == [("crash", True)] * 2
    assert toy.catalog.query("SELECT count(*) FROM score WHERE name = 'fine'") == [(6,)]
