"""Rows of settings: what each is, an editor for its type, its default, and whether project.toml or the draft says otherwise."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QScrollArea, QVBoxLayout, QWidget

from backend.domain.jobs import JobField
from backend.domain.project_care import Setting
from studio.preferences import preferences
from studio.sessions.settings import SettingsSession
from studio.settings_form import FieldRow
from studio.texts import text
from studio.widgets import clear, label

WIDTH_PX, NAME_PX = 860, 190
Told = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Shown:
    """A setting as a row: by its own name and meaning, where none are given."""

    setting: Setting
    title: str = ""
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Rows under a headline."""

    head: str
    rows: tuple[Shown, ...]
    words: str = ""


class SettingRow(FieldRow):
    """One setting. The arrow back is there where its value is not the default; `●` marks what is not saved."""

    def __init__(self, shown: Shown, session: SettingsSession, told: Told, *, name_px: int) -> None:
        self._shown = shown
        self.state = label("", "hint")
        self.state.setWordWrap(True)
        setting = shown.setting
        asked = JobField(
            name=setting.name,
            type=setting.type,
            default=setting.default,
            words=shown.meaning or setting.meaning,
            choices=setting.choices,
        )
        super().__init__(asked, session, told)
        self.title.setFixedWidth(name_px * preferences().text_percent // 100)
        grid = self.layout()
        assert isinstance(grid, QGridLayout), "a row's parts stand in a grid"
        grid.addWidget(self.state, 3, 1)
        if shown.title:
            self.editor.setAccessibleName(shown.title)
        self.show_value()

    def show_value(self) -> None:
        super().show_value()
        value, row, changed = (
            self._session.value(self.asked.name),
            self._shown.setting,
            self._session.is_changed(self.asked.name),
        )
        if self._shown.title:
            self.title.setText(f"{'● ' if changed else ''}{self._shown.title}")
        self.back.setVisible(value != row.default)
        if changed:
            said = text("settings.row_changed", value=row.value or "–", default=row.default or "–")
        elif value != row.default:
            said = text("settings.row_set", default=row.default or "–")
        else:
            said = ""
        self.state.setText(said)
        self.state.setVisible(bool(said))
        self.editor.setAccessibleDescription(". ".join(part for part in (self.asked.words, said) if part))


class SettingRows(QWidget):
    """Groups of rows, one below the other, in a column that does not grow too wide to read."""

    def __init__(self, session: SettingsSession, told: Told, *, name_px: int = NAME_PX) -> None:
        super().__init__()
        self._session, self._told, self._name_px = session, told, name_px
        self.rows: dict[str, SettingRow] = {}
        self.setMaximumWidth(WIDTH_PX)
        column = QVBoxLayout(self)
        column.setContentsMargins(2, 2, 14, 8)
        column.setSpacing(14)

    def show_groups(self, groups: Iterable[Group]) -> None:
        """Makes every row anew; a group without rows is left out. The focus stays at its setting."""
        here = self.focused()
        clear(self)
        self.rows = {}
        layout = cast(QVBoxLayout, self.layout())
        for group in groups:
            if not group.rows:
                continue
            head = QVBoxLayout()
            head.setSpacing(3)
            holder = QWidget()
            holder.setLayout(head)
            head.setContentsMargins(0, 6, 0, 0)
            head.addWidget(label(group.head, "slot"))
            if group.words:
                about = label(group.words, "hint")
                about.setWordWrap(True)
                head.addWidget(about)
            layout.addWidget(holder)
            for shown in group.rows:
                row = SettingRow(shown, self._session, self._told, name_px=self._name_px)
                self.rows[shown.setting.name] = row
                layout.addWidget(row)
        layout.addStretch(1)
        self.show_values()
        if here in self.rows:
            self.rows[here].editor.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_values(self) -> None:
        """Brings every row in line with the draft, and says what speaks against it."""
        for name, row in self.rows.items():
            row.show_value()
            row.show_problem(self._session.refused.get(name, ""))

    @property
    def fields(self) -> list[QWidget]:
        """What one can be in, in order: each editor, and its way back to the default."""
        return [widget for row in self.rows.values() for widget in (row.editor, row.back)]

    def focused(self) -> str:
        """The setting in which the focus is; empty for none."""
        here = self.window().focusWidget()
        return next((name for name, row in self.rows.items() if here is not None and row.isAncestorOf(here)), "")

    def focus_first(self) -> None:
        for row in self.rows.values():
            row.editor.setFocus(Qt.FocusReason.OtherFocusReason)
            return


class SettingList(QScrollArea):
    """Rows that may be more than there is room for; what has the focus is scrolled to."""

    def __init__(self, rows: SettingRows) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setWidget(rows)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)


def in_order(*widgets: QWidget) -> None:
    """Tab goes from each to the next; rows are made later than what stands around them."""
    for one, other in pairwise(widgets):
        QWidget.setTabOrder(one, other)
