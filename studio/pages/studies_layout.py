"""How the page of studies looks: studies at the left; the chosen one, or the draft of a new one, at the right."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from backend.domain.studies import StudySummary
from studio.actions import ActionSet
from studio.flow import HintRow
from studio.pages.studies_draft import DraftForm
from studio.pages.studies_hint import DraftHint
from studio.pages.studies_outcome import OutcomeView
from studio.pages.studies_views import InviteView, MonitorView, PeopleView
from studio.sessions.results import Sheet
from studio.sessions.studies import VIEWS, StudiesSession, state_of
from studio.texts import counted, named, text
from studio.theme import Theme
from studio.widgets import Chip, Rest, label

LIST_PX, ROW_PX = 236, 48
MARKS = {"running": "●", "complete": "✓", "closed": "■", "waiting": "○"}
TONES = {"running": "accent", "complete": "good", "closed": "quiet", "waiting": "warn"}
HINTS: dict[str, tuple[str, ...]] = {
    "monitor": ("take_part", "close_study", "reopen_study", "save_table"),
    "invite": ("serve_page", "make_invitations", "copy_link", "copy_links", "save_table"),
    "people": ("withdraw_person", "erase_person", "open_in_results", "save_table"),
    "outcome": ("open_in_results", "export_votes", "write_report", "save_picture", "save_table"),
    "draft": ("create_study", "leave_draft"),
    "rest": ("new_study",),
}
"""What stands below each look; everything can be done by its key anywhere."""


class StudyList(QListWidget):
    """Studies with how far they are."""

    wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("items")
        self.setAccessibleName(text("studies.list"))
        self.currentItemChanged.connect(self._tell)

    def keyboardSearch(self, search: str) -> None:
        """Letters are actions here."""

    def show_studies(self, studies: Sequence[StudySummary], current: str) -> None:
        """Newest first; the current one is selected without telling."""
        self.blockSignals(True)
        rows = [(one.name, f"{MARKS[state_of(one)]}  {one.name}\n     {_how_far(one)}") for one in reversed(studies)]
        if [self.item(row).data(Qt.ItemDataRole.UserRole) for row in range(self.count())] != [name for name, _ in rows]:
            self.clear()
            for name, _ in rows:
                item = QListWidgetItem()
                item.setData(Qt.ItemDataRole.UserRole, name)
                item.setSizeHint(QSize(0, ROW_PX))
                self.addItem(item)
        for row, (name, words) in enumerate(rows):
            self.item(row).setText(words)
            if name == current:
                self.setCurrentRow(row)
        self.blockSignals(False)

    def _tell(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.wanted.emit(item.data(Qt.ItemDataRole.UserRole))


class StudiesLayout:
    """The widgets of the page; it fills and connects them."""

    def __init__(self, page: QWidget, actions: ActionSet, run: Callable[[str], object]) -> None:
        self._actions, self._run = actions, run
        self.list = StudyList()
        self.monitor, self.people = MonitorView(), PeopleView()
        self.invite = InviteView(
            {name: lambda name=name: run(name) for name in ("serve_page", "copy_command", "make_invitations")}
        )
        self.outcome = OutcomeView(lambda name: run(f"outcome_{name}"))
        self.form = DraftForm()
        self.hint = DraftHint(lambda: run("create_study"), lambda: run("leave_draft"))
        self.views = {"monitor": self.monitor, "invite": self.invite, "people": self.people, "outcome": self.outcome}
        self._tabs: dict[str, QPushButton] = {}
        self.stack = QStackedWidget()
        self.nothing = Rest()
        for widget in (self._build_study(), self._build_draft(), self.nothing):
            self.stack.addWidget(widget)
        row = QHBoxLayout()
        row.setSpacing(18)
        self.left = self._build_left()
        row.addWidget(self.left)
        row.addWidget(self.stack, 1)
        column = QVBoxLayout(page)
        column.setContentsMargins(24, 16, 24, 12)
        column.setSpacing(12)
        column.addLayout(row, 1)
        column.addLayout(self._build_foot())

    @property
    def sheet(self) -> Sheet:
        """The table of the look that is shown."""
        return self.views[VIEWS[self.looks.currentIndex()]].sheet

    def set_theme(self, theme: Theme) -> None:
        for view in (self.monitor, self.outcome):
            view.set_theme(theme)

    def say(self, sentence: str) -> None:
        """What was done last."""
        self.status.setText(sentence)

    def rest(self, head: str, words: str) -> None:
        """A sentence in place of a study."""
        self.nothing.say(head, words)
        self._show(2, "rest")
        self.left.setVisible(bool(self.list.count()))

    def show_draft(self) -> None:
        """The form of a new study, and what it would come to, in place of everything."""
        self.left.hide()
        self._show(1, "draft")

    def show_study(self, session: StudiesSession) -> None:
        """The head of the study that is looked at, and the look at it."""
        study = session.study
        assert study is not None, "a study is looked at"
        self.left.show()
        self.list.show_studies(session.studies, session.current)
        self.title.setText(study.name)
        state = state_of(study)
        self.chip.setText(" ".join((MARKS[state], text(f"studies.state_{state}"))))
        self.chip.set_tone(TONES[state])
        self.about.setText(_about(study))
        self._tabs[session.view].setChecked(True)
        self.looks.setCurrentIndex(VIEWS.index(session.view))
        self._show(0, session.view)

    def _show(self, place: int, hints: str) -> None:
        self.stack.setCurrentIndex(place)
        for name, button in self.hints.items():
            button.setVisible(name in HINTS[hints] and self._actions.qt[name].isEnabled())

    def _build_left(self) -> QWidget:
        holder = QWidget()
        holder.setFixedWidth(LIST_PX)
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        new = QPushButton(text("studies.new"))
        new.setObjectName("worded")
        new.setToolTip(f"{text('actions.new_study')} ({self._actions.rows['new_study'].keys[0]})")
        new.clicked.connect(lambda _=False: self._run("new_study"))
        column.addWidget(self.list, 1)
        column.addWidget(new)
        return holder

    def _build_study(self) -> QWidget:
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        self.title, self.chip, self.about = label("", "title"), Chip(), label("", "muted")
        self.about.setWordWrap(True)
        self.title.setWordWrap(True)
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(self.chip)
        head.addSpacing(12)
        for view in VIEWS:
            tab = QPushButton(text(f"studies.view_{view}"))
            tab.setObjectName("segment")
            tab.setCheckable(True)
            tab.setAutoExclusive(True)
            tab.setToolTip(f"{text(f'actions.study_{view}')} ({self._actions.rows[f'study_{view}'].keys[0]})")
            tab.clicked.connect(lambda _=False, view=view: self._run(f"study_{view}"))
            head.addWidget(tab)
            self._tabs[view] = tab
        column.addLayout(head)
        column.addWidget(self.about)
        self.looks = QStackedWidget()
        for view in VIEWS:
            self.looks.addWidget(self.views[view])
        column.addWidget(self.looks, 1)
        return body

    def _build_draft(self) -> QWidget:
        body = QWidget()
        row = QHBoxLayout(body)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(18)
        column = QVBoxLayout()
        column.setSpacing(10)
        column.addWidget(label(text("studies.new_study"), "title"))
        column.addWidget(self.form, 1)
        row.addLayout(column, 1)
        row.addWidget(self.hint)
        return body

    def _build_foot(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(4)
        self.status = label("", "progress_text")
        row.addWidget(self.status)
        names = (*dict.fromkeys(n for names in HINTS.values() for n in names if n != "save_table"), "save_table")
        hints = HintRow(self._actions, names, "studies.do_", self._run)
        self.hints = hints.buttons
        row.addWidget(hints, 1)
        return row


def _how_far(study: StudySummary) -> str:
    finished = text("studies.finished_of", number=f"{study.finished:,}", total=f"{study.participants_needed:,}")
    return " · ".join((text(f"studies.state_{state_of(study)}"), finished))


def _about(study: StudySummary) -> str:
    """What the study is, in a line; why it was closed, in another."""
    parts = [
        text(f"studies.kind_{study.kind}"),
        f"{study.form}: {', '.join(named('aspects', one) for one in study.aspects)}",
        text("studies.of_systems", systems=", ".join(study.systems)),
        text("studies.sized", items=counted("item", study.items), trials=counted("trial", study.trials)),
    ]
    if study.sequential:
        parts.append(text("studies.is_sequential"))
    said = "   ·   ".join(parts)
    if study.closed_at:
        said += "\n" + text("studies.was_closed", at=study.closed_at[:16].replace("T", " "), why=study.closed_because)
    return said
