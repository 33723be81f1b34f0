"""The items as Qt sees them: a table of a session's rows, and the same in a grid."""

from collections.abc import Callable, Collection

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSize, Qt, QTimer
from PySide6.QtGui import QImage

from backend.domain import StudioError
from backend.domain.library import ItemColumn, ItemPage, Value
from backend.domain.score_words import gate_title, score_title, stage_title
from studio.link import Link
from studio.sessions.library import LibrarySession, Window
from studio.texts import language, text, texts
from studio.thumbnails import ThumbnailStore

Index = QModelIndex | QPersistentModelIndex
ID_ROLE = Qt.ItemDataRole.UserRole
STATE_ROLE = Qt.ItemDataRole.UserRole + 1
NAMED = ("kind", "label", "opens_with")
"""Columns whose values are terms of the project."""
GATHER_MS = 5
"""How long wishes for rows are gathered before the service is asked: one paint of a view."""


class ItemModel(QAbstractTableModel):
    """Rows of the session; those that are not at hand are blank and asked for. Never waits."""

    def __init__(self, session: LibrarySession, link: Link, thumbnails: ThumbnailStore, told: Callable[[], object]) -> None:
        super().__init__()
        self.session, self.link, self.thumbnails, self._told = session, link, thumbnails, told
        self.columns: list[ItemColumn] = []
        self.known: list[ItemColumn] = []
        """Every column of the kind, the hidden ones among them."""
        self._places: list[int] = []
        self._closed = False
        self._soon = QTimer(self, singleShot=True, interval=GATHER_MS)
        self._soon.timeout.connect(self.ask)

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else self.session.total

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.columns)

    def set_columns(self, known: list[ItemColumn], hidden: Collection[str]) -> None:
        """Shows these columns but the hidden ones; their values stand where the session's columns say."""
        self.beginResetModel()
        self.known = known
        self.columns = [column for column in known if column.name not in hidden]
        self._place_columns()
        self.endResetModel()

    def restart(self) -> None:
        """The session looks at something else."""
        self.beginResetModel()
        self.endResetModel()
        self.ask()

    def close(self) -> None:
        self._closed = True
        self._soon.stop()

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        row = self.session.row(index.row())
        if row is None:
            if self.session.waits and not self._soon.isActive():
                self._soon.start()
            return "…" if role == Qt.ItemDataRole.DisplayRole and index.column() == 0 else None
        column = self.columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            place = self._places[index.column()]
            return shown(row[1][place], column) if place >= 0 else ""
        if role == ID_ROLE:
            return row[0]
        if role == STATE_ROLE:
            return self.value(index.row(), "state")
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 0:
            return self.thumbnails.get(self.session.look.kind, row[0]) or QImage()
        if role == Qt.ItemDataRole.TextAlignmentRole and column.type == "number":
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ToolTipRole:
            place = self._places[index.column()]
            return str(row[1][place]) if place >= 0 and row[1][place] is not None else None
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation is not Qt.Orientation.Horizontal or section >= len(self.columns):
            return None
        column = self.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column_title(column.name)
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.meaning or None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column.type == "number" else Qt.AlignmentFlag.AlignLeft
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        return None

    def value(self, row: int, name: str) -> Value:
        """A value of a row by its column's name, None when it is not at hand."""
        found = self.session.row(row)
        if found is None or name not in self.session.columns:
            return None
        return found[1][self.session.columns.index(name)]

    def ask(self) -> None:
        """Asks for the windows that were wished for."""
        if self._closed:
            return
        for window in self.session.wanted():
            self.link.ask(
                lambda window=window: fetch(self.link, window),
                lambda page, window=window: self._arrived(window, page),
                lambda error, window=window: self._failed(window, error),
            )

    def _arrived(self, window: Window, page: ItemPage) -> None:
        if self._closed:
            return
        if self.session.arrived(window, page):
            self.beginResetModel()
            self._place_columns()
            self.endResetModel()
        elif window.number == self.session.number and self.columns:
            last = min(window.offset + len(page.ids), self.session.total) - 1
            self.dataChanged.emit(self.index(window.offset, 0), self.index(max(last, 0), len(self.columns) - 1))
        self._told()
        self.ask()

    def _failed(self, window: Window, error: StudioError) -> None:
        if not self._closed:
            self.session.unreachable(window, str(error))
            self._told()

    def _place_columns(self) -> None:
        known = {name: place for place, name in enumerate(self.session.columns)}
        self._places = [known.get(column.name, -1) for column in self.columns]


class GridModel(QAbstractTableModel):
    """The same items, several in a row: cell (r, c) of `across` is item r * across + c."""

    def __init__(self, items: ItemModel) -> None:
        super().__init__()
        self.items, self.across = items, 4
        items.modelReset.connect(self._reset)
        items.dataChanged.connect(lambda *_: self._changed())
        items.thumbnails.arrived.connect(self._changed)

    def set_across(self, across: int) -> None:
        """As many items in a row as fit."""
        if across != self.across:
            self.beginResetModel()
            self.across = across
            self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else -(-self.items.session.total // self.across)

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else self.across

    def item(self, index: Index) -> int:
        """The row of the item in a cell; beyond the last for an empty cell."""
        return index.row() * self.across + index.column()

    def flags(self, index: Index) -> Qt.ItemFlag:
        if self.item(index) >= self.items.session.total:
            return Qt.ItemFlag.NoItemFlags
        return super().flags(index)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        number = self.item(index)
        if number >= self.items.session.total:
            return None
        if role == Qt.ItemDataRole.SizeHintRole:
            return QSize()
        return self.items.data(self.items.index(number, 0), role)

    def _reset(self) -> None:
        self.beginResetModel()
        self.endResetModel()

    def _changed(self) -> None:
        if self.rowCount():
            self.dataChanged.emit(self.index(0, 0), self.index(self.rowCount() - 1, self.across - 1))


def fetch(link: Link, window: Window) -> ItemPage:
    """Asks the service for a window of rows. Raises StudioError."""
    look = window.look
    return link.api.items(kind=look.kind, where=look.where, search=look.words, order=look.order, offset=window.offset)


def column_title(name: str) -> str:
    """A column's name for people: its text, or the score's title."""
    key = f"columns.{name}"
    return text(key) if key in texts("en") else score_title(name, language())


def gate_words(gate: str) -> str:
    """A gate for people, told by its name or its condition."""
    return gate_title(gate, language())


def bound_words(gate: str, score: str) -> str:
    """What a gate asks of its score, without the score's name: `≥ 0.5`."""
    return gate_words(gate).removeprefix(score_title(score, language())).lstrip(" :：")


def stage_words(stage: str) -> str:
    """A stage's name for people."""
    return stage_title(stage, language())


def value_words(value: str, column: str) -> str:
    """A value of a text column for people; what a project says itself stays as it is."""
    if column in ("state", "status", "verdict"):
        return text(f"library.{column}_{value.replace(' ', '_')}")
    if column == "gate":
        return gate_words(value)
    key = f"values.{value}"
    return text(key) if column in NAMED and key in texts("en") else value


def shown(value: Value, column: ItemColumn) -> str:
    """A value as a cell shows it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return text("library.yes") if value else text("library.no")
    if isinstance(value, float):
        return f"{value:,.1f} s" if column.name.endswith("_s") else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else value_words(value, column.name)
