"""One panel of a form: what is compared, large, with its clip and its words."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from backend.domain import Panel, Stimulus
from studio.long_text import LongText
from studio.player.marked_pane import MarkedPane
from studio.player.pane import Pane
from studio.prepare import Stills, clip_of, still_of
from studio.texts import text
from studio.widgets import label

MOVIE_SHARE = 62  # per cent of the width; the words stand in the rest
CAPTION_LINES, PROMPT_LINES = 6, 5
"""Lines that words may take; longer ones scroll, so that pictures and choices keep their places."""


class PanelView(QWidget):
    """One panel: its still large, its clip below with the words beside; or its video or text alone."""

    def __init__(self, panel: Panel, stimulus: Stimulus) -> None:
        super().__init__()
        self.panel = panel
        self.layout_of = layout_of(panel, stimulus)
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.still = Pane(text("judge.picture_of", panel=panel.label))
        self.movie = MarkedPane(text("judge.clip_of", panel=panel.label))
        as_words = self.layout_of == "words"
        self.words = LongText("big" if as_words else "caption", most_lines=PROMPT_LINES if as_words else CAPTION_LINES)
        self.words.setAccessibleName(text("judge.words_of", panel=panel.label))
        self.note = QLabel()
        self.note.setObjectName("caption")
        slot = QLabel(panel.label)
        slot.setObjectName("slot")
        head = QHBoxLayout()
        self.aside = label("", "caption")
        head.addWidget(slot)
        head.addWidget(self.aside)
        head.addStretch(1)
        head.addWidget(self.note)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 14, 14)
        column.setSpacing(8)
        column.addLayout(head)
        if self.layout_of == "still":
            column.addWidget(self.still, 1)
            below = QHBoxLayout()
            below.setSpacing(14)
            below.addWidget(self.movie, MOVIE_SHARE)
            below.addWidget(self.words, 100 - MOVIE_SHARE, Qt.AlignmentFlag.AlignTop)
            column.addLayout(below)
        elif self.layout_of == "movie":
            column.addWidget(self.movie, 1)
            column.addWidget(self.words)
        else:
            column.addWidget(self.words)

    @property
    def main(self) -> Pane:
        """The pane that is compared."""
        return self.movie if self.layout_of == "movie" else self.still

    @property
    def panes(self) -> tuple[Pane, ...]:
        return {"still": (self.still, self.movie), "movie": (self.movie,)}.get(self.layout_of, ())

    def show_stimulus(self, stimulus: Stimulus, stills: Stills) -> None:
        """Shows the still and the words; the page and its deck fill the movie pane."""
        self.words.setText(words_of(stimulus.text))
        self.movie.set_view(None)
        self.words.setVisible(bool(stimulus.text) or self.layout_of == "words")
        if self.layout_of != "still":
            return
        self.movie.setVisible(clip_of(self.panel, stimulus) is not None)
        image = stills.images.get(self.panel.slot)
        if image is None:
            self.still.show_sentence(stills.missing.get(self.panel.slot, text("judge.no_picture")))
        else:
            self.still.show_image(image)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.layout_of == "still":
            wide = (self.width() - 42) * MOVIE_SHARE // 100
            self.movie.setFixedHeight(min(wide * 9 // 16, self.height() * 2 // 5))


def words_of(said: str) -> str:
    """What stands beside a picture, with what the service says in a word of its own in the window's language."""
    own = {"from the clip itself": text("verify.inside"), "from elsewhere": text("verify.outside")}
    first, comma, last = said.rpartition(", ")
    return f"{first}{comma}{own[last]}" if last in own else said


def layout_of(panel: Panel, stimulus: Stimulus) -> str:
    """`still` (a picture, perhaps with its clip below), `movie` (the clip alone) or `words`."""
    if panel.shows == "text":
        return "words"
    return "movie" if panel.shows == "video" and still_of(panel, stimulus) is None else "still"
