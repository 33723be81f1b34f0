"""Banks of several shards on a cluster: each lies on one actor, and pairs are those of `inline`, whoever dies."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from backend.engine.crews import Inline
from backend.engine.plan import Plan
from backend.engine.ray_crew import Ray, RaySettings
from backend.engine.ray_questions import DEATHS
from tests.cluster.banked import NUM_SHARDS, Opening, openings, plan, raylet_of
from tests.cluster.conftest import TestCluster
from tests.cluster.counted import Toy, actors, gone_within, times_worked

SHARDS = {f"{number + 1}-of-{NUM_SHARDS}" for number in range(NUM_SHARDS)}

LOOK_S = 3.0  # looking takes as long as half of it on a busy machine


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The hash of a run that opens all shards in the owner."""
    folder = tmp_path_factory.mktemp("inline")
    toy = Toy(folder / "toy", plan(folder / "log"))
    toy.run()
    assert toy.failures() == []
    assert toy.catalog.query("SELECT count(*) > 100 FROM pair") == [(True,)]
    assert {path.name for path in (folder / "toy" / "index" / "banks").glob("face-*")} == {f"face-{s}" for s in SHARDS}
    return toy.hash()


class Watched:
    """A run on the cluster, during whose look-ups it is written down who has shards open; `disturb` is called amid them."""

    def __init__(self, folder: Path, ray: RaySettings, *, is_held: bool = True) -> None:
        self.log = folder / "log"
        self.toy = Toy(folder / "toy", plan(self.log, is_held=is_held))
        self._ray = ray
        self.seen: set[Opening] = set()
        self.last: set[Opening] = set()
        self._looked_s = 0.0

    def run(self, disturb: Callable[[], None] = lambda: None) -> None:
        thread = threading.Thread(target=self._wait_and, args=(disturb,))
        thread.start()
        self.toy.run(partial(Ray, ray=self._ray), progress=self._look)
        thread.join(60)
        assert not thread.is_alive()

    def _wait_and(self, disturb: Callable[[], None]) -> None:
        while len(times_worked(self.log)) < 4:
            time.sleep(0.05)
        disturb()

    def _look(self, stage: str, done: int, total: int) -> None:
        if stage == "pair_across" and done and (done == total or time.monotonic() - self._looked_s > LOOK_S):
            self.last, self._looked_s = openings(), time.monotonic()
            self.seen |= self.last


def assert_whole(watched: Watched, whole: str) -> None:
    """All is found, and nothing was asked of a stage again."""
    assert watched.toy.failures() == []
    assert watched.toy.hash() == whole


@pytest.mark.parametrize("has_store", [False, True], ids=["shared", "store"])
def test_each_shard_lies_on_one_keeper_and_workers_open_none(
    cluster: TestCluster, tmp_path: Path, whole: str, has_store: bool
) -> None:
    ray = replace(cluster.ray, store=f"file://{tmp_path}/store") if has_store else cluster.ray
    watched = Watched(tmp_path, ray)
    watched.run()
    assert_whole(watched, whole)
    assert {one.shard for one in watched.seen} == SHARDS
    assert all(one.is_keeper for one in watched.seen)
    assert len(watched.seen) == len({one.pid for one in watched.seen}) == NUM_SHARDS, "one process and one folder each"
    assert {one.raylet for one in watched.seen} == {raylet_of(node) for node in cluster.nodes}, "none on the head"
    gone_within(15.0)


def test_workers_open_every_shard_that_nobody_holds(cluster: TestCluster, tmp_path: Path, whole: str) -> None:
    """The test above can fail: with no keepers, two workers build and open four shards each."""
    watched = Watched(tmp_path, replace(cluster.ray, store=f"file://{tmp_path}/store"), is_held=False)
    watched.run()
    assert_whole(watched, whole)
    assert actors("RayKeeper") == set()
    assert not any(one.is_keeper for one in watched.seen)
    assert len(watched.seen) == 2 * NUM_SHARDS
    assert len({one.path for one in watched.seen}) == 2 * NUM_SHARDS


def test_a_killed_keeper_is_followed_by_another(cluster: TestCluster, tmp_path: Path, whole: str) -> None:
    watched = Watched(tmp_path, cluster.ray)
    killed: list[Opening] = []

    def kill() -> None:
        killed.append(min((one for one in openings() if one.is_keeper), key=lambda one: one.shard))
        os.kill(killed[0].pid, signal.SIGKILL)

    watched.run(kill)
    assert_whole(watched, whole)
    assert set(times_worked(watched.log).values()) == {1}, "questions are asked again, items are not"
    (after,) = [one for one in watched.last if one.shard == killed[0].shard]
    assert after.is_keeper
    assert after.pid != killed[0].pid


def test_the_shards_of_a_killed_node_are_opened_on_others(cluster: TestCluster, tmp_path: Path, whole: str) -> None:
    watched = Watched(tmp_path, cluster.ray)
    gone, stays = cluster.nodes
    raylet = raylet_of(gone)
    there: set[int] = set()

    def kill() -> None:
        there.update(one.raylet for one in openings())
        cluster.kill(gone)

    watched.run(kill)
    assert_whole(watched, whole)
    assert raylet in there, "shards are spread over the nodes"
    assert {one.shard for one in watched.last if one.raylet == raylet_of(stays)} == SHARDS


def test_a_shard_that_cannot_be_opened_fails_items_as_inline(cluster: TestCluster, tmp_path: Path) -> None:
    said = []
    for name in ("inline", "ray"):
        made = plan(tmp_path / f"{name}.log")
        toy = Toy(tmp_path / name, Plan(steps=made.steps[:1]))
        toy.run()
        ((part,),) = toy.catalog.query("SELECT artifact FROM bank_part ORDER BY artifact LIMIT 1")
        toy.artifacts.path(part).unlink()
        toy.plan = made
        toy.run(Inline if name == "inline" else partial(Ray, ray=cluster.ray))
        said.append(toy.failures())
    assert len(said[0]) == 24
    assert {message for _, _, message in said[0]} == {
        f"artifact {part} is missing (No such file or directory); run the stage that made it again"
    }
    assert said[1] == said[0]


def test_a_question_that_kills_keepers_is_given_up(cluster: TestCluster, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, str(Path(__file__).with_name("deadly.py")), cluster.ray.address, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)
    assert "the deadly one: the actor that holds it died 4 times when it was asked" in done.stdout, done.stderr
    assert len(set((tmp_path / "log").read_text().split())) == DEATHS == 4
