"""Rows of the quarantine as Qt sees them: they come as far as somebody scrolls."""

from collections.abc import Callable

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt

from backend.domain.jobs import QuarantineRow
from backend.domain.score_words import failure_title
from studio.item_model import stage_words
from studio.sessions.jobs import moment
from studio.sessions.quarantine import QuarantineSession
from studio.texts import language, text

Index = QModelIndex | QPersistentModelIndex
COLUMNS = ("name", "stage", "failure", "message", "failed_at")
MARKS = {"crash": "✕", "timeout": "◷", "memory": "▣", "media": "▤", "model": "◇"}
"""Marks of failures beside their words; others have none."""


class QuarantineModel(QAbstractTableModel):
    """`wanted` is called when a view comes to the end of what is at hand."""

    def __init__(self, session: QuarantineSession, wanted: Callable[[], object]) -> None:
        super().__init__()
        self.session, self._wanted = session, wanted
        self._shown = 0

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else self._shown

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def canFetchMore(self, parent: Index) -> bool:
        return not parent.isValid() and self.session.is_known and self.session.has_more

    def fetchMore(self, parent: Index) -> None:
        self._wanted()

    def take_rows(self) -> None:
        """The session has other rows: more behind those that are shown, or other ones altogether."""
        number = len(self.session.rows)
        if number > self._shown:
            self.beginInsertRows(QModelIndex(), self._shown, number - 1)
            self._shown = number
            self.endInsertRows()

    def restart(self) -> None:
        """Nothing of what was shown counts any more."""
        self.beginResetModel()
        self._shown = len(self.session.rows)
        self.endResetModel()

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        row = self.session.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return cell(row, COLUMNS[index.column()])
        if role == Qt.ItemDataRole.ToolTipRole:
            return row.message if COLUMNS[index.column()] == "message" else None
        if role == Qt.ItemDataRole.AccessibleTextRole and index.column() == 0:
            return ", ".join(cell(row, name) for name in COLUMNS)
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return text(f"jobs.column_{COLUMNS[section]}")
        return None


def cell(row: QuarantineRow, column: str) -> str:
    """A row's value as its cell says it."""
    match column:
        case "stage":
            return stage_words(row.stage)
        case "failure":
            return f"{MARKS.get(row.failure, '')} {failure_title(row.failure, language())}".strip()
        case "message":
            return row.message.strip().partition("\n")[0].removeprefix(f"{row.name}: ")
        case "failed_at":
            return moment(row.failed_at).astimezone().strftime("%m-%d %H:%M") if row.failed_at else ""
        case _:
            return row.name or row.item_id
