"""A pane that shows two pictures in one place: one left of a line, the other right of it; the line moves."""

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen

from studio.player.pane import BEHIND_CUT_OUT, Pane

STEP = 0.05


class WipePane(Pane):
    """The first picture as a Pane shows it, with the second over it to the right of `share` of the width."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.share = 0.5
        self._second = QImage()

    def show_pair(self, first: QImage, second: QImage) -> None:
        """Both pictures; null ones are left out."""
        self.show_image(first)
        self._second = second

    def move_line(self, share: float) -> None:
        """Puts the line at a share of the width, 0 at the left."""
        self.share = min(max(share, 0.0), 1.0)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._second.isNull() or self.image.isNull():
            return
        at = self.width() * self.share
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setClipRect(QRectF(at, 0, self.width() - at, self.height()))
        painter.fillRect(self.rect(), self.well)
        where = self._place_of(self._second)
        if self._second.hasAlphaChannel():
            painter.fillRect(where, BEHIND_CUT_OUT)
        painter.drawImage(where, self._second)
        painter.setClipping(False)
        for ink, width in ((QColor(0, 0, 0, 160), 4), (QColor(255, 255, 255), 2)):
            painter.setPen(QPen(ink, width))
            painter.drawLine(QPointF(at, 0), QPointF(at, self.height()))
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.move_line(event.position().x() / max(1, self.width()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.mousePressEvent(event)

    def _place_of(self, image: QImage) -> QRectF:
        look = self.look
        scale = min(self.width() / image.width(), self.height() / image.height()) * look.zoom
        width, height = image.width() * scale, image.height() * scale
        x, y = (0.5, 0.5) if look.zoom <= 1.0 else (look.x, look.y)
        return QRectF(self.width() / 2 - x * width, self.height() / 2 - y * height, width, height)
