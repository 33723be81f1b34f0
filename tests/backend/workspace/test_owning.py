"""One owner of a project; everybody else is its client or is refused in words."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend.client import RemoteApi, connect
from backend.domain import ProjectError, ServiceError
from backend.service import serving
from backend.workspace import Workspace, open_api


def test_second_owner_is_refused_by_name(workspace: Workspace) -> None:
    with pytest.raises(ProjectError, match=f"in use by process {os.getpid()}"):
        Workspace(workspace.layout.root)


def test_commands_become_clients_of_the_owner(workspace: Workspace) -> None:
    with serving(workspace, workspace.layout.root):
        api = open_api(workspace.layout.root)
        assert isinstance(api, RemoteApi)
        assert api.about() == workspace.about()
        api.close()


def test_no_service_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="no service runs"):
        connect(tmp_path)


def test_missing_project_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="studio-backend init"):
        Workspace(tmp_path / "nothing")


def test_project_of_a_newer_version_is_refused_untouched(tmp_path: Path) -> None:
    settings = tmp_path / "project.toml"
    settings.write_text("format_version = 99\n")
    with pytest.raises(ProjectError, match="newer version"):
        Workspace(tmp_path)
    assert settings.read_text() == "format_version = 99\n"


@pytest.mark.slow
@pytest.mark.server
def test_started_service_ends_with_its_parent(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from backend.client import connect;"
        "api = connect(Path(sys.argv[1]), start=True); print(api.about().profile)"
    )
    found = subprocess.run([sys.executable, "-c", script, str(tmp_path / "p")], capture_output=True, text=True, timeout=60)
    assert found.stdout.strip() == "embedded", found.stderr
    with Workspace_when_free(tmp_path / "p") as again:
        assert again.about().profile == "embedded"


class Workspace_when_free:  # noqa: N801 - reads as a statement
    """Opens a project as soon as its owner has ended, within 10 s."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __enter__(self) -> Workspace:
        import time

        for _ in range(100):
            try:
                self._opened = Workspace(self._root)
                return self._opened
            except ProjectError:
                time.sleep(0.1)
        raise AssertionError("the service outlived its parent")

    def __exit__(self, *_: object) -> None:
        self._opened.close()
