"""What a row of a player says of the sound: off, which side is heard, or why none is."""

from collections.abc import Callable

from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.actions import with_key
from studio.long_text import ElidedLabel
from studio.player.played_side import PlayedSide
from studio.player.sound import DeckSound
from studio.texts import text
from studio.theme import Theme, icon
from studio.widgets import tool_button

WORDS_PX = 150


class SoundView(QWidget):
    """Hidden while no clip has sound. `run` does an action of the table by its id; `name` gives a side's."""

    def __init__(self, sound: DeckSound, run: Callable[[str], object], name: Callable[[PlayedSide], str]) -> None:
        super().__init__()
        self._sound, self._name = sound, name
        self._theme: Theme | None = None
        self.button = tool_button("listen", with_key("listen"), checkable=True)
        self.button.clicked.connect(lambda: run("listen"))
        self.words = ElidedLabel("", "muted")
        self.words.setFixedWidth(WORDS_PX)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.button)
        row.addWidget(self.words)
        sound.changed.connect(self._refresh)
        self._refresh()

    def set_theme(self, theme: Theme) -> None:
        """Takes other colours."""
        self._theme = theme
        self._refresh()

    def _refresh(self) -> None:
        sound = self._sound
        self.setVisible(sound.has_sound)
        self.button.setChecked(sound.listens)
        said = sound.words or (
            text("sound.off") if (side := sound.heard) is None else text("sound.heard_side", panel=self._name(side))
        )
        if self.words.text() != said:
            self.words.setText(said)
        if self._theme is not None:
            self.button.setIcon(icon("silent" if sound.heard is None else "sound", self._theme.colour("text")))
