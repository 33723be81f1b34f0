"""What participants are shown and what they answer: trials by opaque ids, votes in canonical items."""

from collections.abc import Sequence
from dataclasses import replace

from backend.domain import Form, ProjectError, Question, Receipt, Stimulus, Trial, Vote
from backend.domain.studies import PRACTICE, StudyDesign, StudyItem, StudyPass, StudyTrial
from backend.store import study_events
from backend.store.journal_schema import EventRefused
from backend.studies.book import Enrolment, StudyBook
from backend.studies.design import Assigned
from backend.studies.kinds import kind_of
from backend.studies.tally import Given, Response, responses
from backend.workspace.projection import storable
from backend.workspace.study_course import Course
from backend.workspace.study_shelf import Answers, StudyShelf

MAX_COMMENT = 2_000  # letters of a reason in words


class Answering:
    """Trials and votes of participants."""

    def __init__(self, shelf: StudyShelf, course: Course) -> None:
        self._shelf = shelf
        self._course = course

    def trials(self, participant: str, *, start: int | None, limit: int, skip: Sequence[str] = ()) -> StudyPass:
        """Trials from a position on, or from the first open one; each is journalled when it is first given out."""
        with self._shelf.turn_of(participant):
            book, enrolment = self._shelf.enrolment(participant)
            answers = self._shelf.answers_of(book, enrolment)
            total = len(enrolment.trials)
            is_open = [not self._shelf.is_answered(book, enrolment, k) for k in range(total)]
            is_closed = book.closed is not None
            places: list[int] = []
            skipped = set(skip)
            if enrolment.participant.state == "consented":
                if start is None:
                    places = [k for k in range(total) if is_open[k] and enrolment.trial_ids[k] not in skipped]
                else:
                    places = list(range(max(0, start), total))
                # Of a closed study nothing new is given out; what was answered can be looked at again
                places = [k for k in places if not (is_closed and is_open[k])][:limit]
                if book.design.sequential:
                    self._course.choose(book, enrolment, places)
            fresh = [enrolment.trial_ids[k] for k in places if enrolment.trial_ids[k] not in enrolment.shown_at]
            shown = [study_events.shown_event(enrolment.participant, trial_id=trial) for trial in fresh]
            if shown:
                self._shelf.append(book, shown, keep=True)
        return StudyPass(
            participant=enrolment.participant,
            answered=total - sum(is_open),
            total=total - sum(is_open) if is_closed else total,
            trials=tuple(_study_trial(book, enrolment, k, answers) for k in places),
            is_closed=is_closed,
        )

    def submit(self, votes: Sequence[Vote]) -> tuple[Receipt, ...]:
        """Stores votes of participants, in canonical items and with the systems as they were shown. Raises EventRefused."""
        with self._shelf.turn_of(*(vote.rater for vote in votes)):
            complete = [self._completed(vote) for vote in votes]
            receipts = self._shelf.journal.append_votes(complete, redactable=True)
            for vote, receipt in zip(complete, receipts, strict=True):
                if receipt.applied:
                    self._shelf.keep_answer(vote)
                    self._course.heard(vote)
        return receipts

    def votes(self, study_id: str) -> list[Given]:
        """Current votes of a study that say something; one a trial and question."""
        self._shelf.projection.refresh()
        latest: dict[tuple[str, str, str], Given] = {}
        for one in self._shelf.query(study_id):
            if one.vote.choice is not None:
                latest[one.vote.rater, one.vote.trial_id, one.vote.question] = one
        return list(latest.values())

    def responses(self, book: StudyBook) -> list[Response]:
        """What each who takes part in a study gave, coded, before any rule is applied."""
        given = self.votes(book.id)
        taken = [one.taken() for one in tuple(book.enrolled.values())]  # people join meanwhile
        return responses(book.design, taken, given, max_item_seconds=book.design.rules.max_item_seconds)

    def _completed(self, vote: Vote) -> Vote:
        if not storable(vote.rev, vote.visible_ms, vote.strength):
            raise EventRefused(f"vote {vote.id[:80]}: a number is out of range; rev and visible_ms are small counts")
        try:
            book, enrolment = self._shelf.enrolment(vote.rater)
        except ProjectError as error:
            raise EventRefused(str(error)) from error
        if vote.study_id != book.id or vote.item_id not in enrolment.trial_ids:
            raise EventRefused(f"vote {vote.id[:80]} is about a trial that this participant does not have")
        position = enrolment.trial_ids.index(vote.item_id)
        assigned = enrolment.trials[position]
        if assigned.is_open:
            raise EventRefused(f"vote {vote.id[:80]} is about a trial that was not given out yet")
        item = book.items[assigned.item_id]
        _check_answer(vote, {question.name: question for question in book.form_of(item).questions})
        complete = replace(
            vote,
            trial_id=vote.item_id,
            item_id=item.id,
            rater_kind="person",
            shown_order=tuple(item.systems[k] for k in assigned.order),
        )
        known = self._shelf.answers_of(book, enrolment).get((complete.trial_id, complete.question))
        state = enrolment.participant.state
        is_sent_again = known is not None and known.id == vote.id and known.rev >= vote.rev
        if state != "consented" and not is_sent_again:
            raise EventRefused(f"this response is {state}; it takes no further answers")
        return complete


def _study_trial(book: StudyBook, enrolment: Enrolment, position: int, answers: Answers) -> StudyTrial:
    """What is sent to the participant: slots and opaque ids, no system's name, also in their own votes."""
    trial_id, assigned = enrolment.trial_ids[position], enrolment.trials[position]
    item = book.items[assigned.item_id]
    kind = kind_of(book.design.kind)
    slots = kind.slots(len(item.systems))
    stimuli = [Stimulus(slot="prompt", text=item.prompt)]
    references = [f"reference_{k + 1}" for k in range(len(item.references))]
    stimuli += [Stimulus(slot=slot, media=f"t-{trial_id}-{slot}") for slot in (*references, *slots)]
    form = book.form_of(item)
    own = [answers.get((trial_id, question.name)) for question in form.questions]
    return StudyTrial(
        position=position,
        practice=assigned.role == PRACTICE,
        trial=Trial(
            study_id=book.id,
            item_id=trial_id,
            form=form.name,
            stimuli=tuple(stimuli),
            gold=_right_choice(form, item, assigned, book.design) if assigned.role == PRACTICE else None,
        ),
        votes=tuple(replace(vote, item_id=trial_id, shown_order=slots) for vote in own if vote is not None),
    )


def _right_choice(form: Form, item: StudyItem, assigned: Assigned, design: StudyDesign) -> str | None:
    """The choice that is right in practice, as `question=choice`, so that a page can say so."""
    kind = kind_of(design.kind)
    for question, answers in item.gold:
        choices = next((q.choices for q in form.questions if q.name == question), ())
        for choice in choices:
            coded = kind.code(choice.value, assigned.order)
            if coded is not None and coded.answer in answers:
                return f"{question}={choice.value}"
    return None


def _check_answer(vote: Vote, questions: dict[str, Question]) -> None:
    if vote.question not in questions:
        raise EventRefused(f"vote {vote.id[:80]} answers {vote.question[:80]!r}, which is not asked")
    question = questions[vote.question]
    if vote.choice is not None and vote.choice not in {choice.value for choice in question.choices}:
        raise EventRefused(f"vote {vote.id[:80]}: {vote.choice[:80]!r} is no choice of {question.name}")
    if not set(vote.reasons) <= {reason.value for reason in question.reasons}:
        raise EventRefused(f"vote {vote.id[:80]} gives a reason that {question.name} does not offer")
    if len(vote.comment) > MAX_COMMENT:
        raise EventRefused(f"the reason has {len(vote.comment)} letters; shorten it to {MAX_COMMENT}")
