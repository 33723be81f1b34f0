"""The sheet of all keys, made from the table of actions and what the open page adds."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from studio.actions import MENUS, Action
from studio.pages.page import KeyGroup
from studio.texts import text
from studio.widgets import Keycap, label


class CheatSheet(QDialog):
    """Shows every key in columns; any of its own keys or Escape closes it."""

    def __init__(self, parent: QWidget, actions: Sequence[Action], own: Sequence[KeyGroup]) -> None:
        super().__init__(parent)
        self.setWindowTitle(text("actions.sheet"))
        column = QVBoxLayout(self)
        column.setContentsMargins(32, 26, 32, 28)
        column.setSpacing(18)
        column.addWidget(label(text("actions.sheet"), "title"))
        table = [(text(f"menus.{menu}"), [(a.title, a.keys) for a in actions if a.menu == menu]) for menu in MENUS]
        groups = [group for group in (*own, *table) if group[1]]
        row = QHBoxLayout()
        row.setSpacing(44)
        for side in _columns(groups):
            row.addWidget(_column(side), 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(row)


def _columns(groups: list[KeyGroup]) -> list[list[KeyGroup]]:
    """Three columns of about the same height, the groups in their order."""
    heights = [len(rows) + 2 for _, rows in groups]
    columns: list[list[KeyGroup]] = [[], [], []]
    above = 0
    for group, height in zip(groups, heights, strict=True):
        columns[min(2, (above + height // 2) * 3 // sum(heights))].append(group)
        above += height
    return columns


def _column(groups: list[KeyGroup]) -> QWidget:
    widget = QWidget()
    grid = QGridLayout(widget)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(28)
    grid.setVerticalSpacing(7)
    place = 0
    for title, rows in groups:
        grid.addWidget(label(title, "slot"), place, 0, 1, 2)
        place += 1
        for words, keys in rows:
            grid.addWidget(label(words, "choice"), place, 0)
            caps = QHBoxLayout()
            caps.setSpacing(5)
            caps.addStretch(1)
            for key in keys:
                cap = Keycap(key)
                cap.ensurePolished()  # its width comes from the style sheet, which is otherwise asked too late
                cap.setMinimumWidth(cap.sizeHint().width())
                caps.addWidget(cap)
            grid.addLayout(caps, place, 1)
            place += 1
        grid.setRowMinimumHeight(place, 10)
        place += 1
    return widget
