"""Fields with their names, in cards: what forms are put together from."""

from collections.abc import Iterable

from PySide6.QtCore import Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QGridLayout, QLayout, QSpinBox, QVBoxLayout, QWidget

from studio.texts import text
from studio.widgets import label

ROOM_PX = 8
"""Before and behind a number."""


class CountField(QSpinBox):
    """A whole number from 0, or from `least`; the wheel turns it only while it has the focus, so that a form can be scrolled."""

    def __init__(self, most: int, *, least: int = 0) -> None:
        super().__init__()
        self.setRange(least, most)
        self.setGroupSeparatorShown(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.lineEdit().setTextMargins(ROOM_PX, 0, ROOM_PX, 0)

    def wheelEvent(self, event: QWheelEvent) -> None:
        super().wheelEvent(event) if self.hasFocus() else event.ignore()


class NumberField(QDoubleSpinBox):
    """A number of 0 or more, as short as it can be said."""

    def __init__(self, most: float, *, step: float, decimals: int = 3) -> None:
        super().__init__()
        self.setDecimals(decimals)
        self.setRange(0.0, most)
        self.setSingleStep(step)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.lineEdit().setTextMargins(ROOM_PX, 0, ROOM_PX, 0)

    def textFromValue(self, value: float) -> str:
        return f"{value:.6g}"

    def wheelEvent(self, event: QWheelEvent) -> None:
        super().wheelEvent(event) if self.hasFocus() else event.ignore()


class ChoiceField(QComboBox):
    """Some words to choose among, each for a value."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)

    def offer(self, choices: Iterable[tuple[str, str]], chosen: str) -> None:
        """Other choices, as `(value, words)`; nothing is told of the change."""
        choices = list(choices)
        self.blockSignals(True)
        self.clear()
        for value, words in choices:
            self.addItem(words, value)
        places = [place for place, (value, _) in enumerate(choices) if value == chosen]
        self.setCurrentIndex(places[0] if places else 0 if choices else -1)
        self.blockSignals(False)

    @property
    def value(self) -> str:
        """The chosen one; empty without any."""
        return str(self.currentData() or "")

    def wheelEvent(self, event: QWheelEvent) -> None:
        super().wheelEvent(event) if self.hasFocus() else event.ignore()


def put(grid: QGridLayout, row: int, key: str, field: QWidget, *, at: int = 0, span: int = 1) -> None:
    """A field behind its name, the text of `key`, which is also what screen readers say."""
    name = label(text(key), "fact_name")
    name.setBuddy(field)
    field.setAccessibleName(text(key))
    grid.addWidget(name, row, at)
    grid.addWidget(field, row, at + 1, 1, span)


def card(key: str, fields: QLayout) -> QWidget:
    """Fields in a box with a headline, the text of `key`; in a grid, names take no more room than they need."""
    box = QWidget()
    box.setObjectName("panel")
    box.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
    column = QVBoxLayout(box)
    column.setContentsMargins(18, 14, 18, 16)
    column.setSpacing(10)
    column.addWidget(label(text(key), "slot"))
    if isinstance(fields, QGridLayout):
        fields.setHorizontalSpacing(12)
        fields.setVerticalSpacing(9)
        for place in (1, 3):
            fields.setColumnStretch(place, 1)
    column.addLayout(fields)
    return box


def tick(words: str, *, on: bool, tip: str = "") -> QCheckBox:
    """A box to tick."""
    box = QCheckBox(words)
    box.setChecked(on)
    box.setAccessibleName(words)
    box.setToolTip(tip)
    return box


def stack_of_rows() -> QWidget:
    """A place for rows that come and go."""
    holder = QWidget()
    column = QVBoxLayout(holder)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(6)
    return holder
