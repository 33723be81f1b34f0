"""Windows over the real service: of the toy project (three clips with a subject each, pairs of .9, .6 and .3, a gate at .5), and of a long queue."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

from backend.api import Api
from backend.client import connect
from backend.client.remote import RemoteApi
from backend.engine.plan import Step
from backend.service import serving
from backend.workspace import Workspace
from bench.studio_queue import PlantQueue, plant
from studio.app import open_window
from studio.link import Link
from studio.window import Window
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.toy_project import plan, write_toy_video
from tests.studio.slow import Away


@contextmanager
def toy_workspace(folder: Path, *more: Step, licence: str | None = "CC0-1.0") -> Iterator[Workspace]:
    """The project, curated, with `more` steps behind those of the toy plan."""
    opened = Workspace(folder / "project", create=True)
    opened.plan = replace(plan(), steps=(*plan().steps, *more))
    opened.ingest(paths=(str(write_toy_video(folder / "mug.mp4")),), licence=licence)
    curated(cast(Api, opened))
    yield opened
    opened.close()


@contextmanager
def long_queue(folder: Path) -> Iterator[Workspace]:
    """A project of two clips with 16 subjects each, and of their 496 pairs: enough for many raters, one after another."""
    with planted_queue(folder, PlantQueue(clips=2)) as opened:
        yield opened


@contextmanager
def planted_queue(folder: Path, queue: PlantQueue) -> Iterator[Workspace]:
    """A project of the clips, subjects and pairs that are asked for."""
    opened = Workspace(folder / "queue", create=True)
    plant(opened, queue)
    yield opened
    opened.close()


class Service:
    """The service of a workspace, which can stop and come back."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._running = ExitStack()

    def start(self) -> None:
        self._running.enter_context(serving(cast(Api, self.workspace), self.workspace.layout.root))

    def stop(self) -> None:
        self._running.close()

    def connect(self) -> Api:
        """As Studio does it, also anew after a loss. Raises ServiceError while the service is stopped."""
        return connect(self.workspace.layout.root)


@contextmanager
def window_over(service: Service, folder: Path, page: str, *, rater: str = "ann") -> Iterator[Window]:
    """A window on a page, over HTTP as people have it; it finds the service again when that has been away."""
    api = service.connect()
    shown = open_window(
        api,
        project=service.workspace.layout.root,
        rater=rater,
        theme="light",
        state=folder / "state" / "p",
        page=page,
        revive=service.connect,
    )
    shown.resize(1400, 860)
    shown.show()
    shown.activateWindow()
    try:
        yield shown
    finally:
        shown.close()
        shown.deleteLater()
        for used in (api, shown.link.api):
            if isinstance(used, RemoteApi):
                used.close()


@contextmanager
def away(link: Link) -> Iterator[None]:
    """The service does not answer, and cannot be found anew, until the block ends; then what waits is sent."""
    api, revive = link.api, link._revive
    link.api, link._revive = cast(Api, Away()), None
    try:
        yield
    finally:
        link.api, link._revive = api, revive
        link._sync.wake()


@contextmanager
def served_window(workspace: Workspace, folder: Path, page: str) -> Iterator[Window]:
    """A window on a page, over a service of its own."""
    service = Service(workspace)
    service.start()
    try:
        with window_over(service, folder, page) as shown:
            yield shown
    finally:
        service.stop()
