"""One film of the sample world, and one project on which `demo` has run: for all flows that begin with them."""

import subprocess
import sys
from pathlib import Path

import pytest

from backend.sampleworld import render_world


@pytest.fixture(scope="session")
def demo_films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    render_world(folder, seed=1, videos=1, duration_s=15.0)
    return folder / "videos"


@pytest.fixture(scope="session")
def demo_project(demo_films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "demo-project"
    command = [sys.executable, "-m", "backend.cli", "demo", demo_films, "--project", folder, "--no-open", "--json"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder
