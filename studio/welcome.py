"""What stands there without a project: a sample, a new one from videos, one to open, and those of late."""

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from studio.texts import text
from studio.theme import Theme, icon
from studio.widgets import clear, label

SIZE = QSize(980, 640)
CARDS = (("sample", "sample"), ("videos", "add"), ("open", "folder"))
"""What can be chosen, with its drawing; the texts are `welcome.NAME` and `welcome.NAME_words`."""


class Welcome(QWidget):
    """Signals say what was chosen; whoever made it does it and tells with `say` how far it is.

    `ask_folder` shows a title and gives the folder that a person chose, None when they did not.
    """

    opened = Signal(Path)
    sample_wanted = Signal(Path)
    videos_given = Signal(Path, Path)
    """Videos, and the folder of the project to be made."""
    stopped = Signal()

    def __init__(
        self, theme: Theme, *, recent: Sequence[Path], ask_folder: Callable[[QWidget, str], Path | None] | None = None
    ) -> None:
        super().__init__()
        self.setObjectName("page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setWindowTitle("Subject Studio")
        self.resize(SIZE)
        self._theme, self._ask_folder = theme, ask_folder or ask_for_folder
        self.cards: dict[str, QPushButton] = {}
        self.recent: list[QPushButton] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(56, 48, 56, 32)
        column.setSpacing(6)
        column.addLayout(self._build_head())
        column.addSpacing(26)
        cards = QHBoxLayout()
        cards.setSpacing(16)
        for name, drawing in CARDS:
            self.cards[name] = card = self._build_card(name, drawing)
            cards.addWidget(card, 1)
        column.addLayout(cards)
        column.addSpacing(28)
        column.addWidget(label(text("welcome.recent"), "slot"))
        self._list = QWidget()
        rows = QVBoxLayout(self._list)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(2)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(self._list)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        column.addWidget(area, 1)
        self.words = label("", "banner")
        self.words.setWordWrap(True)
        self.words.hide()
        told = QHBoxLayout()
        told.addWidget(self.words, 1)
        self.stop = QPushButton(text("welcome.stop"))
        self.stop.setObjectName("worded")
        self.stop.setAutoDefault(True)
        self.stop.clicked.connect(self.stopped)
        self.stop.hide()
        told.addWidget(self.stop)
        column.addLayout(told)
        self.show_recent(recent)
        self.cards["sample"].setFocus()

    def show_recent(self, recent: Sequence[Path]) -> None:
        """Lists projects, newest first."""
        clear(self._list)
        layout = self._list.layout()
        assert isinstance(layout, QVBoxLayout)
        self.recent = []
        for path in recent:
            button = QPushButton(f"{path.name}    {path.parent}")
            button.setObjectName("row")
            button.setAccessibleName(str(path))
            button.setIcon(icon("folder", self._theme.colour("muted")))
            button.clicked.connect(lambda _=False, path=path: self.opened.emit(path))
            button.setAutoDefault(True)
            layout.addWidget(button)
            self.recent.append(button)
        if not recent:
            layout.addWidget(label(text("welcome.none"), "muted"))
        layout.addStretch(1)

    def say(self, sentence: str, *, busy: bool = False, can_stop: bool = False) -> None:
        """A sentence below; while busy nothing else can be chosen, but what is made stopped."""
        self.words.setText(sentence)
        self.words.setVisible(bool(sentence))
        for button in (*self.cards.values(), *self.recent):
            button.setEnabled(not busy)
        self.stop.setVisible(busy and can_stop)
        (self.stop if busy and can_stop else self.cards["sample"]).setFocus()

    def _choose(self, name: str) -> None:
        if name == "videos":
            videos = self._ask_folder(self, text("welcome.which_videos"))
            folder = self._ask_folder(self, text("welcome.where")) if videos else None
            if videos and folder:
                self.videos_given.emit(videos, folder)
            return
        folder = self._ask_folder(self, text("welcome.where" if name == "sample" else "welcome.which_project"))
        if folder:
            (self.sample_wanted if name == "sample" else self.opened).emit(folder)

    def _build_head(self) -> QHBoxLayout:
        mark = QLabel()
        mark.setPixmap(icon("studio", self._theme.colour("accent"), size_px=44).pixmap(44, 44))
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(label("Subject Studio", "headline"))
        words.addWidget(label(text("welcome.what"), "muted"))
        head = QHBoxLayout()
        head.setSpacing(16)
        head.addWidget(mark)
        head.addLayout(words, 1)
        return head

    def _build_card(self, name: str, drawing: str) -> QPushButton:
        card = QPushButton()
        card.setObjectName("card")
        card.setAccessibleName(f"{text(f'welcome.{name}')}. {text(f'welcome.{name}_words')}")
        card.setMinimumHeight(168)
        card.setAutoDefault(True)
        card.setCursor(Qt.CursorShape.PointingHandCursor)
        column = QVBoxLayout(card)
        column.setContentsMargins(20, 20, 20, 20)
        column.setSpacing(8)
        picture = QLabel()
        picture.setPixmap(icon(drawing, self._theme.colour("accent"), size_px=28).pixmap(28, 28))
        words = label(text(f"welcome.{name}_words"), "caption")
        words.setWordWrap(True)
        words.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        column.addWidget(picture)
        column.addWidget(label(text(f"welcome.{name}"), "choice"))
        column.addWidget(words, 1)
        for child in card.findChildren(QLabel):
            child.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        card.clicked.connect(lambda: self._choose(name))
        return card


def ask_for_folder(parent: QWidget, title: str) -> Path | None:
    """The desktop's own dialog."""
    found = QFileDialog.getExistingDirectory(parent, title)
    return Path(found) if found else None
