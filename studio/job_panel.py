"""One job beside the list: how it goes, what it was asked, what it said; or the form that starts another."""

from collections.abc import Callable
from datetime import UTC, datetime

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from backend.domain.jobs import JobRow
from studio.actions import ActionSet, shown_key
from studio.item_model import stage_words
from studio.job_list import MARKS, TONES, job_title, lasted, started_words, state_word
from studio.log_view import LogView
from studio.sentences import translated
from studio.sessions.job_form import FormSession
from studio.sessions.jobs import RUNNING, STARTED_HERE, JobsSession, share, took_s
from studio.settings_form import SettingsForm
from studio.texts import text
from studio.theme import Theme
from studio.widgets import Chip, Rest, clear, label

STEPS = 1000  # of the bar
MOST_ASKED = 14
"""Settings of a job that are shown; the rest is counted."""


class JobPanel(QWidget):
    """What `show_job` gives."""

    def __init__(self, session: JobsSession, actions: ActionSet, run: Callable[[str], object]) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.title, self.state = label("", "title"), Chip()
        self.buttons = {name: _action_button(name, actions, run) for name in ("cancel_job", "try_again", "start_changed")}
        self.bar = QProgressBar(textVisible=False)
        self.bar.setMaximum(STEPS)
        self.bar.setAccessibleName(text("jobs.progress"))
        self.place = label("", "muted")
        self.message = label("", "job_message")
        self.message.setWordWrap(True)
        self.facts = label("", "fact_name")
        self.asked = label("", "fact")
        for words in (self.message, self.facts, self.asked):
            words.setWordWrap(True)
            words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.log = LogView(session.tail)
        head = QHBoxLayout()
        head.setSpacing(10)
        self.title.setWordWrap(True)
        head.addWidget(self.title, 1)
        head.addWidget(self.state)
        for button in self.buttons.values():
            button.hide()  # until a job is there; all at once would make the window wider than a small screen
            head.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(9)
        column.addLayout(head)
        for widget in (self.facts, self.bar, self.place, self.message, self.asked):
            column.addWidget(widget)
        column.addSpacing(2)
        column.addWidget(self.log, 1)

    def set_theme(self, theme: Theme) -> None:
        self.log.set_theme(theme)

    def show_job(self, job: JobRow) -> None:
        """How it stands now."""
        now = datetime.now(UTC)
        self.title.setText(job_title(job))
        self.state.setText(f"{MARKS[job.state]} {state_word(job)}")
        self.state.set_tone(TONES[job.state])
        running = job.state in RUNNING
        took = lasted(took_s(job, now))
        parts = [text("jobs.began", when=started_words(job, now)) if job.started_at else "", took]
        parts += [text("jobs.by", actor=job.actor) if job.actor else "", job.out]
        self.facts.setText("   ·   ".join(part for part in parts if part))
        done = share(job)
        self.bar.setVisible(job.state == "running" and done is not None)
        self.bar.setValue(round(STEPS * (done or 0.0)))
        place = f"{job.done:,} / {job.total:,}" if job.total else ""
        self.place.setText("   ·   ".join(p for p in (stage_words(job.stage), place) if p) if running else "")
        self.place.setVisible(bool(self.place.text()))
        self.message.setText(translated(job.message))
        self.message.setVisible(bool(job.message))
        self.message.setProperty("tone", "bad" if job.state == "failed" else "quiet")
        self.message.style().polish(self.message)
        self.asked.setText(asked_words(job))
        self.asked.setVisible(bool(self.asked.text()))
        self.buttons["cancel_job"].setVisible(running)
        for name in ("try_again", "start_changed"):
            self.buttons[name].setVisible(not running and job.kind in STARTED_HERE)


class StartPanel(QWidget):
    """Which kind of job, its form, and the way to start it."""

    kind_wanted = Signal(str)

    def __init__(self, actions: ActionSet, run: Callable[[str], object]) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.kinds: dict[str, QPushButton] = {}
        group = QButtonGroup(self)
        tabs = QHBoxLayout()
        tabs.setSpacing(4)
        for kind in STARTED_HERE:
            tab = QPushButton(text(f"jobs.kind_of_{kind}"))
            tab.setObjectName("segment")
            tab.setCheckable(True)
            tab.setToolTip(text(f"jobs.about_{kind}"))
            tab.clicked.connect(lambda _=False, kind=kind: self.kind_wanted.emit(kind))
            group.addButton(tab)
            tabs.addWidget(tab)
            self.kinds[kind] = tab
        tabs.addStretch(1)
        self.about = label("", "muted")
        self.about.setWordWrap(True)
        self.form = SettingsForm()
        self.waiting = label("", "muted")
        self.waiting.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.waiting.setWordWrap(True)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.form)
        self.stack.addWidget(self.waiting)
        self.trouble = label("", "banner")
        self.trouble.setWordWrap(True)
        self.trouble.hide()
        self.go = _action_button("start_job", actions, run)
        self.go.setObjectName("primary")
        self.leave = _action_button("leave_form", actions, run)
        self.defaults = _action_button("reset_form", actions, run)
        foot = QHBoxLayout()
        foot.setSpacing(10)
        foot.addWidget(self.defaults)
        foot.addStretch(1)
        foot.addWidget(self.leave)
        foot.addWidget(self.go)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(12)
        column.addWidget(label(text("jobs.start_head"), "title"))
        column.addLayout(tabs)
        column.addWidget(self.about)
        column.addWidget(self.stack, 1)
        column.addWidget(self.trouble)
        column.addLayout(foot)

    def show_kind(self, kind: str) -> None:
        """Which kind is asked for, while its form is on its way."""
        self.kinds[kind].setChecked(True)
        self.about.setText(text(f"jobs.about_{kind}"))
        self.show_trouble("")

    def show_form(self, session: FormSession) -> None:
        """Its fields."""
        self.form.show_form(session)
        self.stack.setCurrentIndex(0)

    def wait(self, sentence: str) -> None:
        """Words in place of the form."""
        self.waiting.setText(sentence)
        self.stack.setCurrentIndex(1)

    def show_trouble(self, sentence: str) -> None:
        """What the service says of a start that names no field."""
        self.trouble.setText(sentence)
        self.trouble.setVisible(bool(sentence))


class EmptyPanel(Rest):
    """A sentence where there is nothing to show; where jobs can be started, their kinds below it."""

    kind_wanted = Signal(str)

    def __init__(self) -> None:
        self._cards = QWidget()
        QVBoxLayout(self._cards).setContentsMargins(0, 8, 0, 0)
        super().__init__(self._cards)

    def offer(self, *, offering: bool) -> None:
        """The kinds of jobs, or none."""
        clear(self._cards)
        layout = self._cards.layout()
        assert layout is not None
        for kind in STARTED_HERE if offering else ():
            card = QPushButton(f"{text(f'jobs.kind_of_{kind}')}   –   {text(f'jobs.about_{kind}')}")
            card.setObjectName("row")
            card.setCursor(Qt.CursorShape.PointingHandCursor)
            card.clicked.connect(lambda _=False, kind=kind: self.kind_wanted.emit(kind))
            layout.addWidget(card)


def asked_words(job: JobRow) -> str:
    """What a job was started with, as one would write it in the command."""
    said = [f"{name} = {value}" for name, value in sorted(job.asked.items()) if value != ""]
    more = len(said) - MOST_ASKED
    return "    ".join([*said[:MOST_ASKED], *([f"+{more}"] if more > 0 else [])])


def _action_button(name: str, actions: ActionSet, run: Callable[[str], object]) -> QPushButton:
    button = QPushButton(text(f"jobs.do_{name}"))
    button.setObjectName("worded")
    button.setToolTip(f"{text(f'actions.{name}')} ({shown_key(actions.rows[name].keys[0])})")
    button.clicked.connect(lambda: run(name))
    return button
