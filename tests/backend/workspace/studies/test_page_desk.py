"""The page of studies as the project's owner serves it: begun, told, ended, and gone with the owner."""

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.domain import ProjectError, ServiceError
from backend.domain.study_plans import PageNotice
from backend.workspace import Workspace
from backend.workspace.page_notice import telling


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace(tmp_path / "project", create=True)
    yield opened
    opened.close()


def answers(url: str) -> bool:
    """Whether somebody speaks HTTP there; what is said to a token that there is not is another matter."""
    try:
        with urllib.request.urlopen(f"{url}/s/", timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def test_the_page_is_served_to_this_machine_until_it_is_stopped(workspace: Workspace) -> None:
    api = cast(Api, workspace)
    found = api.serve_study_page(port=0)
    assert found.url.startswith("http://127.0.0.1:")
    assert found.ends_here
    assert answers(found.url)
    assert api.study_page() == found
    assert workspace.serves_page()
    with pytest.raises(ProjectError, match=found.url):
        api.serve_study_page(port=0)
    assert api.stop_study_page() == PageNotice() == api.study_page()
    assert not answers(found.url)
    assert not workspace.serves_page()
    with pytest.raises(ProjectError, match="not served"):
        api.stop_study_page()
    again = api.serve_study_page(port=int(found.url.rpartition(":")[2]))
    assert again.url == found.url, "links that were sent stay good"


def test_a_port_that_is_taken_is_told_by_its_kind_and_changes_nothing(workspace: Workspace) -> None:
    api = cast(Api, workspace)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ServiceError, match=f"127.0.0.1:{port}") as refused:
            api.serve_study_page(port=port)
    assert refused.value.kind == "port_taken"
    assert api.study_page() == PageNotice()
    assert answers(api.serve_study_page(port=0).url)


def test_a_page_that_another_command_serves_is_told_and_left_alone(workspace: Workspace) -> None:
    api = cast(Api, workspace)
    with telling(workspace.layout, "http://127.0.0.1:8470"):
        assert api.study_page().url == "http://127.0.0.1:8470"
        assert not api.study_page().ends_here
        with pytest.raises(ProjectError, match="another command"):
            api.stop_study_page()
        with pytest.raises(ProjectError, match="served already"):
            api.serve_study_page(port=0)


def test_the_page_ends_with_the_project(tmp_path: Path) -> None:
    opened = Workspace(tmp_path / "project", create=True)
    url = cast(Api, opened).serve_study_page(port=0).url
    opened.close()
    assert not answers(url)
