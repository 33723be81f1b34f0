"""Words of any length in a place that stays as large as it is: a label that is cut off, and a text that scrolls."""

import math

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette, QResizeEvent, QTextOption
from PySide6.QtWidgets import QFrame, QLabel, QPlainTextEdit, QSizePolicy

BAR_GAP_PX = 6  # between words and the bar that scrolls them
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
        self._most_lines, self._fitting = most_lines, False
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
            option = self.document().defaultTextOption()
            is_leftward = self.document().firstBlock().textDirection() is Qt.LayoutDirection.RightToLeft
            option.setAlignment(Qt.AlignmentFlag.AlignRight if is_leftward else Qt.AlignmentFlag.AlignLeft)
            self.document().setDefaultTextOption(option)
            self.verticalScrollBar().setValue(0)
            self._fit()

    def minimumSizeHint(self) -> QSize:
        return QSize(LEAST_PX, self.height())

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), self.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def paintEvent(self, event: QPaintEvent) -> None:
        """A line around it while it has the focus, over the words: a frame of its own would take room from them."""
        super().paintEvent(event)
        if self.hasFocus():
            painter = QPainter(self.viewport())
            painter.setPen(self.palette().color(QPalette.ColorRole.Highlight))
            painter.drawRect(self.viewport().rect().adjusted(0, 0, -1, -1))
            painter.end()

    def _fit(self) -> None:
        """As high as its lines; where they are too many, as high as the whole lines that fit, beside a bar."""
        if self._fitting:  # by what is changed here
            return
        self._fitting = True
        is_at_start = self.verticalScrollBar().value() == 0
        for scrolls in (False, True):
            self.setVerticalScrollBarPolicy(
                Qt.ScrollBarPolicy.ScrollBarAlwaysOn if scrolls else Qt.ScrollBarPolicy.ScrollBarAlwaysOff
            )
            self.setViewportMargins(0, 0, BAR_GAP_PX if scrolls else 0, 0)
            # Wrapped now: Qt does so only when the place next changes, and till then lines would go on under the bar
            super().resizeEvent(QResizeEvent(self.viewport().size(), QSize()))
            height, is_all = self._whole_lines()
            if is_all:
                break
        self.setFixedHeight(height + 4 if is_all else height)  # no letters cut off by half below
        # Only what has more than it shows can be gone to by Tab, to be scrolled
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus if is_all else Qt.FocusPolicy.TabFocus)
        if is_at_start:  # wrapping anew moves what is seen
            self.verticalScrollBar().setValue(0)
        self._fitting = False

    def _whole_lines(self) -> tuple[int, bool]:
        """Height of the lines that fit in `most_lines` of the font's own, and whether that is all of them.

        Lines with letters of other fonts are higher.
        """
        most, height = self._most_lines * self.fontMetrics().lineSpacing(), 0.0
        block = self.document().firstBlock()
        while block.isValid():
            self.document().documentLayout().blockBoundingRect(block)  # lays it out, if that was not done yet
            layout = block.layout()
            for number in range(layout.lineCount()):
                line = layout.lineAt(number).height()
                if height and height + line > most + 0.5:  # heights are fractions
                    return math.ceil(height), False
                height += line
            block = block.next()
        return math.ceil(height), True
