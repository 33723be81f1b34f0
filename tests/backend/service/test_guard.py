"""Who may call the service: each refusal by a request of its own, over the real socket."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import cast

import httpx
import pytest

from backend.api import Api
from backend.client import ServicePlace
from backend.client.remote import RemoteApi
from backend.client.wire import operations
from backend.domain import ServiceError
from backend.service import serving
from backend.workspace import Workspace


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServicePlace]:
    workspace = Workspace(tmp_path_factory.mktemp("guarded") / "project", create=True)
    with serving(cast(Api, workspace), workspace.layout.root):
        yield ServicePlace(workspace.layout.root)
    workspace.close()


def call(
    place: ServicePlace,
    headers: Mapping[str, str | None] = MappingProxyType({}),
    *,
    path: str = "/api/about",
    content: bytes = b"{}",
) -> httpx.Response:
    """A call as our client makes it, with headers replaced (None leaves one out)."""
    usual: dict[str, str | None] = {
        "authorization": f"Bearer {place.token.read_text()}",
        "content_type": "application/json",
    }
    sent = {name.replace("_", "-"): value for name, value in {**usual, **headers}.items() if value is not None}
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(place.socket)), base_url="http://subject-studio") as client:
        return client.post(path, content=content, headers=sent)


def test_usual_call_is_answered(place: ServicePlace) -> None:
    assert call(place).json()["profile"] == "embedded"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": None}, 401),
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": "Basic eDp5"}, 401),
        ({"host": "evil.test"}, 421),
        ({"host": "subject-studio.evil.test"}, 421),
        ({"origin": "http://evil.test"}, 403),
        ({"origin": "null"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"content_type": "text/plain"}, 415),
        ({"content_type": None}, 415),
    ],
)
def test_strangers_are_refused(place: ServicePlace, headers: dict[str, str | None], status: int) -> None:
    answer = call(place, headers)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_large_bodies_are_refused(place: ServicePlace) -> None:
    assert call(place, content=b" " * (2 << 20)).status_code == 413


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b"null",
        b'{"limit": NaN}',
        b'{"limit": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"unknown": 1}',
        b"[" * 5000,
        b'{"limit": 1e999}',
        b'{"limit": "x"}',
    ],
)
def test_malformed_bodies_are_the_callers_fault(place: ServicePlace, content: bytes) -> None:
    answer = call(place, path="/api/pairs", content=content)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]["message"]


def test_socket_lies_where_nobody_else_can_go(place: ServicePlace) -> None:
    assert place.folder.stat().st_mode & 0o077 == 0
    assert place.token.stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_every_operation_has_a_route(place: ServicePlace) -> None:
    assert all(call(place, path=f"/api/{name}", content=b'{"?": 1}').status_code == 422 for name in operations())


def test_wrong_token_is_a_service_that_is_not_ours(place: ServicePlace) -> None:
    place.token.chmod(0o600)
    place.token.write_text("stale")
    with pytest.raises(ServiceError):
        cast(Api, RemoteApi(place)).about()
