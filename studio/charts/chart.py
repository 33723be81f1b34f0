"""A plot in the colours of the theme, that the keyboard can reach and that can be kept as a picture."""

from pathlib import Path

import pyqtgraph as pg
from PySide6.QtCore import QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QPainter, QPen
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QGraphicsScene, QWidget

from backend.domain import SettingsError
from studio.theme import Theme

SYMBOLS = ("o", "s", "t", "d", "+", "x", "p", "star", "h", "t1", "t2", "t3")
"""Shapes of markers, so that no group is told by its colour alone."""
SCALE = 2
"""Pixels of a kept picture for each of the screen."""


class Chart(pg.PlotWidget):
    """An empty plot; `name` is what screen readers say."""

    def __init__(self, name: str, *, box: pg.ViewBox | None = None) -> None:
        super().__init__(enableMenu=False, viewBox=box)
        self.setObjectName("chart")
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseEnabled(x=False, y=False)
        self.hideButtons()
        self.setAntialiasing(True)
        plot = self.getPlotItem()
        assert plot is not None, "a plot widget has its plot"
        plot.setContentsMargins(6, 8, 12, 10)  # else the name of the lower axis is cut
        for side in ("left", "bottom"):
            self.getAxis(side).enableAutoSIPrefix(False)
        self.theme: Theme | None = None

    def set_theme(self, theme: Theme) -> None:
        """Takes other colours; subclasses draw their items anew."""
        self.theme = theme
        self.setBackground(theme.colour("surface"))
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.setPen(QPen(theme.colour("line"), 1))
            axis.setTextPen(QPen(theme.colour("muted")))
            axis.setTickPen(QPen(theme.colour("line"), 1))

    def colour(self, name: str) -> QColor:
        assert self.theme is not None, "a chart is drawn after it has its theme"
        return self.theme.colour(name)

    def hatched(self, name: str) -> QBrush:
        """Stripes of a colour: what is held back differs from what is kept by more than its tone."""
        return QBrush(self.colour(name), Qt.BrushStyle.BDiagPattern)


def save_picture(widget: QWidget, path: Path) -> None:
    """Keeps what a widget shows as PNG or SVG, by the name's ending. Raises SettingsError for another, and where nothing can be written."""
    ending = path.suffix.lower()
    if ending not in (".png", ".svg"):
        raise SettingsError(f"{path.name} is neither .png nor .svg; choose one of these endings")
    size = widget.size()
    if ending == ".png":
        picture = QImage(size * SCALE, QImage.Format.Format_ARGB32)
        picture.setDevicePixelRatio(SCALE)
        picture.fill(Qt.GlobalColor.white)
        _paint(widget, picture, size)
        written = picture.save(str(path))
    else:
        drawing = QSvgGenerator()
        drawing.setFileName(str(path))
        drawing.setSize(size)
        drawing.setViewBox(QRectF(0, 0, size.width(), size.height()))
        _paint(widget, drawing, size)
        written = path.is_file()
    if not written:
        raise SettingsError(f"{path} cannot be written; choose another folder")


def _paint(widget: QWidget, device: QImage | QSvgGenerator, size: QSize) -> None:
    painter = QPainter(device)
    if isinstance(widget, Chart):  # its scene as shapes, not as pixels of the screen
        painter.fillRect(QRectF(0, 0, size.width(), size.height()), widget.backgroundBrush())
        QGraphicsScene.render(widget.scene(), painter, QRectF(0, 0, size.width(), size.height()), widget.sceneRect())
    else:
        widget.render(painter, QPoint())
    painter.end()
