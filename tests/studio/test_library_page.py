"""The library by keys alone, over the real service: three clips with a subject each, pairs of .9, .6 and .3 and a gate at .5."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QMenu, QWidget

from backend.api import Api
from backend.client import ServicePlace
from backend.client.remote import RemoteApi
from backend.domain import VERIFY_STUDY
from backend.media.writer import write_video
from backend.service import serving
from backend.workspace import Workspace
from studio.app import open_window
from studio.erase_dialog import EraseDialog
from studio.export_dialog import ExportDialog
from studio.filter_bar import FilterEditor
from studio.pages.library import LibraryPage
from studio.sessions.library import Filter, Look
from studio.window import Window
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.toy_project import plan, write_toy_video

pytestmark = pytest.mark.slow  # together they take too long for the fast run

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace(tmp_path / "project", create=True)
    opened.plan = plan()
    opened.ingest(paths=(str(write_toy_video(tmp_path / "mug.mp4")),), licence="CC0-1.0")
    curated(cast(Api, opened))
    yield opened
    opened.close()


@pytest.fixture
def service(workspace: Workspace) -> Iterator[Api]:
    with serving(cast(Api, workspace), workspace.layout.root):
        remote = RemoteApi(ServicePlace(workspace.layout.root))
        yield cast(Api, remote)
        remote.close()


def opened_window(service: Api, tmp_path: Path) -> Window:
    window = open_window(
        service, project=tmp_path / "project", rater="ann", theme="light", state=tmp_path / "state" / "p", page="library"
    )
    window.resize(1400, 860)
    window.show()
    window.activateWindow()
    return window


@pytest.fixture
def window(qtbot, service: Api, tmp_path: Path) -> Iterator[Window]:
    shown = opened_window(service, tmp_path)
    yield shown
    shown.close()
    shown.deleteLater()


@pytest.fixture
def page(qtbot, window: Window) -> LibraryPage:
    found = window.page
    assert isinstance(found, LibraryPage)
    wait_total(qtbot, found, "clip", 3)
    return found


def show_all(qtbot, page: LibraryPage) -> None:
    """Pairs, the one that the gate holds back among them."""
    press(page, "5")
    wait_total(qtbot, page, "pair", 2)
    press(page, Qt.Key.Key_Backspace, CTRL)
    wait_total(qtbot, page, "pair", 3)


def wait_total(qtbot, page: LibraryPage, kind: str, total: int) -> None:
    """Until so many items of a kind are listed, and the columns of the kind are known."""
    session = page.session
    qtbot.waitUntil(
        lambda: (session.look.kind, session.is_known, session.total) == (kind, True, total) and kind in page.kinds
    )


def press(page: LibraryPage, key: Qt.Key | str, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    """A key where the focus is. Offscreen no window manager gives a window its focus back when a menu has closed."""
    if QApplication.focusWidget() is None:
        page.window().activateWindow()
        QApplication.processEvents()
        (page.list if page.list.isVisible() else page).setFocus()
    widget = QApplication.focusWidget() or page
    if isinstance(key, str):
        QTest.keyClicks(widget, key)
    else:
        QTest.keyClick(widget, key, modifier)


def shown(page: LibraryPage, name: str) -> list:
    return [page.model.value(row, name) for row in range(page.session.total)]


def popup(qtbot, kind: type[QWidget]) -> QWidget:
    def found() -> list[QWidget]:
        return [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, kind) and widget.isVisible()]

    qtbot.waitUntil(lambda: bool(found()))
    return found()[0]


def choose_in_menu(qtbot, words: str) -> None:
    menu = popup(qtbot, QMenu)
    assert isinstance(menu, QMenu)
    (action,) = [action for action in menu.actions() if action.text() == words]
    menu.setActiveAction(action)
    QTest.keyClick(menu, Qt.Key.Key_Return)


def test_kinds_stand_in_one_line_of_a_small_window_with_two_filters(qtbot, page: LibraryPage) -> None:
    press(page, "5")
    wait_total(qtbot, page, "pair", 2)
    filters = (Filter(column="similarity", low=0.1), Filter(column="state", values=("kept",)))
    page.look_at(Look(kind="pair", filters=filters))
    page.window().resize(1280, 800)
    qtbot.waitUntil(lambda: page.window().width() == 1280 and len(page.layout_of.filters.chips) == 2)
    qtbot.waitUntil(lambda: len({tab.y() for tab in page.layout_of.tabs.values()}) == 1)


def test_digits_choose_the_kind_and_counts_stand_on_the_tabs(qtbot, page: LibraryPage) -> None:
    for key, kind, total in (("1", "video", 1), ("3", "subject", 3), ("5", "pair", 2), ("2", "clip", 3)):
        press(page, key)
        wait_total(qtbot, page, kind, total)
        assert page.layout_of.tabs[kind].isChecked()
    qtbot.waitUntil(lambda: "2" in page.layout_of.tabs["pair"].text())
    press(page, "4")
    wait_total(qtbot, page, "anchor", 0)
    assert page.layout_of.lists.currentWidget() is page.layout_of.rest
    assert "anchors" in page.layout_of.rest.head.text()


def test_a_search_is_typed_and_taken_back(qtbot, page: LibraryPage) -> None:
    press(page, "/")
    assert QApplication.focusWidget() is page.layout_of.search
    press(page, "red 1.")
    press(page, Qt.Key.Key_Return)
    wait_total(qtbot, page, "clip", 1)
    assert shown(page, "caption") == ["A red mug, take 1."]
    qtbot.waitUntil(lambda: QApplication.focusWidget() is page.list)
    press(page, "/")
    press(page, "x")
    press(page, Qt.Key.Key_Return)
    wait_total(qtbot, page, "clip", 0)
    assert page.layout_of.rest_button.isVisible()
    page.run("clear_filters")
    wait_total(qtbot, page, "clip", 3)


def test_an_expression_is_searched_for_and_a_wrong_one_is_told(qtbot, page: LibraryPage) -> None:
    show_all(qtbot, page)
    press(page, "/")
    press(page, "= similarity > .5 and category = 'mug'")
    press(page, Qt.Key.Key_Return)
    wait_total(qtbot, page, "pair", 2)
    press(page, "/")
    page.layout_of.search.clear()
    press(page, "= similarty > 1")
    press(page, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "did you mean similarity" in page.layout_of.rest.words.text())


def test_a_range_is_filtered_by_keys(qtbot, page: LibraryPage) -> None:
    show_all(qtbot, page)
    press(page, "a")
    choose_in_menu(qtbot, "similarity")
    editor = popup(qtbot, FilterEditor)
    assert isinstance(editor, FilterEditor)
    assert editor.fields["low"].placeholderText() == "0.3"
    QTest.keyClicks(editor.fields["low"], "0.5")
    QTest.keyClick(editor.fields["low"], Qt.Key.Key_Return)
    wait_total(qtbot, page, "pair", 2)
    assert page.layout_of.filters.chips["similarity"].text() == "similarity ≥ 0.5"
    press(page, Qt.Key.Key_Backspace, CTRL)
    wait_total(qtbot, page, "pair", 3)


def test_values_are_ticked(qtbot, page: LibraryPage) -> None:
    show_all(qtbot, page)
    editor = page.layout_of.filters.edit("state")
    assert editor is not None
    assert list(editor.ticks) == ["kept", "held back", "excluded"]
    editor.ticks["held back"].setFocus()
    QTest.keyClick(editor.ticks["held back"], Qt.Key.Key_Space)
    QTest.keyClick(editor.ticks["held back"], Qt.Key.Key_Return)
    wait_total(qtbot, page, "pair", 1)
    assert shown(page, "similarity") == [0.3]


def test_sorting_goes_by_keys_and_turns_round(qtbot, page: LibraryPage) -> None:
    show_all(qtbot, page)
    press(page, "s")
    choose_in_menu(qtbot, "similarity")
    qtbot.waitUntil(lambda: page.session.is_known and shown(page, "similarity") == [0.3, 0.6, 0.9])
    press(page, Qt.Key.Key_S, SHIFT)
    qtbot.waitUntil(lambda: page.session.is_known and shown(page, "similarity") == [0.9, 0.6, 0.3])
    assert page.layout_of.table.horizontalHeader().isSortIndicatorShown()


def test_a_saved_view_comes_back_after_a_restart(qtbot, service: Api, tmp_path: Path) -> None:
    first = opened_window(service, tmp_path)
    page = first.page
    assert isinstance(page, LibraryPage)
    wait_total(qtbot, page, "clip", 3)
    show_all(qtbot, page)
    press(page, "/")
    press(page, "= similarity < .7")
    press(page, Qt.Key.Key_Return)
    wait_total(qtbot, page, "pair", 2)
    press(page, Qt.Key.Key_S, CTRL)
    qtbot.waitUntil(lambda: isinstance(QApplication.focusWidget(), QLineEdit))
    field = QApplication.focusWidget()
    assert field is not None
    QTest.keyClicks(field, "unlike ones")
    QTest.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "unlike ones" in page.views)
    first.close()
    second = opened_window(service, tmp_path)
    try:
        again = second.page
        assert isinstance(again, LibraryPage)
        wait_total(qtbot, again, "pair", 2)  # where it was left
        press(again, "1")
        wait_total(qtbot, again, "video", 1)
        press(again, "b")
        choose_in_menu(qtbot, "unlike ones")
        wait_total(qtbot, again, "pair", 2)
        assert again.layout_of.search.text() == "= similarity < .7"
    finally:
        second.close()


def test_all_that_match_are_excluded_and_taken_in_again_by_keys(qtbot, page: LibraryPage, workspace: Workspace) -> None:
    press(page, Qt.Key.Key_Backspace, CTRL)
    wait_total(qtbot, page, "clip", 3)
    press(page, "/")
    press(page, "= start_s > .1")
    press(page, Qt.Key.Key_Return)
    wait_total(qtbot, page, "clip", 2)
    press(page, Qt.Key.Key_A, CTRL)
    assert page.session.all_chosen
    assert "all 2 chosen" in page.layout_of.status.text()
    press(page, "d")
    qtbot.waitUntil(lambda: workspace.status().counts["clips"] == 1)
    qtbot.waitUntil(lambda: page.session.is_known and shown(page, "state") == ["excluded", "excluded"])
    event = workspace.journal_tail(limit=1)[0]
    assert (event["kind"], event["actor"], len(event["body"]["items"])) == ("items_excluded", "ann", 2)
    press(page, Qt.Key.Key_A, CTRL)
    press(page, "u")
    qtbot.waitUntil(lambda: workspace.status().counts["clips"] == 3)


def test_an_excluded_item_leaves_the_list_and_one_key_brings_it_back(
    qtbot, page: LibraryPage, workspace: Workspace
) -> None:
    press(page, "d")
    wait_total(qtbot, page, "clip", 2)
    qtbot.waitUntil(lambda: "U takes it in again" in page.layout_of.status.text())
    press(page, "u")
    wait_total(qtbot, page, "clip", 3)
    assert workspace.status().counts["clips"] == 3


def test_rows_chosen_by_arrows_go_first_in_the_queue(qtbot, page: LibraryPage, workspace: Workspace) -> None:
    show_all(qtbot, page)
    press(page, "s")
    choose_in_menu(qtbot, "similarity")
    qtbot.waitUntil(lambda: page.session.is_known and shown(page, "similarity") == [0.3, 0.6, 0.9])
    page.list.set_current(1)
    wanted = page.session.row(1)
    assert wanted is not None
    press(page, "v")
    qtbot.waitUntil(lambda: "first in the queue" in page.layout_of.status.text())
    (trial,) = workspace.next_trials(study_id=VERIFY_STUDY, rater="bob", limit=1)
    assert trial.item_id == wanted[0]


def test_what_has_no_pairs_is_told_in_the_banner(qtbot, page: LibraryPage, window: Window) -> None:
    show_all(qtbot, page)
    press(page, "/")
    press(page, "= state = 'held back'")
    press(page, Qt.Key.Key_Return)
    wait_total(qtbot, page, "pair", 1)
    press(page, Qt.Key.Key_A, CTRL)
    press(page, "v")
    qtbot.waitUntil(lambda: "no pairs across clips" in window.banner_words.text())


def test_chosen_items_are_exported_from_the_keyboard(qtbot, page: LibraryPage, tmp_path: Path) -> None:
    press(page, Qt.Key.Key_A, CTRL)
    press(page, Qt.Key.Key_E, CTRL)
    dialog = page.findChild(ExportDialog)
    assert dialog is not None
    qtbot.waitUntil(lambda: dialog.format.count() >= 2)
    dialog.format.setCurrentText("manifest")
    dialog.out.setText(str(tmp_path / "out"))
    qtbot.waitUntil(dialog.go.isEnabled)
    assert dialog.forecast.text().startswith("2 pairs from 1 video")
    assert dialog.purpose.accessibleName() == "For" and dialog.purpose.currentText() == "Training"
    dialog.purpose.setFocus()
    QTest.keyClick(dialog.purpose, Qt.Key.Key_Down)
    assert not dialog.go.isEnabled(), "what may go for this purpose is not known yet"
    qtbot.waitUntil(dialog.go.isEnabled)
    QTest.keyClick(dialog.out, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: (tmp_path / "out" / "MANIFEST.sha256").exists())
    assert json.loads((tmp_path / "out" / "about.json").read_text())["about"]["purpose"] == "evaluation"
    qtbot.waitUntil(lambda: "2 pairs exported" in page.layout_of.status.text())


def test_an_export_that_is_refused_stays_open_and_says_why(qtbot, page: LibraryPage, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    press(page, Qt.Key.Key_A, CTRL)
    press(page, Qt.Key.Key_E, CTRL)
    dialog = page.findChild(ExportDialog)
    assert dialog is not None
    qtbot.waitUntil(lambda: dialog.format.count() >= 2)
    dialog.out.setText(str(tmp_path / "full"))
    dialog.split.setText("train=3")
    qtbot.waitUntil(lambda: "add up" in dialog.trouble.text() or "share" in dialog.trouble.text())
    assert not dialog.go.isEnabled()
    dialog.split.clear()
    qtbot.waitUntil(dialog.go.isEnabled)
    dialog.split.setText("train=.5,test=.5")
    assert not dialog.go.isEnabled(), "what this split comes to is not known yet"
    dialog.split.clear()
    dialog.out.setText(" ")
    qtbot.waitUntil(lambda: "2 pairs" in dialog.forecast.text())
    assert not dialog.go.isEnabled(), "no folder is named"
    dialog.out.setText(str(tmp_path / "full"))
    assert dialog.go.isEnabled()
    QTest.keyClick(dialog.out, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: dialog.trouble.isVisible() and dialog.go.isEnabled())
    assert (tmp_path / "full" / "mine.txt").read_text() == "keep"
    dialog.reject()


def test_the_item_beside_the_list_follows_the_arrows_and_its_clip_steps(qtbot, page: LibraryPage) -> None:
    press(page, "3")
    wait_total(qtbot, page, "subject", 3)
    detail = page.layout_of.detail
    seen = set()
    for _ in range(3):
        row = page.list.current()
        assert row is not None
        wanted = page.session.row(row)
        assert wanted is not None
        qtbot.waitUntil(lambda w=wanted: detail.detail is not None and detail.detail.item_id == w[0])
        seen.add(wanted[0])
        press(page, Qt.Key.Key_Down)
    assert len(seen) == 3
    qtbot.waitUntil(lambda: detail.pane.shown_index == 5)  # the frame on which it was cut out
    marks = detail.pane.marks_now()[1]
    assert [mark.label for mark in marks] == ["a red mug"]
    assert detail.title.text() == "a red mug"
    press(page, ".")
    qtbot.waitUntil(lambda: detail.pane.shown_index == 6)
    assert detail.pane.marks_now()[1] == []
    press(page, ",")
    qtbot.waitUntil(lambda: detail.pane.shown_index == 5)
    press(page, Qt.Key.Key_M, SHIFT)
    assert not detail.pane.layers["masks"]
    assert not detail.layers["masks"].isChecked()


def test_the_grid_shows_the_same_items_and_keeps_the_place(qtbot, page: LibraryPage) -> None:
    press(page, "g")
    assert page.list is page.layout_of.grid
    assert page.layout_of.lists.currentWidget() is page.layout_of.grid
    page.list.setFocus()
    press(page, Qt.Key.Key_Right)
    assert page.list.current() in (0, 1)
    press(page, Qt.Key.Key_A, CTRL)
    press(page, Qt.Key.Key_Escape)
    assert not page.session.all_chosen
    press(page, "g")
    assert page.list is page.layout_of.table


def test_pictures_arrive_for_rows_in_sight(qtbot, page: LibraryPage) -> None:
    ids = [page.session.row(n) for n in range(3)]
    for row in ids:
        assert row is not None
        qtbot.waitUntil(lambda row=row: page.thumbnails.get("clip", row[0]) is not None)


def test_the_library_says_when_the_service_is_away_and_comes_back(
    qtbot, service: Api, tmp_path: Path, workspace: Workspace
) -> None:
    from backend.domain import ServiceError

    class Away:
        def __getattr__(self, name: str):
            def call(**arguments):
                if self.away:
                    raise ServiceError("the service cannot be reached")
                return getattr(service, name)(**arguments)

            return call

        away = True

    away = Away()
    window = opened_window(cast(Api, away), tmp_path)
    try:
        page = window.page
        assert isinstance(page, LibraryPage)
        qtbot.waitUntil(lambda: "cannot be reached" in page.layout_of.rest.words.text())
        assert not window.banner.isVisible()
        away.away = False
        wait_total(qtbot, page, "clip", 3)  # by itself
    finally:
        window.close()


def test_what_is_curated_meanwhile_appears_by_itself(
    qtbot, page: LibraryPage, workspace: Workspace, tmp_path: Path
) -> None:
    frames = np.full((30, 48, 64, 3), 90, np.uint8)
    for n, frame in enumerate(frames):
        frame[10:30, n : n + 20] = (20, 60, 220)
    write_video(tmp_path / "other.mp4", frames, fps=25)
    page.list.set_current(2)
    workspace.ingest(paths=(str(tmp_path / "other.mp4"),))
    curated(cast(Api, workspace))
    wait_total(qtbot, page, "clip", 6)
    qtbot.waitUntil(lambda: page.list.current() == 2)


def test_every_action_of_the_library_can_be_pressed(qtbot, page: LibraryPage) -> None:
    for name in page.actions_.qt:
        if name in ("export_items", "save_view", "quit"):
            continue
        page.run(name)
        for widget in QApplication.topLevelWidgets():
            if isinstance(widget, QMenu | FilterEditor):
                widget.close()
    wait_total(qtbot, page, "pair", 3)


def test_chosen_footage_is_erased_after_a_sheet_that_counts_it(qtbot, page: LibraryPage, workspace: Workspace) -> None:
    press(page, "5")
    wait_total(qtbot, page, "pair", 2)
    press(page, Qt.Key.Key_Delete, SHIFT)
    window = cast(Window, page.window())
    qtbot.waitUntil(lambda: "no footage of their own" in window.banner_words.text())
    press(page, "3")
    wait_total(qtbot, page, "subject", 3)
    (workspace.layout.root / "exports" / "mine").mkdir(parents=True)
    press(page, Qt.Key.Key_Delete, SHIFT)
    sheet = popup(qtbot, EraseDialog)
    assert isinstance(sheet, EraseDialog)
    qtbot.waitUntil(lambda: sheet.found is not None)
    told = ("1 clip, 1 subject, 2 pairs", "mug.mp4", "2 subjects of other clips", "1 older copy may hold it: export 20")

    lines = sheet.forecast

    def said() -> str:
        return "\n".join(one.text() for one in lines.findChildren(QLabel) if one.isVisible())

    qtbot.waitUntil(lambda: all(words in said() for words in told))  # lines are shown a moment after they are known
    assert sheet.backups.isHidden()
    QTest.keyClick(sheet, Qt.Key.Key_Return)  # nothing grave by Return
    qtbot.waitUntil(lambda: not sheet.isVisible())
    assert workspace.status().counts["subjects"] == 3
    press(page, Qt.Key.Key_Delete, SHIFT)
    sheet = popup(qtbot, EraseDialog)
    assert isinstance(sheet, EraseDialog)
    qtbot.waitUntil(sheet.go.isEnabled)
    sheet.go.setFocus()
    QTest.keyClick(sheet.go, Qt.Key.Key_Space)
    wait_total(qtbot, page, "subject", 2)
    assert (workspace.layout.root / "exports" / "mine").is_dir()
    assert workspace.verify().ok
