"""What befalls model workers, as a stream that can be taken up again where it broke off."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import httpx
import pytest

from backend.api import Api
from backend.client import ServicePlace
from backend.service import serving
from backend.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace(tmp_path / "project", create=True)
    with serving(cast(Api, opened), opened.layout.root):
        yield opened
    opened.close()


def streamed(workspace: Workspace, count: int, *, last: str | None = None) -> list[tuple[int, dict]]:
    """The first events of a stream, with their numbers."""
    place = ServicePlace(workspace.layout.root)
    headers = {"authorization": f"Bearer {place.token.read_text()}", **({"last-event-id": last} if last else {})}
    found: list[tuple[int, dict]] = []
    number = 0
    with (
        httpx.Client(transport=httpx.HTTPTransport(uds=str(place.socket)), base_url="http://subject-studio") as client,
        client.stream("GET", "/events/models", headers=headers, timeout=10) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("id: "):
                number = int(line[4:])
            elif line.startswith("data: "):
                found.append((number, json.loads(line[6:])))
                if len(found) == count:
                    return found
    raise AssertionError("the stream ended")


def say(workspace: Workspace, *texts: str) -> None:
    workspace.model_service.address()
    for text in texts:
        workspace.model_service._say(workspace.model_service._workers[0], "loading", text)


def test_events_come_in_order_with_their_numbers(workspace: Workspace) -> None:
    say(workspace, "one")
    threading.Timer(0.5, say, (workspace, "two")).start()
    found = streamed(workspace, 2)
    assert [(number, event["number"], event["text"]) for number, event in found] == [(1, 1, "one"), (2, 2, "two")]
    assert found[0][1]["kind"] == "loading"


def test_broken_stream_goes_on_after_the_last_event(workspace: Workspace) -> None:
    say(workspace, "one", "two", "three")
    assert [event["text"] for _, event in streamed(workspace, 2, last="1")] == ["two", "three"]


@pytest.mark.parametrize("last", ["-1", "x", "9" * 40])
def test_nonsense_for_a_number_is_the_beginning(workspace: Workspace, last: str) -> None:
    say(workspace, "one")
    assert streamed(workspace, 1, last=last)[0][0] == 1
