"""The page of studies over the real service, with a benchmark of four cases to make studies of."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.workspace import Workspace
from studio.pages.studies import StudiesPage
from studio.window import Window
from tests.backend.workspace.study_project import write_benchmark
from tests.studio.served import served_window


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_benchmark(tmp_path_factory.mktemp("benchmark"), cases=4, frames=2)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace(tmp_path / "project", create=True)
    yield opened
    opened.close()


@pytest.fixture
def window(qtbot, workspace: Workspace, tmp_path: Path) -> Iterator[Window]:
    with served_window(workspace, tmp_path, "studies") as shown:
        yield shown


@pytest.fixture
def page(qtbot, window: Window) -> StudiesPage:
    found = window.page
    assert isinstance(found, StudiesPage)
    qtbot.waitUntil(lambda: found.options is not None)
    return found
