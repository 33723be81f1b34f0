"""The slider at the end of a study: a small task that a person does in passing, as the browser page has it."""

import secrets
import time

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QSlider, QVBoxLayout, QWidget

from backend.domain.sliding import HIGHEST, LOWEST, slide_problem
from studio.texts import text
from studio.widgets import label

MAX_SAMPLES = 900
WIDTH_PX = 420
MOVES = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


class ClosingSlider(QWidget):
    """Words, a slider from 0 to 100 and where it stands. `passed` judges the movement, and asks anew where it fails."""

    def __init__(self) -> None:
        super().__init__()
        self.target = 0
        self.words, self.place, self.problem = label("", "muted"), label("", "muted"), label("", "warning")
        self.slider = _Slider()
        self.slider.setFixedWidth(WIDTH_PX)
        self.slider.valueChanged.connect(self._moved)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for widget in (self.words, self.slider, self.place, self.problem):
            column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        self.ask()

    def ask(self, problem: str = "") -> None:
        """A new target, from the start; `problem` is the word for what was wrong before."""
        self.target = LOWEST + secrets.randbelow(HIGHEST - LOWEST + 1)
        self.slider.by_keys = False
        self.slider.setValue(0)
        self._trace: list[tuple[float, float]] = []
        self.words.setText(text("study.slider", target=self.target))
        self.slider.setAccessibleName(text("study.slider", target=self.target))
        self.place.setText(text("study.slider_place", value=0))
        self.problem.setText(text(f"study.slider_{problem}") if problem else "")

    def passed(self) -> bool:
        """Whether it stands where it should, and a person moved it there."""
        problem = slide_problem(self.target, self.slider.value(), self._trace, by_keys=self.slider.by_keys)
        if problem:
            self.ask(problem)
        return not problem

    def _moved(self, value: int) -> None:
        self.place.setText(text("study.slider_place", value=value))
        if len(self._trace) < MAX_SAMPLES:
            self._trace.append((time.monotonic() * 1000, float(value)))


class _Slider(QSlider):
    """Keeps the keys that move it for itself: on the page they are verdicts."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.by_keys = False
        self.setRange(0, 100)
        self.setPageStep(10)

    def event(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and event.key() in MOVES:
            event.accept()
            return True
        if event.type() is QEvent.Type.KeyPress:
            self.by_keys = True
        elif event.type() is QEvent.Type.MouseButtonPress:
            self.by_keys = False
        return super().event(event)
