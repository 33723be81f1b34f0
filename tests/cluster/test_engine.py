"""The Ray engine on a cluster of two nodes: the same catalog as `inline`, pools with what stages need, and nothing left behind."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from backend.domain import SettingsError
from backend.engine.context import WorkerSettings
from backend.engine.crews import Crew
from backend.engine.plan import Plan, Step
from backend.engine.ray_crew import Ray
from tests.backend.engine.toy_stages import MakeVideo
from tests.cluster.conftest import TestCluster
from tests.cluster.counted import OnGpu, Toy, actors, gone_within, plan, times_worked


def test_it_gives_the_catalog_of_inline_and_leaves_nothing(cluster: TestCluster, tmp_path: Path) -> None:
    one, other = (Toy(tmp_path / name, plan(tmp_path / f"{name}.log")) for name in ("inline", "ray"))
    one.run()
    seen: set[int] = set()
    summary = other.run(
        lambda settings: Ray(settings, ray=cluster.ray), progress=lambda stage, done, total: seen.update(actors())
    )
    assert other.hash() == one.hash()
    assert other.artifacts.verify_all() == []
    assert summary.failed == 0
    assert len(seen) == 2, "as many actors as CPUs, each for the whole run"
    assert set(times_worked(tmp_path / "ray.log").values()) == {1}
    workers = {line.split()[1] for line in (tmp_path / "ray.log").read_text().splitlines()}
    assert workers == {str(pid) for pid in seen}, "both worked, each in its own child"
    assert list((tmp_path / "ray" / "index" / "exchange").iterdir()) == []
    gone_within(15.0)
    assert other.run(lambda settings: Ray(settings, ray=cluster.ray)).worked == {}, "work keys say that all is done"


def test_workers_that_see_another_folder_use_the_store(cluster: TestCluster, tmp_path: Path) -> None:
    one, other = (Toy(tmp_path / name, plan(tmp_path / f"{name}.log")) for name in ("inline", "ray"))
    one.run()
    store = replace(cluster.ray, store=f"file://{tmp_path}/store")
    other.run(lambda settings: Ray(settings, ray=store))
    assert other.hash() == one.hash()
    assert set(other.artifacts.names()) == set(one.artifacts.names())
    assert other.artifacts.verify_all() == []
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []


def test_a_stage_that_wants_a_gpu_gets_one_and_the_others_none(cluster: TestCluster, tmp_path: Path) -> None:
    node = cluster.add(num_gpus=1)
    try:
        toy = Toy(tmp_path / "gpu", Plan(steps=(Step(MakeVideo()), Step(OnGpu()))), num=6)
        toy.run(lambda settings: Ray(settings, ray=cluster.ray))
        assert toy.catalog.query("SELECT DISTINCT value FROM score WHERE name = 'gpus'") == [(1.0,)]
    finally:
        cluster.kill(node)


def test_cancelling_keeps_what_is_done_and_resumes(cluster: TestCluster, tmp_path: Path) -> None:
    cancelled, log = threading.Event(), tmp_path / "log"
    toy = Toy(tmp_path / "toy", plan(log, seconds=0.3))
    at: list[float] = []

    def stop() -> None:
        while len(times_worked(log)) < 4:
            time.sleep(0.05)
        at.append(time.monotonic())
        cancelled.set()

    threading.Thread(target=stop).start()
    crew: Crew = Ray(toy.settings, ray=cluster.ray)
    summary = toy.run(lambda settings: crew, cancelled=cancelled)
    assert summary.cancelled
    assert time.monotonic() - at[0] < 30, "GRACE_S and the end of the driver, on a busy machine"
    gone_within(15.0)
    before = times_worked(log)
    assert len(before) < toy.num
    toy.run(lambda settings: Ray(settings, ray=cluster.ray))
    assert len(times_worked(log)) == toy.num
    assert toy.keys_committed_twice() == []


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1:1", "no Ray cluster answers at 127.0.0.1:1"),
        ("somewhere", "give HOST:PORT"),
        ("ray://127.0.0.1:10001", "have this machine join"),
    ],
)
def test_a_cluster_that_cannot_be_reached_is_a_sentence(
    cluster: TestCluster, tmp_path: Path, address: str, words: str
) -> None:
    toy = Toy(tmp_path / "toy", Plan(steps=(Step(MakeVideo()),)), num=1)
    with pytest.raises(SettingsError, match=words):
        toy.run(lambda settings: Ray(settings, ray=replace(cluster.ray, address=address)))


def test_a_node_that_does_not_see_the_exchange_is_refused(cluster: TestCluster, tmp_path: Path) -> None:
    toy = Toy(tmp_path / "toy", Plan(steps=(Step(MakeVideo()),)), num=1)

    def unsigned(settings: WorkerSettings) -> Ray:
        crew = Ray(settings, ray=cluster.ray)
        crew._orders = replace(crew._orders, word="0" * 16)
        return crew

    with pytest.raises(SettingsError, match=r"node 127\.0\.0\.1 of the Ray cluster does not see .*exchange"):
        toy.run(unsigned)
