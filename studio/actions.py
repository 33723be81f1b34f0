"""Everything that can be done by key or menu, in one table: menus, shortcuts, the palette and the sheet of keys are made from it.

Titles are the texts `actions.ID`. Verdicts are not here: a form brings its own choices and keys (`form_view`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget

from backend.domain.library import KINDS
from studio.pages import PAGES
from studio.preferences import preferences
from studio.sessions.jobs import VIEWS as JOB_VIEWS
from studio.sessions.results import VIEWS as RESULT_VIEWS
from studio.sessions.settings import SECTIONS
from studio.sessions.studies import OUTCOMES
from studio.sessions.studies import VIEWS as STUDY_VIEWS
from studio.texts import text


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """`keys` are Qt key names, the first is shown; `contexts` are `window` or those of pages (`judge`, `library`) that do it."""

    id: str
    keys: tuple[str, ...]
    contexts: tuple[str, ...]
    menu: str
    icon: str = ""
    repeats: bool = False
    """Whether holding the key repeats the action; never for what changes a verdict."""

    @property
    def title(self) -> str:
        return text(f"actions.{self.id}")


WINDOW, JUDGE, VERIFY, LIBRARY = ("window",), ("judge", "verify"), ("verify",), ("library",)
COMPARE = ("judge",)
THRESHOLDS, RESULTS, EMBEDDINGS = ("thresholds",), ("results",), ("embeddings",)
STUDIES = ("studies",)
JOBS = ("jobs",)
PLAYER = ("judge", "verify", "library", "results", "jobs")
SETTINGS = ("settings",)

ACTIONS: tuple[Action, ...] = (
    Action(id="projects", keys=("Ctrl+O",), contexts=WINDOW, menu="file", icon="folder"),
    Action(id="quit", keys=("Ctrl+Q",), contexts=WINDOW, menu="file"),
    *(
        Action(id=f"page_{name}", keys=(page.key, *page.also), contexts=WINDOW, menu="go", icon=page.icon)
        for name, page in PAGES.items()
    ),
    Action(id="votes", keys=("Ctrl+Shift+V",), contexts=WINDOW, menu="file", icon="send"),
    Action(id="next_page", keys=("Ctrl+Tab",), contexts=WINDOW, menu="go"),
    Action(id="find", keys=("/", "Ctrl+F"), contexts=(*LIBRARY, *JOBS, *STUDIES), menu="items", icon="search"),
    Action(id="add_filter", keys=("A",), contexts=LIBRARY, menu="items", icon="filter"),
    Action(id="clear_filters", keys=("Ctrl+Backspace",), contexts=LIBRARY, menu="items"),
    Action(id="sort", keys=("S",), contexts=LIBRARY, menu="items"),
    Action(id="turn_order", keys=("Shift+S",), contexts=LIBRARY, menu="items"),
    Action(id="views", keys=("B",), contexts=LIBRARY, menu="items", icon="star"),
    Action(id="save_view", keys=("Ctrl+S",), contexts=LIBRARY, menu="items"),
    Action(id="choose_all", keys=("Ctrl+A",), contexts=(*LIBRARY, *JOBS), menu="items"),
    Action(id="choose_none", keys=("Esc",), contexts=(*LIBRARY, *EMBEDDINGS), menu="items"),
    Action(id="send", keys=("V",), contexts=(*LIBRARY, *THRESHOLDS, *EMBEDDINGS), menu="items", icon="send"),
    Action(id="export_items", keys=("Ctrl+E",), contexts=(*LIBRARY, *THRESHOLDS), menu="items", icon="export"),
    Action(id="exclude", keys=("D", "Del"), contexts=LIBRARY, menu="items", icon="exclude"),
    Action(id="erase_items", keys=("Shift+Del",), contexts=LIBRARY, menu="items"),
    Action(id="include", keys=("U",), contexts=LIBRARY, menu="items", icon="include"),
    *(Action(id=f"kind_{kind}", keys=(str(n),), contexts=LIBRARY, menu="view") for n, kind in enumerate(KINDS, start=1)),
    Action(id="layout", keys=("G",), contexts=LIBRARY, menu="view", icon="table"),
    Action(id="details", keys=("I",), contexts=LIBRARY, menu="view", icon="details"),
    Action(id="layer_boxes", keys=("Shift+B",), contexts=LIBRARY, menu="view", icon="overlay"),
    Action(id="layer_masks", keys=("Shift+M",), contexts=LIBRARY, menu="view"),
    Action(id="layer_points", keys=("Shift+K",), contexts=LIBRARY, menu="view"),
    Action(id="cut_down", keys=("Left",), contexts=THRESHOLDS, menu="items", repeats=True),
    Action(id="cut_up", keys=("Right",), contexts=THRESHOLDS, menu="items", repeats=True),
    Action(id="cut_down_far", keys=("Shift+Left",), contexts=THRESHOLDS, menu="items", repeats=True),
    Action(id="cut_up_far", keys=("Shift+Right",), contexts=THRESHOLDS, menu="items", repeats=True),
    Action(id="other_cut", keys=("C",), contexts=THRESHOLDS, menu="items"),
    Action(id="reset_cuts", keys=("Backspace",), contexts=THRESHOLDS, menu="items", icon="undo"),
    Action(id="next_score", keys=("N", "Ctrl+Down"), contexts=THRESHOLDS, menu="items"),
    Action(id="previous_score", keys=("P", "Ctrl+Up"), contexts=THRESHOLDS, menu="items"),
    Action(id="save_selection", keys=("Ctrl+S",), contexts=THRESHOLDS, menu="items", icon="star"),
    Action(id="take_selection", keys=("B",), contexts=THRESHOLDS, menu="items"),
    Action(id="apply_cuts", keys=("Ctrl+Return",), contexts=THRESHOLDS, menu="items"),
    *(
        Action(id=f"view_{name}", keys=(str(n),), contexts=RESULTS, menu="view")
        for n, name in enumerate(RESULT_VIEWS, start=1)
    ),
    Action(id="save_picture", keys=("Ctrl+Shift+S",), contexts=(*RESULTS, *JOBS, *STUDIES), menu="items", icon="export"),
    Action(id="save_table", keys=("Ctrl+S",), contexts=(*RESULTS, *STUDIES), menu="items", icon="table"),
    Action(id="new_study", keys=("N",), contexts=STUDIES, menu="items", icon="add"),
    Action(id="create_study", keys=("Ctrl+Return",), contexts=STUDIES, menu="items"),
    Action(id="leave_draft", keys=("Esc",), contexts=STUDIES, menu="items"),
    Action(id="next_study", keys=("Ctrl+Up",), contexts=STUDIES, menu="items"),
    Action(id="previous_study", keys=("Ctrl+Down",), contexts=STUDIES, menu="items"),
    *(
        Action(id=f"study_{name}", keys=(str(n),), contexts=STUDIES, menu="view")
        for n, name in enumerate(STUDY_VIEWS, start=1)
    ),
    *(
        Action(id=f"outcome_{name}", keys=(str(n),), contexts=STUDIES, menu="view")
        for n, name in enumerate(OUTCOMES, start=len(STUDY_VIEWS) + 1)
    ),
    Action(id="make_invitations", keys=("Ctrl+I",), contexts=STUDIES, menu="items", icon="send"),
    Action(id="copy_link", keys=("C",), contexts=STUDIES, menu="items", icon="copy"),
    Action(id="copy_links", keys=("Shift+C",), contexts=STUDIES, menu="items"),
    Action(id="serve_page", keys=("Shift+P",), contexts=STUDIES, menu="items", icon="send"),
    Action(id="copy_command", keys=("P",), contexts=STUDIES, menu="items"),
    Action(id="close_study", keys=("X",), contexts=STUDIES, menu="items"),
    Action(id="reopen_study", keys=("O",), contexts=STUDIES, menu="items"),
    Action(id="withdraw_person", keys=("W",), contexts=STUDIES, menu="items", icon="exclude"),
    Action(id="erase_person", keys=("Del",), contexts=STUDIES, menu="items", icon="erase"),
    Action(id="open_in_results", keys=("R",), contexts=STUDIES, menu="items", icon="results"),
    Action(id="export_votes", keys=("Ctrl+E",), contexts=STUDIES, menu="items", icon="export"),
    Action(id="import_votes", keys=("Ctrl+Shift+I",), contexts=STUDIES, menu="items"),
    Action(id="write_report", keys=("Ctrl+R",), contexts=STUDIES, menu="items"),
    Action(id="take_part", keys=("T",), contexts=STUDIES, menu="items", icon="compare"),
    Action(id="make_sheets", keys=("Ctrl+G",), contexts=RESULTS, menu="items"),
    *(
        Action(id=f"circle_{side.lower()}", keys=(side,), contexts=EMBEDDINGS, menu="items", repeats=True)
        for side in ("Left", "Right", "Up", "Down")
    ),
    Action(id="circle_larger", keys=("+", "="), contexts=EMBEDDINGS, menu="items", repeats=True),
    Action(id="circle_smaller", keys=("-",), contexts=EMBEDDINGS, menu="items", repeats=True),
    Action(id="choose_circle", keys=("Space",), contexts=EMBEDDINGS, menu="items"),
    Action(id="other_colours", keys=("C",), contexts=EMBEDDINGS, menu="items"),
    *(Action(id=f"jobs_{view}", keys=(str(n),), contexts=JOBS, menu="jobs") for n, view in enumerate(JOB_VIEWS, start=1)),
    Action(id="new_job", keys=("N",), contexts=JOBS, menu="jobs", icon="add"),
    Action(id="start_job", keys=("Ctrl+Return",), contexts=JOBS, menu="jobs", icon="play"),
    Action(id="leave_form", keys=("Esc",), contexts=JOBS, menu="jobs"),
    Action(id="reset_form", keys=("Ctrl+Backspace",), contexts=JOBS, menu="jobs", icon="undo"),
    Action(id="more_settings", keys=("Ctrl+M",), contexts=JOBS, menu="jobs"),
    Action(id="cancel_job", keys=("Shift+C",), contexts=JOBS, menu="jobs"),
    Action(id="try_again", keys=("R",), contexts=JOBS, menu="jobs", icon="refresh"),
    Action(id="try_all", keys=("Shift+R",), contexts=JOBS, menu="jobs"),
    Action(id="start_changed", keys=("E",), contexts=JOBS, menu="jobs"),
    Action(id="follow_log", keys=("F",), contexts=JOBS, menu="jobs"),
    Action(id="find_next", keys=("F3",), contexts=JOBS, menu="jobs", repeats=True),
    Action(id="find_previous", keys=("Shift+F3",), contexts=JOBS, menu="jobs", repeats=True),
    Action(id="open_stage", keys=("O",), contexts=JOBS, menu="jobs"),
    Action(id="left_on", keys=("A",), contexts=JOBS, menu="jobs"),
    Action(id="left_back", keys=("Shift+A",), contexts=JOBS, menu="jobs"),
    Action(id="right_on", keys=("B",), contexts=JOBS, menu="jobs"),
    Action(id="right_back", keys=("Shift+B",), contexts=JOBS, menu="jobs"),
    Action(id="more_videos", keys=("M",), contexts=JOBS, menu="jobs"),
    Action(id="send_compare", keys=("V",), contexts=JOBS, menu="jobs", icon="compare"),
    Action(id="log_axis", keys=("G",), contexts=JOBS, menu="jobs"),
    Action(id="smoother", keys=("S",), contexts=JOBS, menu="jobs", repeats=True),
    Action(id="rougher", keys=("Shift+S",), contexts=JOBS, menu="jobs", repeats=True),
    *(
        Action(id=f"section_{name}", keys=(f"Ctrl+{n}",), contexts=SETTINGS, menu="view")
        for n, name in enumerate(SECTIONS, start=1)
    ),
    Action(id="next_section", keys=("Ctrl+PgDown",), contexts=SETTINGS, menu="view"),
    Action(id="previous_section", keys=("Ctrl+PgUp",), contexts=SETTINGS, menu="view"),
    Action(id="save_settings", keys=("Ctrl+S",), contexts=SETTINGS, menu="items"),
    Action(id="drop_settings", keys=("Esc",), contexts=SETTINGS, menu="items", icon="undo"),
    Action(id="bring_back", keys=("Ctrl+U",), contexts=SETTINGS, menu="items"),
    Action(id="reset_setting", keys=("Ctrl+R",), contexts=SETTINGS, menu="items"),
    Action(id="find_setting", keys=("Ctrl+F",), contexts=SETTINGS, menu="items", icon="search"),
    Action(id="place_folder", keys=("Ctrl+D",), contexts=SETTINGS, menu="items", icon="folder"),
    Action(id="place_file", keys=("Ctrl+Shift+D",), contexts=SETTINGS, menu="items"),
    Action(id="to_thresholds", keys=("Ctrl+G",), contexts=SETTINGS, menu="items", icon="thresholds"),
    Action(id="change_keys", keys=("F2",), contexts=SETTINGS, menu="items", icon="keyboard"),
    Action(id="reset_keys", keys=("Ctrl+Shift+R",), contexts=SETTINGS, menu="items"),
    Action(id="clear_storage", keys=("Ctrl+Shift+C",), contexts=SETTINGS, menu="items", icon="erase"),
    Action(id="forget_crashes", keys=("Ctrl+Shift+Del",), contexts=SETTINGS, menu="items"),
    Action(id="undo", keys=("Z", "Ctrl+Z"), contexts=JUDGE, menu="judge", icon="undo"),
    Action(id="reasons", keys=("R",), contexts=JUDGE, menu="judge", icon="reasons"),
    *(
        Action(id=f"mode_{mode}", keys=(f"Ctrl+{n}",), contexts=VERIFY, menu="judge")
        for n, mode in enumerate(("pairs", "subjects", "anchors", "cases"), start=1)
    ),
    Action(id="correct", keys=("E",), contexts=VERIFY, menu="judge", icon="mend"),
    Action(id="save_correction", keys=("Ctrl+S",), contexts=VERIFY, menu="judge"),
    Action(id="leave_correction", keys=("Esc",), contexts=VERIFY, menu="judge"),
    Action(id="tool_box", keys=("Shift+B",), contexts=VERIFY, menu="judge"),
    Action(id="tool_points", keys=("Shift+P",), contexts=VERIFY, menu="judge"),
    Action(id="tool_brush", keys=("Shift+R",), contexts=VERIFY, menu="judge"),
    Action(id="other_side", keys=("Shift+S",), contexts=VERIFY, menu="judge"),
    Action(id="take_back", keys=("Ctrl+Backspace",), contexts=VERIFY, menu="judge"),
    Action(id="overlay", keys=("M",), contexts=VERIFY, menu="view", icon="overlay"),
    Action(id="to_frame", keys=("T",), contexts=VERIFY, menu="playback"),
    Action(
        id="refresh",
        keys=("F5",),
        contexts=(*PLAYER, *THRESHOLDS, *RESULTS, *EMBEDDINGS, *SETTINGS, *STUDIES),
        menu="view",
        icon="refresh",
    ),
    Action(id="play", keys=("Space",), contexts=PLAYER, menu="playback", icon="play"),
    Action(id="step_back", keys=(",",), contexts=PLAYER, menu="playback", icon="back", repeats=True),
    Action(id="step_on", keys=(".",), contexts=PLAYER, menu="playback", icon="forward", repeats=True),
    Action(id="rewind", keys=("Home",), contexts=JUDGE, menu="playback"),
    Action(id="slower", keys=("[",), contexts=PLAYER, menu="playback"),
    Action(id="faster", keys=("]",), contexts=PLAYER, menu="playback"),
    Action(id="loop", keys=("L",), contexts=PLAYER, menu="playback", icon="loop"),
    Action(id="stretch", keys=("Shift+L",), contexts=PLAYER, menu="playback"),
    Action(id="listen", keys=("V",), contexts=COMPARE, menu="playback", icon="sound"),
    Action(id="other_sound", keys=("Shift+V",), contexts=COMPARE, menu="playback"),
    Action(id="shift_side", keys=("Alt+Up",), contexts=JUDGE, menu="playback"),
    Action(id="shift_back", keys=("Alt+Left",), contexts=JUDGE, menu="playback", repeats=True),
    Action(id="shift_on", keys=("Alt+Right",), contexts=JUDGE, menu="playback", repeats=True),
    Action(id="flicker", keys=("F",), contexts=JUDGE, menu="view", icon="flicker"),
    Action(id="wipe", keys=("W",), contexts=JUDGE, menu="view", icon="wipe"),
    Action(id="wipe_back", keys=("Shift+Left",), contexts=JUDGE, menu="view", repeats=True),
    Action(id="wipe_on", keys=("Shift+Right",), contexts=JUDGE, menu="view", repeats=True),
    Action(id="zoom_link", keys=("G",), contexts=JUDGE, menu="view", icon="link"),
    Action(id="zoom_in", keys=("+", "="), contexts=PLAYER, menu="view", repeats=True),
    Action(id="zoom_out", keys=("-",), contexts=PLAYER, menu="view", repeats=True),
    Action(id="zoom_fit", keys=("0",), contexts=PLAYER, menu="view"),
    Action(id="scores", keys=("H",), contexts=VERIFY, menu="view", icon="scores"),
    Action(id="rail", keys=("Ctrl+B",), contexts=WINDOW, menu="view", icon="rail"),
    Action(id="theme", keys=("Ctrl+T",), contexts=WINDOW, menu="view", icon="theme"),
    Action(id="language", keys=("Ctrl+Shift+L",), contexts=WINDOW, menu="view", icon="language"),
    Action(id="full_screen", keys=("F11",), contexts=WINDOW, menu="view"),
    Action(id="palette", keys=("Ctrl+K", "Ctrl+Shift+P"), contexts=WINDOW, menu="help", icon="search"),
    Action(id="sheet", keys=("?", "F1"), contexts=WINDOW, menu="help", icon="keyboard"),
)

MENUS = ("file", "go", "items", "jobs", "judge", "playback", "view", "help")
"""In the order of the menu bar; the title of each is the text `menus.NAME`."""


class ActionSet:
    """The QActions of one context, bound to a widget. Keys work while the focus is inside it."""

    def __init__(self, context: str, owner: QWidget, handlers: dict[str, Callable[[], object]]) -> None:
        rows = [with_own_keys(action) for action in ACTIONS if context in action.contexts]
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


def with_own_keys(action: Action) -> Action:
    """The action with the keys that this person gave it."""
    keys = preferences().keys.get(action.id)
    return action if keys is None else replace(action, keys=keys)


def key_of(name: str) -> str:
    """The key that does an action now, as a keycap shows it."""
    return shown_key(with_own_keys(next(action for action in ACTIONS if action.id == name)).keys[0])


def with_key(name: str) -> str:
    """An action's title and its key."""
    return f"{text(f'actions.{name}')} ({key_of(name)})"


@lru_cache(maxsize=1024)
def canonical_key(key: str) -> str:
    """One spelling of a Qt key name. Raises ValueError for a name that Qt does not know."""
    spelled = QKeySequence(key).toString(QKeySequence.SequenceFormat.PortableText)
    if not spelled:
        raise ValueError(f"{key!r} is not a key name of Qt, such as 1, A, Left or Ctrl+Z")
    return spelled


def shown_key(key: str) -> str:
    """A key as a keycap shows it."""
    names = {"Left": "←", "Right": "→", "Up": "↑", "Down": "↓", "Return": "↵", "Space": "Space"}
    return names.get(key) or QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)
