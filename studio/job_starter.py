"""Starts jobs: asks for their forms, sees that they can be right, and tells of the one that has started."""

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from backend.domain import StudioError
from backend.domain.jobs import JobForm, JobRow
from studio.job_panel import StartPanel
from studio.link import Link
from studio.sessions.job_form import FormSession
from studio.sessions.jobs import STARTED_HERE, asked_again
from studio.texts import text


class _NotThere(StudioError):
    """Paths of fields that are not there: by field its type and the path."""

    def __init__(self, fields: dict[str, tuple[str, str]]) -> None:
        super().__init__(", ".join(path for _, path in fields.values()))
        self.fields = fields


class JobStarter(QObject):
    """Drives a `StartPanel`. `started` carries the job; `refused` what the service says of a job that had no form open."""

    started = Signal(object)
    refused = Signal(str)

    def __init__(self, panel: StartPanel, link: Link, *, rater: str, project: Path) -> None:
        super().__init__()
        self.panel, self.link, self._rater, self._project = panel, link, rater, project
        self.kind = STARTED_HERE[0]
        self.form: FormSession | None = None
        self._starting, self._closed = False, False
        panel.form.changed.connect(self._changed)

    def offer(self, kind: str, asked: dict[str, str] | None = None) -> None:
        """Shows the form of a kind, as it was left, or filled in with what another job was `asked`."""
        self.kind = kind
        self.panel.show_kind(kind)
        if self.form is not None and self.form.form.kind == kind and asked is None:
            self.panel.form.focus_first()
            return
        self.form = None
        self.panel.wait(text("jobs.form_coming"))
        self._ask_form((asked or {}).get("recipe", ""), asked)

    def start(self) -> None:
        """Starts what the form says, unless something in it cannot be right."""
        form = self.form
        if form is None:
            return
        problems = {name: text(f"jobs.wrong_{why}") for name, why in form.problems().items()}
        self._show_problems(problems)
        if not problems:
            self._submit(form.form.kind, form.settings(), form)

    def again(self, job: JobRow) -> None:
        """Starts a job as it was; a training goes on where it stopped."""
        self._submit(job.kind, asked_again(job), None)

    def close(self) -> None:
        """Answers that are still on their way are shown nowhere."""
        self._closed = True

    def _submit(self, kind: str, settings: dict[str, str], form: FormSession | None) -> None:
        """One start at a time, so that an impatient second press starts nothing twice."""
        if self._starting:
            return
        self._starting = True

        def started(job: JobRow) -> None:
            self._starting = False
            if self._closed:
                return
            if form is self.form:
                self.form = None
            self.started.emit(job)

        def refused(error: StudioError) -> None:
            self._starting = False
            if self._closed:
                return
            if form is None or form is not self.form:
                self.refused.emit(str(error))
                return
            if isinstance(error, _NotThere):
                self._show_problems(
                    {name: text(f"jobs.wrong_{why}", path=path) for name, (why, path) in error.fields.items()}
                )
            elif form.refuse(str(error)):
                self.panel.form.show_problems(form.refused)
            else:
                self.panel.show_trouble(str(error))

        def start() -> JobRow:
            if form is not None and (missing := form.missing(self._project)):
                raise _NotThere(missing)
            return self.link.api.start_job(kind=kind, settings=settings, rater=self._rater)

        self.link.ask(start, started, refused)

    def _show_problems(self, problems: dict[str, str]) -> None:
        """A sentence beside each field, and how many there are."""
        self.panel.form.show_problems(problems)
        self.panel.show_trouble(text("jobs.wrong_fields", count=len(problems)) if problems else "")

    def _changed(self, name: str) -> None:
        """What a training recipe sets by itself depends on which it is."""
        self.panel.show_trouble("")
        if name == "recipe" and self.kind == "train" and self.form is not None:
            self._ask_form(self.form.value("recipe"), None)

    def _ask_form(self, recipe: str, asked: dict[str, str] | None) -> None:
        kind = self.kind

        def known(found: JobForm) -> None:
            before = self.form
            if self._closed or kind != self.kind or (before is not None and before.form == found):
                return
            self.form = FormSession(form=found) if before is None else before.moved_to(found)
            if asked is not None:
                self.form.take(asked)
            self.panel.show_form(self.form)
            if before is None:
                self.panel.form.focus_first()

        def failed(error: StudioError) -> None:
            if self._closed or kind != self.kind:
                return
            if self.form is None:
                self.panel.wait(str(error))
            else:
                self.panel.show_trouble(str(error))

        self.link.ask(lambda: self.link.api.job_form(kind=kind, recipe=recipe), known, failed)
