"""Rows that go on in the next line where a window is narrow."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QLayout, QLayoutItem, QSizePolicy, QWidget

from studio.actions import ActionSet
from studio.texts import text
from studio.widgets import KeyButton


class FlowLayout(QLayout):
    """Items from left to right and line by line; as narrow as its widest item where it must be. `to_right` ends lines at the right."""

    def __init__(self, parent: QWidget | None = None, *, spacing: int = 8, to_right: bool = False) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self._to_right = to_right
        self.setSpacing(spacing)
        self.setContentsMargins(0, 0, 0, 0)

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._place(QRect(0, 0, width, 0), for_real=False)

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        self._place(rect, for_real=True)

    def sizeHint(self) -> QSize:
        """Everything in one line."""
        sizes = [item.sizeHint() for item in self._shown()]
        width = sum(size.width() for size in sizes) + self.spacing() * max(0, len(sizes) - 1)
        return QSize(width, max((size.height() for size in sizes), default=0))

    def minimumSize(self) -> QSize:
        sizes = [item.minimumSize() for item in self._shown()]
        return QSize(max((s.width() for s in sizes), default=0), max((s.height() for s in sizes), default=0))

    def _shown(self) -> list[QLayoutItem]:
        return [item for item in self._items if not item.isEmpty()]

    def _place(self, rect: QRect, *, for_real: bool) -> int:
        """Places the items; gives the height that they take."""
        y = rect.y()
        for line in self._lines(rect.width()):
            sizes = [item.sizeHint() for item in line]
            height = max(size.height() for size in sizes)
            width = sum(size.width() for size in sizes) + self.spacing() * (len(sizes) - 1)
            x = rect.x() + (max(0, rect.width() - width) if self._to_right else 0)
            for item, size in zip(line, sizes, strict=True):
                if for_real:
                    item.setGeometry(QRect(QPoint(x, y + (height - size.height()) // 2), size))
                x += size.width() + self.spacing()
            y += height + self.spacing()
        return max(0, y - rect.y() - self.spacing())

    def _lines(self, width: int) -> list[list[QLayoutItem]]:
        lines: list[list[QLayoutItem]] = []
        room = 0
        for item in self._shown():
            wide = item.sizeHint().width()
            if not lines or wide > room:
                lines.append([])
                room = width
            lines[-1].append(item)
            room -= wide + self.spacing()
        return lines


class HintRow(QWidget):
    """What can be done here with its keys: a button for each action, its words the text `WORDS + action`."""

    def __init__(
        self, actions: ActionSet, names: Sequence[str], words: str, run: Callable[[str], object], *, to_right: bool = True
    ) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        flow = FlowLayout(self, spacing=4, to_right=to_right)
        self.buttons: dict[str, KeyButton] = {}
        for name in names:
            button = KeyButton(actions.rows[name].keys[0], text(f"{words}{name}"), name="hint_button")
            button.clicked.connect(lambda _=False, name=name: run(name))
            flow.addWidget(button)
            self.buttons[name] = button
