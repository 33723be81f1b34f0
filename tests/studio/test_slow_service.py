"""Pages over a service that takes its time: each says what is under way until it is answered, and nobody loses the keyboard."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from studio.app import open_window
from studio.pages import PAGES
from studio.pages.compare import ComparePage
from studio.pages.page import Page
from studio.window import Window
from tests.studio.slow import Away, Slow
from tests.studio.world import World


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
        qtbot.waitUntil(lambda: bool(slow.held))
        assert under_way(window.page), "a blank page"
        slow.free()
        qtbot.waitUntil(lambda: not under_way(window.page))


@pytest.mark.parametrize("name", PAGES)
def test_keys_go_to_the_page_that_a_window_opens_on(qtbot, tmp_path: Path, name: str) -> None:
    with window_over(Slow(Away()), tmp_path, name) as window:
        qtbot.waitUntil(window.isActiveWindow)
        focused = window.focusWidget()
        assert focused is not None
        assert focused is window.page or window.page.isAncestorOf(focused), f"they go to {focused.accessibleName()}"


def gate_of(window: Window) -> ComparePage:
    assert isinstance(window.page, ComparePage)
    return window.page


def test_a_gate_that_comes_while_another_window_is_active_has_the_keyboard_when_its_own_is_active_again(
    qtbot, tmp_path: Path, world: World
) -> None:
    slow, other = Slow(world.api), QWidget()
    qtbot.addWidget(other)
    with window_over(slow, tmp_path, "compare") as window:
        qtbot.waitUntil(window.isActiveWindow)
        other.show()
        other.activateWindow()
        qtbot.waitUntil(lambda: other.isActiveWindow() and not window.isActiveWindow())
        gate = gate_of(window).gate
        slow.free()
        qtbot.waitUntil(lambda: "taste" in gate.buttons)
        other.close()
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow)
        assert window.focusWidget() is gate.buttons["taste"]
        QTest.keyClick(window.focusWidget(), Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: "agree" in gate.buttons)
        assert window.focusWidget() is gate.buttons["agree"]


def test_a_gate_that_comes_while_another_page_is_shown_takes_no_keyboard_from_it(
    qtbot, tmp_path: Path, world: World
) -> None:
    slow = Slow(world.api)
    with window_over(slow, tmp_path, "compare") as window:
        page = gate_of(window)
        qtbot.waitUntil(lambda: "studies" in slow.held)
        window.open_page("verify")
        qtbot.waitUntil(lambda: window.isActiveWindow() and window.page.hasFocus())
        slow.free()
        qtbot.waitUntil(lambda: "taste" in page.gate.buttons)
        assert window.page.hasFocus()
        window.open_page("compare")
        qtbot.waitUntil(lambda: "taste" in page.gate.buttons and page.gate.buttons["taste"].hasFocus())


def test_an_answer_that_a_later_question_has_overtaken_is_shown_nowhere(qtbot, tmp_path: Path, world: World) -> None:
    """Who leaves the page and comes back asks for the studies once more, and may have chosen one when the first list comes."""
    slow = Slow(world.api, "studies")
    with window_over(slow, tmp_path, "compare") as window:
        page = gate_of(window)
        qtbot.waitUntil(lambda: len(slow.held.get("studies", ())) == 1)
        window.open_page("verify")
        window.open_page("compare")
        qtbot.waitUntil(lambda: len(slow.held["studies"]) == 2)
        slow.held["studies"][1].set()
        qtbot.waitUntil(lambda: "taste" in page.gate.buttons)
        QTest.keyClick(page.gate.buttons["taste"], Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: "agree" in page.gate.buttons)
        slow.held["studies"][0].set()
        said = list[bool]()
        window.link.ask(lambda: True, said.append, lambda _: None)
        qtbot.waitUntil(lambda: bool(said))
        assert "agree" in page.gate.buttons
