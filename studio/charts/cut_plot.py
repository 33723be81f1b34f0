"""The histogram of a score with cuts that are dragged, or moved by keys."""

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPen

from backend.domain.figures import ScoreSpread
from studio.charts.chart import Chart
from studio.sessions.thresholds import CutLine
from studio.theme import Theme


class CutPlot(Chart):
    """Bars of what was measured, within them what the plan keeps; hatched where a cut holds back."""

    moved = Signal(int, float)
    """A cut was dragged: its place among the cuts, and where to."""
    chosen = Signal(int)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.setAxisItems({"left": CountAxis("left")})
        self._spread: ScoreSpread | None = None
        self._cuts: tuple[CutLine, ...] = ()
        self._active = 0
        self._lines: list[pg.InfiniteLine] = []
        self._bars: list[pg.BarGraphItem] = []
        self.getAxis("left").setWidth(56)

    def set_theme(self, theme: Theme) -> None:
        super().set_theme(theme)
        self._draw()

    def show_spread(self, spread: ScoreSpread | None) -> None:
        """Another score, or the same after a change."""
        self._spread = spread
        self._draw()

    def show_cuts(self, cuts: Sequence[CutLine], active: int) -> None:
        """Where the cuts are, and which of them keys move."""
        same = len(cuts) == len(self._cuts)
        self._cuts, self._active = tuple(cuts), active
        if same and self._lines:
            self._place_lines()
            self._paint_bars()
        else:
            self._draw()

    def _draw(self) -> None:
        self.clear()
        self._lines, self._bars = [], []
        spread = self._spread
        if spread is None or self.theme is None:
            return
        edges = np.asarray(spread.edges)
        heights = np.asarray(spread.counts, float)
        for values in (heights, np.asarray(spread.kept, float)):
            bar = pg.BarGraphItem(x0=edges[:-1], x1=edges[1:], y0=0, y1=values, pen=QPen(Qt.PenStyle.NoPen))
            self.addItem(bar)
            self._bars.append(bar)
        self._draw_verdicts(edges)
        for number, cut in enumerate(self._cuts):
            line = pg.InfiniteLine(cut.value, angle=90, movable=True, label=cut.sign, labelOpts={"position": 0.94})
            line.sigPositionChanged.connect(lambda line, number=number: self._dragged(number, line))
            line.sigDragged.connect(lambda _line, number=number: self.chosen.emit(number))
            self.addItem(line)
            self._lines.append(line)
        top = max(1.0, float(heights.max(initial=1.0)))
        places = [*edges[[0, -1]], *(cut.value for cut in self._cuts)]
        rim = (max(places) - min(places)) * 0.02
        span = (min(places) - rim, max(places) + rim)
        self.getViewBox().setRange(xRange=span, yRange=(0, top * 1.08), padding=0)
        self._place_lines()
        self._paint_bars()

    def _draw_verdicts(self, edges: np.ndarray) -> None:
        assert self._spread is not None
        middles = (edges[:-1] + edges[1:]) / 2
        for counts, symbol, tone in ((self._spread.right, "o", "good"), (self._spread.wrong, "x", "bad")):
            said = np.asarray(counts, float)
            shown = said > 0
            if shown.any():
                pen = QPen(self.colour(tone), 0)
                brush = self.colour(tone)
                self.addItem(
                    pg.ScatterPlotItem(x=middles[shown], y=said[shown], symbol=symbol, size=10, pen=pen, brush=brush)
                )

    def _place_lines(self) -> None:
        for number, (line, cut) in enumerate(zip(self._lines, self._cuts, strict=True)):
            active = number == self._active
            pen = pg.mkPen(self.colour("accent" if active else "text"), width=3 if active else 1.5)
            if not cut.moved:
                pen.setStyle(Qt.PenStyle.SolidLine)
            else:
                pen.setStyle(Qt.PenStyle.DashLine)
            line.setPen(pen)
            line.setHoverPen(pg.mkPen(self.colour("focus"), width=4))
            line.label.setText(f"{cut.sign} {cut.value:.4g}", color=self.colour("text"))
            line.label.fill = pg.mkBrush(self.colour("raised"))
            line.label.border = pg.mkPen(self.colour("accent" if active else "line"))
            if _place_of(line) != cut.value:
                line.blockSignals(True)
                line.setValue(cut.value)
                line.blockSignals(False)

    def _paint_bars(self) -> None:
        spread = self._spread
        if spread is None or len(self._bars) < 2:
            return
        middles = [(low + high) / 2 for low, high in zip(spread.edges, spread.edges[1:], strict=False)]
        inside = [all(cut.holds(middle) for cut in self._cuts) for middle in middles]
        outer, inner = self.colour("quiet"), self.colour("accent")
        outer.setAlpha(110)
        self._bars[0].setOpts(brushes=[pg.mkBrush(outer) if each else self.hatched("quiet") for each in inside])
        clear = pg.mkBrush(None)
        self._bars[1].setOpts(brushes=[pg.mkBrush(inner) if each else clear for each in inside])

    def _dragged(self, number: int, line: pg.InfiniteLine) -> None:
        self.moved.emit(number, _place_of(line))


class CountAxis(pg.AxisItem):
    """Names whole numbers alone."""

    def __init__(self, orientation: str) -> None:
        super().__init__(orientation)
        self.enableAutoSIPrefix(False)

    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, float]]:
        """Steps between ticks with their first; the usual ones are 1, 2 and 5 times a power of ten."""
        return [step for step in super().tickSpacing(minVal, maxVal, size) if step[0] >= 1] or [(1.0, 0.0)]


def _place_of(line: pg.InfiniteLine) -> float:
    return float(line.getPos()[0])
