"""Drawings of results: estimates with intervals, points, lines, matrices. Series differ by shape as well as by colour."""

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QPen

from studio.charts.chart import SYMBOLS, Chart
from studio.theme import Theme, contrast

INKS = ("accent", "bad", "warn", "good", "quiet", "text")
DASHES = ((), (4, 2), (1, 2), (4, 2, 1, 2), (9, 3), (2, 5), (9, 2, 1, 2, 1, 2), (14, 4))
"""Strokes of lines, as dashes and gaps in widths of the line: those too long for marks differ by more than their colour too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A value with its interval, in a named row; `series` chooses its shape."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    series: int = 0


class ResultChart(Chart):
    """One of the drawings at a time; drawn again when the theme changes. `asked_for` tells the place to which a line's cursor is dragged."""

    asked_for = Signal(float)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._draw = lambda: None
        self.is_empty = True
        """Whether nothing was given to draw."""
        self._cursor: pg.InfiniteLine | None = None
        self._cursor_at = 0.0
        self._legend = self.addLegend(offset=(-12, 12))

    def set_theme(self, theme: Theme) -> None:
        super().set_theme(theme)
        self._legend.setLabelTextColor(theme.colour("text"))
        self._legend.setBrush(pg.mkBrush(theme.colour("raised")))
        self._again()

    def show_bars(self, bars: Sequence[Bar], *, axis: str, reference: float | None = None) -> None:
        """Rows from the top, each a mark with its interval; `reference` is a line to compare with."""

        def draw() -> None:
            self._name_axes(axis, "")
            height = len(bars)
            self.getAxis("left").setTicks([[(height - n, _short(bar.name)) for n, bar in enumerate(bars)]])
            self.getAxis("left").setWidth(190)
            if reference is not None:
                self.addItem(pg.InfiniteLine(reference, pen=pg.mkPen(self.colour("muted"), style=Qt.PenStyle.DashLine)))
            for n, bar in enumerate(bars):
                y, ink = height - n, self._ink(bar.series)
                if bar.low is not None and bar.high is not None:
                    self.plot([bar.low, bar.high], [y, y], pen=pg.mkPen(ink, width=2))
                if bar.value is not None:
                    self.plot([bar.value], [y], pen=None, **self._mark(bar.series))
            places = [v for bar in bars for v in (bar.value, bar.low, bar.high) if v is not None and math.isfinite(v)]
            places += [reference] if reference is not None else []
            self._span(places, [0.4, height + 0.6])

        self._set(draw)

    def show_points(self, points: Sequence[tuple[str, float, float]], *, x: str, y: str) -> None:
        """A mark of its own shape for each named point."""

        def draw() -> None:
            self._name_axes(x, y)
            for n, (name, across, up) in enumerate(points):
                self.plot([across], [up], pen=None, **self._mark(n, size=13))
                said = pg.TextItem(_short(name), anchor=(-0.12, 0.5), color=self.colour("text"))
                said.setPos(across, up)
                self.addItem(said)
            self._span([p[1] for p in points], [p[2] for p in points])

        self._set(draw)

    def show_lines(self, lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, x: str, y: str) -> None:
        """Lines of their own stroke and marks."""

        def draw() -> None:
            self._name_axes(x, y)
            for n, (name, (across, up)) in enumerate(lines.items()):
                pen = stroke(self._ink(n), n)
                marks = self._mark(n, size=7) if len(across) <= 40 else {}
                self.plot(list(across), list(up), pen=pen, name=html.escape(name), connect="finite", **marks)
            self._span([v for a, _ in lines.values() for v in a], [v for _, u in lines.values() for v in u])

        self._set(draw)

    def show_cursor(self, x: float) -> None:
        """An upright line at a place along the lower axis; it can be dragged."""
        self._cursor_at = x
        if self._cursor is None:
            self._cursor = pg.InfiniteLine(x, angle=90, movable=True, pen=pg.mkPen(self.colour("text"), width=1))
            self._cursor.sigDragged.connect(lambda line: self.asked_for.emit(line.value()))
            self.addItem(self._cursor)
        elif not self._cursor.moving:
            self._cursor.setValue(x)

    def show_matrix(self, rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float | None]]) -> None:
        """Cells from 0 to 1 with their numbers written in them."""

        def draw() -> None:
            self._name_axes("", "")
            low, high = self.colour("surface"), self.colour("accent")
            for r, row in enumerate(values):
                for c, value in enumerate(row):
                    ink = _between(low, high, 0.0 if value is None else min(1.0, max(0.0, value)))
                    cell = pg.BarGraphItem(
                        x=[c], y0=[len(rows) - r - 1.5], height=[1], width=1, brush=ink, pen=pg.mkPen(self.colour("line"))
                    )
                    self.addItem(cell)
                    said = pg.TextItem(
                        "–" if value is None else f"{value:.2f}", anchor=(0.5, 0.5), color=self._readable(ink)
                    )
                    said.setPos(c, len(rows) - r - 1)
                    self.addItem(said)
            self.getAxis("left").setTicks([[(len(rows) - r - 1, _short(name)) for r, name in enumerate(rows)]])
            self.getAxis("left").setWidth(190)
            self.getAxis("bottom").setTicks([[(c, _short(name)) for c, name in enumerate(columns)]])
            self._span([-0.5, len(columns) - 0.5], [-0.5, len(rows) - 0.5])

        self._set(draw)

    def show_nothing(self) -> None:
        self._set(lambda: None)
        self.is_empty = True

    def _set(self, draw) -> None:
        self._draw, self._cursor, self.is_empty = draw, None, False
        self._again()

    def _again(self) -> None:
        if self.theme is None:
            return
        cursor, self._cursor = self._cursor, None
        self.clear()
        self._legend.clear()
        for side in ("left", "bottom"):
            self.getAxis(side).setTicks(None)
        self.getAxis("left").setWidth(64)
        self._draw()
        if cursor is not None:
            self.show_cursor(self._cursor_at)
        self._legend.setVisible(bool(self._legend.items))

    def _name_axes(self, x: str, y: str) -> None:
        ink = self.colour("muted").name()
        self.setLabel("bottom", x, color=ink)
        self.setLabel("left", y, color=ink)

    def _span(self, across: Sequence[float], up: Sequence[float]) -> None:
        def rim(values: Sequence[float]) -> tuple[float, float]:
            found = [v for v in values if v is not None and math.isfinite(v)] or [0.0, 1.0]
            low, high = min(found), max(found)
            edge = (high - low) * 0.1 or 0.5
            return low - edge, high + edge

        self.getViewBox().setRange(xRange=rim(across), yRange=rim(up), padding=0)

    def _ink(self, number: int) -> QColor:
        return self.colour(INKS[number % len(INKS)])

    def _mark(self, number: int, *, size: int = 10) -> dict:
        ink = self._ink(number)
        return {
            "symbol": SYMBOLS[number % len(SYMBOLS)],
            "symbolSize": size,
            "symbolBrush": pg.mkBrush(ink),
            "symbolPen": pg.mkPen(self.colour("surface")),
        }

    def _readable(self, paper: QColor) -> QColor:
        inks = [self.colour("text"), self.colour("on_accent")]
        return max(inks, key=lambda ink: contrast(ink.name(), paper.name()))


def stroke(ink: QColor, number: int) -> QPen:
    """The pen of a line by its place."""
    pen = pg.mkPen(ink, width=2)
    if dashes := DASHES[number % len(DASHES)]:
        pen.setDashPattern(dashes)
    return pen


def _between(low: QColor, high: QColor, share: float) -> QColor:
    a = np.array([low.red(), low.green(), low.blue()])
    b = np.array([high.red(), high.green(), high.blue()])
    return QColor(*(int(v) for v in np.rint(a + (b - a) * share)))


def _short(name: str, most: int = 24) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
