"""What the window and a page ask of each other."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QWidget

from studio.actions import ActionSet
from studio.link import Link
from studio.preferences import Preferences
from studio.theme import Theme

KeyGroup = tuple[str, list[tuple[str, tuple[str, ...]]]]
"""A headline of the sheet of keys, and below it what each key does."""


class Frame(Protocol):
    """What the window lets the page of settings change for everything that is open."""

    theme_choice: str
    state_dir: Path
    rater: str

    def set_theme(self, choice: str) -> None: ...

    def set_language(self, name: str) -> None: ...

    def set_preferences(self, chosen: Preferences) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContext:
    """What the window gives a page."""

    link: Link
    rater: str
    theme: Theme
    notify: Callable[[str], None]
    """Shows a sentence in the window's banner."""
    project: Path
    prefs: QSettings
    """Of this person on this machine, for this project."""
    open_page: Callable[[str], object]
    """Shows another page, by its name in `PAGES`."""
    frame: Frame


class Page(QWidget):
    """A page is made when it is first shown, and closed with the window. Subclasses set `actions_`, and override what they need."""

    actions_: ActionSet

    def __init__(self, context: PageContext) -> None:
        super().__init__()
        self.setObjectName("page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.context, self.link = context, context.link

    def start(self) -> None:
        """The page is shown: now, and each time that one comes back to it."""

    def take_keyboard(self) -> None:
        """Keys go to this page, unless something on it has them already."""
        focused = self.window().focusWidget()
        if focused is not self and (focused is None or not self.isAncestorOf(focused)):
            self.setFocus(Qt.FocusReason.OtherFocusReason)

    def leave(self) -> None:
        """Another page is shown."""

    def close_page(self) -> None:
        """The window closes: timers and threads end."""

    def set_theme(self, theme: Theme) -> None:
        """Takes other colours."""

    def describe(self) -> str:
        """The ids on the screen, for crash records."""
        return ""

    def key_groups(self) -> list[KeyGroup]:
        """Keys that are not in the table of actions, such as a form's verdicts."""
        return []

    def run(self, name: str) -> None:
        """Does an action of the table by its id."""
        self.actions_.qt[name].trigger()
