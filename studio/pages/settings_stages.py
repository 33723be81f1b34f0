"""Settings of the recipe's stages, and the gates on what they measure."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from backend.domain.project_care import StageSettings
from backend.domain.score_words import stage_purpose
from studio.item_model import gate_words, stage_words
from studio.pages.settings_rows import Group, SettingList, SettingRows, Shown, Told, in_order
from studio.sessions.settings import SettingsSession, stages_like
from studio.texts import language, text
from studio.widgets import label

LIST_PX = 280


class StagesSection(QWidget):
    """Stages in the order of work at the left; the settings of one at the right."""

    def __init__(self, session: SettingsSession, told: Told, *, to_thresholds: Callable[[], object]) -> None:
        super().__init__()
        self._session, self._stage = session, ""
        self.search = QLineEdit()
        self.search.setPlaceholderText(text("settings.find_stage"))
        self.search.setAccessibleName(text("settings.find_stage"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(lambda _: self._list_stages())
        self.stages = QListWidget()
        self.stages.setObjectName("items")
        self.stages.setAccessibleName(text("settings.stages"))
        self.stages.currentItemChanged.connect(lambda item, _: self._choose(item))
        left = QWidget()
        left.setFixedWidth(LIST_PX)
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.search)
        column.addWidget(self.stages, 1)
        self.head, self.about, self.asks = label("", "title"), label("", "muted"), label("", "hint")
        for words in (self.about, self.asks):
            words.setWordWrap(True)
        self.list = SettingRows(session, told)
        self.to_thresholds = QPushButton(text("settings.to_thresholds"))
        self.to_thresholds.setObjectName("quiet_button")
        self.to_thresholds.clicked.connect(lambda: to_thresholds())
        right = QVBoxLayout()
        right.setSpacing(8)
        for widget in (self.head, self.about, self.asks):
            right.addWidget(widget)
        right.addSpacing(6)
        right.addWidget(SettingList(self.list), 1)
        right.addWidget(self.to_thresholds, 0, Qt.AlignmentFlag.AlignLeft)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(22)
        row.addWidget(left)
        row.addLayout(right, 1)

    def show_sheet(self) -> None:
        self._list_stages()
        self._show_stage()

    def show_draft(self) -> None:
        self.list.show_values()
        for number in range(self.stages.count()):
            item = self.stages.item(number)
            item.setText(self._title(item.data(Qt.ItemDataRole.UserRole)))

    def focus_first(self) -> None:
        self.stages.setFocus(Qt.FocusReason.OtherFocusReason)

    def focused(self) -> str:
        return self.list.focused()

    def _list_stages(self) -> None:
        sheet = self._session.sheet
        if sheet is None:
            return
        names = stages_like(sheet, self.search.text(), stage_words)
        self.stages.blockSignals(True)
        self.stages.clear()
        for name in names:
            item = QListWidgetItem(self._title(name))
            item.setData(Qt.ItemDataRole.UserRole, name)
            self.stages.addItem(item)
            if name == self._stage:
                self.stages.setCurrentItem(item)
        self.stages.blockSignals(False)
        if names and self.stages.currentItem() is None:
            self.stages.setCurrentRow(0)

    def _title(self, name: str) -> str:
        """`●` where the draft changes something of the stage, `◆` where project.toml does."""
        stage = self._of(name)
        rows = () if stage is None else (*stage.settings, *stage.gates)
        mark = (
            "●" if any(self._session.is_changed(row.name) for row in rows) else "◆" if any(r.is_set for r in rows) else " "
        )
        return f"{mark}  {stage_words(name)}"

    def _choose(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self._stage = item.data(Qt.ItemDataRole.UserRole)
            self._show_stage()

    def _of(self, name: str) -> StageSettings | None:
        sheet = self._session.sheet
        return next((stage for stage in sheet.stages if stage.stage == name), None) if sheet is not None else None

    def _show_stage(self) -> None:
        stage = self._of(self._stage)
        if stage is None:
            return
        self.head.setText(stage_words(stage.stage))
        self.about.setText(stage_purpose(stage.stage, language()) or stage.meaning)
        roles = ", ".join(stage.roles)
        self.asks.setText(
            text("settings.stage_asks", over=text(f"library.record_{stage.over}"), roles=roles or text("settings.no_model"))
        )
        self.list.show_groups(
            (
                Group(text("settings.of_stage"), tuple(map(Shown, stage.settings)), text("settings.of_stage_words")),
                Group(
                    text("settings.gates"),
                    tuple(Shown(row, title=gate_words(row.name.removeprefix("gates."))) for row in stage.gates),
                    text("settings.gates_words"),
                ),
            )
        )
        in_order(self.search, self.stages, *self.list.fields, self.to_thresholds)
        self.to_thresholds.setVisible(bool(stage.gates))
        if not stage.settings and not stage.gates:
            self.asks.setText(f"{self.asks.text()} {text('settings.nothing_to_set')}")
