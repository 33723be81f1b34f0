"""A pane that paints one picture: a still or the frame of the moment, with zoom and pan."""

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPixmap, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

MAX_ZOOM = 16.0
CORNER_PX = 8.0
BEHIND_CUT_OUT = QColor(118, 118, 118)
"""Half as bright as white to the eye (L* 50), so that the edge of dark hair and of a white dress both show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Where a pane looks: `zoom` 1 shows all; `x`, `y` in 0..1 is the point of the picture at the pane's middle."""

    zoom: float = 1.0
    x: float = 0.5
    y: float = 0.5


class Pane(QWidget):
    """Shows a picture or a sentence instead. `looked` is emitted when the person zooms or pans."""

    looked = Signal(object)
    painted = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(120, 90)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.shown_index: int | None = None
        self._image = QImage()
        self._frame: np.ndarray | None = None
        self._sentence = ""
        self._badge = ""
        self._look = Look()
        self._scaled = QPixmap()
        self._grip: tuple[QPointF, Look] | None = None
        self.well = QColor(0, 0, 0)
        self.ink = QColor(200, 200, 200)

    def sizeHint(self) -> QSize:
        return QSize(420, 300)

    def set_colours(self, well: QColor, ink: QColor) -> None:
        """Colour around the picture and of the sentence."""
        self.well, self.ink = well, ink
        self.update()

    def show_image(self, image: QImage) -> None:
        """Shows a still picture."""
        self._image, self._frame, self._sentence, self.shown_index = image, None, "", None
        self._scaled = QPixmap()
        self.update()

    def show_frame(self, frame: np.ndarray, index: int) -> None:
        """Shows a uint8 `(H, W, 3)` RGB frame; the array is kept, not copied."""
        height, width, _ = frame.shape
        self._frame = frame  # QImage borrows these bytes
        self._image = QImage(frame.data, width, height, frame.strides[0], QImage.Format.Format_RGB888)
        self._sentence, self.shown_index = "", index
        self._scaled = QPixmap()
        self.update()

    def show_sentence(self, sentence: str) -> None:
        """Shows words where no picture can be."""
        self._image, self._frame, self._sentence, self.shown_index = QImage(), None, sentence, None
        self.update()

    def set_badge(self, text: str) -> None:
        """A short word in the corner, such as the side that flicker shows now; empty for none."""
        self._badge = text
        self.update()

    @property
    def image(self) -> QImage:
        """What is shown now."""
        return self._image

    @property
    def frame(self) -> np.ndarray | None:
        """The frame that is shown, uint8 `(H, W, 3)` RGB; None for a still."""
        return self._frame

    @property
    def sentence(self) -> str:
        """What is said in place of a picture; empty while one is shown."""
        return self._sentence

    @property
    def look(self) -> Look:
        return self._look

    def set_look(self, look: Look) -> None:
        """Looks elsewhere; does not emit `looked`."""
        self._look = look
        self._scaled = QPixmap()
        self.update()

    def zoom_by(self, factor: float) -> None:
        """Zooms about the middle; emits `looked`."""
        zoom = min(max(self._look.zoom * factor, 1.0), MAX_ZOOM)
        self._look_at(Look(zoom=zoom, x=self._look.x, y=self._look.y))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        frame = QPainterPath()
        frame.addRoundedRect(QRectF(self.rect()), CORNER_PX, CORNER_PX)
        painter.fillPath(frame, self.well)
        if self._image.isNull():
            painter.setPen(self.ink)
            box = self.rect().adjusted(24, 12, -24, -12)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), self._sentence)
        else:
            painter.setClipPath(frame)
            self._paint_picture(painter)
        if self._badge:
            self._paint_badge(painter)
        painter.end()
        self.painted.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.zoom_by(1.0015 ** event.angleDelta().y())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._grip = (event.position(), self._look)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._grip is None or self._image.isNull():
            return
        start, look = self._grip
        where = self._target()
        moved = event.position() - start
        x = min(max(look.x - moved.x() / where.width(), 0.0), 1.0)
        y = min(max(look.y - moved.y() / where.height(), 0.0), 1.0)
        self._look_at(Look(zoom=look.zoom, x=x, y=y))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._grip = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._look_at(Look())

    def _look_at(self, look: Look) -> None:
        if look.zoom <= 1.0:
            look = Look()
        self.set_look(look)
        self.looked.emit(look)

    def _target(self) -> QRectF:
        """Where the whole picture lies, in pane pixels, at the present look."""
        scale = min(self.width() / self._image.width(), self.height() / self._image.height()) * self._look.zoom
        width, height = self._image.width() * scale, self._image.height() * scale
        x, y = (0.5, 0.5) if self._look.zoom <= 1.0 else (self._look.x, self._look.y)
        return QRectF(self.width() / 2 - x * width, self.height() / 2 - y * height, width, height)

    def _paint_picture(self, painter: QPainter) -> None:
        where = self._target()
        if self._image.hasAlphaChannel():
            painter.fillRect(where, BEHIND_CUT_OUT)
        if self._frame is not None or self._look.zoom > 1.0:
            painter.drawImage(where, self._image)
            return
        ratio = self.devicePixelRatioF()
        wanted = QSize(round(where.width() * ratio), round(where.height() * ratio))
        if self._scaled.size() != wanted:
            smooth = Qt.TransformationMode.SmoothTransformation
            self._scaled = QPixmap.fromImage(self._image.scaled(wanted, Qt.AspectRatioMode.IgnoreAspectRatio, smooth))
        painter.drawPixmap(where, self._scaled, QRectF(self._scaled.rect()))

    def _paint_badge(self, painter: QPainter) -> None:
        metrics = painter.fontMetrics()
        box = QRectF(12, 12, metrics.horizontalAdvance(self._badge) + 20, metrics.height() + 8)
        shape = QPainterPath()
        shape.addRoundedRect(box, box.height() / 2, box.height() / 2)
        painter.fillPath(shape, QColor(0, 0, 0, 190))
        painter.setPen(QColor(255, 255, 255))
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), self._badge)
