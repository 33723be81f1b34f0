"""How the library page looks: kinds, search and filters above, the list in the middle, the item beside it, what can be done below."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QSplitter,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from backend.domain.library import KINDS, ItemColumn
from studio.actions import ActionSet
from studio.filter_bar import FilterBar
from studio.flow import FlowLayout, HintRow
from studio.item_detail import DetailPanel
from studio.item_model import GridModel, ItemModel, column_title
from studio.item_views import ItemGrid, ItemTable
from studio.link import Link
from studio.sessions.library import LibrarySession, Look
from studio.texts import counted, text
from studio.theme import Theme, icon
from studio.widgets import Rest, label, tool_button

SEARCH_PX = 280
TOOLS = {"layout": "library", "details": "details", "views": "star"}
HINTS = ("send", "export_items", "exclude", "include")


class LibraryLayout:
    """The widgets of the page; it fills and connects them."""

    def __init__(
        self,
        page: QWidget,
        link: Link,
        actions: ActionSet,
        run: Callable[[str], object],
        model: ItemModel,
        grid_model: GridModel,
    ) -> None:
        self.table, self.grid = ItemTable(model), ItemGrid(grid_model)
        self.detail = DetailPanel(link, run)
        self.filters = FilterBar()
        self.tabs: dict[str, QPushButton] = {}
        self._tools: dict[str, QToolButton] = {}
        self._actions, self._run = actions, run
        self._said = ""
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(24, 16, 20, 12)
        column.setSpacing(12)
        column.addLayout(self._build_head())
        column.addLayout(self._build_filters())
        self.lists = QStackedWidget()
        self.lists.addWidget(self.table)
        self.lists.addWidget(self.grid)
        self.rest_button = QPushButton(text("library.clear_filters"))
        self.rest_button.setObjectName("worded")
        self.rest_button.clicked.connect(lambda: self._run("clear_filters"))
        self.rest = Rest(self.rest_button)
        self.lists.addWidget(self.rest)
        column.addWidget(self.lists, 1)
        column.addLayout(self._build_foot())
        self.sides = QSplitter(Qt.Orientation.Horizontal)
        self.sides.setHandleWidth(1)
        self.sides.setChildrenCollapsible(False)
        self.sides.addWidget(left)
        self.sides.addWidget(self.detail)
        self.sides.setStretchFactor(0, 1)
        row = QHBoxLayout(page)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.sides)

    @property
    def views_button(self) -> QToolButton:
        return self._tools["views"]

    def set_theme(self, theme: Theme) -> None:
        self.table.set_theme(theme)
        self.grid.set_theme(theme)
        self.detail.set_theme(theme)
        for name, tool in self._tools.items():
            tool.setIcon(icon(TOOLS[name], theme.colour("muted")))

    def show_counts(self, counts: dict[str, int]) -> None:
        """How many of each kind are kept."""
        for kind, tab in self.tabs.items():
            tab.setText(f"{text(f'library.kind_{kind}')}  {counts.get(kind, 0):,}")

    def show_look(self, look: Look, columns: Sequence[ItemColumn]) -> None:
        """Tabs, search and filters as the look has them."""
        self.tabs[look.kind].setChecked(True)
        if self.search.text() != look.search:
            blocked = self.search.blockSignals(True)
            self.search.setText(look.search)
            self.search.blockSignals(blocked)
        self.filters.show_look(look, columns)
        order = look.order.removeprefix("-")
        arrow = "↓" if look.order.startswith("-") else "↑"
        self.order.setText(f"{column_title(order)} {arrow}" if order else text("library.footage_order"))

    def say(self, sentence: str) -> None:
        """What was done, until the next thing is."""
        self._said = sentence

    def show_state(self, session: LibrarySession, *, num_chosen: int) -> None:
        """The line below the list, and what stands there in place of an empty one."""
        kind = text(f"library.kind_{session.look.kind}").lower()
        parts = [counted(session.look.kind, session.total)] if session.is_known else []
        if num_chosen > 1 or session.all_chosen:
            key = "library.all_chosen" if session.all_chosen else "library.chosen"
            parts.append(text(key, number=f"{num_chosen:,}"))
        if self._said:
            parts.append(self._said)
        self.status.setText("   ·   ".join(parts))
        shown = self.grid if session.look.layout == "grid" else self.table
        if session.trouble:
            self._rest(text("library.trouble"), session.trouble)
        elif not session.is_known:
            self._rest(text("library.looking"), "")
        elif not session.total and session.look.is_narrow:
            self._rest(text("library.nothing_matches"), text("library.nothing_matches_words"), clearing=True)
        elif not session.total:
            self._rest(text("library.nothing_yet", kind=kind), text("library.nothing_yet_words"))
        else:
            self.lists.setCurrentWidget(shown)
            return
        self.lists.setCurrentWidget(self.rest)

    def _rest(self, head: str, words: str, *, clearing: bool = False) -> None:
        self.rest.say(head, words)
        self.rest_button.setVisible(clearing)

    def _build_head(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(4)
        group, kinds = QButtonGroup(self.detail), QWidget()
        flow = FlowLayout(kinds, spacing=4)
        for kind in KINDS:
            tab = QPushButton(text(f"library.kind_{kind}"))
            tab.setObjectName("segment")
            tab.setCheckable(True)
            tab.clicked.connect(lambda _=False, kind=kind: self._run(f"kind_{kind}"))
            group.addButton(tab)
            flow.addWidget(tab)
            self.tabs[kind] = tab
        row.addWidget(kinds, 1)
        for name in TOOLS:
            keys = self._actions.rows[name].keys
            tool = tool_button(name, f"{text(f'actions.{name}')} ({keys[0]})")
            tool.clicked.connect(lambda _=False, name=name: self._run(name))
            row.addWidget(tool)
            self._tools[name] = tool
        return row

    def _build_filters(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        self.search = QLineEdit()
        self.search.setMaximumWidth(SEARCH_PX)
        self.search.setMinimumWidth(SEARCH_PX // 2)
        self.search.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.search.setPlaceholderText(text("library.search"))
        self.search.setToolTip(text("library.search_tip"))
        self.search.setAccessibleName(text("library.search"))
        self.search.setClearButtonEnabled(True)
        row.addWidget(self.search, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.filters, 1)
        self.order = QPushButton()
        self.order.setObjectName("quiet_button")
        self.order.setToolTip(text("actions.sort"))
        self.order.clicked.connect(lambda: self._run("sort"))
        row.addWidget(self.order)
        return row

    def _build_foot(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(4)
        self.status = label("", "progress_text")
        self.status.setMinimumSize(QSize(0, 28))
        row.addWidget(self.status)
        row.addWidget(HintRow(self._actions, HINTS, "library.do_", self._run), 1)
        return row
