"""Settings: of the project, its roles and stages; of the keys and the look of Studio; what is kept, and of whom."""

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import Qt, QTimer

from backend.domain import StudioError
from backend.domain.doctor import Doctor
from backend.domain.project_care import PrivacyFacts, SettingsForecast, SettingsSheet, StorageCleared, StorageUse
from studio.actions import ActionSet, shown_key
from studio.pages.page import Page, PageContext
from studio.pages.settings_layout import SettingsLayout, forecast_words
from studio.pages.settings_privacy import crash_records
from studio.preferences import Keys, preferences
from studio.sessions.settings import SECTIONS, SettingsSession, size_words
from studio.texts import text
from studio.theme import Theme

CHECK_MS = 300
"""After the last change of the draft: when the service is asked what it comes to."""
REMEMBERED = ("settings_section", "settings_draft", "settings_key")
"""What the page finds again when it is made anew, in the project's window.ini."""


class SettingsPage(Page):
    """The session says what the draft is; this shows it, asks what it comes to, and saves it."""

    def __init__(self, context: PageContext) -> None:
        super().__init__(context)
        section, draft, key = (str(context.prefs.value(name) or "") for name in REMEMBERED)
        self.session = SettingsSession(section=section if section in SECTIONS else SECTIONS[0])
        self.session.remember(draft)
        self.actions_ = ActionSet("settings", self, self._handlers())
        self.layout_of = SettingsLayout(
            self,
            self.actions_,
            self.run,
            self.session,
            frame=context.frame,
            theme=context.theme,
            told=self._told,
            keys_changed=self._take_keys,
        )
        self._closed, self._checking = False, False
        self._check_soon = QTimer(self, singleShot=True, interval=CHECK_MS)
        self._check_soon.timeout.connect(self._check)
        self.link.revived.connect(self._refresh)
        self.layout_of.keys.choose(key)
        self.layout_of.show_section(self.session.section)
        self.layout_of.chip.hide()
        self.layout_of.save.hide()
        self.layout_of.say(text("settings.looking"))

    def start(self) -> None:
        self._refresh()
        self._focus()

    def leave(self) -> None:
        self._remember()

    def close_page(self) -> None:
        self._closed = True
        self._check_soon.stop()
        self._remember()

    def set_theme(self, theme: Theme) -> None:
        self.layout_of.set_theme(theme)

    def describe(self) -> str:
        return f"{self.session.section}, draft of {', '.join(self.session.draft) or 'nothing'}"

    def _handlers(self) -> dict[str, Callable[[], object]]:
        return {
            **{f"section_{name}": lambda name=name: self._show(name) for name in SECTIONS},
            "next_section": lambda: self._go(1),
            "previous_section": lambda: self._go(-1),
            "save_settings": self._save,
            "drop_settings": self._drop,
            "bring_back": self._bring_back,
            "reset_setting": self._reset,
            "find_setting": self._find,
            "place_folder": lambda: self._choose_place(file=False),
            "place_file": lambda: self._choose_place(file=True),
            "to_thresholds": lambda: self.context.open_page("thresholds"),
            "change_keys": self._listen,
            "reset_keys": self._reset_keys,
            "clear_storage": self._clear,
            "forget_crashes": self._forget_crashes,
            "refresh": self._refresh,
        }

    def _show(self, name: str) -> None:
        self.session.section = name
        self.layout_of.show_section(name)
        if not self.session.draft:
            self.layout_of.say("")
        self._focus()
        self._ask_section()

    def _focus(self) -> None:
        """Into the section; where it has nothing yet, onto the page, so that its keys work."""
        self.setFocus(Qt.FocusReason.OtherFocusReason)
        self.layout_of.sections[self.session.section].focus_first()

    def _go(self, by: int) -> None:
        place = SECTIONS.index(self.session.section) + by
        self._show(SECTIONS[place % len(SECTIONS)])

    def _refresh(self, said: str = "") -> None:
        """Asks what is saved, and what the draft comes to; the foot says `said` where nothing is drafted."""
        if self._closed:
            return
        api = self.link.api

        def known(sheet: SettingsSheet) -> None:
            if self._closed:
                return
            self.session.know(sheet)
            self.layout_of.show_sheet()
            self._show_draft()
            if not self.session.draft:
                self.layout_of.say(said)
            if self.hasFocus():
                self._focus()
            self._check()

        self.link.ask(lambda: api.settings_sheet(), known, self._on_trouble, slow=True)
        self._ask_section()

    def _ask_section(self) -> None:
        """What only one section shows."""
        api = self.link.api
        if self.session.section == "storage":
            self.link.ask(lambda: api.storage(), self._show_storage, self._on_trouble, slow=True)
        elif self.session.section == "privacy":
            self.link.ask(lambda: api.privacy(), self._show_privacy, self._on_trouble, slow=True)
            self.layout_of.privacy.show_crashes()

    def _show_storage(self, use: StorageUse) -> None:
        if not self._closed:
            self.layout_of.storage.show_use(use)

    def _show_privacy(self, facts: PrivacyFacts) -> None:
        if not self._closed:
            self.layout_of.privacy.show_facts(facts)

    def _told(self, name: str) -> None:
        """A setting has another value in the draft."""
        self._show_draft()
        self._check_soon.start()

    def _show_draft(self) -> None:
        if self.session.sheet is not None:
            self.layout_of.show_draft(self.session)

    def _check(self) -> None:
        """Asks what the draft comes to, and how its roles stand; one question at a time, the last one last."""
        session, api = self.session, self.link.api
        if session.sheet is None or self._checking:
            return
        number, assignments, reset = session.number, session.assignments, session.resets
        self._checking = True

        def work() -> tuple[SettingsForecast, Doctor]:
            forecast = api.try_settings(assignments=assignments, reset=reset)
            return forecast, api.try_doctor(assignments=assignments, reset=reset)

        def answered(forecast: SettingsForecast | None, doctor: Doctor | None, trouble: str) -> None:
            self._checking = False
            if self._closed:
                return
            if doctor is not None:
                session.examine(number, doctor)
            if session.answered(number, forecast, trouble):
                said = "" if session.draft else self.layout_of.status.text()
                self._show_draft()
                self.layout_of.say(said or self.layout_of.status.text())
            else:
                self._check_soon.start(0)

        self.link.ask(work, lambda found: answered(*found, ""), lambda error: answered(None, None, str(error)), slow=True)

    def _save(self) -> None:
        session = self.session
        if not session.draft:
            self.layout_of.say(text("settings.nothing_changed"))
            return
        assignments, reset = session.assignments, session.resets

        def saved(forecast: SettingsForecast) -> None:
            if self._closed:
                return
            session.draft = {}
            self._remember()
            said = text("settings.saved", count=len(forecast.changes))
            self._refresh(f"{said} {forecast_words(forecast)}")

        self.link.ask(
            lambda: self.link.api.set_settings(assignments=assignments, reset=reset), saved, self._on_trouble, slow=True
        )

    def _drop(self) -> None:
        number = self.session.drop()
        if number:
            back = shown_key(self.actions_.rows["bring_back"].keys[0])
            self._show_draft()
            self.layout_of.say(text("settings.dropped", count=number, pressed=back))
            self._check_soon.start()

    def _bring_back(self) -> None:
        if self.session.bring_back():
            self._told("")

    def _reset(self) -> None:
        """The setting or the keys that one is at go back to their default."""
        if self.session.section == "keys":
            self.layout_of.keys.reset()
            return
        name = self.layout_of.focused()
        if name and self.session.reset(name):
            self._told(name)

    def _find(self) -> None:
        if self.session.section not in ("stages", "keys"):
            self._show("stages")
        section = self.layout_of.keys if self.session.section == "keys" else self.layout_of.stages
        section.search.setFocus()
        section.search.selectAll()

    def _choose_place(self, *, file: bool) -> None:
        if self.session.section != "roles":
            self._show("roles")
        self.layout_of.roles.choose_place(file=file)

    def _listen(self) -> None:
        if self.session.section != "keys":
            self._show("keys")
        self.layout_of.keys.listen()

    def _reset_keys(self) -> None:
        self.layout_of.keys.reset_all()

    def _take_keys(self, keys: Keys) -> None:
        """Everything that is open follows; this page is made anew with it, and finds its place again."""
        self._remember()
        self.context.frame.set_preferences(replace(preferences(), keys=keys))

    def _clear(self) -> None:
        kinds = self.layout_of.storage.ticked
        if not kinds:
            self.layout_of.say(text("settings.nothing_ticked"))
            return
        api, rater = self.link.api, self.context.rater

        def cleared(found: StorageCleared) -> None:
            if not self._closed:
                size = size_words(found.num_bytes, binary=True)
                self.layout_of.say(text("settings.cleared", count=found.num_files, files=f"{found.num_files:,}", size=size))
                self._ask_section()

        self.link.ask(lambda: api.clear_storage(kinds=kinds, rater=rater), cleared, self._on_trouble, slow=True)

    def _forget_crashes(self) -> None:
        found = crash_records(self.context.frame.state_dir)
        for path in found:
            path.unlink(missing_ok=True)
        self.layout_of.privacy.show_crashes()
        self.layout_of.say(text("settings.crashes_forgotten", count=len(found)))

    def _remember(self) -> None:
        action = self.layout_of.keys.action
        kept = (self.session.section, self.session.as_json(), "" if action is None else action.id)
        for name, value in zip(REMEMBERED, kept, strict=True):
            self.context.prefs.setValue(name, value)

    def _on_trouble(self, error: StudioError) -> None:
        if not self._closed:
            self.layout_of.say(str(error))
