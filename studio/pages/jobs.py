"""Jobs: long work is started, followed and looked after; how items go through the stages, what failed, how training goes."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt, QTimer

from backend.domain import StudioError
from backend.domain.jobs import JobRow, QuarantinePage, StageFlow
from backend.domain.studies import StudySummary
from studio.actions import ActionSet, key_of
from studio.charts.chart import save_picture
from studio.item_model import stage_words
from studio.job_list import job_title, state_word
from studio.job_starter import JobStarter
from studio.jobs_feed import JobsFeed
from studio.pages.compare import ComparePage
from studio.pages.jobs_layout import EMPTY, FORM, JOB, JobsLayout
from studio.pages.page import Page, PageContext
from studio.player.deck import Deck
from studio.player.pane import Look
from studio.player.transport import playing
from studio.sessions.jobs import VIEWS, JobsSession
from studio.sessions.quarantine import QuarantineSession
from studio.sessions.training_runs import RunsSession
from studio.texts import text
from studio.theme import Theme

SEARCH_MS = 220
SMOOTH_STEP = 5  # of the slider's hundredths
OF_FORM = ("start_job", "leave_form", "reset_form", "more_settings")
PLAYS = ("play", "step_back", "step_on", "slower", "faster", "loop", "zoom_in", "zoom_out", "zoom_fit")
ONLY_IN: dict[str, tuple[str, ...]] = {
    "list": ("follow_log", "find_next", "find_previous"),
    "flow": ("open_stage",),
    "quarantine": ("try_all", "choose_all"),
    "training": (
        *("send_compare", "left_on", "left_back", "right_on", "right_back"),
        *("more_videos", "log_axis", "smoother", "rougher"),
    ),
}
"""Actions of one view; elsewhere their keys are free for what has the focus."""


class JobsPage(Page):
    """The sessions say what is looked at; the feed asks while the page is shown; this shows what came, and does what is wanted."""

    def __init__(self, context: PageContext) -> None:
        super().__init__(context)
        self.session, self.held, self.training = JobsSession(), QuarantineSession(), RunsSession()
        self._closed, self._retries_all = False, False
        self.feed = JobsFeed(context.link, self.session, self.held, self.training)
        self.actions_ = ActionSet("jobs", self, self._handlers())
        sessions = (self.session, self.held, self.training)
        self.layout_of = JobsLayout(self, context.link, self.actions_, self.run, sessions, self.feed.more_rows)
        self.starter = JobStarter(self.layout_of.start, context.link, rater=context.rater, project=context.project)
        self._search_soon = QTimer(self, singleShot=True, interval=SEARCH_MS)
        self._connect()
        self.set_theme(context.theme)
        for view in VIEWS:
            self.layout_of.rest(view, text("jobs.looking"), "")
        self.look_at(VIEWS[0])

    def start(self) -> None:
        self.feed.start()
        self._focus()

    def leave(self) -> None:
        self.feed.stop()
        self._search_soon.stop()
        self._pause()

    def close_page(self) -> None:
        self._closed = True
        self.leave()
        self.starter.close()
        self.layout_of.quarantine.close_panel()
        self.layout_of.training.close_panel()

    def set_theme(self, theme: Theme) -> None:
        self.layout_of.set_theme(theme)

    def describe(self) -> str:
        return f"{self.session.view}, job {self.session.shown}, run {self.training.shown}"

    @property
    def deck(self) -> Deck:
        """What plays in the present view."""
        layout = self.layout_of
        return (layout.quarantine if self.session.view == "quarantine" else layout.training).deck

    def look_at(self, view: str) -> None:
        """Shows another view."""
        self.session.view = view
        self.layout_of.show_view(view)
        self._pause()
        self._allow()
        self.feed.ask()
        self._focus()

    def offer(self, kind: str, asked: dict[str, str] | None = None) -> None:
        """Shows the form of a kind of job, filled in with what another was `asked`."""
        if self.session.view != "list":
            self.look_at("list")
        self._body("list")
        self.layout_of.beside.setCurrentIndex(FORM)
        self._allow()
        self.starter.offer(kind, asked)

    def _handlers(self) -> dict[str, Callable[[], object]]:
        layout = lambda: self.layout_of  # noqa: E731 - made after the actions
        log = lambda: self.layout_of.job.log  # noqa: E731
        form = lambda: self.layout_of.start.form  # noqa: E731
        smooth = lambda: self.layout_of.training.smooth  # noqa: E731
        return {
            **{f"jobs_{view}": partial(self.look_at, view) for view in VIEWS},
            "new_job": lambda: self.offer(self.starter.kind),
            "start_job": lambda: self.starter.start(),
            "leave_form": self._leave_form,
            "reset_form": lambda: form().reset(),
            "more_settings": lambda: form().show_more(not form().more.isChecked()),
            "cancel_job": self._cancel,
            "try_again": self._try_again,
            "try_all": partial(self._retry, ()),
            "start_changed": self._start_changed,
            "follow_log": lambda: log().set_follows(not log().follows),
            "find": self._find,
            "find_next": lambda: log().find(1),
            "find_previous": lambda: log().find(-1),
            "open_stage": lambda: self._open_stage(layout().flow.current),
            "choose_all": lambda: layout().quarantine.choose_all(),
            "left_on": partial(self._move_side, 0, 1),
            "left_back": partial(self._move_side, 0, -1),
            "right_on": partial(self._move_side, 1, 1),
            "right_back": partial(self._move_side, 1, -1),
            "more_videos": self._more_videos,
            "send_compare": self._send_compare,
            "log_axis": self._turn_axis,
            "smoother": lambda: smooth().setValue(smooth().value() + SMOOTH_STEP),
            "rougher": lambda: smooth().setValue(smooth().value() - SMOOTH_STEP),
            "save_picture": self._keep_picture,
            "refresh": self._refresh,
            **playing(lambda: self.deck, self._zoom),
        }

    def _connect(self) -> None:
        layout = self.layout_of
        layout.jobs.wanted.connect(self._show_job)
        layout.start.kind_wanted.connect(self.offer)
        self.starter.started.connect(self._follow)
        self.starter.refused.connect(self.context.notify)
        layout.empty.kind_wanted.connect(self.offer)
        layout.rests["list"].kind_wanted.connect(self.offer)
        layout.flow.opened.connect(self._open_stage)
        layout.quarantine.looked_for.connect(self._search_soon.start)
        layout.training.run_wanted.connect(self._show_run)
        layout.training.sides_changed.connect(self._show_sides)
        self._search_soon.timeout.connect(self._look_for)
        self.feed.came.connect(self._came)
        self.feed.troubled.connect(self._on_trouble)
        self.link.revived.connect(self._refresh)

    def _came(self, name: str, found: object) -> None:
        """Shows what the feed has brought."""
        if not self._closed:
            getattr(self, f"_show_{name}")(found)

    def _show_jobs(self, ended: tuple[JobRow, ...]) -> None:
        session, layout = self.session, self.layout_of
        for job in ended:
            layout.say(text("jobs.has_ended", job=job_title(job), state=state_word(job)))
        filling = layout.beside.currentIndex() == FORM
        if not session.jobs and not filling:
            layout.rest("list", text("jobs.nothing"), text("jobs.nothing_words"), offering=True)
        else:
            self._body("list")
        layout.jobs.show_jobs(session.jobs, session.shown)
        job = session.job
        if job is not None:
            layout.job.show_job(job)
        if not filling:
            layout.beside.setCurrentIndex(JOB if job is not None else EMPTY)
        self._allow()

    def _show_log(self, new: tuple[str, ...]) -> None:
        self.layout_of.job.log.append(new)

    def _show_flow(self, stages: tuple[StageFlow, ...]) -> None:
        if not any(stage.entering for stage in stages):
            self.layout_of.rest("flow", text("jobs.no_flow"), text("jobs.no_flow_words"))
            return
        self._body("flow")
        self.layout_of.show_flow(stages)

    def _show_rows(self, _page: object) -> None:
        """Rows of the quarantine came."""
        panel, held = self.layout_of.quarantine, self.held
        if not held.total and not held.stage and not held.search:
            self.layout_of.rest("quarantine", text("jobs.no_quarantine"), text("jobs.no_quarantine_words"))
        else:
            self._body("quarantine")
        panel.show_rows()
        if self._retries_all:
            self._retry_matching()

    def _show_quarantine(self, first: QuarantinePage) -> None:
        """Something else is in quarantine now: shown unless somebody is choosing."""
        if len(self.layout_of.quarantine.chosen()) > 1 or self.held.all_chosen:
            self.layout_of.say(text("library.changed", cap=key_of("refresh")))
            return
        self.held.take_anew(first)
        self.layout_of.quarantine.model.restart()
        self._show_rows(first)

    def _show_runs(self, _runs: object) -> None:
        if not self.training.runs:
            self.layout_of.rest("training", text("jobs.no_runs"), text("jobs.no_runs_words"))
            return
        self._body("training")
        self.layout_of.training.show_runs()
        self.feed.videos()

    def _show_curves(self, _curves: object) -> None:
        self.layout_of.training.show_curves()

    def _show_videos(self, _step: object) -> None:
        self.layout_of.training.show_sides()

    def _on_trouble(self, sentence: str) -> None:
        if self._closed:
            return
        self.layout_of.show_trouble(sentence)
        view = self.session.view
        if sentence and self.layout_of.is_resting(view):
            self.layout_of.rest(view, text("jobs.trouble"), sentence)

    def _show_job(self, job_id: str) -> None:
        if self.session.show(job_id):
            self.layout_of.job.log.show_anew()
        self.layout_of.beside.setCurrentIndex(JOB)
        if self.session.job is not None:
            self.layout_of.job.show_job(self.session.job)
        self._allow()
        self.feed.ask()

    def _follow(self, job: JobRow) -> None:
        """Looks at a job that has just been started."""
        if self._closed:
            return
        layout = self.layout_of
        self.session.know((job, *(one for one in self.session.jobs if one.job_id != job.job_id)))
        layout.beside.setCurrentIndex(JOB)
        if self.session.view != "list":
            self.look_at("list")
        self._show_jobs(())
        self._show_job(job.job_id)
        layout.jobs.show_jobs(self.session.jobs, job.job_id)
        layout.say(text("jobs.started", job=job_title(job)))
        self._focus()
        self.feed.hurry("jobs", "log")

    def _leave_form(self) -> None:
        self.layout_of.beside.setCurrentIndex(JOB if self.session.job is not None else EMPTY)
        self._show_jobs(())
        self._focus()

    def _cancel(self) -> None:
        job = self.session.job
        if job is None or not self.session.can_cancel:
            return

        def cancelled(_: object) -> None:
            if not self._closed:
                self.layout_of.say(text("jobs.cancelling", job=job_title(job)))
                self.feed.hurry("jobs", "log")

        self.link.ask(lambda: self.link.api.cancel(job_id=job.job_id), cancelled, self._refused)

    def _try_again(self) -> None:
        """In the list the job as it was; in quarantine the chosen items."""
        if self.session.view == "quarantine":
            keys = self.held.chosen(self.layout_of.quarantine.chosen())
            if keys is not None:
                self._retry(keys)
            elif self.held.all_chosen and self.held.rows:
                self._retries_all = True
                self.feed.more_rows()
            else:
                self.layout_of.say(text("library.nothing_chosen"))
        elif (job := self.session.job) is not None and self.session.can_start_again:
            self.starter.again(job)

    def _retry_matching(self) -> None:
        """Rows that match are fetched to the last before they are tried again."""
        keys = self.held.chosen(())
        if keys is None and self.held.all_chosen and self.held.rows:
            self.feed.more_rows()
            return
        self._retries_all = False
        if keys:
            self._retry(keys)

    def _retry(self, keys: tuple[str, ...]) -> None:
        rater = self.context.rater

        def started(job: JobRow) -> None:
            if not self._closed:
                self._refresh_rows()
                self._follow(job)

        self.link.ask(lambda: self.link.api.retry(work_keys=keys, rater=rater), started, self._refused)

    def _start_changed(self) -> None:
        if (job := self.session.job) is not None and self.session.can_start_again:
            self.offer(job.kind, dict(job.asked))

    def _find(self) -> None:
        field = self.layout_of.quarantine.search
        if self.session.view == "list":
            start = self.layout_of.start.form
            filling = self.layout_of.beside.currentIndex() == FORM
            if filling:
                start.show_more(True)
            field = start.search if filling else self.layout_of.job.log.search
        field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        field.selectAll()

    def _open_stage(self, number: int) -> None:
        """What a stage failed on."""
        stages = self.layout_of.flow.stages
        if number >= len(stages):
            return
        stage = stages[number]
        if not stage.failed:
            self.layout_of.say(text("jobs.nothing_failed", stage=stage_words(stage.stage)))
            return
        self.layout_of.quarantine.choose_stage(stage.stage)
        self.look_at("quarantine")
        self._look_for()
        self._focus()

    def _look_for(self) -> None:
        stage, search = self.layout_of.quarantine.asked
        if self.held.look_at(stage=stage, search=search):
            self._refresh_rows()

    def _refresh_rows(self) -> None:
        self.held.restart()
        self.layout_of.quarantine.model.restart()
        self.feed.more_rows()

    def _show_run(self, run: str) -> None:
        if self.training.show(run):
            self.layout_of.training.show_runs()
            self.layout_of.training.show_curves()
            self.feed.videos()
            self.feed.hurry("curves")

    def _show_sides(self) -> None:
        self.layout_of.training.show_sides()
        self.feed.videos()

    def _move_side(self, side: int, by: int) -> None:
        if self.training.move(side, by):
            self._show_sides()

    def _more_videos(self) -> None:
        if self.training.more_videos():
            self.layout_of.training.show_sides()

    def _turn_axis(self) -> None:
        self.training.is_log = not self.training.is_log
        self.layout_of.training.show_curves()

    def _send_compare(self) -> None:
        steps, run = self.training.comparable, self.training.shown
        if steps is None:
            self.layout_of.say(text("jobs.not_comparable"))
            return

        def made(study: StudySummary) -> None:
            if not self._closed:
                self.layout_of.say(text("jobs.study_made", name=study.name, count=study.items))
                self.context.open_page("compare")
                compare = self.window().findChild(ComparePage)
                if compare is not None:
                    compare.take_up(study.name)

        self.layout_of.say(text("jobs.study_coming"))
        self.link.ask(lambda: self.link.api.compare_checkpoints(run=run, steps=steps), made, self._refused, slow=True)

    def _keep_picture(self) -> None:
        folder = self.context.project / "exports" / "jobs"
        view = self.session.view
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for ending in ("svg", "png"):
                save_picture(self.layout_of.focus_of(view), folder / f"{view}.{ending}")
        except (OSError, StudioError) as error:
            self.context.notify(text("results.not_kept", reason=str(error)))
            return
        self.layout_of.say(text("results.kept", place=str(folder / f"{view}.png")))

    def _refresh(self) -> None:
        if self.isVisible() and not self._closed:
            self._refresh_rows()
            self.feed.hurry()

    def _zoom(self, factor: float) -> None:
        layout = self.layout_of
        panes = [layout.quarantine.pane] if self.session.view == "quarantine" else list(layout.training.panes.values())
        for pane in panes[:1]:
            pane.set_look(Look()) if factor == 0 else pane.zoom_by(factor)
        for pane in panes[1:]:
            pane.set_look(panes[0].look)

    def _pause(self) -> None:
        for deck in (self.layout_of.quarantine.deck, self.layout_of.training.deck):
            deck.pause()

    def _body(self, view: str) -> None:
        """A view in place of the sentence that stood there; it takes the keys where it is the one that is looked at."""
        rested = self.layout_of.is_resting(view)
        self.layout_of.show_body(view)
        if rested and view == self.session.view:
            self._focus()

    def _focus(self) -> None:
        """To what takes the keys; a form keeps them."""
        layout, view = self.layout_of, self.session.view
        resting = layout.is_resting(view)
        if view == "list" and layout.beside.currentIndex() == FORM and not resting:
            return
        (self if resting else layout.focus_of(view)).setFocus()

    def _allow(self) -> None:
        """Actions that make sense now; the keys of the others are free for what has the focus."""
        view, actions, layout = self.session.view, self.actions_.qt, self.layout_of
        form = view == "list" and layout.beside.currentIndex() == FORM and not layout.is_resting("list")
        layout.show_hints("form" if form else view)
        may = {name: where == view and not form for where, names in ONLY_IN.items() for name in names}
        may |= dict.fromkeys(OF_FORM, form)
        may |= dict.fromkeys(PLAYS, view in ("quarantine", "training"))
        again = view == "list" and not form and self.session.can_start_again
        may |= {
            "cancel_job": view == "list" and not form and self.session.can_cancel,
            "start_changed": again,
            "try_again": again or view == "quarantine",
            "find": view in ("list", "quarantine"),
            "save_picture": view in ("flow", "training"),
        }
        for name, allowed in may.items():
            actions[name].setEnabled(allowed)
        layout.allow_hints(actions)

    def _refused(self, error: StudioError) -> None:
        self._retries_all = False
        if not self._closed:
            self.context.notify(str(error))
