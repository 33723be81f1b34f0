"""What a training run says of itself, step by step: raw and smoothed, with a cursor that arrows move."""

import bisect
import html
import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent

from studio.charts.chart import SYMBOLS, Chart
from studio.charts.figures import INKS, stroke
from studio.sessions.training_runs import FEW, Curve
from studio.theme import Theme

RAW_ALPHA = 70
FAR = 10  # points of a far move


class CurvePlot(Chart):
    """Curves of a run. Left and right move the cursor from point to point; `read` tells where it stands."""

    read = Signal(object, object)
    """The step, and what each curve says there by its name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._curves: tuple[Curve, ...] = ()
        self._is_log, self._axis = False, ""
        self._marks: tuple[tuple[str, int], ...] = ()
        self._step: int | None = None
        self._cursor = pg.InfiniteLine(angle=90)
        self._legend = self.addLegend(offset=(-12, 10))
        self.getAxis("left").setWidth(64)

    def set_theme(self, theme: Theme) -> None:
        super().set_theme(theme)
        self._legend.setLabelTextColor(theme.colour("text"))
        self._legend.setBrush(pg.mkBrush(theme.colour("raised")))
        self._draw()

    def show_curves(self, curves: Sequence[Curve], *, is_log: bool, axis: str) -> None:
        """Draws these; with `is_log` the upright axis is logarithmic, and values that are not above 0 are left out."""
        self._curves, self._is_log, self._axis = tuple(curves), is_log, axis
        self._draw()

    def mark_steps(self, marks: Sequence[tuple[str, int]]) -> None:
        """Lines at steps, with a word each: the validations that are looked at."""
        self._marks = tuple(marks)
        self._draw()

    @property
    def step(self) -> int | None:
        """Where the cursor stands."""
        return self._step

    def keyPressEvent(self, ev: QKeyEvent) -> None:
        far = FAR if ev.modifiers() & Qt.KeyboardModifier.ControlModifier else 1
        steps = {Qt.Key.Key_Left: -far, Qt.Key.Key_Right: far}
        places = self._places()
        if not places or (ev.key() not in steps and ev.key() not in (Qt.Key.Key_Home, Qt.Key.Key_End)):
            super().keyPressEvent(ev)
            return
        if ev.key() == Qt.Key.Key_Home:
            place = 0
        elif ev.key() == Qt.Key.Key_End or self._step is None:
            place = len(places) - 1
        else:
            place = bisect.bisect_left(places, self._step) + steps[Qt.Key(ev.key())]
        self._step = places[min(max(place, 0), len(places) - 1)]
        self._draw_cursor()
        self.read.emit(self._step, self.values_at(self._step))

    def values_at(self, step: int) -> dict[str, float]:
        """What each curve says at a step, or at the last one before."""
        found = {}
        for curve in self._curves:
            place = bisect.bisect_right(curve.steps, step) - 1
            if place >= 0:
                found[curve.name] = curve.values[place]
        return found

    def _places(self) -> list[int]:
        return sorted({step for curve in self._curves for step in curve.steps})

    def _draw(self) -> None:
        if self.theme is None:
            return
        self.clear()
        self._legend.clear()
        ink = self.colour("muted").name()
        self.setLabel("bottom", self._axis, color=ink)
        self.setLogMode(x=False, y=self._is_log)
        lows, highs = [], []
        for n, curve in enumerate(self._curves):
            colour, faint = self.colour(INKS[n % len(INKS)]), self.colour(INKS[n % len(INKS)])
            faint.setAlpha(RAW_ALPHA)
            raw, smooth = self._drawable(curve.values), self._drawable(curve.smooth)
            if curve.values != curve.smooth:
                self.plot(curve.steps, raw, pen=pg.mkPen(faint, width=1), connect="finite")
            pen = stroke(colour, n)
            mark = {"symbol": SYMBOLS[n % len(SYMBOLS)], "symbolSize": 7, "symbolBrush": colour, "symbolPen": None}
            marks = mark if len(raw) <= FEW else {}
            self.plot(curve.steps, smooth, pen=pen, name=html.escape(curve.name), connect="finite", **marks)
            seen = raw[np.isfinite(raw)]
            if len(seen):
                lows.append(float(seen.min()))
                highs.append(float(seen.max()))
        self._span(lows, highs)
        for word, step in self._marks:
            line = pg.InfiniteLine(
                step, angle=90, pen=pg.mkPen(self.colour("text"), width=1, style=Qt.PenStyle.DashLine), label=word
            )
            line.label.setColor(self.colour("text"))
            line.label.setPosition(0.06)
            line.label.fill = pg.mkBrush(self.colour("raised"))
            self.addItem(line)
        self._legend.setVisible(bool(self._curves))
        self._draw_cursor()

    def _drawable(self, values: Sequence[float]) -> np.ndarray:
        found = np.asarray(values, float)
        return np.where(found > 0, found, np.nan) if self._is_log else found

    def _span(self, lows: list[float], highs: list[float]) -> None:
        places = self._places()
        if not places or not lows:
            return
        low, high = min(lows), max(highs)
        if self._is_log:
            low, high = math.log10(low), math.log10(high)
        edge = (high - low) * 0.06 or abs(high) * 0.1 or 0.5
        across = max(1, places[-1] - places[0]) * 0.02
        self.getViewBox().setRange(
            xRange=(places[0] - across, places[-1] + across), yRange=(low - edge, high + edge), padding=0
        )

    def _draw_cursor(self) -> None:
        if self.theme is None or self._step is None or not self._curves:
            return
        if self._cursor.scene() is None:
            self._cursor = pg.InfiniteLine(angle=90)
            self.addItem(self._cursor)
        self._cursor.setPen(pg.mkPen(self.colour("focus"), width=2))
        self._cursor.setValue(self._step)
