"""How the settings page looks: sections as segments above, one of them below, and what the draft would come to at the foot."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from backend.domain.project_care import SettingsForecast
from studio.actions import ActionSet, shown_key
from studio.item_model import stage_words
from studio.pages.page import Frame
from studio.pages.settings_keys import KeysSection
from studio.pages.settings_look import LookSection
from studio.pages.settings_privacy import PrivacySection
from studio.pages.settings_project import ProjectSection
from studio.pages.settings_roles import RolesSection
from studio.pages.settings_rows import Told
from studio.pages.settings_stages import StagesSection
from studio.pages.settings_storage import StorageSection
from studio.preferences import Keys
from studio.sessions.settings import SECTIONS, SettingsSession
from studio.texts import text
from studio.theme import Theme
from studio.widgets import Chip, KeyButton, label

HINTS: dict[str, tuple[str, ...]] = {
    "project": ("reset_setting", "drop_settings"),
    "roles": ("place_folder", "place_file", "reset_setting", "drop_settings"),
    "stages": ("find_setting", "reset_setting", "drop_settings"),
    "keys": ("find_setting", "change_keys", "reset_setting", "reset_keys"),
    "look": (),
    "storage": ("clear_storage", "drop_settings"),
    "privacy": ("forget_crashes",),
}
"""What the foot offers in each section."""
MOST_STAGES = 4
"""Stages that a forecast names."""


class SettingsLayout:
    """The widgets of the page; it fills and connects them."""

    def __init__(
        self,
        page: QWidget,
        actions: ActionSet,
        run: Callable[[str], object],
        session: SettingsSession,
        *,
        frame: Frame,
        theme: Theme,
        told: Told,
        keys_changed: Callable[[Keys], object],
    ) -> None:
        self.project = ProjectSection(session, told)
        self.roles = RolesSection(session, told)
        self.stages = StagesSection(session, told, to_thresholds=lambda: run("to_thresholds"))
        self.keys = KeysSection(keys_changed)
        self.look = LookSection(frame)
        self.storage = StorageSection(session, told, frame, theme, clear_ticked=lambda: run("clear_storage"))
        self.privacy = PrivacySection(frame, forget_crashes=lambda: run("forget_crashes"))
        self.sections = {
            "project": self.project,
            "roles": self.roles,
            "stages": self.stages,
            "keys": self.keys,
            "look": self.look,
            "storage": self.storage,
            "privacy": self.privacy,
        }
        assert tuple(self.sections) == SECTIONS, "every section has its widget"
        self.stack = QStackedWidget()
        for section in self.sections.values():
            self.stack.addWidget(section)
        self.tabs: dict[str, QPushButton] = {}
        column = QVBoxLayout(page)
        column.setContentsMargins(24, 16, 24, 12)
        column.setSpacing(16)
        column.addLayout(self._build_tabs(actions, run))
        column.addWidget(self.stack, 1)
        column.addLayout(self._build_foot(actions, run))

    def set_theme(self, theme: Theme) -> None:
        self.storage.set_theme(theme)
        self.look.show_choices()

    def show_section(self, name: str) -> None:
        """Goes to a section."""
        self.tabs[name].setChecked(True)
        self.stack.setCurrentWidget(self.sections[name])
        for action, button in self.hints.items():
            button.setVisible(action in HINTS[name])

    def show_sheet(self) -> None:
        """What is saved has changed."""
        for section in (self.project, self.roles, self.stages, self.storage):
            section.show_sheet()

    def show_draft(self, session: SettingsSession) -> None:
        """What the draft says, and whether it can be saved."""
        for section in (self.project, self.roles, self.stages, self.storage):
            section.show_draft()
        marked = {name.partition(".")[0] for name in session.draft}
        for name, tab in self.tabs.items():
            tab.setText(f"● {text(f'settings.section_{name}')}" if _has(name, marked) else text(f"settings.section_{name}"))
        number = len(session.draft)
        self.chip.setVisible(bool(number))
        self.chip.setText(text("settings.unsaved", count=number))
        self.chip.set_tone("bad" if session.trouble else "warn")
        self.status.setText(session.trouble or (forecast_words(session.forecast) if number else ""))
        self.save.setVisible(bool(number))
        self.save.setEnabled(not session.trouble)
        self.hints["drop_settings"].setEnabled(bool(number))

    def say(self, sentence: str) -> None:
        """A sentence on what was done."""
        self.status.setText(sentence)

    def focused(self) -> str:
        """The setting in which the focus is; empty for none."""
        here = self.stack.currentWidget()
        return here.focused() if isinstance(here, ProjectSection | RolesSection | StagesSection | StorageSection) else ""

    def _build_tabs(self, actions: ActionSet, run: Callable[[str], object]) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(4)
        group = QButtonGroup(self.stack)
        for name in SECTIONS:
            title, key = text(f"settings.section_{name}"), shown_key(actions.rows[f"section_{name}"].keys[0])
            tab = QPushButton(title)
            tab.setObjectName("segment")
            tab.setCheckable(True)
            tab.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            tab.setToolTip(f"{title} ({key})")
            tab.setAccessibleName(f"{title}, {key}")
            tab.clicked.connect(lambda _=False, name=name: run(f"section_{name}"))
            group.addButton(tab)
            row.addWidget(tab)
            self.tabs[name] = tab
        row.addStretch(1)
        return row

    def _build_foot(self, actions: ActionSet, run: Callable[[str], object]) -> QVBoxLayout:
        """What the draft comes to and its button above; the keys of the section below."""
        told = QHBoxLayout()
        told.setSpacing(10)
        self.chip, self.status = Chip("", "warn"), label("", "progress_text")
        self.status.setWordWrap(True)
        self.save = QPushButton(text("settings.save", pressed=shown_key(actions.rows["save_settings"].keys[0])))
        self.save.setObjectName("primary")
        self.save.clicked.connect(lambda: run("save_settings"))
        told.addWidget(self.chip)
        told.addWidget(self.status, 1)
        told.addWidget(self.save)
        keys = QHBoxLayout()
        keys.setSpacing(8)
        keys.addStretch(1)
        self.hints: dict[str, KeyButton] = {}
        for name in dict.fromkeys(name for names in HINTS.values() for name in names):
            button = KeyButton(actions.rows[name].keys[0], text(f"settings.do_{name}"), name="hint_button")
            button.clicked.connect(lambda _=False, name=name: run(name))
            keys.addWidget(button)
            self.hints[name] = button
        column = QVBoxLayout()
        column.setSpacing(6)
        column.addLayout(told)
        column.addLayout(keys)
        return column


def forecast_words(forecast: SettingsForecast | None) -> str:
    """What a draft comes to: which stages run again, on how many items, and what waits behind them."""
    if forecast is None:
        return text("settings.checking")
    again = [stage for stage in forecast.stages if stage.pending > stage.pending_before]
    aside = sum(stage.set_aside for stage in forecast.stages)
    if not again and not aside:
        others = sum(stage.is_other for stage in forecast.stages)
        return text("settings.other_keys", count=others) if others else text("settings.no_work")
    named = ", ".join(f"{stage_words(stage.stage)} {stage.pending:,}" for stage in again[:MOST_STAGES])
    more = text("settings.more_stages", count=len(again) - MOST_STAGES) if len(again) > MOST_STAGES else ""
    said = [text("settings.runs_again", count=len(again), stages=f"{named}{more}")] if again else []
    return " ".join((*said, text("settings.set_aside", count=aside, number=f"{aside:,}"))) if aside else " ".join(said)


def _has(section: str, marked: set[str]) -> bool:
    tables = {"roles": {"roles", "models"}, "stages": {"stages", "gates"}, "storage": {"preview_gib"}}
    own = tables.get(section)
    if own is None:
        return section == "project" and bool(marked - set().union(*tables.values()))
    return bool(marked & own)
