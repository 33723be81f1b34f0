"""Filters of the library: one chip each, and a small editor that fits the column's type."""

import math
from collections.abc import Sequence

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from backend.domain.library import ItemColumn
from studio.flow import FlowLayout
from studio.item_model import column_title, value_words
from studio.sessions.library import Filter, Look
from studio.texts import text
from studio.widgets import label

EDITOR_WIDTH_PX = 300
MAX_LIST_PX = 320


class FilterBar(QWidget):
    """Shows a look's filters. `changed` carries a filter to put in the place of the one on its column."""

    changed = Signal(object)
    cleared = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.columns: dict[str, ItemColumn] = {}
        self.chips: dict[str, QPushButton] = {}
        self._look = Look()
        self._flow = FlowLayout(self, spacing=6)
        self.add = QPushButton(text("library.add_filter"))
        self.add.setObjectName("quiet_button")
        self.add.clicked.connect(self.offer)
        self.clear = QPushButton(text("library.clear_filters"))
        self.clear.setObjectName("quiet_button")
        self.clear.clicked.connect(self.cleared.emit)
        for button in (self.add, self.clear):
            self._flow.addWidget(button)

    def show_look(self, look: Look, columns: Sequence[ItemColumn]) -> None:
        """Chips of the look's filters; `columns` are those that one can filter by."""
        self._look = look
        self.columns = {column.name: column for column in columns}
        for chip in self.chips.values():
            self._flow.removeWidget(chip)
            chip.hide()
            chip.deleteLater()
        self.chips = {}
        for each in look.filters:
            chip = QPushButton(words_of(each))
            chip.setObjectName("filter_chip")
            chip.setToolTip(text("library.edit_filter"))
            chip.setAccessibleName(words_of(each))
            chip.clicked.connect(lambda _=False, name=each.column: self.edit(name))
            self._flow.addWidget(chip)
            self.chips[each.column] = chip
        for button in (self.add, self.clear):  # behind the chips
            self._flow.removeWidget(button)
            self._flow.addWidget(button)
        self.clear.setVisible(bool(look.filters))

    def offer(self) -> None:
        """A menu of the columns."""
        menu = QMenu(self)
        for name in self.columns:
            menu.addAction(column_title(name), lambda name=name: self.edit(name))
        menu.popup(self.add.mapToGlobal(QPoint(0, self.add.height() + 4)))
        menu.aboutToHide.connect(menu.deleteLater)

    def edit(self, name: str) -> "FilterEditor | None":
        """Opens the editor of a column; what it gives is `changed`."""
        if name not in self.columns:
            return None
        present = next((each for each in self._look.filters if each.column == name), Filter(column=name))
        # A child of the window: a popup of the page would leave its keys to the page's actions.
        editor = FilterEditor(self.window(), self.columns[name], present)
        editor.given.connect(self.changed.emit)
        anchor = self.chips.get(name, self.add)
        editor.move(anchor.mapToGlobal(QPoint(0, anchor.height() + 4)))
        editor.show()
        return editor


class FilterEditor(QDialog):
    """Ticks for a column with few values, two bounds for numbers, words for text, yes or no for flags. Return takes it."""

    given = Signal(object)

    def __init__(self, parent: QWidget, column: ItemColumn, present: Filter) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("editor")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setWindowTitle(column_title(column.name))
        self.setFixedWidth(EDITOR_WIDTH_PX)
        self.column = column
        self.ticks: dict[str, QCheckBox] = {}
        self.fields: dict[str, QLineEdit] = {}
        box = QVBoxLayout(self)
        box.setContentsMargins(16, 14, 16, 14)
        box.setSpacing(8)
        box.addWidget(label(column_title(column.name), "slot"))
        if column.meaning:
            words = label(column.meaning, "caption")
            words.setWordWrap(True)
            box.addWidget(words)
        if column.type == "bool":
            self._add_ticks(box, {"true": text("library.yes"), "false": text("library.no")}, self._flag(present))
        elif column.type == "number":
            self._add_bounds(box, present)
        elif column.choices:
            self._add_ticks(box, {value: value_words(value, column.name) for value in column.choices}, set(present.values))
        else:
            self._add_field(box, "contains", text("library.contains"), present.contains)
        buttons = QHBoxLayout()
        self.remove = QPushButton(text("library.remove_filter"))
        self.take = QPushButton(text("library.apply"))
        self.take.setDefault(True)
        for button, press in ((self.remove, self._drop), (self.take, self._give)):
            button.setObjectName("worded")
            button.clicked.connect(press)
            buttons.addWidget(button)
        box.addLayout(buttons)
        first = next(iter((*self.fields.values(), *self.ticks.values())), self.take)
        first.setFocus()

    def filter(self) -> Filter:
        """What the editor says now. Bounds that are no numbers do not count."""
        name = self.column.name
        ticked = tuple(value for value, tick in self.ticks.items() if tick.isChecked())
        if self.column.type == "bool":
            return Filter(column=name, flag=ticked[0] == "true" if len(ticked) == 1 else None)
        if self.column.type == "number":
            return Filter(column=name, low=_number(self.fields["low"]), high=_number(self.fields["high"]))
        if self.ticks:
            return Filter(column=name, values=ticked)
        return Filter(column=name, contains=self.fields["contains"].text().strip())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not self.remove.hasFocus():
            self._give()
        else:
            super().keyPressEvent(event)

    def _give(self) -> None:
        self.given.emit(self.filter())
        self.close()

    def _drop(self) -> None:
        self.given.emit(Filter(column=self.column.name))
        self.close()

    def _flag(self, present: Filter) -> set[str]:
        return set() if present.flag is None else {"true" if present.flag else "false"}

    def _add_ticks(self, box: QVBoxLayout, values: dict[str, str], ticked: set[str]) -> None:
        inner = QWidget()
        rows = QVBoxLayout(inner)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(4)
        for value, words in values.items():
            tick = QCheckBox(words)
            tick.setChecked(value in ticked)
            rows.addWidget(tick)
            self.ticks[value] = tick
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(inner)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setFixedHeight(min(MAX_LIST_PX, inner.sizeHint().height() + 4))
        box.addWidget(area)

    def _add_bounds(self, box: QVBoxLayout, present: Filter) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        bounds = (("low", "library.at_least", self.column.lowest), ("high", "library.at_most", self.column.highest))
        for row, (name, key, extreme) in enumerate(bounds):
            field = QLineEdit()
            value = getattr(present, name)
            field.setText("" if value is None else f"{value:.12g}")
            field.setPlaceholderText("" if extreme is None else f"{extreme:.4g}")
            field.setAccessibleName(text(key))
            grid.addWidget(label(text(key), "caption"), row, 0)
            grid.addWidget(field, row, 1)
            self.fields[name] = field
        box.addLayout(grid)

    def _add_field(self, box: QVBoxLayout, name: str, words: str, value: str) -> None:
        field = QLineEdit(value)
        field.setPlaceholderText(words)
        field.setAccessibleName(words)
        box.addWidget(field)
        self.fields[name] = field


def words_of(each: Filter) -> str:
    """A filter in words, as its chip says it."""
    title = column_title(each.column)
    if each.values:
        return f"{title}: {', '.join(value_words(value, each.column) for value in each.values)}"
    if each.contains:
        return f"{title}: “{each.contains}”"
    if each.flag is not None:
        return f"{title}: {text('library.yes') if each.flag else text('library.no')}"
    if each.low is not None and each.high is not None:
        return f"{each.low:.6g} ≤ {title} ≤ {each.high:.6g}"
    return f"{title} ≥ {each.low:.6g}" if each.low is not None else f"{title} ≤ {each.high:.6g}"


def _number(field: QLineEdit) -> float | None:
    try:
        number = float(field.text().replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
