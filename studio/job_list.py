"""The list of jobs: a mark for the state, what it is, how far it is. Rows change where they stand."""

from collections.abc import Sequence
from datetime import UTC, datetime

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QAbstractItemView, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from backend.domain.jobs import JobRow
from studio.item_model import stage_words
from studio.sessions.jobs import RUNNING, STARTED_HERE, moment, share, took_s
from studio.texts import text
from studio.theme import Theme

Index = QModelIndex | QPersistentModelIndex
ROW_PX, LIST_PX = 66, 318
MARKS = {"queued": "◷", "running": "▸", "done": "✓", "failed": "✕", "cancelled": "■", "interrupted": "!"}
TONES = {
    "queued": "quiet",
    "running": "accent",
    "done": "good",
    "failed": "bad",
    "cancelled": "quiet",
    "interrupted": "warn",
}
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


class JobModel(QAbstractListModel):
    """Rows of the session; `show_jobs` tells views only what changed."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: tuple[JobRow, ...] = ()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.jobs)

    def show_jobs(self, jobs: Sequence[JobRow]) -> None:
        """Other rows, or the same ones further on."""
        before, self_jobs = self.jobs, tuple(jobs)
        if [job.job_id for job in before] != [job.job_id for job in self_jobs]:
            self.beginResetModel()
            self.jobs = self_jobs
            self.endResetModel()
            return
        self.jobs = self_jobs
        for n, (old, new) in enumerate(zip(before, self_jobs, strict=True)):
            if old != new or new.state in RUNNING:  # what runs also grows older
                self.dataChanged.emit(self.index(n), self.index(n))

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        job = self.jobs[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return job_title(job)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{job_title(job)}, {state_word(job)}, {about_words(job)}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return job.message or None
        return job if role == Qt.ItemDataRole.UserRole else None


class JobList(QListView):
    """`wanted` carries the id of the job that somebody looks at."""

    wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("items")
        self.setAccessibleName(text("jobs.list"))
        self.setFixedWidth(LIST_PX)
        self.setUniformItemSizes(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.rows = JobModel()
        self.setModel(self.rows)
        self._cells = _Cells(self)
        self.setItemDelegate(self._cells)
        self._filling = False
        self.selectionModel().currentChanged.connect(self._tell)

    def keyboardSearch(self, search: str) -> None:
        """Letters are actions here."""

    def set_theme(self, theme: Theme) -> None:
        self._cells.theme = theme
        self.viewport().update()

    def show_jobs(self, jobs: Sequence[JobRow], shown: str) -> None:
        """The list as it is now, with the job that is looked at selected; tells nobody."""
        self._filling = True
        self.rows.show_jobs(jobs)
        place = next((n for n, job in enumerate(jobs) if job.job_id == shown), None)
        if place is not None and self.currentIndex().row() != place:
            self.setCurrentIndex(self.rows.index(place))
        self._filling = False

    def _tell(self, index: QModelIndex) -> None:
        if not self._filling and index.isValid():
            self.wanted.emit(self.rows.jobs[index.row()].job_id)


class _Cells(QStyledItemDelegate):
    """Two lines and a thin bar while something runs."""

    theme: Theme | None = None

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(LIST_PX - 20, ROW_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        job = index.data(Qt.ItemDataRole.UserRole)
        if self.theme is None or not isinstance(job, JobRow):
            return
        box: QRect = option.rect  # pyright: ignore[reportAttributeAccessIssue]
        state: QStyle.StateFlag = option.state  # pyright: ignore[reportAttributeAccessIssue]
        colour = self.theme.colour
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        selected, over = state & QStyle.StateFlag.State_Selected, state & QStyle.StateFlag.State_MouseOver
        card = box.adjusted(4, 3, -4, -3)
        shape = QPainterPath()
        shape.addRoundedRect(QRectF(card), 8, 8)
        painter.fillPath(shape, colour("accent_wash" if selected else "raised" if over else "surface"))
        if selected and state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(colour("focus"), 2))
            painter.drawPath(shape)
        _paint_mark(painter, QRectF(card.left() + 10, card.top() + 10, 24, 24), job, self.theme)
        self._paint_words(painter, card, job)
        if job.state == "running":
            _paint_bar(painter, QRectF(card.left() + 44, card.bottom() - 7, card.width() - 56, 3), share(job), self.theme)
        painter.restore()

    def _paint_words(self, painter: QPainter, card: QRect, job: JobRow) -> None:
        assert self.theme is not None, "painted after it has its theme"
        font = QFont(painter.font())
        font.setBold(True)
        small = QFont(painter.font())
        small.setPixelSize(max(11, small.pixelSize() - 1))
        line = QRect(card.left() + 44, card.top() + 7, card.width() - 56, 20)
        state = state_word(job)
        painter.setFont(small)
        painter.setPen(self.theme.colour(TONES[job.state]))
        right = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(line, right, state)
        wide = painter.fontMetrics().horizontalAdvance(state)
        left = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        painter.setFont(font)
        painter.setPen(self.theme.colour("text"))
        room = line.width() - wide - 12
        elide = Qt.TextElideMode.ElideRight
        painter.drawText(line, left, painter.fontMetrics().elidedText(job_title(job), elide, room))
        painter.setFont(small)
        painter.setPen(self.theme.colour("muted"))
        line.translate(0, 21)
        painter.drawText(line, left, painter.fontMetrics().elidedText(about_words(job), elide, line.width()))


def job_title(job: JobRow) -> str:
    """What a job is, with what it is about where that is short."""
    kind = text(f"jobs.kind_of_{job.kind}") if job.kind in STARTED_HERE else job.kind.replace("_", " ")
    about = job.asked.get("recipe") or job.asked.get("system") or job.asked.get("format") or ""
    return f"{kind} · {about}" if about else kind


def state_word(job: JobRow) -> str:
    """The state with the mark that the list draws."""
    return text(f"jobs.state_{job.state}")


def about_words(job: JobRow, now: datetime | None = None) -> str:
    """Where a running job is; when another was, how long it took."""
    now = now or datetime.now(UTC)
    took = took_s(job, now)
    if job.state in RUNNING:
        place = f"{job.done:,} / {job.total:,}" if job.total else ""
        parts = [stage_words(job.stage), place, lasted(took)]
    else:
        parts = [started_words(job, now), lasted(took)]
    return "  ·  ".join(part for part in parts if part)


def started_words(job: JobRow, now: datetime) -> str:
    """When a job began: the hour today, else the day as well; local time."""
    if not job.started_at:
        return ""
    began = moment(job.started_at).astimezone()
    same_day = began.date() == now.astimezone().date()
    return began.strftime("%H:%M" if same_day else "%Y-%m-%d %H:%M")


def lasted(seconds: float | None) -> str:
    """A span in the two units that matter."""
    if seconds is None:
        return ""
    if seconds < MINUTE_S:
        return text("jobs.seconds", s=f"{seconds:.0f}")
    if seconds < HOUR_S:
        return text("jobs.minutes", m=int(seconds // MINUTE_S), s=int(seconds % MINUTE_S))
    if seconds < DAY_S:
        return text("jobs.hours", h=int(seconds // HOUR_S), m=int(seconds % HOUR_S // MINUTE_S))
    return text("jobs.days", d=int(seconds // DAY_S), h=int(seconds % DAY_S // HOUR_S))


def _paint_mark(painter: QPainter, place: QRectF, job: JobRow, theme: Theme) -> None:
    tone = TONES[job.state]
    painter.setPen(QPen(theme.colour(tone), 1.4))
    painter.setBrush(QColor(theme.colour(f"{tone}_wash")))
    painter.drawEllipse(place)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter), MARKS[job.state])


def _paint_bar(painter: QPainter, place: QRectF, done: float | None, theme: Theme) -> None:
    """The share that is done; a dotted line where nobody knows of how much."""
    if done is None:
        painter.setPen(QPen(theme.colour("accent"), 2, Qt.PenStyle.DotLine))
        middle = place.center().y()
        painter.drawLine(QPointF(place.left(), middle), QPointF(place.right(), middle))
        return
    painter.fillRect(place, theme.colour("line"))
    painter.fillRect(QRectF(place.left(), place.top(), place.width() * done, place.height()), theme.colour("accent"))
