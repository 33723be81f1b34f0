"""A project that is served on loopback in both ways, for those who attack it."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from backend.api import Api
from backend.service import NetworkPlace, Serving, serving
from backend.service.study_page import PageLimits, PagePlace, PageServing, Rate, serving_page
from backend.workspace import Workspace
from tests.attacks.targets import TOKEN, Target
from tests.backend.service.study_page.visitor import Visitor, study_project

LIMITS = PageLimits(
    per_address=Rate(10_000, 100_000),
    joins_per_address=Rate(100, 1_000),
    per_session=Rate(10_000, 100_000),
    media_per_session=Rate(10_000, 100_000),
)  # attackers hurry: what is tried here is not the rates


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    workspace = study_project(tmp_path_factory.mktemp("attacked"))
    yield workspace
    workspace.close()


@pytest.fixture(scope="session")
def api(workspace: Workspace) -> Api:
    return cast(Api, workspace)


@pytest.fixture(scope="session")
def service(api: Api, workspace: Workspace) -> Iterator[Serving]:
    """The Api on a free port of this machine."""
    with serving(api, workspace.layout.root, network=NetworkPlace(port=0), network_token=TOKEN) as server:
        yield server


@pytest.fixture(scope="session")
def page(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServing]:
    """The study page on a free port of this machine."""
    secret = tmp_path_factory.mktemp("secret") / "page.key"
    with serving_page(api, secret=secret, place=PagePlace(port=0), limits=LIMITS) as server:
        yield server


@pytest.fixture(scope="session")
def service_target(service: Serving, api: Api) -> Target:
    assert service.network is not None
    return Target(api, service.network.url)


@pytest.fixture(scope="session")
def page_target(page: PageServing, api: Api) -> Target:
    return Target(api, page.place.url, is_service=False)


@pytest.fixture
def participant(api: Api, page: PageServing) -> Iterator[Visitor]:
    """Somebody who joined and agreed over a real connection."""
    visitor = Visitor(api, at=page.place.url).begin(api.invite(study="taste")[0].token)
    yield visitor
    visitor.http.close()


@pytest.fixture
def switched_off(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Takes checks away from every guard of a class, running ones too: `switched_off(Guard, Guard.of_host)`."""

    def switch(guard: Any, *checks: Any) -> None:
        kept = tuple(check for check in guard.checks if check not in checks)
        assert len(kept) == len(guard.checks) - len(checks)
        monkeypatch.setattr(guard, "checks", kept)

    return switch
