"""Roles and weights: what is bound, where its weights lie, under which licence, and what to do where they are missing."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QScrollArea,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from backend.domain.doctor import RoleRow
from studio.item_model import stage_words
from studio.pages.settings_rows import Group, SettingRows, Shown, Told, in_order
from studio.sentences import translated
from studio.sessions.settings import SettingsSession, size_words, state_of
from studio.texts import text
from studio.widgets import Chip, label

MARKS = {"ready": ("✓", "good"), "far": ("↗", "accent"), "missing": ("✕", "bad"), "unbound": ("–", "quiet")}
"""Sign and tone of each state; the word stands beside them."""
FACTS = ("licence", "size", "asked_by", "model")
TABLE_PX, DETAIL_PX, ROLE_NAME_PX = 640, 520, 110
PLACE_HINT = "hub:OWNER/NAME"


class RoleTable(QTableWidget):
    """One row a role; the style sheet knows it by this name."""


class RolesSection(QWidget):
    """A row a role at the left; its implementation, place of weights and state at the right."""

    def __init__(self, session: SettingsSession, told: Told) -> None:
        super().__init__()
        self._session, self._role = session, ""
        self.table = RoleTable(0, 3)
        self.table.setObjectName("items")
        self.table.setAccessibleName(text("settings.roles"))
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setHorizontalHeaderLabels([text(f"settings.role_{name}") for name in ("name", "bound", "state")])
        self.table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.table.horizontalHeader().setHighlightSections(False)
        self.table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setTabKeyNavigation(False)
        self.table.setMaximumWidth(TABLE_PX)
        self.table.currentCellChanged.connect(lambda row, *_: self._choose(row))
        self.head, self.chip, self.next_step = label("", "title"), Chip(), label("", "muted")
        self.next_step.setWordWrap(True)
        self.next_step.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.list = SettingRows(session, told, name_px=ROLE_NAME_PX)
        self.facts: dict[str, QLabel] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(22)
        row.addWidget(self.table, 2)
        self.coming = label(text("settings.roles_coming"), "muted")
        self.coming.setWordWrap(True)
        self.coming.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.detail = self._build_detail()
        row.addWidget(self.detail, 3)
        row.addWidget(self.coming, 3)

    def show_sheet(self) -> None:
        self._list_roles()

    def show_draft(self) -> None:
        self.list.show_values()
        self._list_roles()

    def focus_first(self) -> None:
        self.table.setFocus(Qt.FocusReason.OtherFocusReason)

    def focused(self) -> str:
        return self.list.focused()

    def choose_place(self, *, file: bool) -> None:
        """Asks for the folder or the file of the weights of the role that is shown."""
        if f"models.{self._role}" not in self.list.rows:
            return
        dialog = QFileDialog(self, text("settings.place_file" if file else "settings.place_folder"))
        if not file:
            dialog.setFileMode(QFileDialog.FileMode.Directory)
            dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self._take_place)
        dialog.open()

    def _take_place(self, place: str) -> None:
        self.list.rows[f"models.{self._role}"].take(place)

    def _build_detail(self) -> QWidget:
        detail = QWidget()
        column = QVBoxLayout(detail)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        top = QHBoxLayout()
        top.addWidget(self.head)
        top.addWidget(self.chip)
        top.addStretch(1)
        column.addLayout(top)
        column.addWidget(self.next_step)
        column.addWidget(self.list)
        self.places = QWidget()
        row = QHBoxLayout(self.places)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self.take_suggested = QPushButton()
        self.take_suggested.setObjectName("worded")
        self.take_suggested.clicked.connect(lambda: self._take_place(f"hub:{self._row().suggested}"))
        for name, file in (("place_folder", False), ("place_file", True)):
            button = QPushButton(text(f"settings.{name}"))
            button.setObjectName("worded")
            button.clicked.connect(lambda _=False, file=file: self.choose_place(file=file))
            row.addWidget(button)
        row.addWidget(self.take_suggested)
        row.addStretch(1)
        column.addWidget(self.places)
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setColumnStretch(1, 1)
        for place, name in enumerate(FACTS):
            self.facts[name] = label("", "fact")
            self.facts[name].setWordWrap(True)
            grid.addWidget(label(text(f"settings.fact_{name}"), "fact_name"), place, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(self.facts[name], place, 1)
        column.addSpacing(8)
        column.addLayout(grid)
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(detail)
        area.setMinimumWidth(DETAIL_PX)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        return area

    def _list_roles(self) -> None:
        rows = self._session.roles()
        self.table.blockSignals(True)
        if self.table.rowCount() != len(rows):
            self.table.setRowCount(len(rows))
        for number, row in enumerate(rows):
            changed = self._is_changed(row)
            bound = self._session.value(f"roles.{row.role}") if changed else row.implementation
            cells = (f"{row.role}{'  ●' if changed else ''}", bound or "–", self._state(row))
            for place, said in enumerate(cells):
                item = QTableWidgetItem(said)
                item.setData(Qt.ItemDataRole.UserRole, row.role)
                item.setToolTip("\n".join(part for part in (row.role, translated(row.reason)) if part))
                self.table.setItem(number, place, item)
            if row.role == self._role:
                self.table.setCurrentCell(number, 0)
        self.table.resizeColumnToContents(1)
        self.table.resizeColumnToContents(2)
        self.table.blockSignals(False)
        self.detail.setVisible(bool(rows))
        self.coming.setVisible(not rows)
        if rows and not self._role:
            self.table.setCurrentCell(0, 0)
        elif rows:
            self._show_state()

    def _row(self) -> RoleRow:
        return next(row for row in self._session.roles() if row.role == self._role)

    def _choose(self, place: int) -> None:
        item = self.table.item(place, 0)
        if item is None or item.data(Qt.ItemDataRole.UserRole) == self._role:
            return
        self._role = item.data(Qt.ItemDataRole.UserRole)
        role, place_row = self._session.row(f"roles.{self._role}"), self._session.row(f"models.{self._role}")
        hint = text("settings.mean_place", hint=PLACE_HINT)
        self.list.show_groups(
            (
                Group(
                    text("settings.role_serves"),
                    (
                        Shown(role, text("settings.role_implementation"), text("settings.mean_role")),
                        Shown(place_row, text("settings.role_place"), hint),
                    ),
                ),
            )
        )
        in_order(self.table, *self.list.fields, *self.places.findChildren(QPushButton))
        self._show_state()

    def _show_state(self) -> None:
        row = self._row()
        looked = not self._is_changed(row) or self._session.is_examined
        self.head.setText(row.role)
        self.chip.setText(self._state(row))
        self.chip.set_tone(MARKS[state_of(row)][1] if looked else "quiet")
        said = translated(row.reason) or text(f"settings.next_{state_of(row)}")
        self.next_step.setText(said if looked else text("settings.next_checking"))
        self.facts["licence"].setText(row.licence or "–")
        self.facts["asked_by"].setText(", ".join(map(stage_words, row.asked_by)) or text("settings.asked_by_none"))
        self.facts["model"].setText(row.model_id or "–")
        there = size_words(row.num_bytes) if row.num_bytes else "–"
        published = size_words(row.published_bytes) if row.published_bytes else "–"
        self.facts["size"].setText(text("settings.sizes", there=there, published=published))
        self.places.setVisible(row.takes_weights)
        self.list.rows[f"models.{row.role}"].setVisible(row.takes_weights or bool(row.location))
        is_hub = row.suggested.count("/") == 1
        self.take_suggested.setVisible(is_hub and row.location != f"hub:{row.suggested}")
        self.take_suggested.setText(f"hub:{row.suggested}")
        self.take_suggested.setAccessibleName(text("settings.take_suggested", place=f"hub:{row.suggested}"))

    def _is_changed(self, row: RoleRow) -> bool:
        return any(self._session.is_changed(f"{table}.{row.role}") for table in ("roles", "models"))

    def _state(self, row: RoleRow) -> str:
        """Sign and word; of a draft that was not looked at yet nothing is said."""
        if self._is_changed(row) and not self._session.is_examined:
            return text("settings.state_checking")
        return f"{MARKS[state_of(row)][0]}  {text(f'settings.state_{state_of(row)}')}"
