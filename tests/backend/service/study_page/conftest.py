from collections.abc import Callable, Iterator
from typing import cast

import pytest

from backend.api import Api
from tests.backend.service.study_page.visitor import Visitor, study_project


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    workspace = study_project(tmp_path_factory.mktemp("study"))
    yield cast(Api, workspace)
    workspace.close()


@pytest.fixture
def token(api: Api) -> str:
    return api.invite(study="taste")[0].token


@pytest.fixture
def visitor(api: Api) -> Visitor:
    return Visitor(api)


@pytest.fixture
def newcomer(api: Api) -> Callable[..., Visitor]:
    """Somebody who joined and agreed, each at an address of their own."""
    return lambda **fields: Visitor(api).begin(api.invite(study="taste")[0].token, **fields)
