"""Studies: thought out, decided, invited to, watched while they run, and read. Everything is asked of the service."""

import time
from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QWidget

from backend.domain import StudioError
from backend.domain.dashboards import Dashboard
from backend.domain.studies import Invitation, Participant, StudyResults, StudySummary
from backend.domain.study_plans import PageNotice, StudyOptions, WidthPoint
from studio.actions import ActionSet
from studio.link import Link
from studio.pages import studies_asking as asking
from studio.pages.compare import ComparePage
from studio.pages.page import Page, PageContext
from studio.pages.results import ResultsPage
from studio.pages.studies_drafting import Drafting
from studio.pages.studies_keeping import keep_picture, keep_table, studies_folder
from studio.pages.studies_layout import StudiesLayout
from studio.pages.studies_serving import Serving
from studio.sessions.results import BOOTSTRAPS
from studio.sessions.studies import OUTCOMES, VIEWS, StudiesSession
from studio.texts import language, text
from studio.theme import Theme

WATCH_MS = 4000  # how often a study that is looked at is looked up
MOST_QUIET = 200_000  # votes whose results are asked for while one only watches; of more when one looks at them
REST_SHARE = 5  # something is asked for again after so many times what it took, however fast votes come in

_sessions: WeakKeyDictionary[Link, StudiesSession] = WeakKeyDictionary()
"""Pages are made anew with the language; what was told once, and a draft, stay as long as the window."""


class StudiesPage(Page):
    """The session says what is looked at; this asks for it, shows it, and does what is pressed."""

    def __init__(self, context: PageContext) -> None:
        super().__init__(context)
        self.session = _sessions.setdefault(context.link, StudiesSession())
        self.options: StudyOptions | None = None
        self.results: dict[str, StudyResults] = {}
        self.people: dict[str, tuple[Participant, ...]] = {}
        self._closed, self._looking = False, False
        self._reckoning: set[str] = set()
        self._rests_until: dict[str, float] = {}
        self.actions_ = ActionSet("studies", self, self._handlers())
        self.layout_of = StudiesLayout(self, self.actions_, self.run)
        self.drafting = Drafting(self, self.session, self.layout_of, made=self._made)
        self.serving = Serving(self, self.layout_of.invite.page, say=self._say, look=self._look)
        self._watch = QTimer(self, interval=WATCH_MS)
        self._watch.timeout.connect(self._look)
        self.layout_of.list.wanted.connect(self.look_at)
        self.link.revived.connect(self._refresh)
        self.set_theme(context.theme)
        self.layout_of.rest(text("studies.looking"), "")

    def start(self) -> None:
        self._refresh()
        self._watch.start()
        self._focus()

    def leave(self) -> None:
        self._watch.stop()

    def close_page(self) -> None:
        self._closed = True
        self._watch.stop()
        self.drafting.close()
        self.serving.close()

    def set_theme(self, theme: Theme) -> None:
        self.layout_of.set_theme(theme)

    def describe(self) -> str:
        return "a draft" if self.session.draft else f"study {self.session.current!r}, {self.session.view}"

    def look_at(self, name: str) -> None:
        """Shows another study."""
        self.session.current = name
        self.layout_of.say("")
        self._show()
        self._ask_study()

    def _handlers(self) -> dict[str, Callable[[], object]]:
        return {
            "refresh": self._refresh,
            "find": self._find,
            "new_study": self._new,
            "create_study": lambda: self.drafting.make(),
            "leave_draft": self._leave_draft,
            "next_study": lambda: self._go(1),
            "previous_study": lambda: self._go(-1),
            **{f"study_{view}": lambda view=view: self._use_view(view) for view in VIEWS},
            **{f"outcome_{name}": lambda name=name: self._use_outcome(name) for name in OUTCOMES},
            "make_invitations": self._invite,
            "copy_link": lambda: self._copy_links(self.layout_of.invite.chosen_links()[:1]),
            "copy_links": lambda: self._copy_links(self.layout_of.invite.chosen_links()),
            "serve_page": self._serve,
            "copy_command": self._copy_command,
            "close_study": lambda: self._with_study(lambda study: asking.close_study(self, study, self._changed)),
            "reopen_study": lambda: self._with_study(lambda study: asking.reopen_study(self, study, self._changed)),
            "withdraw_person": lambda: self._with_person(asking.withdraw),
            "erase_person": lambda: self._with_person(asking.erase),
            "open_in_results": self._open_in_results,
            "take_part": self._take_part,
            "export_votes": lambda: self._with_formats(asking.export_votes, self._say),
            "import_votes": lambda: self._with_formats(asking.import_votes, self._changed),
            "write_report": self._write_report,
            "save_picture": self._keep_picture,
            "save_table": self._keep_table,
        }

    def _refresh(self) -> None:
        """Asks for everything anew."""
        if self._closed:
            return
        self.session.forget_seen(self.session.current)
        self._rests_until.clear()
        api = self.link.api

        def known(found: tuple[StudyOptions, tuple[StudySummary, ...], PageNotice]) -> None:
            if self._closed:
                return
            self.options = found[0]
            self.layout_of.invite.offer_groups(found[0].groups)
            self.drafting.know(found[0])
            self._know(found[1], found[2])

        work = lambda: (api.study_options(language=language()), api.studies(), api.study_page())  # noqa: E731 - asked as one
        self.link.ask(work, known, self._on_trouble)

    def _look(self) -> None:
        """What came in since; quietly: what cannot be reached is told by the window."""
        if self._looking or self._closed:
            return
        self._looking, began = True, time.monotonic()
        api = self.link.api

        def known(found: tuple[tuple[StudySummary, ...], PageNotice]) -> None:
            self._looking = False
            if self._closed:
                return
            self._watch.setInterval(max(WATCH_MS, round(REST_SHARE * (time.monotonic() - began) * 1000)))
            if self.options is None:
                self._refresh()  # the service was away when the page was opened
            else:
                self._know(*found)

        def away(_: StudioError) -> None:
            self._looking = False

        self.link.ask(lambda: (api.studies(), api.study_page()), known, away)

    def _know(self, studies: tuple[StudySummary, ...], page: PageNotice) -> None:
        self.session.know(studies)
        self.layout_of.invite.show_page(page, f"studio-backend study serve --project {self.context.project}")
        self._show()
        self._ask_study()

    def _on_trouble(self, error: StudioError) -> None:
        if not self._closed and self.session.study is None and self.session.draft is None:
            self.layout_of.rest(text("studies.trouble"), str(error))

    def _show(self) -> None:
        """Brings the screen in line with the session."""
        session, layout, study = self.session, self.layout_of, self.session.study
        self._enable(study)
        if session.draft is not None:
            layout.show_draft()
        elif study is None:
            layout.list.show_studies((), "")
            layout.rest(text("studies.none"), text("studies.none_words"))
        else:
            layout.show_study(session)
            layout.monitor.show_study(study)
            layout.invite.show_told(session.told(study.name), is_open=not study.closed_at)
            self._show_results(study.name)
            layout.monitor.show_widths(session.widths.get(study.name, ()), study.stop_half_width)

    def _enable(self, study: StudySummary | None) -> None:
        """Only what can be done now has its key."""
        is_draft = self.session.draft is not None
        for name, action in self.actions_.qt.items():
            if name in ("refresh", "new_study"):
                continue
            if name in ("create_study", "leave_draft"):
                action.setEnabled(is_draft)
            elif name == "reopen_study":
                action.setEnabled(not is_draft and study is not None and bool(study.closed_at))
            elif name in ("close_study", "make_invitations"):
                action.setEnabled(not is_draft and study is not None and not study.closed_at)
            else:
                action.setEnabled(not is_draft and study is not None)

    def _show_results(self, name: str) -> None:
        found = self.results.get(name)
        self.layout_of.monitor.show_results(found)
        self.layout_of.people.show_people(self.people.get(name, ()), found)
        self.layout_of.outcome.show_results(found, self.session.outcome)

    def _ask_study(self) -> None:
        """What came in of the study that is looked at, and what it comes to, where that has changed."""
        study = self.session.study
        if study is None:
            return
        if self.session.is_news(study, "counts"):
            self._ask_counts(study.name)
        is_long = study.votes > MOST_QUIET and self.session.view == "monitor"
        if study.name in self._reckoning or time.monotonic() < self._rests_until.get(study.name, 0.0):
            return
        if not is_long and self.session.is_news(study, "results"):
            self._ask_results(study)

    def _ask_counts(self, name: str) -> None:
        """Votes as they came in, and people."""
        api = self.link.api

        def counted(found: tuple[Dashboard, tuple[Participant, ...]]) -> None:
            if not self._closed:
                self.people[name] = found[1]
                if name == self.session.current:
                    self.layout_of.monitor.show_came_in(found[0])
                    self._show_results(name)

        def failed(error: StudioError) -> None:
            self.session.forget_seen(name)
            self._on_trouble(error)

        self.link.ask(lambda: (api.study_dashboard(name=name), api.participants(study=name)), counted, failed)

    def _ask_results(self, study: StudySummary) -> None:
        """What the votes come to after the rules, and how intervals narrowed if somebody finished since."""
        name, api, began = study.name, self.link.api, time.monotonic()
        self._reckoning.add(name)
        before = self.session.widths.get(name, ())
        is_told = bool(before) and before[-1].responses == study.finished

        def reckoned(found: tuple[StudyResults, tuple[WidthPoint, ...]]) -> None:
            self._reckoning.discard(name)
            if self._closed:
                return
            self._rests_until[name] = time.monotonic() + REST_SHARE * (time.monotonic() - began)
            self.results[name], self.session.widths[name] = found
            if name == self.session.current:
                self._show_results(name)
                self.layout_of.monitor.show_widths(found[1], study.stop_half_width)

        def failed(error: StudioError) -> None:
            self._reckoning.discard(name)
            self.session.forget_seen(name)
            self._rests_until[name] = time.monotonic() + WATCH_MS / 1000
            self._on_trouble(error)

        self.link.ask(
            lambda: (
                api.study_results(name=name, bootstraps=BOOTSTRAPS),
                before if is_told else api.study_widths(name=name),
            ),
            reckoned,
            failed,
            slow=True,
        )

    def _use_view(self, view: str) -> None:
        self.session.view = view
        self.layout_of.say("")
        self._show()
        self._ask_study()
        self._focus()

    def _use_outcome(self, name: str) -> None:
        self.session.outcome = name
        self._use_view("outcome")

    def _find(self) -> None:
        """Among the people, by id, code, group or state."""
        self._use_view("people")
        self.layout_of.people.search.setFocus()

    def _go(self, by: int) -> None:
        if self.session.go(by):
            self.look_at(self.session.current)

    def _focus(self) -> None:
        """To what keys work on: the list, the people, the number of invitations, the name of a draft."""
        layout = self.layout_of
        if self.session.draft is not None:
            layout.form.name.setFocus()
            return
        places: dict[str, QWidget] = {
            "monitor": layout.list,
            "invite": layout.invite.links,
            "people": layout.people.table,
            "outcome": layout.outcome.table,
        }
        (places[self.session.view] if self.session.study else self).setFocus()

    def _new(self) -> None:
        """Shows the form of a new study."""
        if self.options is None:
            self.layout_of.say(text("studies.looking"))
            return
        self.drafting.begin(self.options)
        self._show()
        self._focus()

    def _leave_draft(self) -> None:
        self.drafting.leave()
        self._show()
        self._focus()

    def _made(self, study: StudySummary) -> None:
        """The draft has become a study: now people are invited."""
        self.session.current, self.session.view = study.name, "invite"
        self.session.studies = (*self.session.studies, study)
        self.layout_of.say(text("studies.made", name=study.name))
        self._refresh()
        self._show()
        self._focus()

    def _invite(self) -> None:
        study, view = self.session.study, self.layout_of.invite
        if study is None:
            return
        num, group, days = view.num.value(), view.group.value, view.days.value()
        if self.session.view != "invite":
            self._use_view("invite")
            view.num.setFocus()
            return

        def made(found: tuple[Invitation, ...]) -> None:
            self.session.tell(study.name, found)
            if not self._closed:
                self.layout_of.say(text("studies.invited", count=len(found)))
                self._show()
                self._look()

        api = self.link.api
        self.link.ask(lambda: api.invite(study=study.name, num=num, group=group, days=days), made, self._refused)

    def _serve(self) -> None:
        """Begins or ends the page that participants open; the look at invitations says how it stands."""
        if self.session.view != "invite":
            self._use_view("invite")
        self.serving.press(tuple(study.name for study in self.session.studies if not study.closed_at))

    def _copy_links(self, links: tuple[str, ...]) -> None:
        if not links:
            self.layout_of.say(text("studies.none_told"))
            return
        QApplication.clipboard().setText("\n".join(links))
        self.layout_of.say(text("studies.copied", count=len(links)))

    def _copy_command(self) -> None:
        QApplication.clipboard().setText(self.layout_of.invite.page.command.text())
        self.layout_of.say(text("studies.copied_command"))

    def _with_study(self, do: Callable[[StudySummary], object]) -> None:
        if self.session.study is not None:
            do(self.session.study)

    def _with_person(self, do: Callable[["StudiesPage", Participant, Callable[[str], object]], object]) -> None:
        if self.session.view != "people":
            self._use_view("people")
        chosen = self.layout_of.people.chosen()
        person = next((one for one in self.people.get(self.session.current, ()) if one.id == chosen), None)
        if person is None:
            self.layout_of.say(text("studies.choose_person"))
        else:
            do(self, person, self._changed)

    def _changed(self, sentence: str) -> None:
        """Something was done to the study or to somebody in it."""
        if not self._closed:
            self.layout_of.say(sentence)
            self.activateWindow()
            self._refresh()
            self._focus()

    def _open_in_results(self) -> None:
        name = self.session.current
        view = {"people": "raters"}.get(self.session.view, "agreement" if self.session.outcome == "agreement" else "wins")
        self.context.open_page("results")
        page = self.window().findChild(ResultsPage)
        if page is not None:
            page.show_study(name, view)

    def _take_part(self) -> None:
        name = self.session.current
        self.context.open_page("compare")
        page = self.window().findChild(ComparePage)
        if page is not None:
            page.take_up(name)

    def _with_formats(self, ask: Callable[[Page, str, Sequence[str], asking.Done], object], done: asking.Done) -> None:
        ask(self, self.session.current, self.options.vote_formats if self.options else (), done)

    def _write_report(self) -> None:
        """The page that `study results --html` writes, with its figures beside it."""
        name, api = self.session.current, self.link.api
        out = studies_folder(self.context.project, name)
        page, figures = out / "report.html", out / "figures"
        self.layout_of.say(text("studies.writing"))
        self.link.ask(
            lambda: api.write_study_report(name=name, html=str(page), figures=str(figures)),
            lambda _: self._say(text("studies.written", place=str(page))),
            self._refused,
            slow=True,
        )

    def _keep_picture(self) -> None:
        view = self.session.view
        chart = {"monitor": self.layout_of.monitor.chart, "outcome": self.layout_of.outcome.chart}.get(view)
        if chart is None:
            self.layout_of.say(text("studies.no_picture"))
            return
        title = view if view == "monitor" else self.session.outcome
        self._keep(lambda: keep_picture(chart, studies_folder(self.context.project, self.session.current), title))

    def _keep_table(self) -> None:
        view = self.session.view
        sheet, title = self.layout_of.sheet, self.session.outcome if view == "outcome" else view
        if not sheet.rows:
            self.layout_of.say(text("studies.no_rows"))
            return
        folder = studies_folder(self.context.project, self.session.current)
        self._keep(lambda: keep_table(sheet, folder, title, is_secret=view == "invite"))

    def _keep(self, write: Callable[[], object]) -> None:
        try:
            self.layout_of.say(text("results.kept", place=str(write())))
        except (OSError, StudioError) as error:
            self.context.notify(text("results.not_kept", reason=str(error)))

    def _say(self, sentence: str) -> None:
        """What was done meanwhile."""
        if not self._closed:
            self.layout_of.say(sentence)

    def _refused(self, error: StudioError) -> None:
        if not self._closed:
            self.context.notify(str(error))
