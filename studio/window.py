"""The window of a project: pages listed at the left, menus, a banner for what a person should know."""

import getpass
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from PySide6.QtCore import QSettings, QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QApplication, QHBoxLayout, QMainWindow, QStackedWidget, QStyle, QVBoxLayout, QWidget

from studio.actions import ACTIONS, MENUS, ActionSet
from studio.cheat_sheet import CheatSheet
from studio.link import Link
from studio.navigation import Rail
from studio.pages import PAGES
from studio.pages.page import Page, PageContext
from studio.palette import Command, Palette
from studio.preferences import Preferences, keep_preferences, preferences
from studio.sync import SyncState
from studio.texts import LANGUAGES, language, text, use_language
from studio.theme import CHOICES, Theme, apply_theme, icon, load_theme, theme_for
from studio.votes_sheet import VotesSheet
from studio.widgets import breakable, label, tool_button

DEFAULT_SIZE = QSize(1440, 900)


class Window(QMainWindow):
    """Pages are made when first opened. Closing it ends every thread. `noticed` is `notify` from any thread."""

    noticed = Signal(str)
    projects_wanted = Signal()
    """Another project is to be opened; whoever made the window shows which there are."""

    def __init__(
        self,
        link: Link,
        *,
        project: Path,
        rater: str,
        theme: str,
        prefs: QSettings,
        state_dir: Path,
        page: str | None = None,
    ) -> None:
        super().__init__()
        self.link, self.project, self.rater = link, project, rater
        self.prefs, self.state_dir = prefs, state_dir
        self.pages: dict[str, Page] = {}
        self._name = ""
        self._lost = ""
        self.own_prefs = QSettings(str(state_dir / "window.ini"), QSettings.Format.IniFormat)
        self.setWindowTitle(f"{project.name} · Subject Studio")
        self.resize(DEFAULT_SIZE.boundedTo(self._room()))
        self.noticed.connect(self.notify)
        link.sync_changed.connect(self._on_sync)
        link.lost.connect(self._on_lost)
        _application().styleHints().colorSchemeChanged.connect(self._follow_system)
        self.theme_choice = theme
        self.theme: Theme = load_theme(theme_for(theme, _application()))
        self._build()
        if geometry := prefs.value("geometry"):
            self.restoreGeometry(geometry)
        last = str(self.own_prefs.value("page") or "")
        self.open_page(page or (last if last in PAGES else next(iter(PAGES))))

    @property
    def page(self) -> Page:
        """The page that is shown."""
        return self.pages[self._name]

    def open_page(self, name: str) -> None:
        """Shows a page, making it first when needed."""
        if name not in self.pages:
            self.pages[name] = page = self._make_page(name)
            self.stack.addWidget(page)
            self._fill_menus(page.actions_)
        if self._name and self._name != name:
            self.page.leave()
        self._name = name
        for other in self.pages.values():
            for action in other.actions_.qt.values():
                action.setVisible(other is self.page)
        for menu in self._menus.values():
            menu.menuAction().setVisible(any(action.isVisible() for action in menu.actions()))
        self.rail.set_page(name)
        self.stack.setCurrentWidget(self.page)
        self.page.start()

    def notify(self, sentence: str) -> None:
        """Shows a sentence until it is clicked away; never blocks."""
        self.banner_words.setText(breakable(sentence))
        self.banner.setVisible(bool(sentence))

    def set_theme(self, choice: str) -> None:
        """Light, dark, or as the desktop (`system`), for everything that is open."""
        self.theme_choice = choice
        self.theme = load_theme(theme_for(choice, _application()))
        apply_theme(_application(), self.theme)
        ink = self.theme.colour("muted")
        for row in ACTIONS:
            for actions in (self.actions_, *(page.actions_ for page in self.pages.values())):
                if row.icon and row.id in actions.qt:
                    actions.qt[row.id].setIcon(icon(row.icon, ink))
        self.rail.set_theme(self.theme)
        for page in self.pages.values():
            page.set_theme(self.theme)
        self.prefs.setValue("theme", choice)

    def set_language(self, name: str) -> None:
        """Another language, for everything that is open."""
        use_language(name)
        self.prefs.setValue("language", name)
        self._make_anew()

    def set_preferences(self, chosen: Preferences) -> None:
        """Other keys, sizes or another name, for everything that is open."""
        before = preferences().rater
        kept = keep_preferences(self.prefs, chosen)
        if kept.rater != before:  # else the name given on the command line holds
            self.rater = kept.rater or getpass.getuser()
        self._make_anew()

    def describe(self) -> str:
        """Which page and ids stand on the screen, for crash records."""
        return f"page {self._name}, {self.page.describe()}"

    def closeEvent(self, event: QCloseEvent) -> None:
        self.prefs.setValue("geometry", self.saveGeometry())
        self.own_prefs.setValue("page", self._name)
        self.hide()
        for page in self.pages.values():
            page.close_page()
        self.link.close()
        event.accept()

    def _handlers(self) -> dict[str, Callable[[], object]]:
        names: list[str] = list(LANGUAGES)
        choices: list[str] = list(CHOICES)
        return {
            **{f"page_{name}": lambda name=name: self.open_page(name) for name in PAGES},
            "projects": self.projects_wanted.emit,
            "next_page": self._next_page,
            "rail": self._toggle_rail,
            "theme": lambda: self.set_theme(choices[(choices.index(self.theme_choice) + 1) % len(choices)]),
            "language": lambda: self.set_language(names[(names.index(language()) + 1) % len(names)]),
            "full_screen": lambda: self.showNormal() if self.isFullScreen() else self.showFullScreen(),
            "palette": self._show_palette,
            "sheet": self._show_sheet,
            "votes": self._show_votes,
            "quit": self.close,
        }

    def _make_page(self, name: str) -> Page:
        module, _, kind = PAGES[name].place.partition(":")
        return getattr(import_module(module), kind)(
            PageContext(
                link=self.link,
                rater=self.rater,
                theme=self.theme,
                notify=self.notify,
                project=self.project,
                prefs=self.own_prefs,
                open_page=self.open_page,
                frame=self,
            )
        )

    def _make_anew(self) -> None:
        """Pages, menus and list again, as the choices now are; what a page remembers it has kept in its preferences."""
        for page in self.pages.values():
            page.close_page()
            page.deleteLater()
        self.pages = {}
        here, self._name = self._name, ""
        self.menuBar().clear()
        for action in self.actions_.qt.values():
            self.removeAction(action)
            action.deleteLater()
        self._build()
        self.open_page(here)

    def _build(self) -> None:
        self.actions_ = ActionSet("window", self, self._handlers())
        self.rail = Rail(
            self.actions_, project=self.project.name, rater=self.rater, run=lambda name: self.actions_.qt[name].trigger()
        )
        self.rail.set_narrow(self.prefs.value("rail_narrow") in (True, "true"))
        self.stack = QStackedWidget()
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._build_banner())
        column.addWidget(self.stack, 1)
        centre = QWidget()
        row = QHBoxLayout(centre)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.rail)
        row.addWidget(right, 1)
        self.setCentralWidget(centre)
        self._menus = {name: self.menuBar().addMenu(text(f"menus.{name}")) for name in MENUS}
        self._fill_menus(self.actions_)
        self._show_state()
        self.set_theme(self.theme_choice)

    def _build_banner(self) -> QWidget:
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(24, 10, 24, 0)
        self.banner_words = label("", "banner")
        self.banner_words.setWordWrap(True)
        row.addWidget(self.banner_words, 1)
        close = tool_button("close_banner", text("frame.dismiss"))
        close.setText("✕")
        close.clicked.connect(lambda: self.notify(""))
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        holder.hide()
        self.banner = holder
        return holder

    def _fill_menus(self, actions: ActionSet) -> None:
        """A page's actions join the menus when it is first opened; those of other pages are hidden."""
        for row in ACTIONS:
            if row.id in actions.qt:
                if row.icon:
                    actions.qt[row.id].setIcon(icon(row.icon, self.theme.colour("muted")))
                self._menus[row.menu].addAction(actions.qt[row.id])

    def _next_page(self) -> None:
        names = list(PAGES)
        self.open_page(names[(names.index(self._name) + 1) % len(names)])

    def _toggle_rail(self) -> None:
        self.rail.set_narrow(not self.rail.is_narrow)
        self.prefs.setValue("rail_narrow", self.rail.is_narrow)

    def _show_palette(self) -> None:
        known = {**self.actions_.qt, **self.page.actions_.qt}
        rows = {**self.actions_.rows, **self.page.actions_.rows}
        commands = [
            Command(rows[row.id], known[row.id]) for row in ACTIONS if row.id in known and known[row.id].isEnabled()
        ]
        palette = Palette(self, [row for row in commands if row.action.id != "palette"], self.theme)
        palette.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        palette.open()

    def _show_sheet(self) -> None:
        known = {**self.actions_.rows, **self.page.actions_.rows}
        sheet = CheatSheet(self, [known[row.id] for row in ACTIONS if row.id in known], self.page.key_groups())
        sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sheet.open()

    def _show_votes(self) -> None:
        sheet = VotesSheet(self, self.link)
        sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sheet.open()

    def _on_sync(self, state: SyncState) -> None:
        self._show_state()

    def _on_lost(self, reason: str) -> None:
        self._lost = reason
        self._show_state()

    def _show_state(self) -> None:
        self.rail.show_sync(self.link.sync_state, lost=self._lost)

    def _room(self) -> QSize:
        """What a window may take of the screen, so that its title bar and lower edge are on it."""
        bar = self.style().pixelMetric(QStyle.PixelMetric.PM_TitleBarHeight)
        return self.screen().availableSize() - QSize(0, bar)

    def _follow_system(self) -> None:
        if self.theme_choice == "system" and self.isVisible():
            self.set_theme("system")


def _application() -> QApplication:
    app = QApplication.instance()
    assert isinstance(app, QApplication), "a window needs a QApplication"
    return app
