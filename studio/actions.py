"""Everything that can be done by key or menu, in one table: menus, shortcuts and the cheat sheet are made from it.

Verdicts are not here: a form brings its own choices and keys (`form_view`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """`keys` are Qt key names, the first is shown; `context` is `window` or `judge` (a page with a queue)."""

    id: str
    title: str
    keys: tuple[str, ...]
    context: str
    menu: str
    icon: str = ""
    repeats: bool = False
    """Whether holding the key repeats the action; never for what changes a verdict."""


ACTIONS: tuple[Action, ...] = (
    Action(id="undo", title="Undo last verdict", keys=("Z", "Ctrl+Z"), context="judge", menu="Judge", icon="undo"),
    Action(id="reasons", title="Give reasons", keys=("R",), context="judge", menu="Judge", icon="reasons"),
    Action(id="refresh", title="Look for new pairs", keys=("F5",), context="judge", menu="Judge", icon="refresh"),
    Action(id="play", title="Play or pause", keys=("Space",), context="judge", menu="Playback", icon="play"),
    Action(
        id="step_back", title="One frame back", keys=(",",), context="judge", menu="Playback", icon="back", repeats=True
    ),
    Action(id="step_on", title="One frame on", keys=(".",), context="judge", menu="Playback", icon="forward", repeats=True),
    Action(id="rewind", title="To the first frame", keys=("Home",), context="judge", menu="Playback"),
    Action(id="slower", title="Slower", keys=("[",), context="judge", menu="Playback"),
    Action(id="faster", title="Faster", keys=("]",), context="judge", menu="Playback"),
    Action(id="loop", title="Loop", keys=("L",), context="judge", menu="Playback", icon="loop"),
    Action(id="flicker", title="Flicker between the sides", keys=("F",), context="judge", menu="View", icon="flicker"),
    Action(id="zoom_link", title="Link zoom of the sides", keys=("G",), context="judge", menu="View", icon="link"),
    Action(id="zoom_in", title="Zoom in", keys=("+", "="), context="judge", menu="View", repeats=True),
    Action(id="zoom_out", title="Zoom out", keys=("-",), context="judge", menu="View", repeats=True),
    Action(id="zoom_fit", title="Fit to view", keys=("0",), context="judge", menu="View"),
    Action(id="scores", title="Show or hide scores", keys=("H",), context="judge", menu="View", icon="scores"),
    Action(id="theme", title="Light or dark", keys=("Ctrl+T",), context="window", menu="View", icon="theme"),
    Action(id="full_screen", title="Full screen", keys=("F11",), context="window", menu="View"),
    Action(id="next_page", title="Next page", keys=("Ctrl+Tab",), context="window", menu="View"),
    Action(id="sheet", title="All keys", keys=("?", "F1"), context="window", menu="Help", icon="keyboard"),
    Action(id="quit", title="Quit", keys=("Ctrl+Q",), context="window", menu="File"),
)

MENUS = ("File", "Judge", "Playback", "View", "Help")


class ActionSet:
    """The QActions of one context, bound to a widget. Keys work while the focus is inside it."""

    def __init__(self, context: str, owner: QWidget, handlers: dict[str, Callable[[], object]]) -> None:
        rows = [action for action in ACTIONS if action.context == context]
        missing = {row.id for row in rows} ^ set(handlers)
        assert not missing, f"context {context}: actions and handlers disagree on {sorted(missing)}"
        self.rows = {row.id: row for row in rows}
        self.qt: dict[str, QAction] = {}
        self._gone: set[str] | None = None
        for row in rows:
            action = QAction(row.title, owner)
            action.setObjectName(row.id)
            action.setAutoRepeat(row.repeats)
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            action.triggered.connect(lambda _checked=False, run=handlers[row.id]: run())
            owner.addAction(action)
            self.qt[row.id] = action
        self.yield_keys(())

    def yield_keys(self, taken: Iterable[str]) -> None:
        """Leaves keys to a form that uses them; the actions stay in the menu and keep their other keys."""
        gone = {canonical_key(key) for key in taken}
        if gone == self._gone:
            return
        self._gone = gone
        for name, action in self.qt.items():
            free = [key for key in self.rows[name].keys if canonical_key(key) not in gone]
            action.setShortcuts([QKeySequence(key) for key in free])


@lru_cache
def canonical_key(key: str) -> str:
    """One spelling of a Qt key name. Raises ValueError for a name that Qt does not know."""
    text = QKeySequence(key).toString(QKeySequence.SequenceFormat.PortableText)
    if not text:
        raise ValueError(f"{key!r} is not a key name of Qt, such as 1, A, Left or Ctrl+Z")
    return text


def shown_key(key: str) -> str:
    """A key as a keycap shows it."""
    names = {"Left": "←", "Right": "→", "Up": "↑", "Down": "↓", "Return": "↵", "Space": "Space"}
    return names.get(key) or QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)
