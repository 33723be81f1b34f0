"""A pane that draws over a clip what was found in it: boxes, masks and keypoints."""

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QImage, QPainter, QPaintEvent, QPen

from backend.domain.library import ItemView, Marked, Trail
from backend.geometry.rle import decode
from studio.player.pane import Pane

INKS = (QColor(255, 196, 61), QColor(77, 208, 225), QColor(240, 98, 146), QColor(174, 213, 129), QColor(186, 154, 255))
"""Colours of what is drawn over footage, by turns; each also carries its name."""
MASK_ALPHA = 96
POINT_PX = 3.0


class MarkedPane(Pane):
    """Frame i of the clip is source frame `start_frame + i` of the view, whose coordinates the marks have."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.layers = {"boxes": True, "masks": True, "points": True}
        self._view: ItemView | None = None
        self._inks: dict[str, QColor] = {}
        self._masks: dict[tuple[int, str], QImage] = {}

    def set_view(self, view: ItemView | None) -> None:
        """What is drawn over the frames from now on."""
        self._view = view
        self._masks = {}
        names = [*(trail.label for trail in view.trails), *(mark.label for mark in view.marks)] if view else []
        self._inks = {name: INKS[n % len(INKS)] for n, name in enumerate(dict.fromkeys(names))}
        self.update()

    def set_layer(self, name: str, shown: bool) -> None:
        """Boxes, masks or points are drawn or not."""
        self.layers[name] = shown
        self.update()

    def marks_now(self) -> tuple[list[tuple[Trail, int]], list[Marked]]:
        """What is on the shown frame: trails with the place of the frame in each, and marks."""
        if self._view is None or self.shown_index is None:
            return [], []
        frame = self._view.start_frame + self.shown_index
        trails = [(trail, trail.frames.index(frame)) for trail in self._view.trails if frame in trail.frames]
        return trails, [mark for mark in self._view.marks if mark.frame == frame]

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        view = self._view
        if view is None or self.image.isNull() or not view.width or not view.height:
            return
        trails, marks = self.marks_now()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setClipRect(self.rect())
        where = self._target()
        across, down = where.width() / view.width, where.height() / view.height

        def placed(box: Sequence[float]) -> QRectF:
            x0, y0, x1, y1 = box
            return QRectF(where.x() + x0 * across, where.y() + y0 * down, (x1 - x0) * across, (y1 - y0) * down)

        if self.layers["masks"]:
            for mark in (mark for mark in marks if mark.counts):
                painter.drawImage(where, self._mask(mark))
        if self.layers["boxes"]:
            for trail, place in trails:
                self._draw_box(painter, placed(trail.boxes[place]), trail.label, dashed=trail.kind != "subject")
            for mark in marks:
                self._draw_box(painter, placed(mark.box), mark.label, dashed=False)
        if self.layers["points"]:
            for trail, place in trails:
                painter.setPen(QPen(QColor(0, 0, 0, 160), 1))
                painter.setBrush(self._inks[trail.label])
                for x, y in trail.points[place] if trail.points else ():
                    painter.drawEllipse(QPointF(where.x() + x * across, where.y() + y * down), POINT_PX, POINT_PX)
        painter.end()

    def _draw_box(self, painter: QPainter, box: QRectF, label: str, *, dashed: bool) -> None:
        style = Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(0, 0, 0, 120), 4))
        painter.drawRect(box)
        painter.setPen(QPen(self._inks[label], 2, style))
        painter.drawRect(box)
        if not label:
            return
        metrics = QFontMetrics(painter.font())
        words = metrics.elidedText(label, Qt.TextElideMode.ElideRight, max(60, round(box.width()) + 40))
        tag = QRectF(
            box.x() - 1,
            max(0.0, box.y() - metrics.height() - 3),
            metrics.horizontalAdvance(words) + 10,
            metrics.height() + 2,
        )
        painter.fillRect(tag, self._inks[label])
        painter.setPen(QColor(20, 20, 20))
        painter.drawText(tag, int(Qt.AlignmentFlag.AlignCenter), words)

    def _mask(self, mark: Marked) -> QImage:
        key = (mark.frame, mark.label)
        if key not in self._masks:
            mask = decode(mark.counts.encode("ascii"), mark.height, mark.width)
            ink = self._inks[mark.label]
            pixels = np.zeros((mark.height, mark.width, 4), np.uint8)
            pixels[mask] = (ink.red(), ink.green(), ink.blue(), MASK_ALPHA)
            image = QImage(pixels.data, mark.width, mark.height, 4 * mark.width, QImage.Format.Format_RGBA8888)
            self._masks[key] = image.copy()  # the array goes away
        return self._masks[key]
