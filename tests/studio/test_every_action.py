"""Every action of every page is pressed once, over the real service; those of the player and of the frame do what they say."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QMenu, QWidget

from studio.actions import ACTIONS
from studio.cheat_sheet import CheatSheet
from studio.pages import PAGES
from studio.pages.verify import VerifyPage
from studio.palette import Palette
from studio.sessions.verify import Phase
from studio.texts import language
from studio.votes_sheet import VotesSheet
from studio.window import Window
from tests.studio.served import Service, toy_workspace, window_over
from tests.studio.settling import settle

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with toy_workspace(tmp_path_factory.mktemp("actions")) as workspace:
        made = Service(workspace)
        made.start()
        yield made
        made.stop()


@pytest.fixture
def window(qtbot, service: Service, tmp_path: Path) -> Iterator[Window]:
    """Each as the same rater: both pairs of the queue are leased to one."""
    with window_over(service, tmp_path, "library") as shown:
        yield shown


@pytest.fixture
def verify(qtbot, window: Window) -> VerifyPage:
    window.open_page("verify")
    page = window.page
    assert isinstance(page, VerifyPage)
    qtbot.waitUntil(lambda: page.session.phase is Phase.JUDGING and len(page.deck.sides) == 2)
    return page


def close_what_opened() -> None:
    """Menus and dialogs, as Esc does."""
    for widget in QApplication.topLevelWidgets():
        if isinstance(widget, QDialog):
            widget.reject()
        elif isinstance(widget, QMenu):
            widget.close()


@pytest.mark.parametrize("name", PAGES)
def test_every_action_of_a_page_can_be_pressed_and_leaves_it_in_order(qtbot, window: Window, name: str) -> None:
    """An error in a slot fails the test (pytest-qt)."""
    window.open_page(name)
    page = window.page
    settle(qtbot, window)
    pressed = []
    for action_id, action in page.actions_.qt.items():
        action.setEnabled(True)
        action.trigger()
        pressed.append(action_id)
        QApplication.processEvents()
        close_what_opened()
        window.open_page(name)
    assert window.page is page
    assert pressed == list(page.actions_.rows)
    settle(qtbot, window)
    assert window.describe()
    counts = window.link.outbox.counts()
    assert (counts.pending, counts.attention) == (0, 0), "nothing was said by an action that is no verdict"


def test_rate_loop_first_frame_and_zoom_obey_their_keys(qtbot, verify: VerifyPage) -> None:
    page = verify
    clock, view = page.deck.clock, page.form_view
    QTest.keyClicks(page, "]")
    quick = clock.rate
    QTest.keyClicks(page, "[[")
    assert clock.rate < 1.0 < quick
    loops = clock.loops
    QTest.keyClicks(page, "l")
    assert clock.loops is not loops
    QTest.keyClicks(page, ".")
    QTest.keyClicks(page, ".")
    qtbot.waitUntil(lambda: page.deck.index > 0)
    QTest.keyClick(page, Qt.Key.Key_Home)
    qtbot.waitUntil(lambda: page.deck.index == 0)
    main = next(iter(view.views.values())).main
    QTest.keyClicks(page, "+++-")
    assert main.look.zoom == pytest.approx(1.25**2)
    QTest.keyClicks(page, "0")
    assert main.look.zoom == 1.0
    QTest.keyClicks(page, "w")
    share = view._wipe.share
    QTest.keyClick(page, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert view._wipe.share < share


def test_tools_and_sides_of_the_editor_obey_their_keys(qtbot, verify: VerifyPage) -> None:
    shift, editor = Qt.KeyboardModifier.ShiftModifier, verify.editor
    QTest.keyClick(verify, Qt.Key.Key_E)
    qtbot.waitUntil(lambda: editor.session is not None)
    for key, tool in ((Qt.Key.Key_R, "brush"), (Qt.Key.Key_B, "box"), (Qt.Key.Key_P, "points")):
        QTest.keyClick(editor.pane, key, shift)
        assert editor.session is not None
        assert (editor.session.tool, editor.tools[tool].isChecked()) == (tool, True)
    assert editor.slot == "target"
    QTest.keyClick(editor.pane, Qt.Key.Key_S, shift)
    qtbot.waitUntil(lambda: editor.slot == "reference" and editor.session is not None)
    QTest.keyClick(editor.pane, Qt.Key.Key_S, shift)
    qtbot.waitUntil(lambda: editor.slot == "target")
    QTest.keyClick(editor.pane, Qt.Key.Key_Escape)
    assert not verify.is_editing


def test_the_frame_goes_on_to_the_next_page_and_fills_the_screen(qtbot, window: Window) -> None:
    names = list(PAGES)
    window.actions_.qt["next_page"].trigger()
    assert window.page is window.pages[names[1]]
    window.open_page(names[-1])
    window.actions_.qt["next_page"].trigger()
    assert window.page is window.pages[names[0]], "after the last comes the first"
    window.actions_.qt["full_screen"].trigger()
    assert window.isFullScreen()
    window.actions_.qt["full_screen"].trigger()
    assert not window.isFullScreen()


@pytest.mark.thorough  # it makes every page
def test_every_action_of_the_window_is_pressed_once(qtbot, window: Window) -> None:
    """An error in a slot fails the test (pytest-qt)."""
    wanted: list[bool] = []
    window.projects_wanted.connect(lambda: wanted.append(True))
    narrow, theme, spoken = window.rail.is_narrow, window.theme_choice, language()
    opened: dict[str, type[QWidget]] = {"palette": Palette, "sheet": CheatSheet, "votes": VotesSheet}
    last = ("language", "quit")
    pressed = sorted(set(window.actions_.qt) - set(last))
    for name in pressed:
        window.actions_.qt[name].trigger()
        if name.startswith("page_"):
            assert window.page is window.pages[name.removeprefix("page_")]
        if name in opened:
            assert window.findChild(opened[name]) is not None, name
        QApplication.processEvents()
        close_what_opened()
    settle(qtbot, window)
    assert (wanted, window.rail.is_narrow) == ([True], not narrow)
    assert window.theme_choice != theme
    try:
        window.actions_.qt["language"].trigger()
        assert language() != spoken
    finally:
        window.set_language(spoken)
    settle(qtbot, window)
    window.actions_.qt["quit"].trigger()
    assert not window.isVisible()
    assert {*pressed, *last} == {row.id for row in ACTIONS if "window" in row.contexts}
