"""How items go through the stages, as a Sankey picture: what enters, what goes on, what leaves and why. One stage has the focus."""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QBrush,
    QColor,
    QFont,
    QHelpEvent,
    QKeyEvent,
    QLinearGradient,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QScrollArea, QSizePolicy, QToolTip, QWidget

from backend.domain.jobs import StageFlow
from studio.charts.flow_layout import (
    GAP_PX,
    LABELS_PX,
    NODE_PX,
    ROW_PX,
    TOP_PX,
    WORDS_PX,
    Band,
    FlowPicture,
    arrange,
)
from studio.flow_words import kind_word, sentence_of, words_of
from studio.item_model import stage_words
from studio.texts import counted, text
from studio.theme import Theme

INKS = {"passed": "accent", "filtered": "quiet", "failed": "bad", "pending": "warn", "held": "quiet"}
PATTERNS = {
    "passed": Qt.BrushStyle.SolidPattern,
    "filtered": Qt.BrushStyle.Dense6Pattern,
    "failed": Qt.BrushStyle.DiagCrossPattern,
    "pending": Qt.BrushStyle.VerPattern,
    "held": Qt.BrushStyle.BDiagPattern,
}
"""What became of items differs by pattern as well as by colour."""
LEGEND = ("passed", "held", "filtered", "failed", "pending")
SWATCH = QSize(22, 12)
BAND_ALPHA, BORN_ALPHA = 66, 34


class FlowPlot(QWidget):
    """The picture. Up and down go from stage to stage; the sentence of the one that is looked at is told to screen readers."""

    looked = Signal(int)
    opened = Signal(int)
    """Return or a double click: somebody wants to see what a stage failed on."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.stages: tuple[StageFlow, ...] = ()
        self.picture: FlowPicture = arrange((), 900)
        self.current = 0
        self.theme: Theme | None = None
        self._least_px = 0

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.update()

    def show_stages(self, stages: Sequence[StageFlow]) -> None:
        """Other counts; the stage that is looked at stays, by its name."""
        here = self.stages[self.current].stage if self.current < len(self.stages) else ""
        self.stages = tuple(stages)
        self.current = next((n for n, stage in enumerate(self.stages) if stage.stage == here), 0)
        self._arrange()
        self._tell()

    def look_at(self, number: int) -> None:
        """Another stage; beyond the ends nothing changes."""
        if not 0 <= number < len(self.stages) or number == self.current:
            return
        self.current = number
        self._tell()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(self._least_px, round(self.picture.height))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        last = len(self.stages) - 1
        steps = {
            Qt.Key.Key_Up: self.current - 1,
            Qt.Key.Key_Left: self.current - 1,
            Qt.Key.Key_Down: self.current + 1,
            Qt.Key.Key_Right: self.current + 1,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: last,
            Qt.Key.Key_PageUp: max(0, self.current - 5),
            Qt.Key.Key_PageDown: min(last, self.current + 5),
        }
        if event.key() in steps:
            self.look_at(steps[Qt.Key(event.key())])
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.stages:
            self.opened.emit(self.current)
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.look_at(self._row_at(event.position()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if 0 <= (row := self._row_at(event.position())) < len(self.stages):
            self.opened.emit(row)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            row = self._row_at(QPointF(event.pos()))
            if 0 <= row < len(self.stages):
                QToolTip.showText(event.globalPos(), sentence_of(self.stages, row), self)
            return True
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.theme is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(event.rect(), self.theme.colour("surface"))
        self._paint_rows(painter)
        for band in self.picture.bands:
            self._paint_band(painter, band)
        self._paint_nodes(painter)
        for number in range(len(self.stages)):
            self._paint_words(painter, number)
        self._paint_heads(painter)
        painter.end()

    def _arrange(self) -> None:
        self._least_px = round(arrange(self.stages, 0).width)
        self.picture = arrange(self.stages, self.width())
        self.setMinimumHeight(round(self.picture.height))
        self.updateGeometry()
        self.update()

    def _tell(self) -> None:
        said = sentence_of(self.stages, self.current) if self.stages else ""
        if said != self.accessibleDescription():
            self.setAccessibleDescription(said)
            QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.DescriptionChanged))
        self.looked.emit(self.current)

    def _row_at(self, place: QPointF) -> int:
        return int((place.y() - TOP_PX) // ROW_PX)

    def _colour(self, name: str) -> QColor:
        assert self.theme is not None, "painted after it has its theme"
        return self.theme.colour(name)

    def _paint_rows(self, painter: QPainter) -> None:
        """A line between rows, a wash under the one that is looked at, a ring around it with the focus."""
        painter.setPen(QPen(self._colour("line"), 1))
        for number in range(1, len(self.stages)):
            y = TOP_PX + number * ROW_PX
            painter.drawLine(QPointF(12, y), QPointF(self.width() - 12, y))
        if not self.stages:
            return
        box = QRectF(5, TOP_PX + self.current * ROW_PX + 2, self.width() - 10, ROW_PX - 4)
        shape = QPainterPath()
        shape.addRoundedRect(box, 8, 8)
        painter.fillPath(shape, self._colour("accent_wash"))
        if self.hasFocus():
            painter.setPen(QPen(self._colour("focus"), 2))
            painter.drawPath(shape)

    def _paint_band(self, painter: QPainter, band: Band) -> None:
        shape = QPainterPath(QPointF(band.x0, band.y0))
        middle = (band.y0 + band.y1) / 2
        shape.cubicTo(QPointF(band.x0, middle), QPointF(band.x1, middle), QPointF(band.x1, band.y1))
        shape.lineTo(QPointF(band.x1 + band.w1, band.y1))
        shape.cubicTo(
            QPointF(band.x1 + band.w1, middle), QPointF(band.x0 + band.w0, middle), QPointF(band.x0 + band.w0, band.y0)
        )
        shape.closeSubpath()
        if band.what == "held":
            painter.fillPath(shape, QBrush(self._colour("quiet"), PATTERNS["held"]))
            return
        ink, faint = self._colour("accent"), self._colour("accent")
        ink.setAlpha(BAND_ALPHA)
        faint.setAlpha(BAND_ALPHA if band.what == "on" else BORN_ALPHA)
        fade = QLinearGradient(band.x0, band.y0, band.x1, band.y1)
        fade.setColorAt(0, ink)
        fade.setColorAt(1, faint)
        painter.fillPath(shape, fade)

    def _paint_nodes(self, painter: QPainter) -> None:
        for node in self.picture.nodes:
            if not node.parts:
                painter.setPen(QPen(self._colour("muted"), 1, Qt.PenStyle.DotLine))
                painter.drawLine(QPointF(node.x, node.y + NODE_PX / 2), QPointF(node.x + 26, node.y + NODE_PX / 2))
            for part in node.parts:
                _paint_swatch(
                    painter, QRectF(part.x, node.y, part.width, NODE_PX), part.what, self._colour(INKS[part.what])
                )

    def _paint_heads(self, painter: QPainter) -> None:
        """What each lane stands for, and how many its full width is; it stays in sight when the picture scrolls."""
        top = max(0, self.visibleRegion().boundingRect().top())
        painter.fillRect(QRectF(0, top, self.width(), TOP_PX - 2), self._colour("surface"))
        painter.setPen(self._colour("muted"))
        painter.setFont(_small(self.font(), bold=True))
        right = QRectF(self.width() - WORDS_PX + 6, top + 6, WORDS_PX - 20, 18)
        _draw_words(painter, right, text("jobs.flow_left"))
        _draw_words(painter, QRectF(16, top + 6, LABELS_PX - 26, 18), text("jobs.flow_stages"))
        for lane in self.picture.lanes:
            box = QRectF(lane.x, top + 6, lane.width + GAP_PX - 4, 18)
            _draw_words(painter, box, kind_word(lane.kind))
        painter.setFont(_small(self.font(), bold=False))
        for lane in self.picture.lanes:
            _draw_words(painter, QRectF(lane.x, top + 23, lane.width + GAP_PX - 4, 18), f"{lane.most:,}")

    def _paint_words(self, painter: QPainter, number: int) -> None:
        """The stage's name at the left, its counts below; at the right what left it, a line for outcomes and one for gates."""
        stage, y = self.stages[number], TOP_PX + number * ROW_PX
        left, right = QRectF(16, y + 6, LABELS_PX - 26, 18), QRectF(self.width() - WORDS_PX + 6, y + 6, WORDS_PX - 20, 18)
        font = QFont(self.font())
        font.setBold(number == self.current)
        painter.setFont(font)
        painter.setPen(self._colour("text"))
        _draw_words(painter, left, stage_words(stage.stage))
        painter.setFont(_small(self.font(), bold=False))
        painter.setPen(self._colour("muted"))
        about = counted(stage.over, stage.entering)
        _draw_words(painter, left.translated(0, 19), about)
        outcomes, gates = words_of(stage)
        for what, said in outcomes:
            painter.setPen(self._colour("muted" if what == "passed" else INKS[what]))
            _draw_words(painter, right, said)
            right.setLeft(right.left() + painter.fontMetrics().horizontalAdvance(said) + 14)
        painter.setPen(self._colour("text"))
        _draw_words(painter, QRectF(self.width() - WORDS_PX + 6, y + 25, WORDS_PX - 20, 18), gates)


class FlowLegend(QWidget):
    """What patterns mean."""

    def __init__(self) -> None:
        super().__init__()
        self.theme: Theme | None = None
        self.setFixedHeight(24)
        self.setAccessibleName(", ".join(text(f"jobs.flow_{what}") for what in LEGEND))

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.theme is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(_small(self.font(), bold=False))
        x = 2.0
        for what in LEGEND:
            box = QRectF(x, (self.height() - SWATCH.height()) / 2, SWATCH.width(), SWATCH.height())
            _paint_swatch(painter, box, what, self.theme.colour(INKS[what]))
            painter.setPen(self.theme.colour("muted"))
            said = text(f"jobs.flow_{what}")
            wide = painter.fontMetrics().horizontalAdvance(said)
            painter.drawText(QRectF(box.right() + 7, 0, wide + 4, self.height()), int(Qt.AlignmentFlag.AlignVCenter), said)
            x = box.right() + wide + 30
        painter.end()


class FlowView(QScrollArea):
    """The picture in a frame that scrolls; the stage that is looked at stays in sight."""

    def __init__(self, plot: FlowPlot) -> None:
        super().__init__()
        self.setObjectName("items")
        self.setWidgetResizable(True)
        self.setWidget(plot)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._plot = plot
        plot.looked.connect(self._follow)
        self.verticalScrollBar().valueChanged.connect(lambda _: plot.update())

    def _follow(self, number: int) -> None:
        self.ensureVisible(0, round(TOP_PX + (number + 0.5) * ROW_PX), 0, ROW_PX)


def _paint_swatch(painter: QPainter, box: QRectF, what: str, ink: QColor) -> None:
    shape = QPainterPath()
    shape.addRoundedRect(box, 2, 2)
    painter.fillPath(shape, QBrush(ink, PATTERNS[what]))
    if what != "passed":
        painter.setPen(QPen(ink, 1))
        painter.drawPath(shape)


def _draw_words(painter: QPainter, box: QRectF, said: str) -> None:
    """As much of them as fits into the box."""
    kept = painter.fontMetrics().elidedText(said, Qt.TextElideMode.ElideRight, round(box.width()))
    painter.drawText(box, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), kept)


def _small(font: QFont, *, bold: bool) -> QFont:
    small = QFont(font)
    small.setPixelSize(max(11, small.pixelSize() - 1))
    small.setBold(bold)
    return small
