"""A window over the real service of the toy project: three clips with a subject each, pairs of .9, .6 and .3 and a gate at .5."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

from backend.api import Api
from backend.client import RemoteApi, ServicePlace
from backend.engine.plan import Step
from backend.service import serving
from backend.workspace import Workspace
from studio.app import open_window
from studio.window import Window
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.toy_project import plan, write_toy_video


@contextmanager
def toy_workspace(folder: Path, *more: Step) -> Iterator[Workspace]:
    """The project, curated, with `more` steps behind those of the toy plan."""
    opened = Workspace(folder / "project", create=True)
    opened.plan = replace(plan(), steps=(*plan().steps, *more))
    opened.ingest(paths=(str(write_toy_video(folder / "mug.mp4")),), licence="CC0-1.0")
    curated(cast(Api, opened))
    yield opened
    opened.close()


@contextmanager
def served_window(workspace: Workspace, folder: Path, page: str) -> Iterator[Window]:
    """A window on a page, over HTTP as people have it."""
    with serving(cast(Api, workspace), workspace.layout.root):
        remote = RemoteApi(ServicePlace(workspace.layout.root))
        shown = open_window(
            cast(Api, remote),
            project=workspace.layout.root,
            rater="ann",
            theme="light",
            state=folder / "state" / "p",
            page=page,
        )
        shown.resize(1400, 860)
        shown.show()
        shown.activateWindow()
        yield shown
        shown.close()
        shown.deleteLater()
        remote.close()
