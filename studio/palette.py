"""The palette: a few letters of what one wants to do, Return does it."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QAction, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QDialog,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from studio.actions import Action, shown_key
from studio.fuzzy import ranked
from studio.texts import text
from studio.theme import Theme

SIZE = QSize(620, 420)
ROW_PX = 36
STEPS = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: 8, Qt.Key.Key_PageUp: -8}


@dataclass(frozen=True, slots=True)
class Command:
    """A row of the table of actions, and the QAction that does it where the person is."""

    action: Action
    qt: QAction


class Palette(QDialog):
    """Lists what can be done now; typing narrows it by the titles in the chosen language and in English."""

    def __init__(self, parent: QWidget, commands: Sequence[Command], theme: Theme) -> None:
        super().__init__(parent, Qt.WindowType.FramelessWindowHint | Qt.WindowType.Dialog)
        self.setObjectName("palette")
        self.setWindowTitle(text("actions.palette"))
        self.setModal(True)
        self._commands = commands
        self.field = QLineEdit()
        self.field.setObjectName("palette_field")
        self.field.setPlaceholderText(text("frame.palette_hint"))
        self.field.setAccessibleName(text("actions.palette"))
        self.list = QListWidget()
        self.list.setObjectName("palette_list")
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setItemDelegate(_Rows(self.list, theme))
        self.list.setAccessibleName(text("actions.palette"))
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        column.addWidget(self.field)
        column.addWidget(self.list)
        self.field.textChanged.connect(self._narrow)
        self.field.installEventFilter(self)
        self.list.itemClicked.connect(lambda _: self._do())
        self._narrow("")
        self.resize(SIZE)
        window = parent.window().geometry()
        self.move(window.center().x() - SIZE.width() // 2, window.top() + max(60, window.height() // 6))

    @property
    def shown(self) -> list[str]:
        """Ids of the actions listed now, best first."""
        return [self.list.item(row).data(Qt.ItemDataRole.UserRole).action.id for row in range(self.list.count())]

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() is QEvent.Type.KeyPress:
            step = STEPS.get(Qt.Key(event.key()))
            if step is not None and self.list.count():
                row = self.list.currentRow() + step
                self.list.setCurrentRow(
                    row % self.list.count() if abs(step) == 1 else min(max(row, 0), self.list.count() - 1)
                )
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._do()
                return True
        return super().eventFilter(watched, event)

    def _narrow(self, typed: str) -> None:
        rows = [(command, _titles(command.action)) for command in self._commands]
        self.list.clear()
        for command in ranked(typed, rows):
            item = QListWidgetItem(command.qt.icon(), command.action.title)
            item.setData(Qt.ItemDataRole.UserRole, command)
            self.list.addItem(item)
        self.list.setCurrentRow(0)

    def _do(self) -> None:
        item = self.list.currentItem()
        if item is None:
            return
        command: Command = item.data(Qt.ItemDataRole.UserRole)
        self.accept()
        command.qt.trigger()


class _Rows(QStyledItemDelegate):
    """Icon, title, menu and key in one line."""

    def __init__(self, parent: QWidget, theme: Theme) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(0, ROW_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        command: Command = index.data(Qt.ItemDataRole.UserRole)
        box: QRect = option.rect  # pyright: ignore[reportAttributeAccessIssue]
        state: QStyle.StateFlag = option.state  # pyright: ignore[reportAttributeAccessIssue]
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(box, self._theme.colour("accent_wash"))
            painter.fillRect(QRect(box.left(), box.top(), 3, box.height()), self._theme.colour("accent"))
        command.qt.icon().paint(painter, QRect(box.left() + 18, box.center().y() - 9, 18, 18))
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setPen(self._theme.colour("text"))
        painter.drawText(box.adjusted(50, 0, -220, 0), middle | Qt.AlignmentFlag.AlignLeft, command.action.title)
        painter.setPen(self._theme.colour("muted"))
        keys = shown_key(command.action.keys[0]) if command.action.keys else ""
        painter.drawText(box.adjusted(0, 0, -18, 0), middle | Qt.AlignmentFlag.AlignRight, keys)
        menu = text(f"menus.{command.action.menu}")
        painter.drawText(box.adjusted(0, 0, -130, 0), middle | Qt.AlignmentFlag.AlignRight, menu)


def _titles(action: Action) -> tuple[str, ...]:
    return tuple(dict.fromkeys((action.title, text(f"actions.{action.id}", within="en"))))
