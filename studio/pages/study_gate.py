"""What stands before and after a study's trials: which study, what one agrees to, how it works, the slider, the end."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from backend.domain.studies import StudySummary
from studio.actions import key_of
from studio.long_text import LongText
from studio.pages.closing_slider import ClosingSlider
from studio.texts import text
from studio.widgets import clear, label

WORDS_WIDTH_PX = 620  # about 80 letters a line
MOST_LINES = 16  # of what one agrees to; the rest scrolls, and the buttons below stay
Buttons = dict[str, tuple[str, Callable[[], object]]]
"""By a name for the code: what stands on the button, and what it does."""


class StudyGate(QWidget):
    """A headline, a paragraph and buttons. Signals say what was pressed; the page does it."""

    chosen = Signal(str)
    agreed = Signal()
    left = Signal()
    """For the list of studies: before one begins, or after its end."""
    started = Signal()
    ended = Signal()
    withdrew = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.head, self.words = label("", "title"), LongText("muted", most_lines=MOST_LINES)
        self.words.setFixedWidth(WORDS_WIDTH_PX)
        self.words.setAccessibleName(text("study.words"))
        self.head.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.buttons: dict[str, QPushButton] = {}
        self.closing = ClosingSlider()
        self.is_end = False
        """Whether the end is offered."""
        self._leader: QWidget | None = None
        """Who has the keyboard when this comes on the screen."""
        self._row = QWidget()
        QVBoxLayout(self._row).setSpacing(8)
        column = QVBoxLayout(self)
        column.setSpacing(14)
        column.addStretch(4)
        for widget in (self.head, self.words, self.closing, self._row):
            column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(5)
        self.closing.hide()

    def tell(self, head: str, words: str) -> None:
        """Words alone."""
        self._show(head, words, {})

    def offer(self, studies: Sequence[StudySummary]) -> None:
        """The studies that one may take part in; of those that ended one can hand in what one has answered."""
        if not studies:
            self.tell(text("study.none"), text("study.none_words", page=key_of("page_studies"), cap=key_of("refresh")))
            return
        names = {one.name: text("study.closed", name=one.name) if one.closed_at else one.name for one in studies}
        self._show(
            text("study.which"),
            text("study.which_words"),
            {name: (words, lambda name=name: self.chosen.emit(name)) for name, words in names.items()},
        )

    def ask_consent(self, name: str, words: str) -> None:
        """What one agrees to before the first trial."""
        agree = (text("study.agree"), self.agreed.emit)
        self._show(name, words, {"agree": agree, "refuse": (text("study.refuse"), self.left.emit)})

    def explain(self, practice: int) -> None:
        """How it works, with so many trials for practice."""
        words = [text("study.how_words")]
        if practice:
            words.append(text("study.how_practice", count=practice))
        start = {"start": (text("study.start"), self.started.emit)}
        self._show(text("study.how"), "\n\n".join(words), start | self._way_out(lambda: self.explain(practice)))

    def offer_end(self, total: int, *, is_closed: bool, asks_slider: bool) -> None:
        """All is answered, or no more is asked: answers can still be taken back, until the end is confirmed."""
        head, words = text("study.all"), text("study.all_words", count=total)
        if is_closed:
            head, words = text("study.ended"), text("study.ended_words")

        def again() -> None:
            self.offer_end(total, is_closed=is_closed, asks_slider=asks_slider)

        self._show(head, words, {"end": (text("study.end"), self._confirm)} | self._way_out(again))
        self.is_end = True
        self.closing.setVisible(asks_slider)
        if asks_slider:
            self.closing.ask()
            self._lead(self.closing.slider)

    def part(self, head: str, words: str) -> None:
        """How one's part in a study ended, and the way to the others."""
        self._show(head, words, {"others": (text("study.others"), self.left.emit)})

    def take_keyboard(self) -> None:
        """The first button has it, or the slider; not before they are on the screen."""
        if self._leader is not None and self.isVisible():
            self._leader.setFocus()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not event.spontaneous():  # the window itself came back: the keyboard is where it was
            self.take_keyboard()

    def _confirm(self) -> None:
        if self.closing.isHidden() or self.closing.passed():
            self.ended.emit()

    def _way_out(self, back: Callable[[], object]) -> Buttons:
        """A way out that asks once more."""

        def ask() -> None:
            buttons = {"yes": (text("study.withdraw_yes"), self.withdrew.emit), "back": (text("study.back"), back)}
            self._show(text("study.withdraw"), text("study.withdraw_words"), buttons)
            self._lead(self.buttons["back"])

        return {"withdraw": (text("study.withdraw"), ask)}

    def _show(self, head: str, words: str, buttons: Buttons) -> None:
        self.head.setText(head)
        self.words.setText(words)
        option = self.words.document().defaultTextOption()
        is_short = self.words.fontMetrics().horizontalAdvance(words) < WORDS_WIDTH_PX and "\n" not in words
        option.setAlignment(Qt.AlignmentFlag.AlignHCenter if is_short else Qt.AlignmentFlag.AlignLeading)
        self.words.document().setDefaultTextOption(option)  # a line in the middle, a paragraph from its edge
        self.closing.hide()
        self.is_end = False
        clear(self._row)
        self.buttons = {}
        layout = self._row.layout()
        assert layout is not None
        for name, (caption, press) in buttons.items():
            button = QPushButton(caption)
            button.setObjectName("worded")
            button.setMinimumWidth(240)
            button.setAutoDefault(True)
            button.clicked.connect(lambda _=False, press=press: press())
            layout.addWidget(button)
            button.show()  # else in the next turn, and till then Qt forgets who has the keyboard in a window that is not active
            self.buttons[name] = button
        self._lead(next(iter(self.buttons.values()), None))

    def _lead(self, widget: QWidget | None) -> None:
        self._leader = widget
        self.take_keyboard()
