"""What the jobs page lives on, asked for in turn while the page is shown: never twice at once, less often while nothing runs."""

import time
from collections.abc import Callable
from typing import TypeVar

from PySide6.QtCore import QObject, QTimer, Signal

from backend.domain import StudioError
from backend.domain.jobs import JobLog, JobRow, QuarantinePage, StageFlow, TrainingCurves, TrainingRun
from studio.link import Link
from studio.sessions.jobs import JobsSession
from studio.sessions.quarantine import PAGE, QuarantineSession
from studio.sessions.training_runs import RunsSession

T = TypeVar("T")
TICK_MS = 500  # how often the session is asked what is due
LOG_LINES = 1000  # of one question


class JobsFeed(QObject):
    """Fills the sessions. `came` names what has changed; `troubled` says why something could not be had, empty when it could again."""

    came = Signal(str, object)
    troubled = Signal(str)

    def __init__(self, link: Link, jobs: JobsSession, held: QuarantineSession, runs: RunsSession) -> None:
        super().__init__()
        self.link, self.jobs, self.held, self.runs = link, jobs, held, runs
        self.is_on = False
        self._asked_steps: set[tuple[str, int]] = set()
        self._timer = QTimer(self, interval=TICK_MS)
        self._timer.timeout.connect(self.ask)

    def start(self) -> None:
        """From now on; everything is asked for at once."""
        self.is_on = True
        self.hurry()
        self._timer.start()

    def stop(self) -> None:
        """Nothing is asked any more; answers that are on their way fill the sessions, and nobody is told."""
        self.is_on = False
        self._timer.stop()

    def hurry(self, *names: str) -> None:
        """Asks for these at once; for everything without names."""
        self.jobs.poll.hurry(*names)
        self.ask()

    def ask(self) -> None:
        """Asks for what is due."""
        if not self.is_on:
            return
        for name in self.jobs.due(time.monotonic()):
            getattr(self, f"_ask_{name}")()

    def more_rows(self) -> None:
        """The next rows of the quarantine."""
        asked = self.held.wanted()
        if asked is None:
            return
        api = self.link.api

        def arrived(page: QuarantinePage) -> None:
            if self.held.arrived(asked, page):
                self._tell("rows", page)

        def failed(error: StudioError) -> None:
            self.held.unreachable(asked)
            self._fail(error)

        self.link.ask(
            lambda: api.quarantine(stage=asked.stage, search=asked.search, limit=PAGE, after=asked.after), arrived, failed
        )

    def videos(self) -> None:
        """The videos of the validations that are looked at."""
        run, api = self.runs.shown, self.link.api
        for step in self.runs.missing():
            if (run, step) in self._asked_steps:
                continue
            self._asked_steps.add((run, step))

            def known(found: tuple, step: int = step) -> None:
                self._asked_steps.discard((run, step))
                if run == self.runs.shown:
                    self.runs.videos[step] = found
                    self._tell("videos", step)

            def failed(error: StudioError, step: int = step) -> None:
                self._asked_steps.discard((run, step))
                self._fail(error)

            self.link.ask(lambda step=step: api.validation_videos(run=run, step=step), known, failed)

    def _ask_jobs(self) -> None:
        def known(found: tuple[JobRow, ...]) -> None:
            ended = self.jobs.know(found)
            if ended:
                self.jobs.poll.hurry("flow", "quarantine", "runs", "curves", "log")
            self._tell("jobs", ended)

        self._question("jobs", lambda: self.link.api.jobs(), known)

    def _ask_log(self) -> None:
        tail = self.jobs.tail
        job_id, after = tail.job_id, tail.after
        if not job_id:
            self.jobs.poll.answered("log")
            return

        def known(found: JobLog) -> None:
            new = tail.take(job_id, after, found)
            if len(found.lines) == LOG_LINES:
                self.jobs.poll.hurry("log")
            if new:
                self._tell("log", new)

        self._question("log", lambda: self.link.api.job_log(job_id=job_id, after=after, limit=LOG_LINES), known)

    def _ask_flow(self) -> None:
        def known(found: tuple[StageFlow, ...]) -> None:
            self._tell("flow", found)

        self._question("flow", lambda: self.link.api.stage_flow(), known)

    def _ask_quarantine(self) -> None:
        """Whether the rows that are shown are still those that there are."""
        held = self.held
        if not held.is_known:
            self.jobs.poll.answered("quarantine")
            self.more_rows()
            return
        number, stage, search = held.number, held.stage, held.search

        def known(found: QuarantinePage) -> None:
            if number == held.number and held.differs(found):
                self._tell("quarantine", found)

        self._question(
            "quarantine", lambda: self.link.api.quarantine(stage=stage, search=search, limit=PAGE, after=None), known
        )

    def _ask_runs(self) -> None:
        def known(found: tuple[TrainingRun, ...]) -> None:
            another = self.runs.know(found)
            self._tell("runs", found)
            if another:
                self.hurry("curves")

        self._question("runs", lambda: self.link.api.training_runs(), known)

    def _ask_curves(self) -> None:
        run = self.runs.shown
        if not run:
            self.jobs.poll.answered("curves")
            return

        def known(found: TrainingCurves) -> None:
            if run == self.runs.shown and found != self.runs.curves:
                self.runs.curves = found
                self._tell("curves", found)

        self._question("curves", lambda: self.link.api.training_curves(run=run), known)

    def _question(self, name: str, work: Callable[[], T], known: Callable[[T], object]) -> None:
        def done(found: T) -> None:
            self.jobs.poll.answered(name)
            if self.jobs.trouble:
                self.jobs.trouble = ""
                if self.is_on:
                    self.troubled.emit("")
            known(found)

        def failed(error: StudioError) -> None:
            self.jobs.poll.failed(name)
            self._fail(error)

        self.link.ask(work, done, failed)

    def _fail(self, error: StudioError) -> None:
        self.jobs.trouble = str(error)
        if self.is_on:
            self.troubled.emit(str(error))

    def _tell(self, name: str, found: object) -> None:
        if self.is_on:
            self.came.emit(name, found)
