"""Compare: a study's trials, blind; the rater is a participant."""

import uuid
from collections.abc import Callable
from typing import TypeVar

from PySide6.QtWidgets import QSizePolicy

from backend.api import PairRow
from backend.domain import StudioError, Vote
from backend.domain.studies import PageEvent, Participant, StudyDesign, StudyPass, StudySummary
from studio.actions import key_of
from studio.pages.judge import RETRY_MS, JudgePage
from studio.pages.page import PageContext
from studio.pages.study_gate import StudyGate
from studio.player.sound import DeckSound
from studio.player.sound_view import SoundView
from studio.prepare import Stills
from studio.sessions.verify import Held, Phase
from studio.texts import text
from studio.theme import Theme

T = TypeVar("T")
PAST_THE_END = 1_000_000  # a position from which no trial is given out


class ComparePage(JudgePage):
    """A study is chosen, agreed to and explained, then its trials come: the service chose the sides, nothing here tells
    which system made which. At the end stands the slider, as in the browser."""

    align = "index"
    max_edge_px = 1280
    about_stretch = 2  # whole sentences stand there
    watch_first = True

    def __init__(self, context: PageContext) -> None:
        super().__init__(context)
        self.person: Participant | None = None
        """Who answers, once the trials have begun."""
        self._joined: Participant | None = None
        self._design: StudyDesign | None = None
        self._practice: frozenset[str] = frozenset()
        self._told = ""
        self._is_done = False
        self._asked: object = None
        """What the service was last asked of which study to take part in."""
        self._taken_up = ""
        """The study that another page named; without it, one is chosen here."""
        self.gate = StudyGate()
        self._stack.addWidget(self.gate)
        self.gate.chosen.connect(self._read)
        self.gate.agreed.connect(self._take_part)
        self.gate.left.connect(self._choose_again)
        self.gate.started.connect(self._begin)
        self.gate.ended.connect(self._end)
        self.gate.withdrew.connect(self._withdraw)

    def _build(self) -> None:
        self.sound = DeckSound(self.deck, self.link)
        self.sound_view = SoundView(self.sound, self.run, self.sides.name_of)
        self.transport.add(self.sound_view)
        self.sides.heard = lambda: self.sound.heard
        self.sound.changed.connect(self.sides.tell)
        super()._build()
        self.about.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)  # read whole where it fits

    def handlers(self) -> dict[str, Callable[[], object]]:
        return {**super().handlers(), "listen": self._listen, "other_sound": self._hear_next}

    def set_theme(self, theme: Theme) -> None:
        super().set_theme(theme)
        self.sound_view.set_theme(theme)

    def close_page(self) -> None:
        self.sound.close()
        super().close_page()

    def start(self) -> None:
        if self.person is not None:
            super().start()
            if self._stack.currentWidget() is self.gate:
                self.gate.take_keyboard()
            return
        if self._taken_up:
            return  # what one agrees to stands there, or how it ended
        self._ask(lambda: self.link.api.studies(), self._offer, meanwhile=text("study.looking"))

    def take_up(self, name: str) -> None:
        """Goes to a study that another page names: to what one agrees to, or on where one was. Another one keeps its place."""
        if self.person is not None and self._design is not None and self._design.name == name:
            return
        if self.session.phase is Phase.SAVING:
            self.context.notify(text("verify.busy"))
            return
        self._leave()
        self._taken_up = name
        self._read(name)

    def _leave(self) -> None:
        """Nobody takes part in anything; what was answered keeps its place."""
        self._retry.stop()
        self.deck.pause()
        self.person, self._joined, self._shown = None, None, None
        self._is_done, self.gate.is_end = False, False
        self._taken_up = ""
        self.session = self.new_session("")

    def _play(self, held: Held) -> None:
        super()._play(held)
        self.sound.load()

    def _listen(self) -> None:
        self.sound.listen(not self.sound.listens)
        self._say_silence()

    def _hear_next(self) -> None:
        self.sound.hear_next()
        self._say_silence()

    def _say_silence(self) -> None:
        if self.sound.words:
            self.context.notify(self.sound.words)

    def show_extras(self, held: Held, pair: PairRow | None) -> None:
        self.category.hide()
        note = text("study.practice" if held.trial.item_id in self._practice else "study.blind")
        self.about.setText(" ".join(part for part in (self._told, note) if part))
        self._told = ""

    def trouble_words(self) -> tuple[str, str]:
        return text("study.nothing_now"), f"{self.session.trouble}."

    def _look_again(self) -> None:
        if self.person is not None:
            super()._look_again()
        elif self._taken_up:
            self._read(self._taken_up)
        else:
            self.start()

    def _write(self, vote: Vote) -> None:
        self._told = self._most_say(vote) or self._told
        super()._write(vote)

    def _most_say(self, vote: Vote) -> str:
        """After an answer to practice, the right one where there is one."""
        held = self.session.current
        question, _, choice = (held.trial.gold or "").partition("=") if held else ("", "", "")
        if held is None or vote.choice is None or question != vote.question:
            return ""
        asked = next(one for one in held.form.questions if one.name == question)
        return text("study.most", answer=next(one.label for one in asked.choices if one.value == choice))

    def _show_rest(self) -> None:
        session, person = self.session, self.person
        if session.phase is not Phase.EMPTY or person is None:
            super()._show_rest()
        elif self.gate.is_end or self._is_done:
            self._retry.stop()
            self._stack.setCurrentWidget(self.gate)  # looking again must move neither the slider nor the keyboard
        else:
            super()._show_rest()
            if session.judged >= session.total:
                self._retry.stop()
                self.link.ask(lambda: self._state_of(person), self._offer_end, self._on_trouble)

    def _state_of(self, person: Participant) -> StudyPass:
        return self.link.api.study_trials(participant=person.id, start=PAST_THE_END, limit=1)

    def _show_trial(self, held: Held, stills: Stills) -> None:
        self.gate.is_end = False
        super()._show_trial(held, stills)

    def _offer_end(self, found: StudyPass) -> None:
        if self.session.phase is not Phase.EMPTY or self.gate.is_end or self._is_done:
            return  # asked twice, offered once: the slider may be half way
        if found.left:
            self._retry.start(RETRY_MS)  # the last answers are still on their way
            return
        assert self._design is not None, "read before anybody takes part"
        self.gate.offer_end(found.total, is_closed=found.is_closed, asks_slider=self._design.rules.slider)
        self._stack.setCurrentWidget(self.gate)

    def _choose_again(self) -> None:
        self._leave()
        self.start()

    def _offer(self, studies: tuple[StudySummary, ...]) -> None:
        self.gate.offer(studies)
        self._stack.setCurrentWidget(self.gate)

    def _read(self, name: str) -> None:
        def read(design: StudyDesign) -> None:
            self._design = design
            self.gate.ask_consent(name, design.consent)

        self._ask(lambda: self.link.api.study(name=name), read)

    def _take_part(self) -> None:
        api, design, login = self.link.api, self._design, self.context.rater
        assert design is not None, "read before it is agreed to"

        def agree() -> tuple[Participant, StudyPass | None]:
            person = api.take_part(study=design.id, login=login)
            if person.state == "joined":
                person = api.consent(participant=person.id, text=design.consent)
            if person.state != "consented":
                return person, None
            return person, api.study_trials(participant=person.id, start=0, limit=max(1, design.practice))

        self._ask(agree, self._explain)

    def _explain(self, joined: tuple[Participant, StudyPass | None]) -> None:
        """To somebody who begins; who goes on knows it."""
        person, found = joined
        if found is None:
            self._show_end(person)
            return
        self._joined = person
        self._practice = frozenset(one.trial.item_id for one in found.trials if one.practice)
        if found.answered:
            self._begin()
        else:
            self.gate.explain(len(self._practice))

    def _begin(self) -> None:
        person = self.person = self._joined
        assert person is not None, "somebody agreed before they begin"
        self.study_id = self.session.study_id = person.study_id
        self.session.rater = person.id
        self.session.restore(self.link.outbox.unsent(10_000))
        super().start()

    def _end(self) -> None:
        person, api, design = self._joined, self.link.api, self._design
        assert person is not None, "the end is offered to a participant"
        assert design is not None, "of a study"
        if any(vote.rater == person.id for vote in self.link.outbox.unsent(10_000)):
            self.gate.closing.ask()
            self.context.notify(text("study.on_their_way"))
            return
        passed = PageEvent(id=str(uuid.uuid4()), name="slider_passed")

        def finish() -> Participant:
            if design.rules.slider:
                api.page_events(participant=person.id, events=(passed,))
            return api.finish_study(participant=person.id)

        self._ask(finish, self._show_end)

    def _withdraw(self) -> None:
        person = self._joined
        assert person is not None, "only a participant can withdraw"
        self._ask(lambda: self.link.api.withdraw(participant=person.id), self._show_end)

    def _show_end(self, person: Participant) -> None:
        self._is_done = True
        is_withdrawn = person.state == "withdrawn"
        head = text("study.withdrawn" if is_withdrawn else "study.thanks")
        words = text("study.withdrawn_words") if is_withdrawn else text("study.thanks_words", code=person.code)
        self.gate.part(head, words)
        self._stack.setCurrentWidget(self.gate)

    def _ask(self, work: Callable[[], T], done: Callable[[T], object], *, meanwhile: str = "") -> None:
        """Asks the service, with words in place of the buttons until it answers. An answer that another question has overtaken is shown nowhere."""
        self._tell(meanwhile or text("judge.loading"), "")
        asked = self._asked = object()
        self.link.ask(
            work,
            lambda found: done(found) if self._asked is asked else None,
            lambda error: self._on_trouble(error) if self._asked is asked else None,
        )

    def _on_trouble(self, error: StudioError) -> None:
        self.gate.is_end = False
        self._tell(text("study.trouble"), text("study.trouble_words", error=error, cap=key_of("refresh")))

    def _tell(self, head: str, words: str) -> None:
        self.gate.tell(head, words)
        self._stack.setCurrentWidget(self.gate)
        self.setFocus()
