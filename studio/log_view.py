"""A log that grows: it follows its end unless somebody scrolls back, and can be searched."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFontDatabase, QKeyEvent, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPlainTextEdit, QPushButton, QTextEdit, QVBoxLayout, QWidget

from studio.sessions.jobs import MOST_LINES, LogTail
from studio.texts import text
from studio.theme import Theme
from studio.widgets import label

SEARCH_PX = 230
MOST_MARKED = 500
"""Places that are marked at once; all are counted and gone to."""


class LogView(QWidget):
    """Head with search and a switch to follow the end; below it the lines."""

    def __init__(self, tail: LogTail) -> None:
        super().__init__()
        self._tail = tail
        self._theme: Theme | None = None
        self._matches: tuple[int, ...] = ()
        self._place = -1
        self._moves_itself = False
        self.lines = QPlainTextEdit()
        self.lines.setObjectName("log")
        self.lines.setReadOnly(True)
        self.lines.setMaximumBlockCount(MOST_LINES)
        self.lines.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.lines.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.lines.setAccessibleName(text("jobs.log"))
        self.lines.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.search = _SearchField()
        self.search.setPlaceholderText(text("jobs.log_search"))
        self.search.setAccessibleName(text("jobs.log_search"))
        self.search.setClearButtonEnabled(True)
        self.search.setFixedWidth(SEARCH_PX)
        self.found = label("", "hint")
        self.follow = QPushButton(text("jobs.log_follow"))
        self.follow.setObjectName("toggle")
        self.follow.setCheckable(True)
        self.follow.setChecked(True)
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(label(text("jobs.log"), "slot"))
        head.addStretch(1)
        for widget in (self.found, self.search, self.follow):
            head.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(self.lines, 1)
        self.search.textChanged.connect(lambda _: self._search())
        self.search.stepped.connect(self.find)
        self.follow.clicked.connect(self.set_follows)
        bar = self.lines.verticalScrollBar()
        bar.valueChanged.connect(self._scrolled)
        bar.rangeChanged.connect(lambda *_: self._keep_end())

    @property
    def follows(self) -> bool:
        """Whether new lines scroll the view."""
        return self.follow.isChecked()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._mark()

    def show_anew(self) -> None:
        """Another log: its lines from the first that is known, at its end."""
        with self._moving():
            self.lines.setPlainText("\n".join(self._tail.lines))
        self._search(going=False)
        self.set_follows(True)

    def append(self, new: Sequence[str]) -> None:
        """Lines that came behind the others."""
        if not new:
            return
        with self._moving():
            if len(new) >= len(self._tail.lines):
                self.lines.setPlainText("\n".join(self._tail.lines))
            else:
                self.lines.appendPlainText("\n".join(new))
        if self.search.text():
            self._matches = self._tail.matches(self.search.text())
            self._tell_found()
            self._mark()
        self._keep_end()

    def set_follows(self, on: bool) -> None:
        """Goes to the end and stays there, or stays where it is."""
        self.follow.setChecked(on)
        self._keep_end()

    def find(self, by: int) -> None:
        """Goes to the next (1) or the previous (-1) place of what is searched for, around the ends."""
        if not self._matches:
            return
        self._place = (self._place + by) % len(self._matches)
        self.follow.setChecked(False)
        with self._moving():
            self.lines.setTextCursor(QTextCursor(self.lines.document().findBlockByNumber(self._matches[self._place])))
            self.lines.centerCursor()
        self._tell_found()
        self._mark()

    def _search(self, *, going: bool = True) -> None:
        """Looks for the words; the last place, which is the newest, is gone to first."""
        self._matches = self._tail.matches(self.search.text())
        self._place = len(self._matches) - 1
        if self._matches and going:
            self.find(0)
        self._tell_found()
        self._mark()

    def _tell_found(self) -> None:
        if not self.search.text():
            self.found.setText("")
        elif not self._matches:
            self.found.setText(text("jobs.log_none"))
        else:
            self.found.setText(text("jobs.log_found", place=self._place + 1, total=len(self._matches)))

    def _mark(self) -> None:
        """Washes the lines that match; the one that is gone to also has a line under it."""
        if self._theme is None:
            return
        marks = []
        first = max(0, self._place - MOST_MARKED // 2)
        for n in range(first, min(len(self._matches), first + MOST_MARKED)):
            mark = QTextEdit.ExtraSelection()
            form = QTextCharFormat()
            form.setBackground(self._theme.colour("warn_wash"))
            form.setForeground(self._theme.colour("text"))
            form.setFontUnderline(n == self._place)
            mark.format = form  # pyright: ignore[reportAttributeAccessIssue]
            cursor = QTextCursor(self.lines.document().findBlockByNumber(self._matches[n]))
            cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
            mark.cursor = cursor  # pyright: ignore[reportAttributeAccessIssue]
            marks.append(mark)
        self.lines.setExtraSelections(marks)

    def _scrolled(self, value: int) -> None:
        """Who scrolls back reads there; who scrolls to the end follows it again."""
        if not self._moves_itself:
            self.follow.setChecked(value >= self.lines.verticalScrollBar().maximum())

    def _keep_end(self) -> None:
        if self.follows:
            with self._moving():
                bar = self.lines.verticalScrollBar()
                bar.setValue(bar.maximum())

    @contextmanager
    def _moving(self) -> Iterator[None]:
        """While the view scrolls by itself, which is nobody's wish."""
        before, self._moves_itself = self._moves_itself, True
        yield
        self._moves_itself = before


class _SearchField(QLineEdit):
    """Return goes on, Shift+Return back."""

    stepped = Signal(int)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            back = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            self.stepped.emit(-1 if back else 1)
            return
        super().keyPressEvent(event)
