"""What the project takes on the disk, what of it can be made again, and the room that Studio takes in memory."""

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from backend.domain.project_care import StorageKind, StorageUse
from studio.fields import ROOM_PX
from studio.pages.page import Frame
from studio.pages.settings_rows import Group, SettingRows, Shown, Told, in_order
from studio.preferences import FRAMES_MIB, THUMBNAILS_MIB, preferences
from studio.sessions.settings import SettingsSession, size_words
from studio.texts import text
from studio.theme import Theme
from studio.widgets import clear, label

BAR_PX, LEAST_BAR_PX, CACHES_PX, CACHE_NAME_PX = 12, 60, 330, 92


class ShareBar(QWidget):
    """A bar as long as its share of the largest; the number stands beside it."""

    def __init__(self, share: float, theme: Theme) -> None:
        super().__init__()
        self._share, self._theme = share, theme
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(LEAST_BAR_PX)

    def sizeHint(self) -> QSize:
        return QSize(110, BAR_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        whole = QRectF(0, 0, self.width(), BAR_PX)
        painter.setBrush(self._theme.colour("well"))
        painter.drawRoundedRect(whole, 4, 4)
        if self._share > 0:
            painter.setBrush(self._theme.colour("accent"))
            painter.drawRoundedRect(QRectF(0, 0, max(3.0, self.width() * self._share), BAR_PX), 4, 4)
        painter.end()


class StorageSection(QWidget):
    """A row a kind; those that can be made again can be marked, and one button clears what is marked."""

    def __init__(
        self, session: SettingsSession, told: Told, frame: Frame, theme: Theme, *, clear_ticked: Callable[[], object]
    ) -> None:
        super().__init__()
        self._session, self._frame, self._theme = session, frame, theme
        self.use: StorageUse | None = None
        self.ticks: dict[str, QPushButton] = {}
        self.total, self.free = label("", "headline"), label("", "muted")
        self._kinds = QWidget()
        QGridLayout(self._kinds).setContentsMargins(0, 0, 12, 0)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(self._kinds)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.clear = QPushButton(text("settings.clear"))
        self.clear.setObjectName("worded")
        self.clear.clicked.connect(lambda: clear_ticked())
        left = QVBoxLayout()
        left.setSpacing(8)
        left.addWidget(self.total)
        left.addWidget(self.free)
        left.addSpacing(6)
        left.addWidget(area, 1)
        left.addWidget(self.clear, 0, Qt.AlignmentFlag.AlignLeft)
        self.list = SettingRows(session, told, name_px=CACHE_NAME_PX)
        self.frames = _spin(FRAMES_MIB, 128, preferences().frames_mib, text("settings.frames"))
        self.thumbnails = _spin(THUMBNAILS_MIB, 16, preferences().thumbnails_mib, text("settings.thumbnails"))
        for spin in (self.frames, self.thumbnails):
            spin.editingFinished.connect(self._take_caches)
        right = QWidget()
        right.setFixedWidth(CACHES_PX)
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.list)
        column.addSpacing(10)
        column.addWidget(label(text("settings.caches"), "slot"))
        for name, spin in (("frames", self.frames), ("thumbnails", self.thumbnails)):
            column.addLayout(_titled(text(f"settings.{name}"), spin))
            words = label(text(f"settings.{name}_words"), "hint")
            words.setWordWrap(True)
            column.addWidget(words)
        column.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(2, 2, 2, 0)
        row.setSpacing(34)
        row.addLayout(left, 1)
        row.addWidget(right)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        if self.use is not None:
            self.show_use(self.use)

    def show_sheet(self) -> None:
        row = Shown(self._session.row("preview_gib"), text("settings.preview_gib"), text("settings.mean_preview_gib"))
        self.list.show_groups((Group(text("settings.limit"), (row,)),))

    def show_draft(self) -> None:
        self.list.show_values()

    def show_use(self, use: StorageUse) -> None:
        """Sizes by kind; ticks stay."""
        self.use, ticked = use, self.ticked
        self.total.setText(size_words(sum(kind.num_bytes for kind in use.kinds), binary=True))
        self.free.setText(text("settings.free", size=size_words(use.free_bytes, binary=True)))
        clear(self._kinds)
        self.ticks = {}
        grid = self._kinds.layout()
        assert isinstance(grid, QGridLayout)
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(11)
        grid.setColumnStretch(0, 3)
        grid.setColumnStretch(1, 1)
        largest = max((kind.num_bytes for kind in use.kinds), default=0) or 1
        shown = [kind for kind in use.kinds if kind.num_files]
        for place, kind in enumerate(shown):
            grid.addWidget(_named(kind), place, 0)
            bar = ShareBar(kind.num_bytes / largest, self._theme)
            grid.addWidget(bar, place, 1, Qt.AlignmentFlag.AlignVCenter)
            said = label(_size_of(kind), "fact")
            said.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(said, place, 2)
            if kind.clearable:
                grid.addWidget(self._tick(kind, ticked=kind.kind in ticked), place, 3)
        grid.setRowStretch(len(shown), 1)
        in_order(*self.ticks.values(), self.clear, *self.list.fields, self.frames, self.thumbnails)
        self._show_clear()

    @property
    def ticked(self) -> tuple[str, ...]:
        """Kinds that are to be cleared."""
        return tuple(kind for kind, tick in self.ticks.items() if tick.isChecked())

    def focus_first(self) -> None:
        first = next(iter(self.ticks.values()), self.frames)
        first.setFocus(Qt.FocusReason.OtherFocusReason)

    def focused(self) -> str:
        return self.list.focused()

    def _tick(self, kind: StorageKind, *, ticked: bool) -> QPushButton:
        """Marks a kind that can be made again as one to clear."""
        tick = QPushButton()
        tick.setObjectName("toggle")
        tick.setCheckable(True)
        tick.setAccessibleName(text("settings.clear_kind", kind=text(f"settings.kind_{kind.kind}")))
        tick.setAccessibleDescription(text(f"settings.kind_{kind.kind}_words"))
        tick.setChecked(ticked)
        tick.toggled.connect(lambda _: self._show_clear())
        self.ticks[kind.kind] = tick
        return tick

    def _show_clear(self) -> None:
        sizes = {kind.kind: kind.num_bytes for kind in self.use.kinds} if self.use is not None else {}
        freed = sum(sizes.get(kind, 0) for kind in self.ticked)
        for tick in self.ticks.values():
            tick.setText(f"✓ {text('settings.to_clear')}" if tick.isChecked() else text("settings.to_clear"))
        self.clear.setEnabled(bool(self.ticked))
        self.clear.setText(
            text("settings.clear_size", size=size_words(freed, binary=True)) if self.ticked else text("settings.clear")
        )

    def _take_caches(self) -> None:
        chosen = replace(preferences(), frames_mib=self.frames.value(), thumbnails_mib=self.thumbnails.value())
        if chosen != preferences():
            self._frame.set_preferences(chosen)


def _named(kind: StorageKind) -> QWidget:
    """The kind and what it is; where it lies is its tip."""
    holder = QWidget()
    holder.setToolTip("\n".join(kind.places))
    column = QVBoxLayout(holder)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(1)
    words = label(text(f"settings.kind_{kind.kind}_words"), "hint")
    words.setWordWrap(True)
    column.addWidget(label(text(f"settings.kind_{kind.kind}"), "choice"))
    column.addWidget(words)
    return holder


def _size_of(kind: StorageKind) -> str:
    size, files = size_words(kind.num_bytes, binary=True), f"{kind.num_files:,}"
    said = text("settings.size_files", size=size, count=kind.num_files, files=files)
    if not kind.limit_bytes:
        return said
    return f"{said}\n{text('settings.at_most', size=size_words(kind.limit_bytes, binary=True))}"


def _spin(bounds: tuple[int, int], step: int, value: int, name: str) -> QSpinBox:
    spin = QSpinBox()
    spin.setRange(*bounds)
    spin.setSingleStep(step)
    spin.setValue(value)
    spin.setSuffix(" MiB")
    spin.setAlignment(Qt.AlignmentFlag.AlignRight)
    spin.lineEdit().setTextMargins(ROOM_PX, 0, ROOM_PX, 0)
    spin.setAccessibleName(name)
    return spin


def _titled(title: str, widget: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.addWidget(label(title, "fact_name"))
    row.addStretch(1)
    row.addWidget(widget)
    return row
