"""Points on a plane, told apart by shape and colour, chosen by a drawn line or a circle that keys move."""

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal

from studio.charts.chart import SYMBOLS, Chart
from studio.charts.figures import INKS
from studio.sessions.embeddings import MapSession
from studio.texts import text
from studio.theme import Theme

CIRCLE_POINTS = 72
REST = ("o", "quiet", 5)


class _LassoBox(pg.ViewBox):
    """A drag draws a line; when it ends, the line is told."""

    drawn = Signal(list)
    drawing = Signal(list)

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self._line: list[tuple[float, float]] = []

    def mouseDragEvent(self, ev, axis=None) -> None:
        if ev.button() != Qt.MouseButton.LeftButton:
            return
        ev.accept()
        if ev.isStart():
            self._line = []
        place = self.mapToView(ev.pos())
        self._line.append((place.x(), place.y()))
        (self.drawn if ev.isFinish() else self.drawing).emit(list(self._line))


class MapPlot(Chart):
    """The map of a session."""

    lassoed = Signal(list)

    def __init__(self, name: str) -> None:
        self._box = _LassoBox()
        super().__init__(name, box=self._box)
        self._session: MapSession | None = None
        self._lasso: list[tuple[float, float]] = []
        self._box.drawing.connect(self._draw_lasso)
        self._box.drawn.connect(self._end_lasso)
        self._marks = pg.ScatterPlotItem(size=16, symbol="o", brush=pg.mkBrush(None))
        self._circle, self._line = pg.PlotCurveItem(), pg.PlotCurveItem()

    def set_theme(self, theme: Theme) -> None:
        super().set_theme(theme)
        if self._session is not None:
            self.show_map(self._session)

    def show_map(self, session: MapSession) -> None:
        """Draws every point anew."""
        self._session = session
        self.clear()
        found = session.found
        if found is None or self.theme is None:
            return
        x, y = np.array(found.x), np.array(found.y)
        for number, group in enumerate(session.groups()):
            symbol, ink, size = REST if group.is_rest else mark_of(number)
            places = list(group.places)
            colour = self.colour(ink)
            pen = pg.mkPen(self.colour("surface"), width=0.5)
            self.addItem(pg.ScatterPlotItem(x[places], y[places], symbol=symbol, size=size, brush=colour, pen=pen))
        for item in (self._marks, self._circle, self._line):
            self.addItem(item)
        span = max(float(np.ptp(x)), float(np.ptp(y)), 1e-6) * 0.05
        across, up = (x.min() - span, x.max() + span), (y.min() - span, y.max() + span)
        self.getViewBox().setRange(xRange=across, yRange=up, padding=0)
        axes = [f"({share:.1%})" for share in found.explained] or ["", ""]
        ink = self.colour("muted").name()
        self.setLabel("bottom", f"{text(f'embeddings.choice_{found.method}')} 1  {axes[0]}", color=ink)
        self.setLabel("left", f"{text(f'embeddings.choice_{found.method}')} 2  {axes[1]}", color=ink)
        self.show_choice()

    def show_choice(self) -> None:
        """Rings around what is chosen, and the circle."""
        session = self._session
        if session is None or session.found is None or self.theme is None:
            return
        places = sorted(session.chosen)
        x, y = np.array(session.found.x), np.array(session.found.y)
        self._marks.setData(x[places], y[places], pen=pg.mkPen(self.colour("text"), width=1.6), brush=pg.mkBrush(None))
        turn = np.linspace(0, 2 * np.pi, CIRCLE_POINTS)
        self._circle.setData(
            session.centre[0] + session.radius * np.cos(turn),
            session.centre[1] + session.radius * np.sin(turn),
            pen=pg.mkPen(self.colour("focus"), width=2, style=Qt.PenStyle.DashLine),
        )

    def _draw_lasso(self, line: list[tuple[float, float]]) -> None:
        self._line.setData(*np.array(line).T, pen=pg.mkPen(self.colour("focus"), width=2))

    def _end_lasso(self, line: list[tuple[float, float]]) -> None:
        self._line.setData([], [])
        self.lassoed.emit(line)


def mark_of(number: int) -> tuple[str, str, int]:
    """Shape, ink and size of a group by its place."""
    return SYMBOLS[number % len(SYMBOLS)], INKS[number % len(INKS)], 10
