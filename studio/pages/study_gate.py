"""What stands before and after a study's trials: which study, what one agrees to, and the end."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from backend.domain.studies import StudySummary
from studio.widgets import clear, label

WORDS_WIDTH_PX = 620  # about 80 letters a line


class StudyGate(QWidget):
    """A headline, a paragraph and buttons. Signals say what was pressed; the page does it."""

    chosen = Signal(str)
    agreed = Signal()
    ended = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.head, self.words = label("", "title"), label("", "muted")
        self.words.setWordWrap(True)
        self.words.setFixedWidth(WORDS_WIDTH_PX)
        self.head.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.buttons: dict[str, QPushButton] = {}
        self._row = QWidget()
        QVBoxLayout(self._row).setSpacing(8)
        column = QVBoxLayout(self)
        column.setSpacing(14)
        column.addStretch(4)
        for widget in (self.head, self.words, self._row):
            column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(5)

    def tell(self, head: str, words: str) -> None:
        """Words alone."""
        self._show(head, words, {})

    def offer(self, studies: Sequence[StudySummary]) -> None:
        """The studies that one may take part in."""
        self._show(
            "Which study?" if studies else "No study yet",
            "Videos are shown without their makers' names. You may stop at any time and go on later."
            if studies
            else "Make one with: studio-backend study create NAME. Then press F5.",
            {study.name: (study.name, lambda name=study.name: self.chosen.emit(name)) for study in studies},
        )

    def ask_consent(self, name: str, text: str) -> None:
        """What one agrees to before the first trial."""
        self._show(name, text, {"agree": ("I agree: start or go on", self.agreed.emit)})

    def offer_end(self, total: int) -> None:
        """All is answered: answers can still be taken back, until the end is confirmed."""
        self._show(
            "All trials are answered",
            f"You answered all {total}. Press Z to change the last one; after the end nothing can be changed.",
            {"end": ("End and hand in", self.ended.emit)},
        )

    def _show(self, head: str, words: str, buttons: dict) -> None:
        self.head.setText(head)
        self.words.setText(words)
        self.words.setMinimumHeight(self.words.heightForWidth(WORDS_WIDTH_PX))  # centred, it would get two lines
        clear(self._row)
        self.buttons = {}
        layout = self._row.layout()
        assert layout is not None
        for name, (text, press) in buttons.items():
            button = QPushButton(text)
            button.setObjectName("worded")
            button.setMinimumWidth(240)
            button.setAutoDefault(True)
            button.clicked.connect(lambda _=False, press=press: press())
            layout.addWidget(button)
            self.buttons[name] = button
        if self.buttons:
            next(iter(self.buttons.values())).setFocus()
