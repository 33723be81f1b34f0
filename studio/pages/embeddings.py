"""Embeddings: appearances on a plane by what an embedder sees in them; what lies together can be sent to verification."""

from collections.abc import Callable

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from backend.domain import StudioError
from backend.domain.figures import EmbeddingMap
from studio.actions import ActionSet
from studio.charts.map_plot import REST, MapPlot, mark_of
from studio.flow import HintRow
from studio.pages.page import Page, PageContext
from studio.pages.thresholds_layout import NearStrip
from studio.sessions.embeddings import MapSession
from studio.texts import counted, text
from studio.theme import Theme
from studio.thumbnails import ThumbnailStore
from studio.widgets import Rest, label

SPACES, METHODS, COLOURS = ("appearance", "face", "background", "text"), ("pca", "umap"), ("category", "identity")
MARK_PX = 16
LETTERS = {
    "o": "●",
    "s": "■",
    "t": "▼",
    "d": "◆",
    "+": "✚",
    "x": "✖",
    "p": "⬟",
    "star": "★",
    "h": "⬢",
    "t1": "▲",
    "t2": "▶",
    "t3": "◀",
}
"""Shapes of the map as letters of the legend."""
HINTS = ("choose_circle", "choose_none", "send", "other_colours")
MOST_SHOWN = 40
GROW = 1.25


class EmbeddingsPage(Page):
    """The session says what is chosen; this asks for maps and draws them."""

    def __init__(self, context: PageContext) -> None:
        super().__init__(context)
        self.session = MapSession()
        self.thumbnails = ThumbnailStore(context.link)
        self.actions_ = ActionSet("embeddings", self, self._handlers())
        self._closed = False
        self.plot = MapPlot(text("embeddings.plot"))
        self.plot.lassoed.connect(self._lassoed)
        self.boxes: dict[str, QComboBox] = {}
        self.legend = QListWidget()
        self.legend.setObjectName("items")
        self.legend.setFixedWidth(230)
        self.legend.setAccessibleName(text("embeddings.legend"))
        self.strip = NearStrip(text("embeddings.chosen"), self.thumbnails)
        self._build()
        self.link.revived.connect(self._refresh)
        self.set_theme(context.theme)

    def start(self) -> None:
        if self.session.found is None:
            self._refresh()
        self.take_keyboard()

    def close_page(self) -> None:
        self._closed = True
        self.thumbnails.close()

    def set_theme(self, theme: Theme) -> None:
        self.plot.set_theme(theme)
        self._show_legend()

    def describe(self) -> str:
        return f"map of {self.boxes['space'].currentData()}, {len(self.session.chosen)} chosen"

    def _handlers(self) -> dict[str, Callable[[], object]]:
        return {
            "refresh": self._refresh,
            "circle_left": lambda: self._move(-1, 0),
            "circle_right": lambda: self._move(1, 0),
            "circle_up": lambda: self._move(0, 1),
            "circle_down": lambda: self._move(0, -1),
            "circle_larger": lambda: self._grow(GROW),
            "circle_smaller": lambda: self._grow(1 / GROW),
            "choose_circle": self._choose_circle,
            "choose_none": self._choose_none,
            "other_colours": self._other_colours,
            "send": self._send,
        }

    def _build(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(8)
        for name, choices in (("space", SPACES), ("method", METHODS), ("colours", COLOURS)):
            box = QComboBox()
            box.setAccessibleName(text(f"embeddings.box_{name}"))
            for choice in choices:
                box.addItem(text(f"embeddings.choice_{choice}"), choice)
            caption = label(text(f"embeddings.box_{name}"), "fact_name")
            caption.setBuddy(box)
            top.addWidget(caption)
            top.addWidget(box)
            self.boxes[name] = box
        for name in ("space", "method"):
            self.boxes[name].currentIndexChanged.connect(lambda _: self._refresh())
        self.boxes["colours"].currentIndexChanged.connect(lambda _: self._take_colours())
        self.about = label("", "muted")
        self.about.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)  # cut where there is no room
        top.addWidget(self.about, 1)
        body = QWidget()
        row = QHBoxLayout(body)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(14)
        row.addWidget(self.plot, 1)
        row.addWidget(self.legend)
        self.rest = Rest()
        self.stack = QStackedWidget()
        self.stack.addWidget(body)
        self.stack.addWidget(self.rest)
        foot = QHBoxLayout()
        self.status = label("", "progress_text")
        foot.addWidget(self.status)
        foot.addWidget(HintRow(self.actions_, HINTS, "embeddings.do_", self.run), 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 16, 24, 12)
        column.setSpacing(12)
        column.addLayout(top)
        column.addWidget(self.stack, 1)
        column.addWidget(label(text("embeddings.chosen"), "slot"))
        column.addWidget(self.strip)
        column.addLayout(foot)

    def _refresh(self) -> None:
        """Asks for the map anew."""
        space, method = str(self.boxes["space"].currentData()), str(self.boxes["method"].currentData())
        if self.session.found is None:
            self.rest.say(text("embeddings.looking"), "")
            self.stack.setCurrentIndex(1)
        else:
            self.status.setText(text("embeddings.looking"))

        def known(found: EmbeddingMap) -> None:
            if self._closed or (space, method) != (self.boxes["space"].currentData(), self.boxes["method"].currentData()):
                return
            self.session.know(found)
            self.stack.setCurrentIndex(0)
            self.about.setText(
                text("embeddings.about", shown=f"{len(found.x):,}", total=f"{found.total:,}", model=found.model)
            )
            self._draw()

        def failed(error: StudioError) -> None:
            if not self._closed:
                self.rest.say(text("embeddings.nothing"), text("embeddings.nothing_words", trouble=error))
                self.stack.setCurrentIndex(1)
                self.status.setText("")

        self.link.ask(lambda: self.link.api.embedding_map(space=space, method=method), known, failed, slow=True)

    def _draw(self) -> None:
        self.plot.show_map(self.session)
        self._show_legend()
        self._tell()

    def _show_legend(self) -> None:
        """Each group by the mark that its points have, in shape and colour."""
        self.legend.clear()
        for number, group in enumerate(self.session.groups()):
            symbol, ink, _ = REST if group.is_rest else mark_of(number)
            shape = "·" if group.is_rest else LETTERS[symbol]
            name = group.name or text("embeddings.others" if group.is_rest else "embeddings.no_category")
            words = f"{name}  {len(group.places):,}"
            item = QListWidgetItem(self._mark(shape, self.plot.colour(ink)), words)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{shape}  {words}")
            self.legend.addItem(item)

    def _mark(self, shape: str, colour: QColor) -> QIcon:
        ratio = self.devicePixelRatioF()
        picture = QPixmap(round(MARK_PX * ratio), round(MARK_PX * ratio))
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        painter.setPen(colour)
        painter.drawText(QRectF(0, 0, MARK_PX, MARK_PX), Qt.AlignmentFlag.AlignCenter, shape)
        painter.end()
        return QIcon(picture)

    def _tell(self) -> None:
        """What is chosen, in words and pictures."""
        self.plot.show_choice()
        found, chosen = self.session.found, sorted(self.session.chosen)
        selection = self.session.selection()
        subjects = 0 if selection is None else len(selection.ids)
        self.status.setText(text("embeddings.state", count=subjects, points=counted("point", len(chosen))))
        self.plot.setAccessibleDescription(self.status.text())
        shown = chosen[:MOST_SHOWN] if found is not None else []
        self.strip.show_items(
            "appearance", [(found.appearance_ids[n], found.categories[n]) for n in shown] if found else []
        )

    def _move(self, right: int, up: int) -> None:
        self.session.move(right, up)
        self.plot.show_choice()

    def _grow(self, factor: float) -> None:
        self.session.grow(factor)
        self.plot.show_choice()

    def _choose_circle(self) -> None:
        self.session.choose_circle()
        self._tell()

    def _lassoed(self, line: list[tuple[float, float]]) -> None:
        self.session.choose_within(line)
        self._tell()

    def _choose_none(self) -> None:
        self.session.chosen.clear()
        self._tell()

    def _other_colours(self) -> None:
        box = self.boxes["colours"]
        box.setCurrentIndex((box.currentIndex() + 1) % box.count())

    def _take_colours(self) -> None:
        self.session.by = str(self.boxes["colours"].currentData())
        self._draw()

    def _send(self) -> None:
        """The pairs of the chosen subjects first in everybody's queue."""
        chosen, rater = self.session.selection(), self.context.rater
        if chosen is None:
            self.status.setText(text("embeddings.choose_first"))
            return
        self.link.ask(
            lambda: self.link.api.ask_verification(selection=chosen, rater=rater),
            lambda asked: self.status.setText(text("library.sent", count=asked.pairs)),
            lambda error: None if self._closed else self.context.notify(str(error)),
        )
