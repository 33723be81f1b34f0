"""The row under the pictures: play, step, scrub, frame number, rate, loop."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSlider, QStyle, QToolButton, QWidget

from studio.actions import with_key
from studio.player.deck import Deck
from studio.texts import text
from studio.theme import Theme, icon
from studio.widgets import label, tool_button

ZOOM_STEP = 1.25
HANDLE_PX, MARK_PX = 14, 3
"""Width of the slider's handle in the style sheet, and height of the mark under what is repeated."""


def playing(deck: Callable[[], Deck], zoom: Callable[[float], object]) -> dict[str, Callable[[], object]]:
    """What the actions of the table that play do to a page's deck; `zoom` takes a factor, 0 to fit."""
    return {
        "play": lambda: deck().toggle(),
        "step_back": lambda: deck().step(-1),
        "step_on": lambda: deck().step(1),
        "slower": lambda: deck().change_rate(-1),
        "faster": lambda: deck().change_rate(1),
        "loop": lambda: deck().set_loops(not deck().clock.loops),
        "stretch": lambda: deck().mark_stretch(),
        "zoom_in": lambda: zoom(ZOOM_STEP),
        "zoom_out": lambda: zoom(1 / ZOOM_STEP),
        "zoom_fit": lambda: zoom(0),
    }


class StretchSlider(QSlider):
    """A slider with a mark under what is repeated."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.stretch: tuple[int, int] | None = None
        """First and last frame of it; equal while only its beginning is chosen."""

    def set_stretch(self, stretch: tuple[int, int] | None) -> None:
        if stretch != self.stretch:
            self.stretch = stretch
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.stretch is not None:
            first, last = (self._across(frame) for frame in self.stretch)
            painter = QPainter(self)
            painter.fillRect(first, self.height() - MARK_PX, max(last - first, MARK_PX), MARK_PX, self.palette().text())

    def _across(self, frame: int) -> int:
        """Where the middle of the handle is at a frame."""
        room = self.width() - HANDLE_PX
        return HANDLE_PX // 2 + QStyle.sliderPositionFromValue(self.minimum(), self.maximum(), frame, room)


class Transport(QWidget):
    """Shows and moves a deck. `run` does an action of the table by its id."""

    def __init__(self, deck: Deck, run: Callable[[str], object]) -> None:
        super().__init__()
        self.deck = deck
        self._theme: Theme | None = None
        self._buttons: dict[str, QToolButton] = {
            name: tool_button(name, with_key(name), checkable=name == "loop")
            for name in ("step_back", "play", "step_on", "loop")
        }
        self.slider = StretchSlider()
        self.slider.setAccessibleName(text("judge.frame"))
        self.slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.slider.sliderMoved.connect(deck.seek)
        self.count = label("", "frame_count")
        self.count.setMinimumWidth(self.count.fontMetrics().horizontalAdvance("0000 / 0000"))
        self.count.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.stretch = label("", "frame_count")
        self.rate = label("1×", "frame_count")
        self.rate.setMinimumWidth(self.rate.fontMetrics().horizontalAdvance("0.25×"))
        row = QHBoxLayout(self)
        row.setContentsMargins(2, 0, 2, 0)
        row.setSpacing(6)
        for name in ("step_back", "play", "step_on"):
            row.addWidget(self._buttons[name])
        row.addSpacing(6)
        row.addWidget(self.slider, 1)
        row.addSpacing(6)
        row.addWidget(self.count)
        row.addSpacing(8)
        row.addWidget(self.stretch)
        row.addWidget(self.rate)
        row.addWidget(self._buttons["loop"])
        self._row = row
        for name, button in self._buttons.items():
            button.clicked.connect(lambda _=False, name=name: run(name))
        deck.moved.connect(self._move)
        deck.changed.connect(self._refresh)
        self._refresh()

    def add(self, widget: QWidget) -> None:
        """Puts something at the end of the row."""
        self._row.addWidget(widget)

    def set_theme(self, theme: Theme) -> None:
        """Takes other colours."""
        self._theme = theme
        self._refresh()

    def _move(self, index: int) -> None:
        self.slider.setValue(index)
        self.count.setText(f"{index + 1} / {self.deck.clock.num_frames}")

    def _show_stretch(self) -> None:
        clock, first = self.deck.clock, self.deck.stretch_from
        if clock.stretch is not None:
            start, last = clock.stretch[0], clock.stretch[1] - 1
            self.stretch.setText(text("judge.stretch", first=start + 1, last=last + 1))
            self.slider.set_stretch((start, last))
        else:
            self.stretch.setText("" if first is None else text("judge.stretch_from", first=first + 1))
            self.slider.set_stretch(None if first is None else (first, first))

    def _refresh(self) -> None:
        clock = self.deck.clock
        self.setEnabled(clock.num_frames > 1)
        self.slider.setMaximum(max(clock.num_frames - 1, 0))
        self._show_stretch()
        self._move(clock.index) if clock.num_frames else self.count.setText("")
        self.rate.setText(f"{clock.rate:g}×")
        self._buttons["loop"].setChecked(clock.loops)
        if self._theme is not None:
            ink = self._theme.colour("text")
            names = {
                "step_back": "back",
                "play": "pause" if clock.playing else "play",
                "step_on": "forward",
                "loop": "loop",
            }
            for name, picture in names.items():
                self._buttons[name].setIcon(icon(picture, ink))
