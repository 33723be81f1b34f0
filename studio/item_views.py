"""The list of items as a table and as a grid of pictures; both show any number of rows and paint only those in sight."""

from collections.abc import Sequence

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QImage, QPainter, QPainterPath, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from studio.item_model import GridModel, ItemModel, shown, value_words
from studio.texts import text
from studio.theme import Theme
from studio.widgets import look_as_rows

Index = QModelIndex | QPersistentModelIndex
ROW_PX, PICTURE_PX = 44, 56
WIDEST_PX = 13
"""No letter of the body type is wider; a Chinese one is as wide as it is high."""
CELL = QSize(212, 206)
CELL_PICTURE_PX = 136
TITLES = {
    "video": ("name",),
    "clip": ("caption", "name"),
    "subject": ("phrase", "category"),
    "anchor": ("label",),
    "pair": ("phrase", "category"),
}
SUBTITLES = {
    "video": ("duration_s", "num_clips"),
    "clip": ("name", "start_s"),
    "subject": ("category", "name"),
    "anchor": ("kind", "phrase"),
    "pair": ("kind", "similarity"),
}
WIDTHS = {
    "caption": 420,
    "name": 190,
    "reference_name": 190,
    "phrase": 230,
    "state": 120,
    "category": 130,
    "gate": 200,
    "status": 120,
    "kind": 120,
    "verdict": 120,
    "label": 130,
}
"""Pixels of columns at first; others fit their headline."""
STATE_INKS = {"kept": "good", "held back": "warn", "excluded": "bad"}


class ItemTable(QTableView):
    """Rows and columns. A click on a headline sorts: `sort_wanted` carries the column's place."""

    sort_wanted = Signal(int)

    def __init__(self, model: ItemModel) -> None:
        super().__init__()
        self.setObjectName("items")
        self.setModel(model)
        self.setAccessibleName(text("pages.library"))
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        look_as_rows(self, height_px=ROW_PX)
        head = self.horizontalHeader()
        head.setHighlightSections(False)
        head.setSectionsClickable(True)
        head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        head.sectionClicked.connect(self.sort_wanted.emit)
        self._rows = _Rows(self)
        self.setItemDelegate(self._rows)
        model.thumbnails.arrived.connect(self.viewport().update)

    def keyboardSearch(self, search: str) -> None:
        """Letters are actions here; words are searched for in the field above."""

    def set_theme(self, theme: Theme) -> None:
        self._rows.set_theme(theme)
        self.viewport().update()

    def show_order(self, order: str) -> None:
        """Marks the column that the rows are sorted by."""
        model = self.model()
        assert isinstance(model, ItemModel)
        name = order.removeprefix("-")
        places = [place for place, column in enumerate(model.columns) if column.name == name]
        self.horizontalHeader().setSortIndicatorShown(bool(places))
        if places:
            falls = Qt.SortOrder.DescendingOrder if order.startswith("-") else Qt.SortOrder.AscendingOrder
            self.horizontalHeader().setSortIndicator(places[0], falls)

    def fit_columns(self) -> None:
        """Widths that suit what the columns hold."""
        model = self.model()
        assert isinstance(model, ItemModel)
        metrics = self.fontMetrics()
        for place, column in enumerate(model.columns):
            title = str(model.headerData(place, Qt.Orientation.Horizontal))
            width = max(WIDTHS.get(column.name, 84), metrics.horizontalAdvance(title) + 44)
            self.setColumnWidth(place, width + (PICTURE_PX + 12 if place == 0 else 0))

    def chosen(self) -> list[range]:
        """The selected rows."""
        spans = [
            range(each.top(), each.bottom() + 1) for each in self.selectionModel().selection().toList() if each.isValid()
        ]
        return sorted(spans, key=lambda span: span.start)

    def current(self) -> int | None:
        index = self.currentIndex()
        return index.row() if index.isValid() else None

    def set_current(self, number: int) -> None:
        """Goes to a row and selects it alone."""
        model = self.model()
        if 0 <= number < model.rowCount():
            self.setCurrentIndex(model.index(number, 0))
            self.scrollTo(model.index(number, 0))


class ItemGrid(QTableView):
    """Pictures, as many in a row as fit."""

    def __init__(self, model: GridModel) -> None:
        super().__init__()
        self.setObjectName("items")
        self._grid = model
        self.setModel(model)
        self.setAccessibleName(text("pages.library"))
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.horizontalHeader().hide()
        self.verticalHeader().hide()
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(CELL.height())
        self._cells = _Cells(self, model)
        self.setItemDelegate(self._cells)

    def keyboardSearch(self, search: str) -> None:
        """Letters are actions here."""

    def set_theme(self, theme: Theme) -> None:
        self._cells.theme = theme
        self.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        current = self.current()
        self._grid.set_across(max(1, self.viewport().width() // CELL.width()))
        if current is not None:
            self.set_current(current)

    def chosen(self) -> list[range]:
        """The selected items, as spans of rows."""
        across, total = self._grid.across, self._grid.items.session.total
        spans = []
        for each in self.selectionModel().selection().toList():
            if each.left() == 0 and each.right() == across - 1:
                spans.append(range(each.top() * across, min(total, (each.bottom() + 1) * across)))
                continue
            for row in range(each.top(), each.bottom() + 1):
                first = row * across + each.left()
                spans.append(range(first, min(total, first + each.right() - each.left() + 1)))
        return sorted((span for span in spans if span), key=lambda span: span.start)

    def current(self) -> int | None:
        index = self.currentIndex()
        return (
            self._grid.item(index) if index.isValid() and self._grid.item(index) < self._grid.items.session.total else None
        )

    def set_current(self, number: int) -> None:
        """Goes to an item and selects it alone."""
        if 0 <= number < self._grid.items.session.total:
            row, column = divmod(number, self._grid.across)
            index = self._grid.index(row, column)
            self.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
            self.scrollTo(index)


class _Rows(QStyledItemDelegate):
    """Cells of the table: a picture before the first, the state as a word in its colour.

    Some 200 cells are painted when a screen is scrolled: colours are made once, and words shortened only where they may not fit.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme: Theme | None = None
        self._inks: dict[str, QColor] = {}

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._inks = {name: theme.colour(name) for name in theme.colours}

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model, inks = index.model(), self._inks
        if self._theme is None or not isinstance(model, ItemModel):
            return
        box, state = _facts(option)
        selected, over = state & QStyle.StateFlag.State_Selected, state & QStyle.StateFlag.State_MouseOver
        painter.fillRect(box, inks["accent_wash" if selected else "raised" if over else "surface"])
        painter.setPen(inks["line"])
        painter.drawLine(box.left(), box.bottom(), box.right(), box.bottom())
        place, column = index.column(), model.columns[index.column()]
        words = model.data(index) or ""
        left, width = box.left() + 12, box.width() - 24
        if place == 0:
            picture = model.data(index, Qt.ItemDataRole.DecorationRole)
            spot = QRect(left, box.top() + 4, PICTURE_PX, box.height() - 8)
            draw_picture(painter, spot, picture if isinstance(picture, QImage) else QImage(), self._theme, corner=5)
            left, width = left + PICTURE_PX + 10, width - PICTURE_PX - 10
        if column.name == "state":
            painter.setPen(inks[STATE_INKS.get(str(model.value(index.row(), "state")), "muted")])
        else:
            painter.setPen(inks["muted" if words == "–" else "text"])
        said = str(words)
        if len(said) * WIDEST_PX > width:
            said = option.fontMetrics.elidedText(said, Qt.TextElideMode.ElideRight, width)  # pyright: ignore[reportAttributeAccessIssue]
        side = Qt.AlignmentFlag.AlignRight if column.type == "number" else Qt.AlignmentFlag.AlignLeft
        painter.drawText(QRect(left, box.top(), width, box.height()), int(side | Qt.AlignmentFlag.AlignVCenter), said)


class _Cells(QStyledItemDelegate):
    """Cells of the grid: the picture, a title and a line below."""

    theme: Theme | None = None

    def __init__(self, parent: QWidget, model: GridModel) -> None:
        super().__init__(parent)
        self._model = model

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme, items = self.theme, self._model.items
        number = self._model.item(index)
        if theme is None or number >= items.session.total:
            return
        box, state = _facts(option)
        painter.fillRect(box, theme.colour("surface"))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        card = box.adjusted(6, 6, -6, -6)
        shape = QPainterPath()
        shape.addRoundedRect(QRectF(card), 9, 9)
        selected = bool(state & QStyle.StateFlag.State_Selected)
        painter.fillPath(shape, theme.colour("accent_wash" if selected else "surface"))
        focused = bool(state & QStyle.StateFlag.State_HasFocus)
        painter.setPen(QPen(theme.colour("focus" if focused or selected else "line"), 2 if focused else 1))
        painter.drawPath(shape)
        row = items.session.row(number)
        kind = items.session.look.kind
        picture = items.thumbnails.get(kind, row[0]) if row else None
        place = QRect(card.left() + 7, card.top() + 7, card.width() - 14, CELL_PICTURE_PX - 7)
        draw_picture(painter, place, picture or QImage(), theme, corner=6)
        metrics = QFontMetrics(painter.font())
        below = QRect(card.left() + 10, place.bottom() + 7, card.width() - 20, metrics.height())
        painter.setPen(theme.colour("text"))
        title, about = cell_words(items, number)
        painter.drawText(
            below, int(Qt.AlignmentFlag.AlignLeft), metrics.elidedText(title, Qt.TextElideMode.ElideRight, below.width())
        )
        below.translate(0, metrics.height() + 2)
        painter.setPen(theme.colour("muted"))
        held = items.value(number, "state")
        if held in ("held back", "excluded"):
            painter.setPen(theme.colour(STATE_INKS[str(held)]))
            about = text(f"library.state_{str(held).replace(' ', '_')}")
        painter.drawText(
            below, int(Qt.AlignmentFlag.AlignLeft), metrics.elidedText(about, Qt.TextElideMode.ElideRight, below.width())
        )


def cell_words(items: ItemModel, number: int) -> tuple[str, str]:
    """Title and second line of an item in the grid."""
    kind = items.session.look.kind
    known = {column.name: column for column in items.known}
    said = [(name, items.value(number, name)) for name in TITLES[kind]]
    unnamed = text("library.unnamed") if items.session.row(number) else "…"
    title = next((value_words(str(value), name) for name, value in said if value), unnamed)
    about = [
        shown(value, known[name])
        for name in SUBTITLES[kind]
        if name in known and (value := items.value(number, name)) is not None
    ]
    return title, " · ".join(about)


def draw_picture(painter: QPainter, place: QRect, picture: QImage, theme: Theme, *, corner: int) -> None:
    """A picture as large as fits, in the middle of a well with round corners."""
    painter.save()
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
    shape = QPainterPath()
    shape.addRoundedRect(QRectF(place), corner, corner)
    painter.fillPath(shape, theme.colour("well"))
    if not picture.isNull():
        painter.setClipPath(shape)
        size = picture.size().scaled(place.size(), Qt.AspectRatioMode.KeepAspectRatio)
        where = QRect(0, 0, size.width(), size.height())
        where.moveCenter(place.center())
        painter.drawImage(where, picture)
    painter.restore()


def count(spans: Sequence[range]) -> int:
    return sum(len(span) for span in spans)


def _facts(option: QStyleOptionViewItem) -> tuple[QRect, QStyle.StateFlag]:
    return option.rect, option.state  # pyright: ignore[reportAttributeAccessIssue]
