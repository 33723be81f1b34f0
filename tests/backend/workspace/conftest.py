import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.client import ServicePlace
from backend.client.remote import RemoteApi
from backend.service import serving
from backend.workspace import Workspace
from tests.backend.workspace.toy_project import plan, write_toy_video


def curated(api: Api) -> None:
    """Runs curation to its end."""
    job = api.curate(engine="inline")
    deadline = time.monotonic() + 60
    while job.state in ("queued", "running"):
        assert time.monotonic() < deadline, "curation hangs"
        time.sleep(0.01)
        job = api.progress(job_id=job.job_id)
    assert job.state == "done", job.message


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace(tmp_path / "project", create=True)
    opened.plan = plan()
    yield opened
    opened.close()


@pytest.fixture(params=[pytest.param("in process", marks=pytest.mark.thorough), "over http"])
def api(request: pytest.FixtureRequest, workspace: Workspace) -> Iterator[Api]:
    """The same suite on both transports: over HTTP the same workspace answers, so that this one is always tried."""
    if request.param == "in process":
        yield cast(Api, workspace)
        return
    with serving(cast(Api, workspace), workspace.layout.root):
        remote = RemoteApi(ServicePlace(workspace.layout.root))
        yield cast(Api, remote)
        remote.close()


@pytest.fixture
def curated_api(api: Api, tmp_path: Path) -> Api:
    videos = tmp_path / "videos"
    videos.mkdir()
    write_toy_video(videos / "mug.mp4")
    (videos / "notes.txt").write_text("not a video")
    (videos / "broken.mp4").write_bytes(b"")
    api.ingest(paths=(str(videos),), licence="CC0-1.0")
    curated(api)
    return api
