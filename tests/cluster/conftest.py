"""A Ray cluster of several nodes on this machine, on its loopback address; skipped where the extra `cluster` is not installed."""

import importlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.engine.context import WorkerSettings
from backend.engine.ray_crew import RaySettings

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback only
    "RAY_raylet_start_wait_time_s": "120",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": "0123456789abcdef" * 4,
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "15000",
    "RAY_health_check_failure_threshold": "3",
}
OBJECTS_BYTES = 80 * 2**20


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.cluster)


@dataclass
class TestCluster:
    """A head that works on nothing, and nodes of one CPU each."""

    __test__ = False
    cluster: Any
    nodes: list[Any]

    @property
    def ray(self) -> RaySettings:
        return RaySettings(address=self.cluster.address)

    def add(self, **more: Any) -> Any:
        node = self.cluster.add_node(**{"num_cpus": 1, "object_store_memory": OBJECTS_BYTES, **more})
        self.nodes.append(node)
        return node

    def kill(self, node: Any) -> None:
        """Every process of the node, as if it lost its power."""
        self.nodes.remove(node)
        self.cluster.remove_node(node, allow_graceful=False)


@pytest.fixture(scope="session")
def started() -> Iterator[TestCluster]:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed; `make cluster` installs it and runs these")
    folder = Path(tempfile.mkdtemp(prefix="studio-ray-"))
    (folder / "ray").mkdir()
    before = dict(os.environ)
    os.environ |= {**ENVIRONMENT, "RAY_TMPDIR": str(folder)}
    cluster = importlib.import_module("ray.cluster_utils").Cluster(  # Ray reads its environment when it is imported
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, "object_store_memory": OBJECTS_BYTES},
    )
    made = TestCluster(cluster, [])
    try:
        for _ in range(2):
            made.add()
        yield made
    finally:
        own = psutil.Process().children(recursive=True)
        cluster.shutdown()
        ours = [child for child in own if child.is_running() and child.name() != "python"]
        left = psutil.wait_procs(ours, timeout=20)[1]
        for child in left:
            child.kill()
        os.environ.clear()
        os.environ |= before
        shutil.rmtree(folder, ignore_errors=True)
        assert left == [], "the cluster left processes"


@pytest.fixture
def cluster(started: TestCluster) -> TestCluster:
    """With two nodes, whatever the test before did to them."""
    while len(started.nodes) < 2:
        started.add()
    return started


@pytest.fixture
def settings(tmp_path: Path) -> WorkerSettings:
    return WorkerSettings(artifacts=tmp_path / "artifacts", roles={})
