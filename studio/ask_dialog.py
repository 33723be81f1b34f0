"""A question before something is done that has consequences: what it does, what must be said for it, and two buttons."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from studio.texts import text
from studio.widgets import label

WIDTH_PX = 520


class AskDialog(QDialog):
    """`wanted` when the answer is yes; whoever asked does it, then calls `done_with` or `refuse`. What is refused stays open.

    `fields` are widgets behind their names; a field with the name "" stands alone. `is_grave`: nothing brings it back, so
    that Return leaves it.
    """

    wanted = Signal()

    def __init__(
        self,
        parent: QWidget,
        *,
        title: str,
        words: str,
        go: str,
        fields: Sequence[tuple[str, QWidget]] = (),
        is_grave: bool = False,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setMinimumWidth(WIDTH_PX)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._open = True
        self.finished.connect(self._leave)
        self.trouble = label("", "banner")
        self.trouble.setWordWrap(True)
        self.trouble.hide()
        told = label(words, "muted")
        told.setWordWrap(True)
        told.setMinimumHeight(told.heightForWidth(WIDTH_PX - 56))
        column = QVBoxLayout(self)
        column.setContentsMargins(28, 24, 28, 22)
        column.setSpacing(16)
        column.addWidget(label(title, "title"))
        column.addWidget(told)
        column.addLayout(_grid(fields))
        column.addWidget(self.trouble)
        column.addLayout(self._buttons(go, is_grave=is_grave))
        (self.cancel if is_grave else fields[0][1] if fields else self.go).setFocus()

    def done_with(self) -> None:
        """It was done."""
        if self._open:
            self.accept()

    def refuse(self, why: str) -> None:
        """It could not be done; it can be mended and tried again."""
        if self._open:
            self.go.setEnabled(True)
            self.trouble.setText(why)
            self.trouble.show()

    def _leave(self) -> None:
        self._open = False

    def _buttons(self, go: str, *, is_grave: bool) -> QHBoxLayout:
        self.go, self.cancel = QPushButton(go), QPushButton(text("library.cancel"))
        self.go.setObjectName("grave" if is_grave else "primary")
        self.go.clicked.connect(self._want)
        self.cancel.setObjectName("worded")
        self.cancel.clicked.connect(self.reject)
        (self.cancel if is_grave else self.go).setDefault(True)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.cancel)
        row.addWidget(self.go)
        return row

    def _want(self) -> None:
        self.go.setEnabled(False)
        self.trouble.hide()
        self.wanted.emit()


def _grid(fields: Sequence[tuple[str, QWidget]]) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(12)
    grid.setVerticalSpacing(10)
    grid.setColumnStretch(1, 1)
    for row, (name, field) in enumerate(fields):
        if not name:
            grid.addWidget(field, row, 0, 1, 2)
            continue
        caption = label(name, "fact_name")
        caption.setBuddy(field)
        field.setAccessibleName(name)
        grid.addWidget(caption, row, 0)
        grid.addWidget(field, row, 1)
    return grid
