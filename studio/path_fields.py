"""Where paths are typed: one in a line, or several, one a line. Files that are dropped or pasted become their paths."""

from PySide6.QtCore import QMimeData, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFrame, QLineEdit, QPlainTextEdit

from studio.sessions.job_form import as_paths, paths_in

FEWEST_LINES, MOST_LINES = 2, 8  # beyond these it scrolls


class PathLine(QLineEdit):
    """One path."""

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped(event.mimeData()):
            event.acceptProposedAction()
        else:
            super().dragEnterEvent(event)

    def dropEvent(self, event: QDropEvent) -> None:
        if paths := dropped(event.mimeData()):
            self.setText(paths[0])
            event.acceptProposedAction()
        else:
            super().dropEvent(event)


class PathLines(QPlainTextEdit):
    """Several paths, one a line; empty lines count for nothing. Tab leaves it. `edited` carries them as a form's value."""

    edited = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("paths")
        self.setTabChangesFocus(True)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.textChanged.connect(self._changed)
        self._fit()

    def show_paths(self, value: str) -> None:
        """Shows a form's value, unless that is what stands here, with whatever empty lines somebody is typing between."""
        paths = paths_in(value)
        if paths != self.paths():
            self.setPlainText("\n".join(paths))

    def paths(self) -> tuple[str, ...]:
        """What stands here, without empty lines."""
        return tuple(line.strip() for line in self.toPlainText().splitlines() if line.strip())

    def add(self, paths: list[str]) -> None:
        """Further lines, but none twice."""
        self.setPlainText("\n".join(dict.fromkeys((*self.paths(), *paths))))
        self.moveCursor(self.textCursor().MoveOperation.End)

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        return bool(dropped(source)) or super().canInsertFromMimeData(source)

    def insertFromMimeData(self, source: QMimeData) -> None:
        if paths := dropped(source):
            self.add(paths)
        else:
            super().insertFromMimeData(source)

    def _changed(self) -> None:
        self._fit()
        self.edited.emit(as_paths(self.paths()))

    def _fit(self) -> None:
        lines = min(MOST_LINES, max(FEWEST_LINES, self.blockCount()))
        self.setFixedHeight(lines * self.fontMetrics().lineSpacing() + 2 * int(self.document().documentMargin()) + 12)


def dropped(source: QMimeData) -> list[str]:
    """Paths on this machine that are dropped or pasted."""
    return [url.toLocalFile() for url in source.urls() if url.isLocalFile()] if source.hasUrls() else []
