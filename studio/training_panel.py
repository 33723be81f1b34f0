"""A training run: its curves, and two validations beside each other, frame by frame in step."""

from collections.abc import Callable

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QSlider,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from backend.domain import ServiceError, StudioError
from backend.domain.jobs import TrainingRun, ValidationVideo
from studio.actions import ActionSet, shown_key
from studio.charts.curve_plot import CurvePlot
from studio.link import Link
from studio.player.deck import Deck
from studio.player.decoder import Reel
from studio.player.pane import Pane
from studio.player.transport import Transport
from studio.sessions.training_runs import SMOOTHEST, RunsSession
from studio.texts import text
from studio.theme import Theme
from studio.widgets import clear, label

RUNS_PX, NAMES_PX = 224, 196
SMOOTHNESS = 100  # of the slider
SIDES = ("left", "right")
MARKS = ("A", "B")
RUN_MARKS = {"running": "▸", "done": "✓", "stopped": "■", "failed": "✕"}


class TrainingPanel(QWidget):
    """Runs at the left, curves above, validations below. Signals say what a person wants; the page does it."""

    run_wanted = Signal(str)
    sides_changed = Signal()

    def __init__(self, session: RunsSession, link: Link, actions: ActionSet, run: Callable[[str], object]) -> None:
        super().__init__()
        self.session, self.link, self._actions, self._run = session, link, actions, run
        self._theme: Theme | None = None
        self._shown: object = None
        self._filling = False
        self.runs = _List(text("jobs.runs"), RUNS_PX)
        self.names = _List(text("jobs.curve_names"), NAMES_PX)
        self.plot = CurvePlot(text("jobs.curves"))
        self.reading = label("", "hint")
        self.smooth = QSlider(Qt.Orientation.Horizontal)
        self.smooth.setRange(0, round(SMOOTHNESS * SMOOTHEST))
        self.smooth.setValue(round(SMOOTHNESS * session.smoothing))
        self.smooth.setFixedWidth(130)
        self.smooth.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.smooth.setAccessibleName(text("jobs.smoothing"))
        self.smoothness = label("", "hint")
        self.log_axis = QPushButton(text("jobs.log_axis"))
        self.log_axis.setObjectName("toggle")
        self.log_axis.setCheckable(True)
        self.about = label("", "muted")
        self.about.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)  # cut where there is no room
        self.deck = Deck(align="index", max_edge_px=640)
        self.transport = Transport(self.deck, run)
        self.panes: dict[tuple[int, str], Pane] = {}
        self.boxes = [QComboBox(), QComboBox()]
        for side, box in zip(SIDES, self.boxes, strict=True):
            box.setAccessibleName(text(f"jobs.step_{side}"))
            box.setMinimumWidth(120)
        self.others = self._button("more_videos")
        self.send = self._button("send_compare")
        self.send.setObjectName("primary")
        self._grid = QWidget()
        QGridLayout(self._grid).setContentsMargins(0, 0, 0, 0)
        self._build()
        self._connect()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.plot.set_theme(theme)
        self.transport.set_theme(theme)
        for pane in self.panes.values():
            pane.set_colours(theme.colour("well"), theme.colour("muted"))

    def close_panel(self) -> None:
        self._shown = None
        self.deck.close()

    def show_runs(self) -> None:
        """The list of runs, and what the shown one is."""
        self._filling = True
        self.runs.fill([(one.run, run_words(one)) for one in self.session.runs], self.session.shown)
        self._filling = False
        run = self.session.run
        if run is not None:
            checkpoints = text("jobs.checkpoints", count=len(run.checkpoints))
            self.about.setText(
                "   ·   ".join((text("jobs.run_step", step=run.step, steps=run.steps), checkpoints, run.run))
            )
        self.show_sides()

    def show_curves(self) -> None:
        """What is drawn, as smooth as it is wished."""
        session = self.session
        with QSignalBlocker(self.names):
            self.names.fill([(name, name) for name in session.names()], "", ticked=session.drawn)
        self.plot.show_curves(session.lines(), is_log=session.is_log, axis=text("jobs.axis_step"))
        self.smoothness.setText(f"{session.smoothing:.2f}")
        self.log_axis.setChecked(session.is_log)
        self._tell_marks()

    def show_sides(self) -> None:
        """Which validations stand where; their videos when they are at hand."""
        session = self.session
        run = session.run
        for side, box in enumerate(self.boxes):
            with QSignalBlocker(box):
                samples = run.samples if run is not None else ()
                if [box.itemData(n) for n in range(box.count())] != list(samples):
                    box.clear()
                    for step in samples:
                        box.addItem(text("jobs.step", step=step), step)
                box.setCurrentIndex(box.findData(session.sides[side]))
            box.setEnabled(box.count() > 0)
        self.others.setVisible(session.num_videos > len(session.pairs()))
        self.send.setEnabled(session.comparable is not None)
        self._tell_marks()
        self._show_videos()

    def _build(self) -> None:
        curves = QWidget()
        column = QVBoxLayout(curves)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        head = QHBoxLayout()
        head.setSpacing(9)
        head.addWidget(self.about, 1)
        for widget in (label(text("jobs.smoothing"), "fact_name"), self.smooth, self.smoothness, self.log_axis):
            head.addWidget(widget)
        column.addLayout(head)
        middle = QHBoxLayout()
        middle.setSpacing(12)
        middle.addWidget(self.plot, 1)
        middle.addWidget(self.names)
        column.addLayout(middle, 1)
        column.addWidget(self.reading)
        self.reading.hide()
        videos = QWidget()
        column = QVBoxLayout(videos)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(8)
        head = QHBoxLayout()
        head.setSpacing(9)
        head.addWidget(label(text("jobs.validations"), "slot"))
        for side, (name, box) in enumerate(zip(SIDES, self.boxes, strict=True)):
            caption = label(f"{MARKS[side]}  {text(f'jobs.step_{name}')}", "fact_name")
            caption.setBuddy(box)
            head.addSpacing(8)
            head.addWidget(caption)
            head.addWidget(box)
        head.addStretch(1)
        head.addWidget(self.others)
        head.addWidget(self.send)
        column.addLayout(head)
        column.addWidget(self._grid, 1)
        column.addWidget(self.transport)
        split = QSplitter(Qt.Orientation.Vertical)
        split.setObjectName("bare")
        split.setHandleWidth(10)
        split.addWidget(curves)
        split.addWidget(videos)
        split.setSizes([340, 330])
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(16)
        row.addWidget(self.runs)
        row.addWidget(split, 1)

    def _connect(self) -> None:
        self.runs.currentItemChanged.connect(self._chose_run)
        self.names.setSelectionMode(QAbstractItemView.SelectionMode.MultiSelection)
        self.names.itemSelectionChanged.connect(self._chose_names)
        self.smooth.valueChanged.connect(self._smoothed)
        self.log_axis.clicked.connect(lambda: self._run("log_axis"))
        self.plot.read.connect(self._tell_reading)
        for side, box in enumerate(self.boxes):
            box.currentIndexChanged.connect(lambda _=0, side=side: self._chose_side(side))

    def _button(self, name: str) -> QPushButton:
        button = QPushButton(text(f"jobs.do_{name}"))
        button.setObjectName("worded")
        button.setToolTip(f"{text(f'actions.{name}')} ({shown_key(self._actions.rows[name].keys[0])})")
        button.clicked.connect(lambda: self._run(name))
        return button

    def _chose_run(self, item: QListWidgetItem | None) -> None:
        if item is not None and not self._filling:
            self.run_wanted.emit(item.data(Qt.ItemDataRole.UserRole))

    def _chose_names(self) -> None:
        self.session.draw(item.data(Qt.ItemDataRole.UserRole) for item in self.names.selectedItems())
        self.show_curves()

    def _smoothed(self, value: int) -> None:
        self.session.smoothing = value / SMOOTHNESS
        self.show_curves()

    def _chose_side(self, side: int) -> None:
        step = self.boxes[side].currentData()
        if step is not None and self.session.put(side, int(step)):
            self.sides_changed.emit()

    def _tell_marks(self) -> None:
        marks = [(mark, step) for mark, step in zip(MARKS, self.session.sides, strict=True) if step is not None]
        if len(marks) == 2 and marks[0][1] == marks[1][1]:
            marks = [("A B", marks[0][1])]
        self.plot.mark_steps(marks)

    def _tell_reading(self, step: int, values: dict[str, float]) -> None:
        said = "   ".join(f"{name} {value:.5g}" for name, value in values.items())
        self.reading.show()
        self.reading.setText(f"{text('jobs.step', step=step)}:   {said}")
        self.plot.setAccessibleDescription(self.reading.text())

    def _show_videos(self) -> None:
        """Panes for what is shown; they are made anew only when something else is."""
        session = self.session
        pairs = session.pairs()
        shown = (session.shown, session.sides, pairs)
        if shown == self._shown:
            return
        self._shown = shown
        self.deck.load((), play=False)
        clear(self._grid)
        self.panes = {}
        grid = self._grid.layout()
        assert isinstance(grid, QGridLayout)
        grid.setSpacing(8)
        if not pairs:
            waits = bool(session.missing())
            said = label(text("jobs.videos_coming" if waits else "jobs.no_videos"), "muted")
            said.setAlignment(Qt.AlignmentFlag.AlignCenter)
            said.setWordWrap(True)
            grid.addWidget(said, 0, 0)
            return
        wanted = []
        for column, (name, videos) in enumerate(pairs):
            for side, video in enumerate(videos):
                place = (side, column) if len(pairs) > 1 else (0, side)
                grid.addWidget(self._pane(side, name, video), *place)
                if video is not None:
                    wanted.append((side, name, video))
        self._load(wanted, shown)

    def _pane(self, side: int, name: str, video: ValidationVideo | None) -> Pane:
        step = self.session.sides[side]
        said = f"{MARKS[side]} · {text('jobs.step', step=step)}"
        pane = Pane(f"{said}, {name}")
        pane.setMinimumSize(90, 70)
        pane.set_badge(said)
        pane.setToolTip("\n".join(part for part in (name, video.caption if video else "") if part))
        if self._theme is not None:
            pane.set_colours(self._theme.colour("well"), self._theme.colour("muted"))
        pane.show_sentence(text("library.preparing") if video else text("jobs.no_such_video"))
        pane.looked.connect(lambda look, source=pane: [p.set_look(look) for p in self.panes.values() if p is not source])
        self.panes[side, name] = pane
        return pane

    def _load(self, wanted: list[tuple[int, str, ValidationVideo]], shown: object) -> None:
        """Finds the files on a worker thread, then plays all of them from the first frame together."""
        api = self.link.api

        def find() -> dict[tuple[int, str], Reel | str]:
            found: dict[tuple[int, str], Reel | str] = {}
            for side, name, video in wanted:
                try:
                    file = api.media(media_id=video.media_id)
                except ServiceError:
                    raise
                except StudioError as error:
                    found[side, name] = str(error)
                    continue
                playable = file.num_frames > 0 and file.fps > 0
                reel = Reel(path=file.path, num_frames=file.num_frames, fps=file.fps)
                found[side, name] = reel if playable else text("library.no_clip")
            return found

        def ready(found: dict[tuple[int, str], Reel | str]) -> None:
            if shown != self._shown:
                return
            reels = []
            for place, what in found.items():
                if isinstance(what, Reel):
                    reels.append((self.panes[place], what))
                else:
                    self.panes[place].show_sentence(what)
            self.deck.load(reels, play=False)

        def failed(error: StudioError) -> None:
            if shown == self._shown:
                self._shown = None
                for pane in self.panes.values():
                    pane.show_sentence(str(error))

        self.link.ask(find, ready, failed, slow=True)


class _List(QListWidget):
    """Names, with ticks where several can be chosen."""

    def __init__(self, name: str, width: int) -> None:
        super().__init__()
        self.setObjectName("items")
        self.setAccessibleName(name)
        self.setFixedWidth(width)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def keyboardSearch(self, search: str) -> None:
        """Letters are actions here."""

    def fill(self, rows: list[tuple[str, str]], current: str, *, ticked: tuple[str, ...] | None = None) -> None:
        """Keys and words; rows are made anew only where they are others."""
        if [self.item(n).data(Qt.ItemDataRole.UserRole) for n in range(self.count())] != [key for key, _ in rows]:
            self.clear()
            for key, _ in rows:
                item = QListWidgetItem()
                item.setData(Qt.ItemDataRole.UserRole, key)
                self.addItem(item)
        for n, (key, words) in enumerate(rows):
            item = self.item(n)
            item.setToolTip(key)
            if ticked is None:
                item.setText(words)
            else:
                item.setText(f"{'✓' if key in ticked else '    '}  {words}")
                item.setSelected(key in ticked)
            if current and key == current and self.currentRow() != n:
                self.setCurrentRow(n)


def run_words(run: TrainingRun) -> str:
    """A run in its list: mark of its state, folder, recipe, how far."""
    name = run.run.rstrip("/").rpartition("/")[2]
    state = text(f"jobs.run_{run.state}")
    return f"{RUN_MARKS[run.state]}  {name}\n      {run.recipe} · {state} · {run.step:,} / {run.steps:,}"
