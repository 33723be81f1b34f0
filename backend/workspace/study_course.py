"""The course of sequential studies: what the next trial of a participant shows, by the votes of all so far."""

import numpy as np

from backend.domain import Vote
from backend.domain.studies import MAIN
from backend.store import study_events
from backend.store.journal_schema import Event
from backend.studies.book import Enrolment, StudyBook
from backend.studies.sequence import Standing, chosen_trial
from backend.workspace.study_shelf import StudyShelf


class Course:
    """Keeps how the votes of each sequential study stand; read once from the catalog, then told of every vote."""

    def __init__(self, shelf: StudyShelf) -> None:
        self._shelf = shelf
        self._standings: dict[str, Standing] = {}

    def choose(self, book: StudyBook, enrolment: Enrolment, places: list[int]) -> None:
        """Decides the open ones of a participant's trials at `places`, and journals them. In the participant's turn.

        One choice at a time, so that the next one knows of it.
        """
        with self._shelf.once:
            for place in places:
                if enrolment.trials[place].is_open:
                    self._shelf.append(book, [self._choice(book, enrolment, place)])

    def heard(self, vote: Vote) -> None:
        """A vote was stored."""
        book = self._shelf.book(vote.study_id)
        with self._shelf.lock:
            if book.id in self._standings and _is_main(book, vote):
                self._standings[book.id].take(vote)

    def forget(self, study_id: str, participant: str) -> None:
        """Somebody withdrew or was erased."""
        with self._shelf.lock:
            if study_id in self._standings:
                self._standings[study_id].drop(participant)

    def _choice(self, book: StudyBook, enrolment: Enrolment, place: int) -> Event:
        standing = self._standing(book)
        rng = np.random.default_rng([book.design.seed, 78, enrolment.place or 0, place])
        with self._shelf.lock:
            one = chosen_trial(book.design, standing, book.uses, enrolment.trials, place, rng)
        trial_id = enrolment.trial_ids[place]
        return study_events.chosen_event(
            enrolment.participant, trial_id=trial_id, position=place, item_id=one.item_id, role=one.role, order=one.order
        )

    def _standing(self, book: StudyBook) -> Standing:
        with self._shelf.lock:
            found = self._standings.get(book.id)
        if found is not None:
            return found
        self._shelf.projection.refresh()
        found = Standing(book.design)
        for one in self._shelf.query(book.id):
            if _is_main(book, one.vote):
                found.take(one.vote)
        with self._shelf.lock:
            return self._standings.setdefault(book.id, found)


def _is_main(book: StudyBook, vote: Vote) -> bool:
    """Whether a vote is on a main trial of somebody who is still in."""
    enrolment = book.enrolled.get(vote.rater)
    if enrolment is None or enrolment.participant.state == "withdrawn" or vote.trial_id not in enrolment.trial_ids:
        return False
    return enrolment.trials[enrolment.trial_ids.index(vote.trial_id)].role == MAIN
