"""The panel beside the library's list, over the real service: where an item comes from, and which gate holds it back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel

from backend.stages.ingest import ProbeSource
from backend.workspace import Workspace
from studio.item_detail import DetailPanel
from studio.pages.library import LibraryPage
from tests.studio.served import served_window, toy_workspace
from tests.studio.test_library_page import show_all, shown, wait_total

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with toy_workspace(tmp_path_factory.mktemp("detail")) as opened:
        yield opened


@pytest.fixture
def page(qtbot, workspace: Workspace, tmp_path: Path) -> Iterator[LibraryPage]:
    with served_window(workspace, tmp_path, "library") as window:
        found = window.page
        assert isinstance(found, LibraryPage)
        wait_total(qtbot, found, "clip", 3)
        yield found


def told(detail: DetailPanel) -> list[str]:
    """What stands in the panel, from top to bottom."""
    return [one.text() for one in detail.findChildren(QLabel) if one.isVisibleTo(detail)]


@pytest.mark.parametrize(("similarity", "frames", "state"), [(0.9, (5, 15), "kept"), (0.3, (15, 25), "held back")])
def test_a_pair_says_where_it_comes_from_and_which_gate_holds_it_back(
    qtbot, page: LibraryPage, similarity: float, frames: tuple[int, int], state: str
) -> None:
    """Under a gate at .5, of a video of 25 frames a second that came under CC0."""
    show_all(qtbot, page)
    row = shown(page, "similarity").index(similarity)
    page.list.set_current(row)
    detail, wanted = page.layout_of.detail, page.session.row(row)
    assert wanted is not None
    qtbot.waitUntil(lambda: detail.detail is not None and detail.detail.item_id == wanted[0])
    is_kept, words = state == "kept", told(detail)
    assert detail.state.text() == state
    assert ("Held back by similarity ≥ 0.5" in words) is not is_kept
    assert f"{similarity}  {'✓' if is_kept else '✕'} ≥ 0.5" in words
    assert {"Pair: plant pairs v1", f"Video: probe source v{ProbeSource.version}"} <= set(words)
    for side, frame in zip(("Target", "Reference"), frames, strict=True):
        at, licence, place = words[words.index(f"{side}: mug.mp4") + 1].split("\n")
        assert (at, licence) == (f"frame {frame} at {frame / 25:.2f} s", "licence CC0-1.0")
        assert Path(place).name == "mug.mp4"
