"""How the jobs page looks: views above, one of them in the middle, what can be done below."""

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from backend.domain.jobs import StageFlow
from studio.actions import ActionSet, shown_key
from studio.charts.flow_plot import FlowLegend, FlowPlot, FlowView
from studio.flow import HintRow
from studio.flow_words import sentence_of
from studio.job_list import JobList
from studio.job_panel import EmptyPanel, JobPanel, StartPanel
from studio.link import Link
from studio.quarantine_panel import QuarantinePanel
from studio.sessions.jobs import VIEWS, JobsSession
from studio.sessions.quarantine import QuarantineSession
from studio.sessions.training_runs import RunsSession
from studio.texts import text
from studio.theme import Theme
from studio.training_panel import TrainingPanel
from studio.widgets import Chip, label

HINTS: dict[str, tuple[str, ...]] = {
    "list": ("cancel_job", "try_again", "start_changed", "find", "follow_log"),
    "form": ("start_job", "more_settings", "find", "reset_form", "leave_form"),
    "flow": ("open_stage", "save_picture"),
    "quarantine": ("try_again", "try_all", "choose_all", "find"),
    "training": ("send_compare", "left_on", "right_on", "more_videos", "log_axis", "save_picture"),
}
"""Keys that are shown below each view, and below the form that stands in the first."""
JOB, FORM, EMPTY = range(3)
"""What stands beside the list of jobs."""


class JobsLayout:
    """The widgets of the page; it fills and connects them."""

    def __init__(
        self,
        page: QWidget,
        link: Link,
        actions: ActionSet,
        run: Callable[[str], object],
        sessions: tuple[JobsSession, QuarantineSession, RunsSession],
        more_rows: Callable[[], object],
    ) -> None:
        jobs, quarantine, runs = sessions
        self._actions, self._run = actions, run
        self.jobs = JobList()
        self.job = JobPanel(jobs, actions, run)
        self.start = StartPanel(actions, run)
        self.empty = EmptyPanel()
        self.flow = FlowPlot(text("jobs.flow"))
        self.legend = FlowLegend()
        self.quarantine = QuarantinePanel(quarantine, link, more_rows, run)
        self.training = TrainingPanel(runs, link, actions, run)
        self.tabs: dict[str, QPushButton] = {}
        self.beside, self.stack = QStackedWidget(), QStackedWidget()
        self.rests: dict[str, EmptyPanel] = {}
        self._stacks: dict[str, QStackedWidget] = {}
        self._hints: dict[str, HintRow] = {}
        column = QVBoxLayout(page)
        column.setContentsMargins(24, 16, 24, 12)
        column.setSpacing(12)
        column.addLayout(self._build_head())
        for view, body in (
            ("list", self._build_list()),
            ("flow", self._build_flow()),
            ("quarantine", self.quarantine),
            ("training", self.training),
        ):
            self.stack.addWidget(self._with_rest(view, body))
        column.addWidget(self.stack, 1)
        column.addLayout(self._build_foot())

    def set_theme(self, theme: Theme) -> None:
        for widget in (self.jobs, self.job, self.flow, self.legend, self.quarantine, self.training):
            widget.set_theme(theme)

    def show_view(self, view: str) -> None:
        self.tabs[view].setChecked(True)
        self.stack.setCurrentIndex(VIEWS.index(view))

    def show_hints(self, which: str) -> None:
        """Keys of a view; the others go first, so that there is never room to be made for both."""
        for hints in self._hints.values():
            hints.hide()
        self._hints[which].show()

    def allow_hints(self, actions: Mapping[str, QAction]) -> None:
        """Keys that do nothing now are pale."""
        for hints in self._hints.values():
            for name, button in hints.buttons.items():
                button.setEnabled(actions[name].isEnabled())

    def focus_of(self, view: str) -> QWidget:
        """What takes the keys in a view."""
        places = {
            "list": self.jobs,
            "flow": self.flow,
            "quarantine": self.quarantine.table,
            "training": self.training.plot,
        }
        return places[view]

    def show_body(self, view: str) -> None:
        """The view itself, in place of a sentence."""
        self._stacks[view].setCurrentIndex(0)

    def rest(self, view: str, head: str, words: str, *, offering: bool = False) -> None:
        """A sentence in place of a view."""
        self.rests[view].say(head, words)
        self.rests[view].offer(offering=offering)
        self._stacks[view].setCurrentIndex(1)

    def is_resting(self, view: str) -> bool:
        return self._stacks[view].currentIndex() == 1

    def show_trouble(self, sentence: str) -> None:
        """Quietly, that what is shown is not of now."""
        self.trouble.setVisible(bool(sentence))
        self.trouble.setToolTip(sentence)
        self.trouble.setAccessibleDescription(sentence)

    def show_flow(self, stages: Sequence[StageFlow]) -> None:
        self.flow.show_stages(stages)
        self.tell_stage(self.flow.current)

    def tell_stage(self, number: int) -> None:
        """The sentence of the stage that is looked at."""
        stages = self.flow.stages
        self.sentence.setText(sentence_of(stages, number) if stages else "")

    def say(self, sentence: str) -> None:
        """What was done last."""
        self.status.setText(sentence)

    def _build_head(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(4)
        for view in VIEWS:
            tab = QPushButton(text(f"jobs.view_{view}"))
            tab.setObjectName("segment")
            tab.setCheckable(True)
            tab.setAutoExclusive(True)
            tab.setToolTip(f"{text(f'actions.jobs_{view}')} ({self._actions.rows[f'jobs_{view}'].keys[0]})")
            tab.clicked.connect(lambda _=False, view=view: self._run(f"jobs_{view}"))
            row.addWidget(tab)
            self.tabs[view] = tab
        row.addStretch(1)
        self.trouble = Chip(text("jobs.not_now"), "warn")
        self.trouble.hide()
        row.addWidget(self.trouble)
        row.addSpacing(8)
        new = QPushButton(text("jobs.do_new_job"))
        new.setObjectName("primary")
        new.setToolTip(f"{text('actions.new_job')} ({shown_key(self._actions.rows['new_job'].keys[0])})")
        new.clicked.connect(lambda: self._run("new_job"))
        self.new = new
        row.addWidget(new)
        return row

    def _build_list(self) -> QWidget:
        body = QWidget()
        row = QHBoxLayout(body)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(16)
        row.addWidget(self.jobs)
        for widget in (self.job, self.start, self.empty):
            self.beside.addWidget(widget)
        row.addWidget(self.beside, 1)
        return body

    def _build_flow(self) -> QWidget:
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addWidget(FlowView(self.flow), 1)
        self.sentence = label("", "muted")
        self.sentence.setWordWrap(True)
        self.sentence.setMinimumHeight(2 * self.sentence.fontMetrics().lineSpacing())
        self.sentence.setAlignment(Qt.AlignmentFlag.AlignTop)
        column.addWidget(self.sentence)
        column.addWidget(self.legend)
        self.flow.looked.connect(self.tell_stage)
        return body

    def _with_rest(self, view: str, body: QWidget) -> QStackedWidget:
        """A view and, in its place, a sentence where there is nothing to show."""
        stack = QStackedWidget()
        stack.addWidget(body)
        self.rests[view] = EmptyPanel()
        stack.addWidget(self.rests[view])
        self._stacks[view] = stack
        return stack

    def _build_foot(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(4)
        self.status = label("", "progress_text")
        self.status.setMinimumWidth(0)
        self.status.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        row.addWidget(self.status, 1)
        for view, names in HINTS.items():
            self._hints[view] = HintRow(self._actions, names, "jobs.do_", self._run)
            row.addWidget(self._hints[view], 2)
        return row
