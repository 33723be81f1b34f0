"""Pages over a service that takes its time: each says what is under way until it is answered."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel, QPushButton

from studio.app import open_window
from studio.pages import PAGES
from studio.pages.page import Page
from studio.window import Window
from tests.studio.slow import Away, Slow


@contextmanager
def window_over(slow: Slow, folder: Path, page: str) -> Iterator[Window]:
    window = open_window(slow.api, project=folder, rater="ann", theme="light", state=folder / "state" / "p", page=page)
    window.resize(1280, 800)
    window.show()
    window.activateWindow()
    try:
        yield window
    finally:
        slow.free()
        window.close()
        window.deleteLater()


def under_way(page: Page) -> list[str]:
    """What the page says is being done; what stands on buttons says what they would do."""
    said = [one for one in page.findChildren(QLabel) if one.isVisible() and not isinstance(one.parent(), QPushButton)]
    return [one.text() for one in said if one.text().endswith("…")]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_is_under_way_until_the_service_answers(qtbot, tmp_path: Path, name: str) -> None:
    slow = Slow(Away())
    with window_over(slow, tmp_path, name) as window:
        qtbot.waitUntil(lambda: bool(slow.held), timeout=20_000)
        assert under_way(window.page), "a blank page"
        slow.free()
        qtbot.waitUntil(lambda: not under_way(window.page), timeout=20_000)
