"""Keys and dialogs, as a person uses them on the page of studies."""

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from studio.ask_dialog import AskDialog
from studio.pages.studies import StudiesPage

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
NONE = Qt.KeyboardModifier.NoModifier


def press(page: QWidget, key: Qt.Key | str, modifier: Qt.KeyboardModifier = NONE) -> None:
    """A key where the focus is. Offscreen no window manager gives a window its focus back when a dialog has closed."""
    focused = QApplication.focusWidget()
    if focused is None or focused.window() is not page.window():
        page.window().activateWindow()
        QApplication.processEvents()
        page.setFocus()
    widget = QApplication.focusWidget() or page
    if isinstance(key, str):
        QTest.keyClicks(widget, key)
    else:
        QTest.keyClick(widget, key, modifier)


def dialog_of(qtbot, page: StudiesPage) -> AskDialog:
    qtbot.waitUntil(lambda: any(one.isVisible() for one in page.findChildren(AskDialog)))
    dialog = next(one for one in page.findChildren(AskDialog) if one.isVisible())
    dialog.activateWindow()
    QApplication.processEvents()
    return dialog
