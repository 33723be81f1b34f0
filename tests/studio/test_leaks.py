"""What stays behind: no page after it was made anew, no timer and no thread after the window closed. And what every page says of itself."""

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, Qt, QTimer
from PySide6.QtGui import QImage, QPaintEvent
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QPlainTextEdit, QWidget
from shiboken6 import isValid

from backend.workspace import Workspace
from studio.long_text import LongText
from studio.pages import PAGES
from studio.pages.page import Page
from studio.texts import use_language
from studio.window import Window
from tests.studio.served import served_window, toy_workspace
from tests.studio.settling import settle

pytestmark = [pytest.mark.slow, pytest.mark.server]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with toy_workspace(tmp_path_factory.mktemp("leaks")) as opened:
        yield opened


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    yield
    use_language("en")


def running_timers() -> set[QTimer]:
    found = [one for one in gc.get_objects() if isinstance(one, QTimer)]
    return {one for one in found if isValid(one) and one.isActive()}


def swept() -> None:
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    QApplication.processEvents()
    gc.collect()


def show_all(qtbot, window: Window) -> None:
    for name in PAGES:
        window.open_page(name)
        settle(qtbot, window)


def left_of(qtbot, window: Window, change: Callable[[], object]) -> list[str]:
    """Names of pages that are still held after all were made anew."""
    show_all(qtbot, window)
    before = {name: weakref.ref(page) for name, page in window.pages.items()}
    assert set(before) == set(PAGES)
    change()

    def left() -> list[str]:
        swept()
        return [name for name, page in before.items() if page() is not None]

    for _ in range(8):  # answers on their way may hold one until they come, and a flash of a button until it is over
        settle(qtbot, window)
        if not left():
            break
        qtbot.wait(100)
    return left()


def test_no_page_is_held_after_all_were_made_anew(qtbot, workspace: Workspace, tmp_path: Path) -> None:
    with served_window(workspace, tmp_path, "library") as window:
        assert left_of(qtbot, window, lambda: window.set_language("zh")) == []


def test_a_page_that_the_link_holds_is_found(qtbot, workspace: Workspace, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tests.studio.test_leaks.PAGES", {name: PAGES[name] for name in ("library", "jobs")})
    with served_window(workspace, tmp_path, "library") as window:
        show_all(qtbot, window)
        page = window.pages["jobs"]
        window.link.lost.connect(lambda why, page=page: page.describe())
        del page
        assert left_of(qtbot, window, lambda: window.set_language("zh")) == ["jobs"]


def test_a_closed_window_leaves_no_timer_and_no_thread(qtbot, workspace: Workspace, tmp_path: Path) -> None:
    timers, threads = running_timers(), set(threading.enumerate())
    with served_window(workspace, tmp_path, "library") as window:
        show_all(qtbot, window)
        forgotten = QTimer(window)
        forgotten.start(60_000)
        assert forgotten in running_timers() - timers, "the check sees one that nobody stops"
        forgotten.stop()
    swept()
    assert {one.objectName() or repr(one.parent()) for one in running_timers() - timers} == set()
    qtbot.waitUntil(lambda: not set(threading.enumerate()) - threads)


def reached_by_tab(page: Page) -> list[QWidget]:
    """Without the inner widgets of scrolled areas, for which the areas speak."""
    found = [widget for widget in page.findChildren(QWidget) if widget.focusPolicy() & Qt.FocusPolicy.TabFocus]
    inner = {area.viewport() for area in page.findChildren(QAbstractScrollArea)}
    found = [widget for widget in found if widget not in inner and widget.isVisible() and widget.isEnabled()]
    return [widget for widget in found if widget.window() is page.window()]


def picture_of(widget: QWidget) -> QImage:
    """With what lies around it, where some draw their focus."""
    QApplication.processEvents()
    above = widget.parentWidget() or widget
    place = widget.geometry().adjusted(-3, -3, 3, 3) if above is not widget else widget.rect()
    return above.grab(place.intersected(above.rect())).toImage()


def words_of(widget: QWidget) -> str:
    return widget.accessibleName() or (widget.text() if hasattr(widget, "text") else "")  # type: ignore[attr-defined]


def test_whatever_the_keyboard_reaches_has_a_name_and_shows_the_focus(qtbot, workspace: Workspace, tmp_path: Path) -> None:
    nameless, unseen, looked_at = [], [], 0
    with served_window(workspace, tmp_path, "library") as window:
        for name in PAGES:
            window.open_page(name)
            settle(qtbot, window)
            kinds: set[tuple[str, str]] = set()
            for widget in reached_by_tab(window.page):
                if not isValid(widget):
                    continue  # what came meanwhile took its place
                said = f"{name}: {type(widget).__name__} {widget.objectName()}"
                if not words_of(widget):
                    nameless.append(said)
                if (kind := (type(widget).__name__, widget.objectName())) in kinds or isinstance(widget, Page):
                    continue
                kinds.add(kind)
                window.page.setFocus()
                before = picture_of(widget)
                widget.setFocus(Qt.FocusReason.TabFocusReason)
                if not widget.hasFocus():
                    continue
                looked_at += 1
                if picture_of(widget) == before:
                    unseen.append(said)
    assert nameless == []
    assert unseen == []
    assert looked_at > 30


def test_a_long_text_shows_the_focus_and_one_without_a_line_does_not(qtbot) -> None:
    holder = QWidget()
    qtbot.addWidget(holder)
    texts = [LongText("caption", most_lines=2), _Bare("caption", most_lines=2)]
    for number, one in enumerate(texts):
        one.setParent(holder)
        one.setGeometry(10, 10 + 150 * number, 200, 100)
        one.setText("many words " * 80)
        one.setCursorWidth(0)  # the caret, which blinks, is not what is meant
    holder.resize(300, 320)
    holder.show()
    holder.activateWindow()
    told = []
    for one in texts:
        holder.setFocus()
        before = picture_of(one)
        one.setFocus(Qt.FocusReason.TabFocusReason)
        qtbot.waitUntil(one.hasFocus)
        told.append(picture_of(one) != before)
    assert told == [True, False]


class _Bare(LongText):
    """As it was before it drew its focus."""

    def paintEvent(self, event: QPaintEvent) -> None:
        QPlainTextEdit.paintEvent(self, event)
