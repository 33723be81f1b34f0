"""How the results page looks: views at the left; choices, the picture and its table at the right."""

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from studio.actions import ActionSet
from studio.charts.figures import ResultChart
from studio.flow import FlowLayout, HintRow
from studio.frame_player import FramePlayer
from studio.sentences import translated
from studio.sessions.results import VIEWS, Cell, Sheet
from studio.texts import named, text
from studio.theme import Theme
from studio.widgets import Rest, label

BOXES = ("preset", "group", "study", "aspect", "metric", "calibration", "case")
SHOWN: dict[str, tuple[str, ...]] = {
    "leaderboard": ("preset", "group", "metric"),
    "wins": ("study", "aspect"),
    "scatter": ("preset", "study", "aspect", "metric"),
    "agreement": ("study",),
    "calibration": ("calibration",),
    "frames": ("metric", "case"),
    "raters": ("study",),
    "sheets": (),
}
"""What is chosen in each view."""
MOST_BOX_LETTERS = 16
HINTS = ("save_picture", "save_table", "make_sheets")
MOST_LETTERS = 40  # of a cell; the rest is its tip
LEFT, RIGHT = (side | Qt.AlignmentFlag.AlignVCenter for side in (Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight))
LETTERS = {"participant": 12, "rater": 12, "link": 100, "token": 60}
"""Of cells in columns whose ids are told apart by less, or are to be read whole."""
NAMED = {
    "rule": "studies.step_",
    "removed_by": "studies.left_",
    "group": "studies.group_",
    "state": "studies.person_",
    "measure": "studies.measure_",
    "aspect": "aspects",
}
"""Columns whose cells are names of the code, and the texts that say what people call those."""
MOST_ROWS = 500  # of the screen; what is kept as a file has all
ROW_PX, ROOM_PX = 27, 6


class SheetTable(QTableWidget):
    """A sheet; rows can be chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("items")
        self.sheet = Sheet()
        self.setAccessibleName(text("results.table"))
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW_PX)

    def keyboardSearch(self, search: str) -> None:
        """Letters are actions here."""

    def show_sheet(self, sheet: Sheet) -> None:
        """Shows it; the one that is shown already stays as it is, with what is chosen in it."""
        if sheet == self.sheet:
            return
        self.sheet = sheet
        self.clearSpans()
        self.clear()
        shown = sheet.rows[:MOST_ROWS]
        self.setRowCount(len(shown))
        self.setColumnCount(len(sheet.head))
        self.setHorizontalHeaderLabels([n[1:] if n.startswith("=") else text(f"results.head_{n}") for n in sheet.head])
        numbers = [any(isinstance(cells[n], int | float) for cells in sheet.rows) for n in range(len(sheet.head))]
        for row, cells in enumerate(shown):
            for place, cell in enumerate(cells):
                said, most = _said(cell, sheet.head[place]), LETTERS.get(sheet.head[place], MOST_LETTERS)
                item = QTableWidgetItem(said if len(said) <= most else f"{said[: most - 1]}…")
                item.setToolTip(said if len(said) > most else "")
                item.setTextAlignment(RIGHT if numbers[place] and not isinstance(cell, str) else LEFT)
                self.setItem(row, place, item)
        for place, are_numbers in enumerate(numbers):
            head = self.horizontalHeaderItem(place)
            if head is not None:
                head.setTextAlignment(RIGHT if are_numbers else LEFT)
        self.resizeColumnsToContents()
        for place in range(len(sheet.head)):
            self.setColumnWidth(place, self.columnWidth(place) + ROOM_PX)

        if len(sheet.rows) > MOST_ROWS:
            self._tell_more(len(sheet.rows) - MOST_ROWS)

    def chosen(self) -> tuple[str, ...]:
        """First cells of the chosen rows."""
        found = [self.item(row, 0) for row in self.chosen_rows()]
        return tuple(item.text() for item in found if item is not None)

    def chosen_rows(self) -> tuple[int, ...]:
        """Places of the chosen rows in the sheet."""
        return tuple(sorted({index.row() for index in self.selectedIndexes()}))

    def _tell_more(self, count: int) -> None:
        """A last row that cannot be chosen: to fill more than some thousand cells would hold the window up."""
        row = self.rowCount()
        self.setRowCount(row + 1)
        for place in range(self.columnCount()):
            item = QTableWidgetItem(text("results.more_rows", count=count) if place == 0 else "")
            item.setFlags(Qt.ItemFlag.NoItemFlags)
            self.setItem(row, place, item)
        self.setSpan(row, 0, 1, self.columnCount())


class ResultsLayout:
    """The widgets of the page; it fills and connects them."""

    def __init__(self, page: QWidget, actions: ActionSet, run: Callable[[str], object], player: FramePlayer) -> None:
        self.chart = ResultChart(text("results.chart"))
        self.player = player
        self.table = SheetTable()
        self.picture_file: Path | None = None
        """The drawn sheet that is shown among the cases."""
        self.boxes: dict[str, QComboBox] = {}
        self._choices: dict[str, QWidget] = {}
        self._tabs: dict[str, QPushButton] = {}
        column = QVBoxLayout(page)
        column.setContentsMargins(24, 16, 24, 12)
        column.setSpacing(12)
        column.addLayout(self._build_tabs(actions, run))
        column.addLayout(self._build_boxes())
        self.about = label("", "muted")
        self.about.setWordWrap(True)
        column.addWidget(self.about)
        self.stack = QStackedWidget()
        self.stack.addWidget(self._build_body())
        self._rest = Rest()
        self.stack.addWidget(self._rest)
        column.addWidget(self.stack, 1)
        row = QHBoxLayout()
        self.status = label("", "progress_text")
        row.addWidget(self.status)
        row.addWidget(HintRow(actions, HINTS, "results.do_", run), 1)
        column.addLayout(row)

    def set_theme(self, theme: Theme) -> None:
        self.chart.set_theme(theme)
        self.player.set_theme(theme)

    def show_view(self, view: str) -> None:
        """Makes room for a view: its choices, and a picture or a chart."""
        self._tabs[view].setChecked(True)
        for name, choice in self._choices.items():
            choice.setVisible(name in SHOWN[view])
        self.stack.setCurrentIndex(0)
        self.pictures.setCurrentIndex(1 if view == "sheets" else 0)
        self.player.setVisible(view == "frames")
        self.about.setText("")
        self.chart.show_nothing()
        self.chart.setAccessibleDescription(text(f"results.view_{view}"))

    def say_about(self, sentence: str, remarks: Sequence[str]) -> None:
        self.about.setText("   ·   ".join((sentence, *map(translated, remarks[:3]))))

    def say(self, sentence: str) -> None:
        """What was done last."""
        self.status.setText(sentence)

    def rest(self, head: str, words: str) -> None:
        """A sentence in place of picture and table."""
        self._rest.say(head, words)
        self.stack.setCurrentIndex(1)

    @property
    def shows_chart(self) -> bool:
        """Whether a chart with something in it stands on the page."""
        return self.stack.currentIndex() == 0 and self.pictures.currentIndex() == 0 and not self.chart.is_empty

    def show_picture(self, path: Path | None) -> None:
        """A drawn sheet, as wide as there is room for."""
        self.picture_file = path
        picture = QPixmap() if path is None else QPixmap(str(path))
        wide = max(200, self.pictures.width() - 24)
        self.picture.setPixmap(
            picture.scaledToWidth(wide, Qt.TransformationMode.SmoothTransformation) if wide < picture.width() else picture
        )
        self.picture.setAccessibleName("" if path is None else path.stem)

    def _build_tabs(self, actions: ActionSet, run: Callable[[str], object]) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(4)
        for view in VIEWS:
            tab = QPushButton(text(f"results.view_{view}"))
            tab.setObjectName("segment")
            tab.setCheckable(True)
            tab.setAutoExclusive(True)
            tab.setToolTip(f"{text(f'actions.view_{view}')} ({actions.rows[f'view_{view}'].keys[0]})")
            tab.clicked.connect(lambda _=False, view=view: run(f"view_{view}"))
            row.addWidget(tab)
            self._tabs[view] = tab
        row.addStretch(1)
        return row

    def _build_boxes(self) -> FlowLayout:
        flow = FlowLayout(spacing=12)
        for name in BOXES:
            box = QComboBox()
            box.setObjectName(name)
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(MOST_BOX_LETTERS)
            box.setAccessibleName(text(f"results.box_{name}"))
            caption = label(text(f"results.box_{name}"), "fact_name")
            caption.setBuddy(box)
            choice = QWidget()
            row = QHBoxLayout(choice)
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(8)
            row.addWidget(caption)
            row.addWidget(box)
            flow.addWidget(choice)
            self.boxes[name], self._choices[name] = box, choice
        return flow

    def _build_body(self) -> QWidget:
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        self.picture = QLabel(text("results.no_picture"))
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        around = QScrollArea()
        around.setWidgetResizable(True)
        around.setWidget(self.picture)
        self.pictures = QStackedWidget()
        self.pictures.addWidget(self.chart)
        self.pictures.addWidget(around)
        column.addWidget(self.pictures, 3)
        column.addWidget(self.player, 3)
        column.addWidget(self.table, 2)
        return body


def _said(cell: Cell, column: str) -> str:
    """A cell on the screen; files keep the names of the code."""
    if cell is None:
        return "–"
    if not isinstance(cell, str):
        return f"{cell:.4g}" if isinstance(cell, float) else str(cell)
    return named(NAMED[column], cell) if cell and column in NAMED else translated(cell)
