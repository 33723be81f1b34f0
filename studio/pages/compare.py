"""Compare: a study's trials, blind; the rater is a participant."""

from backend.api import PairRow
from backend.domain import StudioError
from backend.domain.studies import Participant, StudySummary
from studio.pages.judge import JudgePage
from studio.pages.page import PageContext
from studio.pages.study_gate import StudyGate
from studio.sessions.verify import Held, Phase


class ComparePage(JudgePage):
    """A study is chosen and agreed to, then its trials come: the service chose the sides, nothing here tells which system made which."""

    align = "index"
    max_edge_px = 1280
    watch_first = True

    def __init__(self, context: PageContext) -> None:
        super().__init__(context)
        self.person: Participant | None = None
        self._study = ""
        self._text = ""
        self.gate = StudyGate()
        self._stack.addWidget(self.gate)
        self.gate.chosen.connect(self._read)
        self.gate.agreed.connect(self._take_part)
        self.gate.ended.connect(self._end)

    def start(self) -> None:
        if self.person is not None:
            super().start()
            return
        self._tell("Looking for studies …", "")
        self.link.ask(lambda: self.link.api.studies(), self._offer, self._on_trouble)

    def show_extras(self, held: Held, pair: PairRow | None) -> None:
        self.category.hide()
        self.about.setText("Names are hidden; judge what you see.")

    def trouble_words(self) -> tuple[str, str]:
        return "There is nothing to judge just now", f"{self.session.trouble}."

    def _look_again(self) -> None:
        if self.person is None:
            self.start()
        else:
            super()._look_again()

    def _show_rest(self) -> None:
        super()._show_rest()
        session = self.session
        if session.phase is Phase.EMPTY and session.total and session.judged >= session.total:
            self._retry.stop()
            self.gate.offer_end(session.total)
            self._stack.setCurrentWidget(self.gate)

    def _offer(self, studies: tuple[StudySummary, ...]) -> None:
        self.gate.offer(studies)
        self._stack.setCurrentWidget(self.gate)

    def _read(self, name: str) -> None:
        def read(text: str) -> None:
            self._study, self._text = name, text
            self.gate.ask_consent(name, text)

        self.link.ask(lambda: self.link.api.study(name=name).consent, read, self._on_trouble)

    def _take_part(self) -> None:
        api, study, text, login = self.link.api, self._study, self._text, self.context.rater

        def agree() -> Participant:
            person = api.take_part(study=study, login=login)
            return api.consent(participant=person.id, text=text)

        self.link.ask(agree, self._begin, self._on_trouble)

    def _begin(self, person: Participant) -> None:
        if person.state != "consented":
            self._show_end(person)
            return
        self.person = person
        self.study_id = self.session.study_id = person.study_id
        self.session.rater = person.id
        self.session.restore(self.link.outbox.unsent(10_000))
        super().start()

    def _end(self) -> None:
        person = self.person
        assert person is not None, "the end is offered to a participant"
        self.link.ask(lambda: self.link.api.finish_study(participant=person.id), self._show_end, self._on_trouble)

    def _show_end(self, person: Participant) -> None:
        if person.state == "withdrawn":
            self._tell("You withdrew from this study", "Your answers are not counted.")
        else:
            self._tell("Thank you", f"Your answers are handed in. Your code: {person.code}")

    def _on_trouble(self, error: StudioError) -> None:
        self._tell("That did not work", f"{error}. Press F5 to try again.")

    def _tell(self, head: str, words: str) -> None:
        self.gate.tell(head, words)
        self._stack.setCurrentWidget(self.gate)
        self.setFocus()
