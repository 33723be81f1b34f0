"""Where a person writes another prompt for a benchmark's case."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from studio.texts import text
from studio.widgets import label

WIDTH_PX = 720


class PromptEditor(QWidget):
    """`wanted` comes with the new prompt, `left` when there is none."""

    wanted = Signal(str)
    left = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._before = ""
        self.field = QPlainTextEdit()
        self.field.setAccessibleName(text("verify.prompt"))
        self.field.setTabChangesFocus(True)
        self.field.setMaximumWidth(WIDTH_PX)
        words = label(text("verify.prompt_words"), "muted")
        words.setWordWrap(True)
        words.setMaximumWidth(WIDTH_PX)
        self.save_button = QPushButton(text("verify.prompt_save"))
        self.save_button.setObjectName("primary")
        self.save_button.clicked.connect(self.save)
        leave = QPushButton(text("verify.prompt_leave"))
        leave.setObjectName("worded")
        leave.clicked.connect(self.left)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(leave)
        row.addWidget(self.save_button)
        inner = QWidget()
        inner.setMaximumWidth(WIDTH_PX)
        column = QVBoxLayout(inner)
        column.setSpacing(12)
        column.addWidget(label(text("verify.prompt"), "title"))
        column.addWidget(words)
        column.addWidget(self.field, 1)
        column.addLayout(row)
        around = QVBoxLayout(self)
        around.setContentsMargins(24, 20, 24, 24)
        around.addWidget(inner, 1, Qt.AlignmentFlag.AlignHCenter)
        inner.setMinimumWidth(min(WIDTH_PX, 560))

    def open(self, prompt: str) -> None:
        """Shows a prompt to be changed."""
        self._before = prompt
        self.field.setPlainText(prompt)
        self.field.setFocus()

    def save(self) -> None:
        """Gives the prompt out when it is another one."""
        words = self.field.toPlainText().strip()
        if not words or words == self._before:
            self.left.emit()
        else:
            self.wanted.emit(words)
