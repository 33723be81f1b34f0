"""The quarantine: what stages failed on, by stage and word; the item that is chosen with its media and the whole message."""

from collections.abc import Callable

from PySide6.QtCore import QItemSelectionModel, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QFontDatabase, QImage
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPlainTextEdit,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from backend.api import Api
from backend.domain import StudioError
from backend.domain.jobs import QuarantineRow
from studio.item_model import stage_words
from studio.link import Link
from studio.player.deck import Deck
from studio.player.decoder import Reel
from studio.player.pane import Pane
from studio.player.transport import Transport
from studio.prepare import read_still
from studio.quarantine_model import QuarantineModel, cell
from studio.sessions.quarantine import QuarantineSession
from studio.texts import text
from studio.theme import Theme
from studio.widgets import label, look_as_rows

SIDE_PX, PANE_PX, ROW_PX = 372, 210, 34
WIDTHS = {"name": 160, "stage": 116, "failure": 96, "message": 180, "failed_at": 104}


class QuarantinePanel(QWidget):
    """Filter and search above, the rows, and the chosen one at their right."""

    looked_for = Signal()
    """Another stage or another search."""

    def __init__(
        self,
        session: QuarantineSession,
        link: Link,
        wanted: Callable[[], object],
        run: Callable[[str], object],
    ) -> None:
        super().__init__()
        self.session, self.link = session, link
        self.row: QuarantineRow | None = None
        self.model = QuarantineModel(session, wanted)
        self.stages = QComboBox()
        self.stages.setMinimumWidth(170)
        self.stages.setAccessibleName(text("jobs.of_stage"))
        self.search = QLineEdit()
        self.search.setPlaceholderText(text("jobs.quarantine_search"))
        self.search.setAccessibleName(text("jobs.quarantine_search"))
        self.search.setClearButtonEnabled(True)
        self.count = label("", "muted")
        self.table = _Rows(self.model)
        self.deck = Deck(align="index", max_edge_px=960)
        self.pane = Pane(text("jobs.media"))
        self.pane.setFixedHeight(PANE_PX)
        self.transport = Transport(self.deck, run)
        self.title, self.about = label("", "title"), label("", "fact_name")
        self.title.setWordWrap(True)
        self.about.setWordWrap(True)
        self.about.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.message = QPlainTextEdit()
        self.message.setObjectName("log")
        self.message.setReadOnly(True)
        self.message.setAccessibleName(text("jobs.message"))
        self.message.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.message.setTabChangesFocus(True)
        self._build()
        self.stages.currentIndexChanged.connect(lambda _: self.looked_for.emit())
        self.search.textChanged.connect(lambda _: self.looked_for.emit())
        self.table.selectionModel().currentChanged.connect(lambda *_: self._follow())

    @property
    def asked(self) -> tuple[str, str]:
        """Stage and words that are looked for."""
        return str(self.stages.currentData() or ""), self.search.text().strip()

    def set_theme(self, theme: Theme) -> None:
        self.pane.set_colours(theme.colour("well"), theme.colour("muted"))
        self.transport.set_theme(theme)

    def choose_stage(self, stage: str) -> None:
        """Filters by a stage, as a choice in the box does."""
        if self.stages.findData(stage) < 0:
            self.stages.addItem(stage_words(stage), stage)
        self.stages.setCurrentIndex(self.stages.findData(stage))

    def show_rows(self) -> None:
        """Brings everything in line with the session."""
        with QSignalBlocker(self.stages):
            self.stages.clear()
            self.stages.addItem(text("jobs.all_stages"), "")
            for stage, number in self.session.choices():
                self.stages.addItem(f"{stage_words(stage)}  ({number:,})", stage)
            self.stages.setCurrentIndex(max(0, self.stages.findData(self.session.stage)))
        self.model.take_rows()
        self.tell_count()
        if self.session.rows and not self.table.currentIndex().isValid():
            here = self.row.work_key if self.row is not None else ""
            self.table.go(next((n for n, row in enumerate(self.session.rows) if row.work_key == here), 0))
        if not self.session.rows:
            self._show(None)

    def tell_count(self) -> None:
        """How many there are, and how many of them are chosen."""
        chosen = self.session.total if self.session.all_chosen else len(self.chosen())
        parts = [text("jobs.in_quarantine", count=self.session.total)]
        if chosen > 1:
            parts.append(text("library.chosen", number=f"{chosen:,}"))
        self.count.setText("   ·   ".join(parts))

    def chosen(self) -> list[int]:
        """Numbers of the selected rows."""
        return sorted({index.row() for index in self.table.selectionModel().selectedRows()})

    def choose_all(self) -> None:
        """All that match, also those that are not at hand."""
        self.table.selectAll()
        self.session.all_chosen = True
        self.tell_count()

    def close_panel(self) -> None:
        self.row = None
        self.deck.close()

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(10)
        caption = label(text("jobs.of_stage"), "fact_name")
        caption.setBuddy(self.stages)
        for widget in (caption, self.stages):
            head.addWidget(widget)
        head.addWidget(self.search, 1)
        head.addWidget(self.count)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addLayout(head)
        column.addWidget(self.table, 1)
        side = QWidget()
        side.setObjectName("panel")
        side.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        column = QVBoxLayout(side)
        column.setContentsMargins(16, 14, 16, 14)
        column.setSpacing(8)
        for widget in (self.title, self.about, self.pane, self.transport, label(text("jobs.message"), "slot")):
            column.addWidget(widget)
        column.addWidget(self.message, 1)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setHandleWidth(14)
        split.setObjectName("bare")
        split.addWidget(left)
        split.addWidget(side)
        split.setStretchFactor(0, 1)
        split.setSizes([800, SIDE_PX])
        around = QVBoxLayout(self)
        around.setContentsMargins(0, 0, 0, 0)
        around.addWidget(split)
        self.table.selectionModel().selectionChanged.connect(self._reselected)

    def _reselected(self) -> None:
        self.session.all_chosen = False
        self.tell_count()

    def _follow(self) -> None:
        place = self.table.currentIndex().row()
        self._show(self.session.rows[place] if 0 <= place < len(self.session.rows) else None)

    def _show(self, row: QuarantineRow | None) -> None:
        """An item with its media and message; the media are fetched and read on a worker thread."""
        if row == self.row and row is not None:
            return
        self.row = row
        self.deck.load((), play=False)
        self.transport.hide()
        self.title.setText("" if row is None else row.name or row.item_id)
        self.about.setText("" if row is None else _about(row))
        self.message.setPlainText("" if row is None else row.message)
        if row is None:
            self.pane.show_sentence(text("library.nothing_chosen"))
            return
        if not row.media_id:
            self.pane.show_sentence(text("jobs.no_media"))
            return
        self.pane.show_sentence(text("library.preparing"))

        def found(medium: Reel | QImage) -> None:
            if row is not self.row:
                return
            if isinstance(medium, QImage):
                self.pane.show_image(medium)
            else:
                self.transport.show()
                self.deck.load([(self.pane, medium)], play=False)

        def failed(error: StudioError) -> None:
            if row is self.row:
                self.pane.show_sentence(str(error))

        self.link.ask(lambda: medium_of(self.link.api, row.media_id), found, failed, slow=True)


class _Rows(QTableView):
    def __init__(self, model: QuarantineModel) -> None:
        super().__init__()
        self.setObjectName("items")
        self.setProperty("look", "rows")
        self.setModel(model)
        self.setAccessibleName(text("jobs.quarantine_rows"))
        look_as_rows(self, height_px=ROW_PX)
        head = self.horizontalHeader()
        head.setHighlightSections(False)
        head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for place, width in enumerate(WIDTHS.values()):
            self.setColumnWidth(place, width)
        head.setSectionResizeMode(list(WIDTHS).index("message"), QHeaderView.ResizeMode.Stretch)

    def keyboardSearch(self, search: str) -> None:
        """Letters are actions here."""

    def go(self, row: int) -> None:
        """To a row, selected alone."""
        index = self.model().index(row, 0)
        self.scrollTo(index)
        self.selectionModel().setCurrentIndex(
            index, QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
        )


def medium_of(api: Api, media_id: str) -> Reel | QImage:
    """A clip that can be played, else a picture. Raises StudioError."""
    file = api.media(media_id=media_id)
    if file.num_frames > 0 and file.fps > 0:
        return Reel(path=file.path, num_frames=file.num_frames, fps=file.fps)
    return read_still(file.path)


def _about(row: QuarantineRow) -> str:
    """What stands below its name: of what sort it is, how it failed, how often it was tried."""
    parts = [
        stage_words(row.stage),
        text(f"library.record_{row.kind}"),
        cell(row, "failure"),
        text("jobs.attempts", count=row.attempts),
    ]
    return "   ·   ".join([*(part for part in parts if part), row.item_id])
