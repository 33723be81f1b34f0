"""How the thresholds page looks: scores at the left; the histogram, what the cuts come to, and items either side of one at the right."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFont, QIcon, QImage, QKeyEvent, QPainter, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QListView,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QStackedWidget,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from backend.domain.figures import CutOutcome, NearItem, ScoreSpread, StoredScore
from studio.actions import ActionSet
from studio.charts.cut_plot import CutPlot
from studio.fields import ROOM_PX
from studio.flow import HintRow
from studio.flow_words import kind_word
from studio.item_model import column_title, gate_words, stage_words
from studio.sessions.thresholds import CutLine, GateStep, ThresholdSession
from studio.texts import text
from studio.theme import Theme
from studio.thumbnails import ThumbnailStore
from studio.widgets import Rest, clear, label

LIST_PX, STRIP_PX, THUMB_PX, FUNNEL_PX = 236, 152, 92, 420
PICTURED = Qt.ItemDataRole.UserRole + 1
"""Whether an item of a strip has its picture."""
HINTS = ("other_cut", "reset_cuts", "save_selection", "take_selection", "apply_cuts", "send", "export_items")


class ScoreList(QListWidget):
    """Scores under the kind that they are of; a diamond marks those that gates look at."""

    wanted = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("items")
        self.setFixedWidth(LIST_PX)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setAccessibleName(text("thresholds.scores"))
        self.currentItemChanged.connect(self._tell)

    def keyboardSearch(self, search: str) -> None:
        """Letters are actions here."""

    def show_scores(self, scores: Sequence[StoredScore], current: StoredScore | None) -> None:
        """Lists them; the current one is selected without telling."""
        self.blockSignals(True)
        self.clear()
        kind = ""
        for score in scores:
            if score.kind != kind:
                kind = score.kind
                head = QListWidgetItem(text(f"thresholds.kind_{kind}"))
                head.setFlags(Qt.ItemFlag.NoItemFlags)
                bold = QFont(self.font())
                bold.setBold(True)
                head.setFont(bold)
                self.addItem(head)
            mark = "◆ " if score.gates else "    "
            item = QListWidgetItem(f"{mark}{column_title(score.name)}")
            item.setData(Qt.ItemDataRole.UserRole, score)
            item.setToolTip(column_title(score.name))
            if score.gates:
                item.setData(
                    Qt.ItemDataRole.AccessibleTextRole, f"{column_title(score.name)}, {text('thresholds.has_gates')}"
                )
            self.addItem(item)
            if current is not None and (score.kind, score.name) == (current.kind, current.name):
                self.setCurrentItem(item)
        self.blockSignals(False)

    def go(self, by: int) -> None:
        """To the next or the previous score."""
        row = self.currentRow() + by
        while 0 <= row < self.count() and self.item(row).data(Qt.ItemDataRole.UserRole) is None:
            row += by
        if 0 <= row < self.count():
            self.setCurrentRow(row)

    def _tell(self, item: QListWidgetItem | None) -> None:
        score = None if item is None else item.data(Qt.ItemDataRole.UserRole)
        if score is not None:
            self.wanted.emit(score)


class NearStrip(QListWidget):
    """Pictures of the items nearest to a cut on one side of it, nearest first."""

    def __init__(self, name: str, store: ThumbnailStore) -> None:
        super().__init__()
        self.setObjectName("items")
        self.setAccessibleName(name)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setMovement(QListView.Movement.Static)
        self.setIconSize(QSize(THUMB_PX, THUMB_PX))
        self.setFixedHeight(STRIP_PX)
        self.setSpacing(3)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self._store, self._kind = store, ""
        self._shown: tuple[tuple[str, str], ...] = ()
        store.arrived.connect(self._fill_pictures)

    def keyboardSearch(self, search: str) -> None:
        """Letters are actions here."""

    def event(self, event: QEvent) -> bool:
        """Arrows go along the pictures here; elsewhere on the page they move a cut."""
        along = (
            isinstance(event, QKeyEvent) and event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right) and not event.modifiers()
        )
        if event.type() == QEvent.Type.ShortcutOverride and along:
            event.accept()
            return True
        return super().event(event)

    def show_near(self, kind: str, near: Sequence[NearItem]) -> None:
        """Items with their values and verdicts."""
        words = [text(f"library.verdict_{each.verdict}") if each.verdict else "" for each in near]
        said = [f"{each.value:.4g}\n{word}".rstrip() for each, word in zip(near, words, strict=True)]
        self.show_items(kind, [(each.item_id, caption) for each, caption in zip(near, said, strict=True)])

    def show_items(self, kind: str, items: Sequence[tuple[str, str]]) -> None:
        """Ids with what stands below their pictures."""
        if (kind, tuple(items)) == (self._kind, self._shown):
            return
        self._kind, self._shown = kind, tuple(items)
        self.clear()
        for item_id, caption in items:
            item = QListWidgetItem(caption)
            item.setData(Qt.ItemDataRole.UserRole, item_id)
            item.setTextAlignment(Qt.AlignmentFlag.AlignHCenter)
            self.addItem(item)
        self._fill_pictures()

    def chosen(self) -> tuple[str, ...]:
        """Ids of the selected items, of all without a selection."""
        found = self.selectedItems() or [self.item(n) for n in range(self.count())]
        return tuple(item.data(Qt.ItemDataRole.UserRole) for item in found)

    def _fill_pictures(self) -> None:
        for number in range(self.count()):
            item = self.item(number)
            if item.data(PICTURED):
                continue
            picture = self._store.get(self._kind, item.data(Qt.ItemDataRole.UserRole))
            item.setIcon(QIcon(QPixmap.fromImage(_squared(picture))))
            item.setData(PICTURED, picture is not None)
            item.setToolTip("" if picture else self._store.reason(self._kind, item.data(Qt.ItemDataRole.UserRole)))


def _producer_words(producer: str) -> str:
    """`pair_across/2:classical-1` as `pair across videos 2 (classical-1)`."""
    made, _, models = producer.partition(":")
    stage, _, version = made.partition("/")
    return f"{stage_words(stage)} {version}{f' ({models})' if models else ''}"


class CutField(QDoubleSpinBox):
    """The value of a cut, as short as it can be said."""

    def __init__(self) -> None:
        super().__init__()
        self.lineEdit().setTextMargins(ROOM_PX, 0, ROOM_PX, 0)

    def textFromValue(self, value: float) -> str:
        return f"{value:.6g}"


class ThresholdsLayout:
    """The widgets of the page; it fills and connects them."""

    def __init__(self, page: QWidget, actions: ActionSet, run: Callable[[str], object], store: ThumbnailStore) -> None:
        self._actions, self._run = actions, run
        self.scores = ScoreList()
        self.plot = CutPlot(text("thresholds.plot"))
        self.fields: list[QDoubleSpinBox] = []
        self.field_moved: Callable[[int, float], object] = lambda place, value: None
        self.outside = NearStrip(text("thresholds.outside"), store)
        self.inside = NearStrip(text("thresholds.inside"), store)
        self.stack = QStackedWidget()
        self.stack.addWidget(self._build_body())
        self._rest = Rest()
        self.stack.addWidget(self._rest)
        column = QVBoxLayout(page)
        column.setContentsMargins(24, 16, 24, 12)
        column.setSpacing(12)
        column.addWidget(self.stack, 1)
        column.addLayout(self._build_foot())

    def set_theme(self, theme: Theme) -> None:
        self.plot.set_theme(theme)

    def rest(self, head: str, words: str) -> None:
        """A sentence in place of everything else."""
        self._rest.say(head, words)
        self.stack.setCurrentIndex(1)

    def show_score(self, score: StoredScore, spread: ScoreSpread | None, cuts: Sequence[CutLine]) -> None:
        """The headline, the histogram and a field for each cut."""
        self.stack.setCurrentIndex(0)
        self.head.setText(column_title(score.name))
        about = [text(f"thresholds.kind_{score.kind}"), text("thresholds.measured", number=f"{score.measured:,}")]
        if spread is not None and spread.unmeasured:
            about.append(text("thresholds.unmeasured", number=f"{spread.unmeasured:,}"))
        if spread is not None:
            about.append(text("thresholds.by", producers=", ".join(map(_producer_words, spread.producers))))
        self.about.setText("   ·   ".join(about))
        self.plot.show_spread(spread)
        self._build_fields(cuts, spread)

    def show_cuts(self, cuts: Sequence[CutLine], active: int) -> None:
        """Where the cuts are now."""
        self.plot.show_cuts(cuts, active)
        for place, (field, cut) in enumerate(zip(self.fields, cuts, strict=False)):
            if field.value() != cut.value:
                field.blockSignals(True)
                field.setValue(cut.value)
                field.blockSignals(False)
            field.setProperty("active", place == active)
        said = [f"{cut.sign} {cut.value:.4g}" for cut in cuts]
        self.plot.setAccessibleDescription(text("thresholds.plot_says", cuts=", ".join(said) or "–"))

    def show_outcome(self, score: StoredScore, found: CutOutcome | None) -> None:
        """What the cuts on this score keep, how right that is, and what lies beside the cut."""
        if found is None:
            self.kept.setText("…")
            self.precision.setText("…")
            return
        share = found.passing / found.measured if found.measured else 0.0
        self.kept.setText(f"{found.passing:,}")
        self.kept_words.setText(text("thresholds.of", number=f"{found.measured:,}", share=f"{share:.1%}"))
        if found.precision is None:
            self.precision.setText("–")
            key = "thresholds.no_verdicts" if score.kind == "pair" else "thresholds.no_precision"
            self.precision_words.setText(text(key))
        else:
            self.precision.setText(f"{found.precision:.3f}")
            low, high = f"{found.precision_low:.3f}", f"{found.precision_high:.3f}"
            self.precision_words.setText(
                text("thresholds.precision_of", low=low, high=high, right=found.right, judged=found.judged)
            )
        self.inside.show_near(score.kind, found.inside)
        self.outside.show_near(score.kind, found.outside)

    def show_funnel(self, session: ThresholdSession, *, asking: bool) -> None:
        """Every gate with what it holds back, and what is left at the end."""
        parts = []
        for kind, before, after in session.counts():
            change = f"{before:,}" if before == after else f"{before:,} → {after:,}"
            parts.append(f"{text(f'thresholds.count_{kind}')} {change}")
        if session.pending:
            parts.append(text("thresholds.pending", count=session.pending))
        if asking:
            parts.append(text("thresholds.asking"))
        self.counts.setText("   ·   ".join(parts))
        self._fill_funnel(session.funnel())

    def say(self, sentence: str) -> None:
        """What was done last."""
        self.status.setText(sentence)

    def _fill_funnel(self, steps: Sequence[GateStep]) -> None:
        table = self.funnel
        table.setRowCount(len(steps))
        for row, step in enumerate(steps):
            change = step.dropped - step.dropped_before
            cells = (
                f"{'▸ ' if step.here else ''}{kind_word(step.kind)} · {gate_words(step.condition)}",
                f"{step.entering:,}",
                f"{step.dropped:,}",
                f"{change:+,}" if change else "",
            )
            for place, said in enumerate(cells):
                item = QTableWidgetItem(said)
                font = QFont(table.font())
                font.setBold(step.here or bool(change))
                item.setFont(font)
                if place:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                table.setItem(row, place, item)
        here = next((row for row, step in enumerate(steps) if step.here), None)
        if here is not None:
            place = table.model().index(here, 0)
            QTimer.singleShot(0, table, lambda: table.scrollTo(place, QAbstractItemView.ScrollHint.PositionAtCenter))

    def _build_fields(self, cuts: Sequence[CutLine], spread: ScoreSpread | None) -> None:
        clear(self._cut_row)
        self.fields = []
        row = self._cut_row.layout()
        assert isinstance(row, QHBoxLayout)
        for place, cut in enumerate(cuts):
            field = CutField()
            step = 0.01 if spread is None else (spread.edges[-1] - spread.edges[0]) / 100
            field.setDecimals(6)
            field.setRange(-1e12, 1e12)
            field.setStepType(QDoubleSpinBox.StepType.DefaultStepType)
            field.setSingleStep(float(f"{step:.1g}") or 0.01)
            field.setKeyboardTracking(False)
            field.setValue(cut.value)
            name = text("thresholds.free" if not cut.gate else "thresholds.gate", sign=cut.sign)
            field.setAccessibleName(f"{name} {column_title(self.head.text())}")
            field.valueChanged.connect(lambda value, place=place: self.field_moved(place, value))
            caption = label(name, "fact_name")
            caption.setBuddy(field)
            row.addWidget(caption)
            row.addWidget(field)
            words = []
            if cut.gate:
                words.append(text("thresholds.saved_at", value=f"{cut.saved:.4g}"))
            if cut.by_category:
                words.append(text("thresholds.by_category"))
            field.setToolTip(cut.source)
            row.addWidget(label("   ".join(words), "hint"))
            row.addSpacing(18)
            self.fields.append(field)
        if not cuts:
            row.addWidget(label(text("thresholds.no_cut"), "hint"))
        row.addStretch(1)

    def _build_body(self) -> QWidget:
        body = QWidget()
        row = QHBoxLayout(body)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(18)
        row.addWidget(self.scores)
        column = QVBoxLayout()
        column.setSpacing(10)
        self.head, self.about = label("", "title"), label("", "muted")
        self.about.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)  # cut where there is no room
        top = QHBoxLayout()
        top.setSpacing(14)
        top.addWidget(self.head)
        top.addWidget(self.about, 1)
        column.addLayout(top)
        self._cut_row = QWidget()
        cut_row = QHBoxLayout(self._cut_row)
        cut_row.setContentsMargins(0, 0, 0, 0)
        cut_row.setSpacing(8)
        column.addWidget(self._cut_row)
        column.addWidget(self.plot, 3)
        legend = label(text("thresholds.legend"), "hint")
        legend.setWordWrap(True)
        column.addWidget(legend)
        column.addLayout(self._build_figures(), 2)
        column.addLayout(self._build_near())
        row.addLayout(column, 1)
        return body

    def _build_figures(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(14)
        self.kept, self.kept_words = label("", "headline"), label("", "muted")
        self.precision, self.precision_words = label("", "headline"), label("", "muted")
        for head, big, words in (
            ("thresholds.kept", self.kept, self.kept_words),
            ("thresholds.precision", self.precision, self.precision_words),
        ):
            card = QWidget()
            card.setObjectName("panel")
            card.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
            card.setFixedWidth(196)
            column = QVBoxLayout(card)
            column.setContentsMargins(16, 12, 16, 12)
            column.setSpacing(2)
            words.setWordWrap(True)
            for widget in (label(text(head), "slot"), big, words):
                column.addWidget(widget)
            column.addStretch(1)
            row.addWidget(card)
        right = QVBoxLayout()
        right.setSpacing(6)
        self.counts = label("", "muted")
        self.counts.setWordWrap(True)
        self.funnel = self._build_funnel()
        right.addWidget(self.counts)
        right.addWidget(self.funnel, 1)
        row.addLayout(right, 1)
        return row

    def _build_funnel(self) -> QTableWidget:
        table = QTableWidget(0, 4)
        table.setObjectName("items")
        table.setAccessibleName(text("thresholds.funnel"))
        table.setHorizontalHeaderLabels(
            [text(f"thresholds.{name}") for name in ("column_gate", "column_entering", "column_dropped", "column_change")]
        )
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(24)
        table.setShowGrid(False)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setTabKeyNavigation(False)
        header = table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        return table

    def _build_near(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(5)
        for place, (head, strip) in enumerate((("thresholds.outside", self.outside), ("thresholds.inside", self.inside))):
            grid.addWidget(label(text(head), "slot"), 0, place)
            grid.addWidget(strip, 1, place)
            grid.setColumnStretch(place, 1)
        return grid

    def _build_foot(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(4)
        self.status: QLabel = label("", "progress_text")
        row.addWidget(self.status)
        row.addWidget(HintRow(self._actions, HINTS, "thresholds.do_", self._run), 1)
        return row


def _squared(picture: QImage | None) -> QImage:
    """The picture in the middle of a clear square, so that all stand in one row."""
    square = QImage(THUMB_PX, THUMB_PX, QImage.Format.Format_ARGB32_Premultiplied)
    square.fill(Qt.GlobalColor.transparent)
    if picture is not None:
        small = picture.scaled(
            THUMB_PX, THUMB_PX, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
        painter = QPainter(square)
        painter.drawImage(QPoint((THUMB_PX - small.width()) // 2, (THUMB_PX - small.height()) // 2), small)
        painter.end()
    return square
