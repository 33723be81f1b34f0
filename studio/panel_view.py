"""One panel of a form: what is compared, large, with its clip and its words."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from backend.domain import Panel, Stimulus
from studio.player.marked_pane import MarkedPane
from studio.player.pane import Pane
from studio.prepare import Stills, clip_of, still_of
from studio.texts import text

MOVIE_SHARE = 62  # per cent of the width; the words stand in the rest


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
        self.words = QLabel()
        self.words.setObjectName("caption")
        self.words.setWordWrap(True)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.words.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.words.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.note = QLabel()
        self.note.setObjectName("caption")
        slot = QLabel(panel.label)
        slot.setObjectName("slot")
        head = QHBoxLayout()
        head.addWidget(slot)
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
            below.addWidget(self.words, 100 - MOVIE_SHARE)
            column.addLayout(below)
        elif self.layout_of == "movie":
            column.addWidget(self.movie, 1)
            column.addWidget(self.words)
        else:
            self.words.setObjectName("big")
            column.addWidget(self.words, 1)

    @property
    def main(self) -> Pane:
        """The pane that is compared."""
        return self.movie if self.layout_of == "movie" else self.still

    @property
    def panes(self) -> tuple[Pane, ...]:
        return {"still": (self.still, self.movie), "movie": (self.movie,)}.get(self.layout_of, ())

    def show_stimulus(self, stimulus: Stimulus, stills: Stills) -> None:
        """Shows the still and the words; the page and its deck fill the movie pane."""
        self.words.setText(stimulus.text)
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


def layout_of(panel: Panel, stimulus: Stimulus) -> str:
    """`still` (a picture, perhaps with its clip below), `movie` (the clip alone) or `words`."""
    if panel.shows == "text":
        return "words"
    return "movie" if panel.shows == "video" and still_of(panel, stimulus) is None else "still"
