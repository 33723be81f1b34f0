"""The sheet of all keys, made from the table of actions and the open form."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from backend.domain import Form
from studio.actions import ACTIONS, MENUS
from studio.widgets import Keycap, label


class CheatSheet(QDialog):
    """Shows every key in columns; any of its own keys or Escape closes it."""

    def __init__(self, parent: QWidget, form: Form | None) -> None:
        super().__init__(parent)
        self.setWindowTitle("All keys")
        column = QVBoxLayout(self)
        column.setContentsMargins(32, 26, 32, 28)
        column.setSpacing(18)
        column.addWidget(label("All keys", "title"))
        groups = [(menu, [(a.title, a.keys) for a in ACTIONS if a.menu == menu]) for menu in MENUS]
        if form is not None:
            verdicts = [(c.label, (c.key,)) for question in form.questions for c in question.choices]
            reasons = [(c.label, (c.key,)) for question in form.questions for c in question.reasons]
            groups = [("Verdicts", verdicts), ("Reasons, after R", reasons), *groups]
        row = QHBoxLayout()
        row.setSpacing(44)
        for side in (groups[: len(groups) // 2], groups[len(groups) // 2 :]):
            row.addWidget(_column(side), 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(row)


def _column(groups: list[tuple[str, list[tuple[str, tuple[str, ...]]]]]) -> QWidget:
    widget = QWidget()
    grid = QGridLayout(widget)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(28)
    grid.setVerticalSpacing(7)
    place = 0
    for title, rows in groups:
        if not rows:
            continue
        grid.addWidget(label(title, "slot"), place, 0, 1, 2)
        place += 1
        for words, keys in rows:
            grid.addWidget(label(words, "choice"), place, 0)
            caps = QHBoxLayout()
            caps.setSpacing(5)
            caps.addStretch(1)
            for key in keys:
                caps.addWidget(Keycap(key))
            grid.addLayout(caps, place, 1)
            place += 1
        grid.setRowMinimumHeight(place, 10)
        place += 1
    return widget
