"""A pane on which a box is dragged by its handles and a mask is pointed to or painted, by mouse and by keyboard."""

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen

from studio.player.pane import Pane
from studio.sessions.correcting import CorrectingSession

HANDLE_PX, REACH_PX = 9.0, 12.0
BOX_INK, MASK_INK, LEFT_OUT_INK = QColor(255, 196, 61), QColor(77, 208, 225), QColor(240, 98, 146)
MASK_ALPHA = 110
HANDLES = {
    "tl": (0.0, 0.0),
    "t": (0.5, 0.0),
    "tr": (1.0, 0.0),
    "r": (1.0, 0.5),
    "br": (1.0, 1.0),
    "b": (0.5, 1.0),
    "bl": (0.0, 1.0),
    "l": (0.0, 0.5),
}
ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


class EditPane(Pane):
    """Shows a frame and the session's box and mask over it. `changed` follows every change, `pointed` every new point."""

    changed = Signal()
    pointed = Signal()

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.session: CorrectingSession | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._held: tuple[str, QPointF] | None = None
        self._painted_mask: np.ndarray | None = None
        self._mask_image = QImage()

    def set_session(self, session: CorrectingSession | None) -> None:
        """What is edited from now on."""
        self.session = session
        self._held, self._painted_mask = None, None
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows move the box, with Shift its lower right corner, with Ctrl its upper left one; or the place that is pointed to.

        Enter points to or paints, Backspace leaves out or wipes off. Steps are a pixel of the source, with Alt ten.
        """
        session = self.session
        if session is None or not self._do_key(session, event):
            super().keyPressEvent(event)
            return
        self._refresh()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        session = self.session
        if session is None or self.image.isNull():
            return
        at = self._source(event.position())
        include = event.button() is not Qt.MouseButton.RightButton
        if session.tool == "points":
            session.cursor = (at.x(), at.y())
            session.point(at.x(), at.y(), include=include)
            self.pointed.emit()
        elif session.tool == "brush":
            session.begin()
            session.paint((at.x(), at.y()), (at.x(), at.y()), include=include)
            self._held = ("paint" if include else "wipe", at)
        else:
            session.begin()
            self._held = (self._handle_at(event.position()), at)
        self._refresh()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        session = self.session
        if session is None or self._held is None:
            return
        what, before = self._held
        at = self._source(event.position())
        if what in ("paint", "wipe"):
            session.paint((before.x(), before.y()), (at.x(), at.y()), include=what == "paint")
            session.cursor = (at.x(), at.y())
        elif what == "move":
            session.move_box(at.x() - before.x(), at.y() - before.y())
        else:
            session.pull(what, at.x() - before.x(), at.y() - before.y())
        self._held = (what, at)
        self._refresh()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._held = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.mousePressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        session = self.session
        if session is None or self.image.isNull():
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        where = self._target()
        if session.mask is not None:
            painter.drawImage(where, self._mask_of(session.mask))
        box = self._box_rect(session)
        painter.setPen(QPen(QColor(0, 0, 0, 140), 4))
        painter.drawRect(box)
        painter.setPen(QPen(BOX_INK, 2))
        painter.drawRect(box)
        if session.tool == "box":
            painter.setBrush(BOX_INK)
            for across, down in HANDLES.values():
                middle = QPointF(box.x() + across * box.width(), box.y() + down * box.height())
                painter.drawRect(QRectF(middle.x() - HANDLE_PX / 2, middle.y() - HANDLE_PX / 2, HANDLE_PX, HANDLE_PX))
        else:
            self._paint_cursor(painter, session)
        for point in session.points:
            self._paint_point(painter, self._shown(point.x, point.y), include=point.include)
        painter.end()

    def event(self, event: QEvent) -> bool:
        """Arrows are the editor's: with Alt the page would shift a side of the players behind it."""
        if event.type() is QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and event.key() in ARROWS:
            event.accept()
            return True
        return super().event(event)

    def _do_key(self, session: CorrectingSession, event: QKeyEvent) -> bool:
        key, held = Qt.Key(event.key()), event.modifiers()
        step = 10.0 if held & Qt.KeyboardModifier.AltModifier else 1.0
        if key in ARROWS:
            dx, dy = (step * way for way in ARROWS[key])
            if session.tool != "box":
                session.move_cursor(dx, dy)
                return True
            if not event.isAutoRepeat():
                session.begin()
            if held & Qt.KeyboardModifier.ShiftModifier:
                session.pull("br", dx, dy)
            elif held & Qt.KeyboardModifier.ControlModifier:
                session.pull("tl", dx, dy)
            else:
                session.move_box(dx, dy)
            return True
        plain = not held & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier)
        if not plain or key not in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Backspace) or session.tool == "box":
            return False
        include = key is not Qt.Key.Key_Backspace
        if session.tool == "points":
            session.point(*session.cursor, include=include)
            self.pointed.emit()
        else:
            session.begin()
            session.paint(session.cursor, session.cursor, include=include)
        return True

    def _refresh(self) -> None:
        self.update()
        self.changed.emit()

    def _source(self, place: QPointF) -> QPointF:
        """A place of the pane in pixels of the source, inside the frame."""
        assert self.session is not None, "asked while something is edited"
        where, outline = self._target(), self.session.outline
        x = (place.x() - where.x()) / where.width() * outline.width
        y = (place.y() - where.y()) / where.height() * outline.height
        return QPointF(min(max(x, 0.0), outline.width - 0.01), min(max(y, 0.0), outline.height - 0.01))

    def _shown(self, x: float, y: float) -> QPointF:
        """A place of the source on the pane."""
        assert self.session is not None, "asked while something is edited"
        where, outline = self._target(), self.session.outline
        return QPointF(where.x() + x / outline.width * where.width(), where.y() + y / outline.height * where.height())

    def _box_rect(self, session: CorrectingSession) -> QRectF:
        x0, y0, x1, y1 = session.box
        return QRectF(self._shown(x0, y0), self._shown(x1, y1))

    def _handle_at(self, place: QPointF) -> str:
        assert self.session is not None, "asked while something is edited"
        box = self._box_rect(self.session)
        for name, (across, down) in HANDLES.items():
            middle = QPointF(box.x() + across * box.width(), box.y() + down * box.height())
            if max(abs(middle.x() - place.x()), abs(middle.y() - place.y())) <= REACH_PX:
                return name
        return "move"

    def _paint_cursor(self, painter: QPainter, session: CorrectingSession) -> None:
        at = self._shown(*session.cursor)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for ink, width in ((QColor(0, 0, 0, 160), 3), (QColor(255, 255, 255), 1)):
            painter.setPen(QPen(ink, width))
            if session.tool == "brush":
                across = session.radius / session.outline.width * self._target().width()
                painter.drawEllipse(at, across, across)
            painter.drawLine(at - QPointF(7, 0), at + QPointF(7, 0))
            painter.drawLine(at - QPointF(0, 7), at + QPointF(0, 7))

    def _paint_point(self, painter: QPainter, at: QPointF, *, include: bool) -> None:
        painter.setPen(QPen(QColor(0, 0, 0, 180), 1.5))
        painter.setBrush(MASK_INK if include else LEFT_OUT_INK)
        painter.drawEllipse(at, 7, 7)
        painter.setPen(QPen(QColor(0, 0, 0), 2))
        painter.drawLine(at - QPointF(4, 0), at + QPointF(4, 0))
        if include:
            painter.drawLine(at - QPointF(0, 4), at + QPointF(0, 4))

    def _mask_of(self, mask: np.ndarray) -> QImage:
        if mask is not self._painted_mask:
            pixels = np.zeros((*mask.shape, 4), np.uint8)
            pixels[mask] = (MASK_INK.red(), MASK_INK.green(), MASK_INK.blue(), MASK_ALPHA)
            height, width = mask.shape
            image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGBA8888)
            self._painted_mask, self._mask_image = mask, image.copy()  # the array goes away
        return self._mask_image
