"""What the page does with the Api: every call may block, and may come twice."""

import os
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.api import Api, MediaFile
from backend.domain import Form, ProjectError, StudioError, Vote
from backend.domain.studies import PageEvent, Participant, StudyPass, StudyTrial
from backend.service.study_page.asked import Answer, BadRequest, Event, Slid
from backend.service.study_page.keys import PageKeys
from backend.service.study_page.sessions import Session
from backend.service.study_page.shown import shown_pass, shown_trial
from backend.service.study_page.slider import Challenge, Sliders

AHEAD = 3  # trials given out at once: the next two play while the network is away
PAST_THE_END = 1_000_000
SOUND_ASPECT = "av_sync"


class Conflict(Exception):
    """Another window answered this question meanwhile; `current` is that answer."""

    def __init__(self, current: Vote) -> None:
        super().__init__(current.id)
        self.current = current


@dataclass(frozen=True, slots=True)
class _Facts:
    """What of a study's design the page needs."""

    language: str
    consent: str
    slider: bool
    practice: int
    has_sound: bool


class PageStudies:
    """Studies as the page sees them. Methods may be called from any thread."""

    def __init__(self, api: Api, keys: PageKeys) -> None:
        self._api, self._keys = api, keys
        self._sliders = Sliders(keys)
        self._facts: dict[str, _Facts] = {}
        self._forms: dict[str, Form] = {}
        self._lock = threading.Lock()

    def join(self, *, token: str, address: str, login: str, background: str) -> Participant:
        return self._api.join_study(token=token, login=login, address=address, background=background)

    def state(self, session: Session) -> dict[str, Any] | None:
        """Where a participant is; None when they were erased. Gives no trial out."""
        try:
            participant = self._api.participant(participant=session.participant)
        except ProjectError:
            return None
        session.study_id = participant.study_id
        facts = self._of(session)
        told: dict[str, Any] = {
            "language": facts.language,
            "key": self._keys.digest("page", session.participant)[:12],
            "practice": facts.practice,
            "has_sound": facts.has_sound,
        }
        if participant.state == "withdrawn":
            return {**told, "step": "withdrawn"}
        if participant.state == "finished":
            return {**told, "step": "done", "code": participant.code}
        found = self._api.study_trials(participant=session.participant, start=PAST_THE_END, limit=1)
        if participant.state == "joined":
            return {**told, "step": "ended"} if found.is_closed else {**told, "step": "consent", "consent": facts.consent}
        is_slid = session.passed_slider or not facts.slider
        step = "trials" if found.left else ("finish" if is_slid else "slider")
        return {**told, "step": step, "is_closed": found.is_closed, **shown_pass(found)}

    def consent(self, session: Session) -> None:
        self._api.consent(participant=session.participant, text=self._of(session).consent)

    def trials(self, session: Session, start: int | None) -> dict[str, Any]:
        """The next trials as the browser is told of them."""
        found = self._given_out(session, start)
        shown = [
            shown_trial(one, self._form(one.trial.form), participant=session.participant, keys=self._keys)
            for one in found.trials
        ]
        return {**shown_pass(found), "trials": shown}

    def votes(self, given: Sequence[tuple[Session, Answer]]) -> list[dict[str, Any] | Exception]:
        """Stores answers durably, together. An answer's outcome is what is told, or Conflict, BadRequest or a StudioError."""
        is_own = [self._is_own(*one) for one in given]
        stored = iter(self._stored([one for one, own in zip(given, is_own, strict=True) if own]))
        return [next(stored) if own else BadRequest("vote: this is not the id of that question") for own in is_own]

    def _is_own(self, session: Session, answer: Answer) -> bool:
        return answer.vote == self._keys.vote_id(session.participant, answer.trial, answer.question)

    def _stored(self, given: Sequence[tuple[Session, Answer]]) -> list[dict[str, Any] | Exception]:
        """The Api takes all or none, so that where one is refused the halves are tried apart."""
        if not given:
            return []
        try:
            receipts = self._api.submit_votes(votes=tuple(self._vote(*one) for one in given))
        except StudioError as error:
            if len(given) == 1:
                return [self._refusal(*given[0], error)]
            half = len(given) // 2
            return [*self._stored(given[:half]), *self._stored(given[half:])]
        return [{"rev": receipt.rev, "applied": receipt.applied} for receipt in receipts]

    def _refusal(self, session: Session, answer: Answer, error: StudioError) -> Exception:
        try:
            current = self._current(session, answer)
        except StudioError:
            return error
        return Conflict(current) if current is not None and current.rev >= answer.rev else error

    def _vote(self, session: Session, answer: Answer) -> Vote:
        return Vote(
            id=answer.vote,
            rev=answer.rev,
            study_id=self._study_id(session),
            trial_id=answer.trial,
            item_id=answer.trial,
            rater=session.participant,
            rater_kind="person",
            question=answer.question,
            choice=answer.choice,
            reasons=answer.reasons,
            comment=answer.comment,
            visible_ms=answer.visible_ms,
            made_at=answer.made_at,
        )

    def events(self, session: Session, events: tuple[Event, ...]) -> int:
        told = tuple(
            PageEvent(id=one.id, name=one.name, trial_id=one.trial, value=one.value, made_at=one.made_at) for one in events
        )
        return self._api.page_events(participant=session.participant, events=told)

    def challenge(self, session: Session) -> Challenge:
        return self._sliders.challenge(session.participant)

    def slid(self, session: Session, slid: Slid) -> str:
        """Why the slider does not count, as a word; empty, and journalled, when it does."""
        problem = self._sliders.problem(
            session.participant, slid.nonce, value=slid.value, trace=slid.trace, by_keys=slid.by_keys
        )
        if not problem:
            passed = PageEvent(id=str(uuid.uuid4()), name="slider_passed")
            self._api.page_events(participant=session.participant, events=(passed,))
            session.passed_slider = True
        return problem

    def finish(self, session: Session) -> str:
        """The completion code."""
        return self._api.finish_study(participant=session.participant).code

    def withdraw(self, session: Session) -> None:
        self._api.withdraw(participant=session.participant)

    def file(self, session: Session, media_id: str) -> tuple[MediaFile, os.stat_result] | None:
        """A file of this session's trials, and its size; None for an id that is not theirs.

        Raises ProjectError or MediaError when it is gone.
        """
        if media_id not in session.sources:
            self._given_out(session, None)  # after a restart the page still shows the trial that is open
        if media_id not in session.sources:
            return None
        found = session.files.get(media_id)
        if found is None or not Path(found.path).exists():  # a copy that somebody deleted is made anew
            found = session.files[media_id] = self._api.media(media_id=session.sources[media_id])
        return found, Path(found.path).stat()

    def _given_out(self, session: Session, start: int | None) -> StudyPass:
        found = self._api.study_trials(participant=session.participant, start=start, limit=AHEAD)
        for one in found.trials:
            for stimulus in one.trial.stimuli:
                if stimulus.media is not None:
                    shown = self._keys.media_id(session.participant, one.trial.item_id, stimulus.slot)
                    session.sources[shown] = stimulus.media
            session.positions[one.trial.item_id] = one.position
        return found

    def _current(self, session: Session, answer: Answer) -> Vote | None:
        """The participant's own answer to that question as it is stored."""
        position = session.positions.get(answer.trial)
        found = self._api.study_trials(participant=session.participant, start=position, limit=1).trials
        return next((vote for one in found for vote in _votes_on(one, answer)), None)

    def _study_id(self, session: Session) -> str:
        if not session.study_id:
            session.study_id = self._api.participant(participant=session.participant).study_id
        return session.study_id

    def _of(self, session: Session) -> _Facts:
        study_id = self._study_id(session)
        with self._lock:
            if study_id not in self._facts:
                design = self._api.study(name=study_id)
                self._facts[study_id] = _Facts(
                    language=design.language,
                    consent=design.consent,
                    slider=design.rules.slider,
                    practice=design.practice,
                    has_sound=SOUND_ASPECT in design.aspects,
                )
            return self._facts[study_id]

    def _form(self, name: str) -> Form:
        with self._lock:
            if name not in self._forms:
                self._forms[name] = self._api.form(name=name)
            return self._forms[name]


def _votes_on(one: StudyTrial, answer: Answer) -> list[Vote]:
    return [vote for vote in one.votes if vote.question == answer.question and one.trial.item_id == answer.trial]
