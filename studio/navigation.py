"""The list of pages at the window's left, with what is open above it and how things stand below it."""

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from studio.actions import ActionSet, shown_key
from studio.pages import PAGES
from studio.sync import SyncState
from studio.texts import text
from studio.theme import Theme, icon
from studio.widgets import ChipButton, label, tool_button

WIDE_PX, NARROW_PX = 208, 60


class Rail(QWidget):
    """Buttons for the pages; `actions` are the window's, so that a click does what the key does. It can be narrow: icons alone."""

    def __init__(self, actions: ActionSet, *, project: str, rater: str, run: Callable[[str], object]) -> None:
        super().__init__()
        self.setObjectName("rail")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.is_narrow = False
        self._votes_key = shown_key(actions.rows["votes"].keys[0])
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(12, 14, 12, 12)
        column.setSpacing(4)
        column.addWidget(self._build_head(project))
        column.addSpacing(14)
        self.buttons: dict[str, QToolButton] = {}
        group = QButtonGroup(self)
        for name in PAGES:
            button = QToolButton()
            button.setObjectName("place")
            button.setText(f"  {text(f'pages.{name}')}")  # Qt puts no room between drawing and words
            button.setAccessibleName(text(f"pages.{name}"))
            button.setToolTip(f"{text(f'pages.{name}')} ({shown_key(actions.rows[f'page_{name}'].keys[0])})")
            button.setCheckable(True)
            button.setIconSize(QSize(20, 20))
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(lambda _=False, name=name: actions.qt[f"page_{name}"].trigger())
            group.addButton(button)
            column.addWidget(button)
            self.buttons[name] = button
        column.addStretch(1)
        self.chip = ChipButton("", "good")
        self.chip.clicked.connect(lambda: run("votes"))
        self.rater = label(rater, "small")
        column.addWidget(self.chip)
        column.addWidget(self.rater)
        column.addSpacing(4)
        column.addWidget(self._build_tools(actions, run))
        self.set_narrow(False)

    def set_narrow(self, narrow: bool) -> None:
        """Icons alone, or with their names."""
        self.is_narrow = narrow
        self.setFixedWidth(NARROW_PX if narrow else WIDE_PX)
        style = Qt.ToolButtonStyle.ToolButtonIconOnly if narrow else Qt.ToolButtonStyle.ToolButtonTextBesideIcon
        for button in self.buttons.values():
            button.setToolButtonStyle(style)
        for words in (self.project, self.rater, self.chip):
            words.setVisible(not narrow)
        for name, tool in self._tools.items():
            tool.setVisible(not narrow or name == "palette")

    def set_page(self, name: str) -> None:
        self.buttons[name].setChecked(True)

    def set_theme(self, theme: Theme) -> None:
        for name, button in self.buttons.items():
            button.setIcon(icon(PAGES[name].icon, theme.colour("muted"), on=theme.colour("accent")))
        drawings = {"palette": "search", "sheet": "keyboard", "theme": "theme"}
        for name, tool in self._tools.items():
            tool.setIcon(icon(drawings[name], theme.colour("muted")))
        self._mark.setPixmap(icon("studio", theme.colour("accent"), size_px=24).pixmap(24, 24))

    def show_sync(self, state: SyncState, *, lost: str) -> None:
        """How votes and service stand; `lost` is why the service does not answer."""
        words = sync_words(state, lost=bool(lost))
        tone = "bad" if state.refused else "warn" if state.trouble or state.waiting or lost else "good"
        self.chip.setText(words)
        self.chip.set_tone(tone)
        tip = text("frame.refused_tip") if state.refused else state.trouble or lost or text("frame.saved_tip")
        self.chip.setToolTip(f"{tip} ({self._votes_key})")
        self.chip.setAccessibleName(words)

    def _build_head(self, project: str) -> QWidget:
        head = QWidget()
        row = QHBoxLayout(head)
        row.setContentsMargins(6, 0, 0, 0)
        row.setSpacing(10)
        self._mark = QLabel()
        self.project = label(project, "brand")
        self.project.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.project.setToolTip(project)
        row.addWidget(self._mark)
        row.addWidget(self.project, 1)
        return head

    def _build_tools(self, actions: ActionSet, run: Callable[[str], object]) -> QWidget:
        tools = QWidget()
        row = QHBoxLayout(tools)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        self._tools: dict[str, QToolButton] = {}
        for name in ("palette", "sheet", "theme"):
            tool = tool_button(name, f"{text(f'actions.{name}')} ({shown_key(actions.rows[name].keys[0])})")
            tool.clicked.connect(lambda _=False, name=name: run(name))
            row.addWidget(tool)
            self._tools[name] = tool
        row.addStretch(1)
        return tools


def sync_words(state: SyncState, *, lost: bool = False) -> str:
    """The chip: saved, so many waiting, offline, or so many refused."""
    waiting = text("frame.waiting", count=state.waiting) if state.waiting else ""
    if state.refused:
        return text("frame.refused", count=state.refused)
    if state.trouble or lost:
        away = text("frame.offline" if state.lost or lost else "frame.not_sent")
        return f"{away} · {waiting}" if waiting else away
    return waiting or text("frame.saved")
