"""Words of any length in a place that stays as large as it is: a label that is cut off, and a text that scrolls."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent, QTextOption
from PySide6.QtWidgets import QFrame, QLabel, QPlainTextEdit, QSizePolicy

LEAST_PX = 24  # to which a label may shrink; its tool tip has the whole text


class ElidedLabel(QLabel):
    """One line, cut off by an ellipsis where it does not fit; `text` is the whole of it, and so is the tool tip."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        self.setObjectName(name)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)

    def minimumSizeHint(self) -> QSize:
        return QSize(min(LEAST_PX, super().sizeHint().width()), super().minimumSizeHint().height())

    @property
    def shown(self) -> str:
        """What stands there now."""
        return self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.contentsRect().width())

    def setText(self, text: str) -> None:
        super().setText(text)
        self._tell()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._tell()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.contentsRect(), int(self.alignment()), self.shown)

    def _tell(self) -> None:
        self.setToolTip("" if self.shown == self.text() else self.text())


class LongText(QPlainTextEdit):
    """A text that may be read and copied: as many lines as it has, up to `most_lines`; beyond them it scrolls.

    A word that is wider than the place is broken. The direction is that of the text itself.
    """

    def __init__(self, name: str, *, most_lines: int) -> None:
        super().__init__()
        self.setObjectName(name)
        self._most_lines = most_lines
        self.setReadOnly(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setStyleSheet("QPlainTextEdit { background: transparent; border: none; padding: 0; }")
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.document().setDocumentMargin(0)
        self._fit()

    def text(self) -> str:
        return self.toPlainText()

    def setText(self, text: str) -> None:
        if text != self.toPlainText():
            self.setPlainText(text)
            self._fit()

    def minimumSizeHint(self) -> QSize:
        return QSize(LEAST_PX, self.height())

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), self.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        lines = max(1, round(self.document().size().height()))  # of a plain text, in lines as they are wrapped
        self.setFixedHeight(min(lines, self._most_lines) * self.fontMetrics().lineSpacing() + 4)
        bar = Qt.ScrollBarPolicy.ScrollBarAlwaysOn if lines > self._most_lines else Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self.setVerticalScrollBarPolicy(bar)
        # Only what has more than it shows can be gone to by Tab, to be scrolled
        policy = Qt.FocusPolicy.TabFocus if lines > self._most_lines else Qt.FocusPolicy.NoFocus
        self.setFocusPolicy(policy)
