"""One owner of a project; everybody else is its client or is refused in words."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from backend.client import connect
from backend.client.remote import RemoteApi
from backend.domain import ProjectError, ServiceError, StudioError
from backend.service import serving
from backend.workspace import Workspace, open_api
from tests.chaos.killed_work import serve
from tests.chaos.killing import begin
from tests.promises import Tally


def test_second_owner_is_refused_by_name(workspace: Workspace) -> None:
    with pytest.raises(ProjectError, match=f"in use by process {os.getpid()}"):
        Workspace(workspace.layout.root)


@pytest.mark.slow
@pytest.mark.promise(
    "A second service of a project is refused by the number of the process that owns it, however the first one ends",
    area="Durability",
    goal="0 second owners in 50 tries",
    control="tests/backend/workspace/test_owning.py::test_without_the_lock_a_project_gets_two_owners",
)
def test_second_services_are_refused_until_the_first_is_dead(tmp_path: Path, long: bool, tally: Tally) -> None:
    Workspace(tmp_path / "p", create=True).close()
    for _ in range(25 if long else 2):
        first, pipe = begin(serve, tmp_path / "p", folder=tmp_path)
        assert pipe.poll(60)
        assert pipe.recv() == "serving"
        let_in = unnamed((said_to_service(tmp_path / "p"), said_to_owner(tmp_path / "p")), first.pid)
        tally.record(2, lost=len(let_in))
        assert let_in == []
        first.kill()
        first.join()
    Workspace(tmp_path / "p").close()


@pytest.mark.slow
def test_without_the_lock_a_project_gets_two_owners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second owner who looks at no lock comes as far as the catalog, whose own lock names nobody."""
    Workspace(tmp_path / "p", create=True).close()
    first, pipe = begin(serve, tmp_path / "p", folder=tmp_path)
    assert pipe.poll(60)
    assert pipe.recv() == "serving"
    monkeypatch.setattr("backend.workspace.layout.fcntl.flock", lambda *_: None)
    assert len(unnamed((said_to_owner(tmp_path / "p"),), first.pid)) == 1
    first.kill()
    first.join()


def said_to_service(project: Path) -> str:
    """What a second service is told; nothing where it was not refused."""
    ran = subprocess.run(
        [sys.executable, "-m", "backend.cli", "serve", "--project", str(project)],
        capture_output=True,
        text=True,
        timeout=180,
        stdin=subprocess.DEVNULL,
    )
    return ran.stderr if ran.returncode else ""


def said_to_owner(project: Path) -> str:
    """What a second owner, this process, is told; nothing where it was let in."""
    try:
        Workspace(project).close()
    except StudioError as error:
        return str(error)
    return ""


def unnamed(said: Iterable[str], owner: int | None) -> list[str]:
    """Of what others were told all that does not name the owner."""
    return [words for words in said if f"in use by process {owner} " not in words]


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
