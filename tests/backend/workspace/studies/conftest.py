"""A benchmark of toy videos and a study on it, in process; one test goes over HTTP."""

from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.domain.studies import StudySummary
from backend.workspace import Workspace
from tests.backend.workspace.study_project import create, write_benchmark


@pytest.fixture(scope="session")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_benchmark(tmp_path_factory.mktemp("benchmark"), cases=6)


@pytest.fixture
def api(workspace: Workspace) -> Api:
    return cast(Api, workspace)


@pytest.fixture
def study(api: Api, benchmark: Path) -> StudySummary:
    return create(api, benchmark)
