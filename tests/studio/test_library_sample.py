"""The library over a video of the sample world: what was found in it lies over its clip."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.geometry.rle import decode
from backend.sampleworld import render_world
from backend.workspace import Workspace
from studio.app import open_window
from studio.pages.library import LibraryPage
from tests.studio.test_library_detail import told
from tests.studio.test_library_page import press, wait_total

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A video of the sample world, curated by the first recipe with the embedded models."""
    root = tmp_path_factory.mktemp("sample")
    render_world(root / "world", videos=1, duration_s=6.0)
    opened = Workspace(root / "project", create=True)
    opened.ingest(paths=(str(root / "world" / "videos"),))
    job = opened.curate(engine="inline")
    while job.state in ("queued", "running"):
        time.sleep(0.1)
        job = opened.progress(job_id=job.job_id)
    assert job.state == "done", job.message
    yield opened
    opened.close()


def test_a_subject_of_the_sample_world_shows_its_box_and_its_mask_and_their_models(
    qtbot, sample: Workspace, tmp_path: Path
) -> None:
    page = sample.items(kind="subject", where="state = 'kept'")
    details = [sample.item(kind="subject", item_id=name) for name in page.ids]
    number, detail = next((n, each) for n, each in enumerate(details) if any(mark.counts for mark in each.views[0].marks))
    (view,) = detail.views
    mark = next(mark for mark in view.marks if mark.frame == view.focus_frame and mark.counts)
    window = open_window(
        cast(Api, sample), project=tmp_path, rater="ann", theme="dark", state=tmp_path / "state" / "p", page="library"
    )
    window.resize(1400, 860)
    window.show()
    try:
        library = window.page
        assert isinstance(library, LibraryPage)
        press(library, "3")
        wait_total(qtbot, library, "subject", page.total)
        library.list.set_current(number)
        pane = library.layout_of.detail.pane
        wanted = mark.frame - view.start_frame
        qtbot.waitUntil(lambda: pane.shown_index == wanted and not pane.image.isNull())
        words = told(library.layout_of.detail)
        with_mask = pane.grab().toImage()
        pane.set_layer("masks", False)
        without = pane.grab().toImage()
        pane.set_layer("boxes", False)
        bare = pane.grab().toImage()
    finally:
        window.close()
    models = sample.plan.model_ids
    for record, role in (("Track", "Detector"), ("Mask", "Segmenter")):
        place = next(n for n, line in enumerate(words) if line.startswith(f"{record}: "))
        assert models[role] in words[place + 1].partition("\n")[0].split(", "), words[place : place + 2]
    where = pane._target()
    mask = decode(mark.counts.encode(), mark.height, mark.width)
    rows, columns = mask.nonzero()
    inside = (int(columns[len(columns) // 2]), int(rows[len(rows) // 2]))
    x = round(where.x() + (inside[0] + 0.5) * where.width() / view.width)
    y = round(where.y() + (inside[1] + 0.5) * where.height() / view.height)
    assert with_mask.pixelColor(x, y) != bare.pixelColor(x, y)
    left = round(where.x() + mark.box[0] * where.width() / view.width)
    middle = round(where.y() + (mark.box[1] + mark.box[3]) / 2 * where.height() / view.height)
    assert without.pixelColor(left, middle) != bare.pixelColor(left, middle)
