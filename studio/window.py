"""The window: tabs for the pages, menus, the status of the votes, a banner for what a person should know."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from PySide6.QtCore import QSettings, QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QApplication,
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio.actions import ACTIONS, MENUS, ActionSet
from studio.cheat_sheet import CheatSheet
from studio.link import Link
from studio.pages import PAGES
from studio.pages.judge import JudgePage, PageContext
from studio.sync import SyncState
from studio.theme import Theme, apply_theme, icon, load_theme
from studio.widgets import Chip, label, tool_button

DEFAULT_SIZE = QSize(1440, 900)


class Window(QMainWindow):
    """Pages are made when first opened. Closing it ends every thread. `noticed` is `notify` from any thread."""

    noticed = Signal(str)

    def __init__(self, link: Link, *, project: str, rater: str, theme: Theme, prefs: QSettings, state_dir: Path) -> None:
        super().__init__()
        self.link, self.theme, self.prefs = link, theme, prefs
        self.rater, self.state_dir = rater, state_dir
        self.pages: dict[str, JudgePage] = {}
        self.setWindowTitle(f"{Path(project).name} · Subject Studio")
        self.resize(DEFAULT_SIZE)
        self.actions_ = ActionSet("window", self, self._handlers())
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._build_header(Path(project).name))
        column.addWidget(self._build_banner())
        self.stack = QStackedWidget()
        column.addWidget(self.stack, 1)
        self.setCentralWidget(centre)
        self._build_menus()
        self.noticed.connect(self.notify)
        link.sync_changed.connect(self._show_sync)
        self._show_sync(link.sync_state)
        self.set_theme(theme.name)
        if geometry := prefs.value("geometry"):
            self.restoreGeometry(geometry)
        self.open_page(next(iter(PAGES)))

    def open_page(self, name: str) -> None:
        """Shows a page, making it first when needed."""
        if name not in self.pages:
            module, _, kind = PAGES[name].partition(":")
            context = PageContext(link=self.link, rater=self.rater, theme=self.theme, notify=self.notify)
            page = getattr(import_module(module), kind)(context)
            self.pages[name] = page
            self.stack.addWidget(page)
            self._fill_menus(page.actions_)
        self._tabs[name].setChecked(True)
        for other in self.pages.values():
            other.deck.pause()
            for action in other.actions_.qt.values():
                action.setVisible(other is self.pages[name])
        self.page = self.pages[name]
        self.stack.setCurrentWidget(self.page)
        self.page.start()

    def notify(self, sentence: str) -> None:
        """Shows a sentence until it is clicked away; never blocks."""
        self.banner_words.setText(sentence)
        self.banner.setVisible(bool(sentence))

    def set_theme(self, name: str) -> None:
        """Light or dark, for everything that is open."""
        self.theme = load_theme(name)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        apply_theme(app, self.theme)
        ink = self.theme.colour("muted")
        for row in ACTIONS:
            for actions in (self.actions_, *(page.actions_ for page in self.pages.values())):
                if row.icon and row.id in actions.qt:
                    actions.qt[row.id].setIcon(icon(row.icon, ink))
        for button, drawing in self._tools.items():
            button.setIcon(icon(drawing, ink))
        self._mark.setPixmap(icon("studio", self.theme.colour("accent"), size_px=24).pixmap(24, 24))
        for page in self.pages.values():
            page.set_theme(self.theme)
        self.prefs.setValue("theme", name)

    def describe(self) -> str:
        """Which page and trial stand on the screen, for crash records."""
        held = self.page.session.current
        where = f"trial {held.id}, item {held.trial.item_id}" if held else "no trial"
        return f"page {self.page.study_id}, {where}, {self.page.session.phase}"

    def closeEvent(self, event: QCloseEvent) -> None:
        self.prefs.setValue("geometry", self.saveGeometry())
        self.hide()
        for page in self.pages.values():
            page.close_page()
        self.link.close()
        event.accept()

    def _handlers(self) -> dict[str, Callable[[], object]]:
        return {
            "theme": lambda: self.set_theme("light" if self.theme.name == "dark" else "dark"),
            "full_screen": lambda: self.showNormal() if self.isFullScreen() else self.showFullScreen(),
            "next_page": self._next_page,
            "sheet": self._show_sheet,
            "quit": self.close,
        }

    def _build_header(self, project: str) -> QWidget:
        header = QWidget()
        header.setObjectName("header")
        row = QHBoxLayout(header)
        row.setContentsMargins(24, 6, 16, 0)
        row.setSpacing(10)
        self._mark = QLabel()
        row.addWidget(self._mark)
        row.addWidget(label(project, "brand"))
        row.addSpacing(18)
        self._tabs: dict[str, QToolButton] = {}
        group = QButtonGroup(self)
        for name in PAGES:
            tab = QToolButton()
            tab.setText(name)
            tab.setObjectName("tab")
            tab.setCheckable(True)
            tab.clicked.connect(lambda _=False, name=name: self.open_page(name))
            group.addButton(tab)
            row.addWidget(tab)
            self._tabs[name] = tab
        row.addStretch(1)
        self.sync_chip = Chip("Saved", "good")
        row.addWidget(self.sync_chip)
        row.addWidget(label(self.rater, "project"))
        self._tools = {}
        for name, drawing, tip in (("sheet", "keyboard", "All keys (?)"), ("theme", "theme", "Light or dark (Ctrl+T)")):
            button = tool_button(name, tip)
            button.clicked.connect(lambda _=False, name=name: self.actions_.qt[name].trigger())
            row.addWidget(button)
            self._tools[button] = drawing
        return header

    def _build_banner(self) -> QWidget:
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(24, 10, 24, 0)
        self.banner_words = label("", "banner")
        self.banner_words.setWordWrap(True)
        row.addWidget(self.banner_words, 1)
        close = tool_button("close_banner", "Dismiss")
        close.setText("✕")
        close.clicked.connect(lambda: self.notify(""))
        row.addWidget(close)
        holder.hide()
        self.banner = holder
        return holder

    def _build_menus(self) -> None:
        self._menus = {name: self.menuBar().addMenu(name) for name in MENUS}
        self._fill_menus(self.actions_)

    def _fill_menus(self, actions: ActionSet) -> None:
        """A page's actions join the menus when it is first opened; those of other pages are hidden."""
        for row in ACTIONS:
            if row.id in actions.qt:
                self._menus[row.menu].addAction(actions.qt[row.id])

    def _next_page(self) -> None:
        names = list(PAGES)
        here = next(name for name, page in self.pages.items() if page is self.page)
        self.open_page(names[(names.index(here) + 1) % len(names)])

    def _show_sheet(self) -> None:
        sheet = CheatSheet(self, self.page.form_view.form)
        sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sheet.open()

    def _show_sync(self, state: SyncState) -> None:
        self.sync_chip.setText(state.text)
        tone = "bad" if state.refused else "warn" if state.trouble or state.waiting else "good"
        self.sync_chip.set_tone(tone)
        self.sync_chip.setToolTip(state.trouble or "Every verdict is on this disk before the screen moves on.")
