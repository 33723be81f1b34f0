"""Videos of several systems beside each other at one frame, below the line of their values."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from backend.domain import StudioError
from studio.link import Link
from studio.player.deck import Deck
from studio.player.decoder import Reel
from studio.player.pane import Look, Pane
from studio.player.transport import Transport
from studio.theme import Theme
from studio.widgets import clear


class FramePlayer(QWidget):
    """`moved` tells the frame that all sides show; shorter videos rest on their last one."""

    moved = Signal(int)

    def __init__(self, link: Link, run: Callable[[str], object]) -> None:
        super().__init__()
        self.link = link
        self.deck = Deck(align="index", max_edge_px=640)
        self.panes: dict[str, Pane] = {}
        self._wanted: tuple[tuple[str, str], ...] = ()
        self._theme: Theme | None = None
        self._sides = QWidget()
        QHBoxLayout(self._sides).setContentsMargins(0, 0, 0, 0)
        self.transport = Transport(self.deck, run)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self._sides, 1)
        column.addWidget(self.transport)
        self.deck.moved.connect(self.moved)

    def show_videos(self, videos: Sequence[tuple[str, str]]) -> None:
        """Asks for videos by name and media id, and shows their first frames when all are there."""
        wanted = tuple(videos)
        if wanted == self._wanted:
            return
        self._wanted = wanted
        self._build(wanted)
        if not wanted:
            return

        def found(answers: list[Reel | str]) -> None:
            if self._wanted != wanted:
                return
            sides = []
            for pane, answer in zip(self.panes.values(), answers, strict=True):
                if isinstance(answer, str):
                    pane.show_sentence(answer)
                else:
                    sides.append((pane, answer))
            self.deck.load(sides, play=False)

        def failed(error: StudioError) -> None:
            if self._wanted == wanted:
                self._wanted = ()  # so that showing them again asks again
                for pane in self.panes.values():
                    pane.show_sentence(str(error))

        self.link.ask(lambda: [self._reel(media_id) for _, media_id in wanted], found, failed, slow=True)

    def set_theme(self, theme: Theme) -> None:
        """Takes other colours."""
        self._theme = theme
        self.transport.set_theme(theme)
        for pane in self.panes.values():
            pane.set_colours(theme.colour("well"), theme.colour("muted"))

    def zoom(self, factor: float) -> None:
        """Zooms all sides alike, about the middle; 0 fits them."""
        for pane in list(self.panes.values())[:1]:
            pane.zoom_by(factor)  # the others follow

    def close_player(self) -> None:
        """Ends the deck's threads."""
        self.deck.close()

    def _reel(self, media_id: str) -> Reel | str:
        """A video, or why it cannot be shown: the others are."""
        try:
            file = self.link.api.media(media_id=media_id)
        except StudioError as error:
            return str(error)
        return Reel(path=file.path, num_frames=file.num_frames, fps=file.fps)

    def _build(self, videos: Sequence[tuple[str, str]]) -> None:
        self.deck.load((), play=False)
        clear(self._sides)
        self.panes = {name: Pane(name) for name, _ in videos}
        row = self._sides.layout()
        assert row is not None
        for name, pane in self.panes.items():
            pane.set_badge(name)
            pane.looked.connect(self._follow)
            row.addWidget(pane)
        if self._theme is not None:
            self.set_theme(self._theme)

    def _follow(self, look: Look) -> None:
        """A side that is zoomed or moved takes the others along."""
        for pane in self.panes.values():
            pane.set_look(look)
