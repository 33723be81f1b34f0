"""One panel of a form: what is compared, large, with its clip and its words."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from backend.domain import Panel, Stimulus
from studio.player.pane import Pane
from studio.prepare import Prepared


class PanelView(QWidget):
    """One panel: its still large, its clip below with the words beside; or its video or text alone."""

    def __init__(self, panel: Panel) -> None:
        super().__init__()
        self.panel = panel
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.still = Pane(f"{panel.label}: picture")
        self.movie = Pane(f"{panel.label}: clip")
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
        if panel.shows == "image":
            column.addWidget(self.still, 62)
            below = QHBoxLayout()
            below.setSpacing(14)
            below.addWidget(self.movie, 62)
            below.addWidget(self.words, 38)
            column.addLayout(below, 38)
        elif panel.shows == "video":
            column.addWidget(self.movie, 1)
            column.addWidget(self.words)
        else:
            self.words.setObjectName("big")
            column.addWidget(self.words, 1)

    @property
    def main(self) -> Pane:
        """The pane that is compared."""
        return self.movie if self.panel.shows == "video" else self.still

    @property
    def panes(self) -> tuple[Pane, ...]:
        return {"image": (self.still, self.movie), "video": (self.movie,)}.get(self.panel.shows, ())

    def show_stimulus(self, stimulus: Stimulus, prepared: Prepared) -> None:
        """Shows what was loaded; words say what could not be. The deck fills the movie pane."""
        missing = prepared.missing.get(self.panel.slot, "")
        self.words.setText(stimulus.text)
        self.words.setVisible(bool(stimulus.text) or self.panel.shows == "text")
        image = prepared.images.get(self.panel.slot)
        if self.panel.shows == "image":
            if image is None:
                self.still.show_sentence(missing or "This side has no picture.")
            else:
                self.still.show_image(image)
            has_clip = stimulus.clip_media is not None
            self.movie.setVisible(has_clip)
        if self.panel.slot not in prepared.reels:
            self.movie.show_sentence(missing or "This side has no clip.")
