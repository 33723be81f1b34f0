"""One film of the sample world, and one project on which `demo` has run: for all flows that begin with them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from backend.sampleworld import render_world


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder with `videos` and `project`, made by the first process that asks; others wait for it, and work on copies."""
    folder = tmp_path_factory.getbasetemp()
    shared = (folder if worker_id == "master" else folder.parent) / "demo"
    with FileLock(f"{shared}.lock"):
        if not (shared / "made").exists():
            shutil.rmtree(shared, ignore_errors=True)
            render_world(shared, seed=1, videos=1, duration_s=15.0)
            command = [sys.executable, "-m", "backend.cli", "demo", shared / "videos", "--project", shared / "project"]
            done = subprocess.run([*map(str, command), "--no-open", "--json"], capture_output=True, text=True, timeout=600)
            assert done.returncode == 0, done.stderr[-3000:]
            (shared / "made").touch()
    return shared


@pytest.fixture(scope="session")
def demo_films(demo: Path) -> Path:
    return demo / "videos"


@pytest.fixture(scope="session")
def demo_project(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(demo / "project", tmp_path_factory.mktemp("demo") / "demo-project"))
