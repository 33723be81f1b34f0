"""The part of a workspace that asks people about systems' videos."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Protocol, cast

from backend.api import Api, MediaFile, QueueState
from backend.domain import Form, Receipt, SettingsError, Trial, Vote
from backend.domain.dashboards import Dashboard
from backend.domain.studies import (
    Erased,
    Invitation,
    PageEvent,
    Participant,
    StudyDesign,
    StudyPass,
    StudyResults,
    StudySummary,
    VoteFiles,
)
from backend.domain.study_plans import PageNotice, StudyDraft, StudyOptions, StudyReport, WidthPoint
from backend.store.catalog import Catalog
from backend.store.journal import Journal
from backend.studies.book import StudyBook
from backend.studies.design import participants_needed, power_table, trials_of
from backend.studies.forms import load_form
from backend.studies.results import PAIRS, results_of, widths_over
from backend.studies.tally_sql import DASHBOARD, dashboard
from backend.workspace.layout import Layout
from backend.workspace.page_desk import PageDesk
from backend.workspace.projection import Projection
from backend.workspace.snapshot import Snapshot
from backend.workspace.study_answering import Answering
from backend.workspace.study_closing import Closing
from backend.workspace.study_course import Course
from backend.workspace.study_creating import decide, list_named, require_name
from backend.workspace.study_enrolling import Enrolling
from backend.workspace.study_erasing import erase, finish_erasures
from backend.workspace.study_media import StudyMediaLibrary
from backend.workspace.study_planning import options_of
from backend.workspace.study_reporting import write_report
from backend.workspace.study_shelf import StudyShelf
from backend.workspace.study_votes import import_votes, write_votes
from backend.workspace.unsafe_cases import unsafe_cases

MAX_LIMIT = 1000
MAX_BOOTSTRAPS = 100_000
MAX_POINTS = 100  # each takes a bootstrap


class _Opened(Protocol):
    layout: Layout
    journal: Journal
    catalog: Catalog
    _projection: Projection
    _snapshot: Snapshot
    _shelf: StudyShelf
    _enrolling: Enrolling
    _answering: Answering
    _course: Course
    _closing: Closing
    _study_media: StudyMediaLibrary
    _page: PageDesk

    def _now(self) -> AbstractContextManager[Snapshot]: ...


class StudyOperations:
    """Operations of the Api on studies."""

    def open_studies(self: _Opened) -> None:
        """Called once, when the journal, the catalog and the projection are open. Finishes erasures that broke off."""
        finish_erasures(self.journal, self.catalog, self._projection, self.layout)
        self._shelf = StudyShelf(self.journal, self.catalog, self._projection)
        self._enrolling = Enrolling(self._shelf, key=self.layout.study_key)
        self._course = Course(self._shelf)
        self._answering = Answering(self._shelf, self._course)
        self._closing = Closing(self._shelf, self._answering)
        self._study_media = StudyMediaLibrary(self._shelf, self.layout.study_media)
        self._page = PageDesk(self.layout)

    def create_study(
        self: _Opened,
        *,
        name: str,
        kind: str = "preference",
        form: str = "",
        aspects: tuple[str, ...] = (),
        systems: tuple[str, ...] = (),
        cases: str | None = None,
        references: str | None = None,
        benchmark: str = "",
        preset: str = "",
        pairs: int | None = None,
        raters: int | None = None,
        trials: int | None = None,
        rules: tuple[str, ...] = (),
        sequential: bool = False,
        hold_out: float = 0.1,
        stop_half_width: float = 0.0,
        language: str = "en",
        seed: int = 0,
    ) -> StudySummary:
        draft = StudyDraft(
            name=name,
            kind=kind,
            form=form,
            aspects=aspects,
            systems=systems,
            cases=cases,
            references=references,
            benchmark=benchmark,
            preset=preset,
            pairs=pairs,
            raters=raters,
            trials=trials,
            rules=rules,
            sequential=sequential,
            hold_out=hold_out,
            stop_half_width=stop_half_width,
            language=language,
            seed=seed,
        )
        require_name(name)
        self._shelf.require_free(name.strip())
        decided = decide(self.catalog, draft, unsafe=_unsafe(self))
        list_named(self.catalog, decided)
        return _summary(self._shelf.create(decided.design), num_votes=0, remarks=decided.remarks)

    def plan_study(self: _Opened, *, draft: StudyDraft) -> StudySummary:
        if draft.name:
            require_name(draft.name)
            self._shelf.require_free(draft.name.strip())
        decided = decide(self.catalog, draft, unsafe=_unsafe(self))
        return _summary(StudyBook(decided.design), num_votes=0, remarks=decided.remarks)

    def study_options(self: _Opened, *, language: str = "en") -> StudyOptions:
        return options_of(self.catalog, language=language)

    def studies(self: _Opened) -> tuple[StudySummary, ...]:
        counts = self._shelf.vote_counts()
        return tuple(_summary(book, num_votes=counts.get(book.id, 0)) for book in self._shelf.books())

    def study(self: _Opened, *, name: str) -> StudyDesign:
        return self._shelf.book(name).design

    def prepare_study(self: _Opened, *, name: str, limit: int = 4) -> int:
        if not 1 <= limit <= MAX_LIMIT:
            raise SettingsError(f"limit is {limit}; ask for 1 to {MAX_LIMIT}")
        return self._study_media.prepare(self._shelf.book(name).design, limit=limit)

    def study_dashboard(self: _Opened, *, name: str, raters: int = 20) -> Dashboard:
        if not 0 <= raters <= MAX_LIMIT:
            raise SettingsError(f"raters is {raters}; ask for 0 to {MAX_LIMIT}")
        book = self._shelf.book(name)
        self._projection.refresh()
        found = dashboard(self.catalog.query(DASHBOARD, [book.id, raters]))
        return found if book.design.kind in PAIRS else replace(found, pairs=())

    def study_results(self: _Opened, *, name: str, bootstraps: int = 1000) -> StudyResults:
        return _results(self, name, num_draws=bootstraps)

    def study_widths(self: _Opened, *, name: str, points: int = 12) -> tuple[WidthPoint, ...]:
        if not 1 <= points <= MAX_POINTS:
            raise SettingsError(f"points is {points}; ask for 1 to {MAX_POINTS}")
        book = self._shelf.book(name)
        return widths_over(book.design, self._answering.responses(book), points=points)

    def write_study_report(
        self: _Opened,
        *,
        name: str,
        html: str = "",
        figures: str = "",
        calibrations: tuple[str, ...] = (),
        bootstraps: int = 1000,
    ) -> StudyReport:
        found, design = _results(self, name, num_draws=bootstraps), self._shelf.book(name).design
        written = write_report(found, design, self.layout, html=html, figures=figures, calibrations=calibrations)
        return StudyReport(results=found, files=written)

    def study_page(self: _Opened) -> PageNotice:
        return self._page.notice()

    def serve_study_page(self: _Opened, *, port: int = 8470, ask_login: bool = False) -> PageNotice:
        return self._page.serve(cast(Api, self), port=port, ask_login=ask_login)

    def stop_study_page(self: _Opened) -> PageNotice:
        return self._page.stop()

    def serves_page(self: _Opened) -> bool:
        """Whether this owner serves the page of studies, so that it stays when nobody is connected."""
        return self._page.is_open

    def close_studies(self: _Opened) -> None:
        """Ends what was opened beside the stores."""
        self._page.close()

    def close_study(self: _Opened, *, name: str, because: str = "") -> StudySummary:
        return _summary(self._closing.close(name, because=because), num_votes=self._shelf.vote_count(name))

    def reopen_study(self: _Opened, *, name: str) -> StudySummary:
        return _summary(self._closing.reopen(name), num_votes=self._shelf.vote_count(name))

    def invite(
        self: _Opened, *, study: str, num: int = 1, group: str = "public", days: float = 30.0
    ) -> tuple[Invitation, ...]:
        return self._enrolling.invite(study, num=num, group=group, days=days)

    def join_study(self: _Opened, *, token: str, login: str = "", address: str = "", background: str = "") -> Participant:
        return self._enrolling.join(token=token, login=login, address=address, background=background)

    def take_part(self: _Opened, *, study: str, login: str, group: str = "expert") -> Participant:
        return self._enrolling.take_part(study, login=login, group=group)

    def participant(self: _Opened, *, participant: str) -> Participant:
        return self._enrolling.participant(participant)

    def participants(self: _Opened, *, study: str) -> tuple[Participant, ...]:
        return tuple(one.participant for one in tuple(self._shelf.book(study).enrolled.values()))

    def consent(self: _Opened, *, participant: str, text: str) -> Participant:
        return self._enrolling.consent(participant, text=text)

    def study_trials(self: _Opened, *, participant: str, start: int | None = None, limit: int = 3) -> StudyPass:
        if not 1 <= limit <= MAX_LIMIT:
            raise SettingsError(f"limit is {limit}; ask for 1 to {MAX_LIMIT}")
        return self._answering.trials(participant, start=start, limit=limit)

    def page_events(self: _Opened, *, participant: str, events: tuple[PageEvent, ...]) -> int:
        return self._enrolling.note(participant, events)

    def finish_study(self: _Opened, *, participant: str) -> Participant:
        person = self._enrolling.finish(participant)
        self._closing.look(self._shelf.book(person.study_id))
        return person

    def withdraw(self: _Opened, *, participant: str) -> Participant:
        person = self._enrolling.withdraw(participant)
        self._course.forget(person.study_id, person.id)
        return person

    def erase_participant(self: _Opened, *, participant: str, delete_backups: bool = False) -> Erased:
        self._course.forget(self._enrolling.participant(participant).study_id, participant)
        return erase(
            self._shelf,
            self.catalog,
            self._snapshot,
            self.layout,
            participant=participant,
            delete_backups=delete_backups,
        )

    def export_votes(self: _Opened, *, study: str, out: str, format: str = "jsonl") -> VoteFiles:
        book = self._shelf.book(study)
        votes = [vote for one in self._answering.responses(book) for vote in one.votes]
        num = write_votes(votes, book.design, Path(out), format=format)
        return VoteFiles(path=out, format=format, votes=num)

    def import_votes(self: _Opened, *, study: str, path: str, format: str = "jsonl") -> VoteFiles:
        return import_votes(self._shelf, study, Path(path), format=format)

    def form(self: _Opened, *, name: str) -> Form:
        return self._shelf.form(name) or load_form(name)

    def study_medium(self: _Opened, media_id: str) -> MediaFile | None:
        """A study's medium; None for an id of another kind."""
        return self._study_media.find(media_id)

    def is_study(self: _Opened, study_id: str) -> bool:
        return self._shelf.has(study_id)

    def study_queue(self: _Opened, *, rater: str, limit: int, skip: Sequence[str]) -> tuple[Trial, ...]:
        """A participant's next trials as other queues give them, with what they answered of one that they left half answered."""
        found = self._answering.trials(rater, start=None, limit=limit, skip=skip)
        return tuple(
            replace(one.trial, answers=tuple(vote for vote in one.votes if vote.choice is not None)) for one in found.trials
        )

    def study_state(self: _Opened, *, study_id: str, rater: str) -> QueueState:
        found = self._answering.trials(rater, start=None, limit=0)
        return QueueState(study_id=study_id, total=found.total, judged=found.answered, left=found.left)

    def store_votes(
        self: _Opened, votes: Sequence[Vote], *, others: Callable[[Sequence[Vote]], tuple[Receipt, ...]]
    ) -> tuple[Receipt, ...]:
        """Votes of studies and of `others`, receipts in order. Within each kind all are stored or none."""
        mine = {k for k, vote in enumerate(votes) if self._shelf.has(vote.study_id)}
        if not mine:
            return others(votes)
        stored = iter(self._answering.submit([votes[k] for k in sorted(mine)]))
        rest = iter(others([vote for k, vote in enumerate(votes) if k not in mine]))
        return tuple(next(stored if k in mine else rest) for k in range(len(votes)))


def _results(opened: _Opened, name: str, *, num_draws: int) -> StudyResults:
    if not 10 <= num_draws <= MAX_BOOTSTRAPS:
        raise SettingsError(f"bootstraps is {num_draws}; give 10 to {MAX_BOOTSTRAPS}")
    book = opened._shelf.book(name)
    found = opened._answering.responses(book)
    summary = _summary(book, num_votes=sum(len(one.votes) for one in found))
    return results_of(book.design, found, summary, num_draws=num_draws)


def _unsafe(project: _Opened) -> frozenset[str]:
    """Contents of cases that no study shows. A project that only compares systems has no clips, and no plan to look at."""
    if not project.catalog.query("SELECT 1 FROM clip LIMIT 1"):
        return frozenset()
    with project._now() as now:
        return unsafe_cases(now, project.journal)


def _summary(book: StudyBook, *, num_votes: int, remarks: tuple[str, ...] = ()) -> StudySummary:
    design = book.design
    states = [one.participant.state for one in book.enrolled.values()]
    return StudySummary(
        study_id=book.id,
        name=design.name,
        kind=design.kind,
        form=design.form,
        aspects=design.aspects,
        systems=design.systems,
        benchmark=design.benchmark,
        items=book.num_main,
        trials=len(trials_of(design, 0)),
        participants_needed=participants_needed(design),
        invited=len(book.tickets),
        joined=len(states),
        finished=states.count("finished"),
        withdrawn=states.count("withdrawn"),
        votes=num_votes,
        created_at=design.created_at,
        sequential=design.sequential,
        stop_half_width=design.stop_half_width,
        closed_at=book.closed.at if book.closed else "",
        closed_because=book.closed.because if book.closed else "",
        power=power_table(pairs=book.num_main, raters=design.raters_per_item),
        remarks=remarks,
    )
