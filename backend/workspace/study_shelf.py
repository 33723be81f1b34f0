"""The studies of an open project: their books, and what participants have answered so far.

The journal comes first: every change is an event on the disk, and then applied to the books, which are read again from the
catalog when the project is opened. Three kinds of locks, taken in this order:
- `turn_of` a participant: one call about somebody at a time, so that nothing is stored after they finished or were erased.
- `once`: an invitation's use, a login, a place, a study's name.
- `lock`: what is in memory. Nobody waits for the disk or the catalog under it, so that votes of all go to the disk together.
"""

import json
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

from backend.domain import Form, ProjectError, Receipt, Vote
from backend.domain.studies import StudyDesign, StudyItem
from backend.settings import nearest
from backend.store import study_events
from backend.store.catalog import Catalog
from backend.store.clock_events import SteadyTimes
from backend.store.journal import Journal
from backend.store.journal_schema import Event
from backend.studies.book import Enrolment, StudyBook
from backend.studies.design import Assigned
from backend.studies.tally import Given
from backend.workspace.projection import Projection

Answers = dict[tuple[str, str], Vote]
"""Current votes of a participant by trial id and question; `choice` is None for one that was taken back."""

_NAMES = [
    "id",
    "rev",
    "study_id",
    "trial_id",
    "item_id",
    "rater",
    "rater_kind",
    "question",
    "choice",
    "strength",
    "reasons",
    "comment",
    "shown_order",
    "visible_ms",
    "made_at",
]
_VOTES = """
SELECT {names}, min(seq) OVER of_id AS first_seq, arg_min(received_at, seq) OVER of_id AS first_received_at
FROM vote WHERE study_id = ? {about} WINDOW of_id AS (PARTITION BY id)
QUALIFY row_number() OVER (PARTITION BY id ORDER BY rev DESC, seq DESC) = 1 ORDER BY seq
"""


class StudyShelf:
    """Every method may be called from any thread."""

    def __init__(self, journal: Journal, catalog: Catalog, projection: Projection) -> None:
        self.journal = journal
        self.projection = projection
        self.once = threading.RLock()
        self.lock = threading.RLock()
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._catalog = catalog
        self._times = SteadyTimes(journal)
        self._books: dict[str, StudyBook] | None = None
        self._answers: dict[str, Answers] = {}
        self._trials: dict[str, tuple[str, str, int]] = {}

    def books(self) -> tuple[StudyBook, ...]:
        """Every study, oldest first."""
        return tuple(self.loaded().values())

    def book(self, name: str) -> StudyBook:
        """A study by name or id. Raises ProjectError with the ones there are."""
        books = self.loaded()
        if name in books:
            return books[name]
        named = {book.design.name: book for book in books.values()}
        if name not in named:
            known = nearest(name[:80], named) if named else "; `studio-backend study create` makes one"
            raise ProjectError(f"study {name[:80]!r} does not exist in this project{known}")
        return named[name]

    def has(self, study_id: str) -> bool:
        return study_id in self.loaded()

    def require_free(self, name: str) -> None:
        """Raises ProjectError when a study is called so."""
        if any(book.design.name == name for book in self.books()):
            raise ProjectError(f"a study called {name[:100]!r} exists already; choose another name")

    def vote_counts(self) -> dict[str, int]:
        """Current votes by study."""
        self.projection.refresh()
        return dict(
            self._catalog.query(
                """SELECT study_id, count(*) FROM (SELECT study_id, choice FROM vote
                QUALIFY row_number() OVER (PARTITION BY id ORDER BY rev DESC, seq DESC) = 1) WHERE choice NOTNULL GROUP BY 1"""
            )
        )

    def vote_count(self, name: str) -> int:
        """Current votes of one study."""
        return self.vote_counts().get(self.book(name).id, 0)

    def create(self, design: StudyDesign) -> StudyBook:
        """Journals a design. Raises ProjectError when the name is taken."""
        with self.once:
            self.require_free(design.name)
            self.journal.append(study_events.design_events(design))
            book = StudyBook(design)
            with self.lock:
                self.loaded()[book.id] = book
            return book

    def form(self, name: str) -> Form | None:
        """The form of a study's trials by the name that they give; None for a name of another kind."""
        study_id, _, number = name.rpartition("_")
        if not number.isdecimal() or len(number) > 2 or not self.has(study_id):
            return None
        return self.book(study_id).form(int(number))

    def append(self, book: StudyBook, events: Sequence[Event], *, keep: bool = False) -> tuple[Receipt, ...]:
        """On the disk first, then in the book."""
        receipts = self.journal.append(events, keep_first=keep)
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        with self.lock:
            self._times.refresh()
            for receipt, event in zip(receipts, events, strict=True):
                body = dict(event.body)
                self._apply(book, event.kind, body.get("participant", ""), self._at(event.kind, receipt.seq, at), body)
        return receipts

    @contextmanager
    def turn_of(self, *participants: str) -> Iterator[None]:
        """Keeps other calls about these participants waiting while the block runs."""
        books = self.books()
        known = {person for person in participants if any(person in book.enrolled for book in books)}
        with ExitStack() as held:
            for participant in sorted(known):  # in one order, so that two calls do not wait for each other
                held.enter_context(self._turns[participant])
            yield

    def enrolment(self, participant: str) -> tuple[StudyBook, Enrolment]:
        for book in self.books():
            if participant in book.enrolled:
                return book, book.enrolled[participant]
        raise ProjectError(f"participant {participant[:80]!r} takes part in no study of this project")

    def answers_of(self, book: StudyBook, enrolment: Enrolment) -> Answers:
        """A participant's current votes, to be read in their turn. Those of people who have ended are in the catalog."""
        person = enrolment.participant.id
        found = self._answers.get(person)
        if found is None:
            self.projection.refresh()
            found = {(vote.trial_id, vote.question): vote for vote in (one.vote for one in self.query(book.id, (person,)))}
            with self.lock:
                self._answers[person] = found
        return found

    def keep_answer(self, vote: Vote) -> None:
        """Remembers a stored vote, unless a later one is known."""
        with self.lock:
            answers = self._answers.get(vote.rater)
            known = None if answers is None else answers.get((vote.trial_id, vote.question))
            if answers is not None and (known is None or known.id != vote.id or known.rev <= vote.rev):
                answers[vote.trial_id, vote.question] = vote

    def num_answered(self, book: StudyBook, enrolment: Enrolment) -> int:
        return sum(self.is_answered(book, enrolment, k) for k in range(len(enrolment.trials)))

    def is_answered(self, book: StudyBook, enrolment: Enrolment, position: int) -> bool:
        if enrolment.trials[position].is_open:
            return False
        answers = self.answers_of(book, enrolment)
        item = book.items[enrolment.trials[position].item_id]
        found = (answers.get((enrolment.trial_ids[position], q.name)) for q in book.form_of(item).questions)
        return all(vote is not None and vote.choice is not None for vote in found)

    def query(self, study_id: str, raters: Iterable[str] | None = None) -> list[Given]:
        """Votes as they stand now, in the order of their last words."""
        self._times.refresh()
        about = "" if raters is None else "AND rater IN (SELECT unnest(?))"
        rows = self._catalog.query(
            _VOTES.format(names=", ".join(_NAMES), about=about), [study_id, *([] if raters is None else [list(raters)])]
        )
        found = []
        for row in rows:
            fields = dict(zip(_NAMES, row[: len(_NAMES)], strict=True))
            fields |= {name: tuple(fields[name] or ()) for name in ("reasons", "shown_order")}
            seq, at = row[len(_NAMES) :]
            at = self._times.of(seq, at) if at else fields["made_at"]
            found.append(Given(vote=Vote(**fields), first_seq=seq, first_received_at=at))
        return found

    def trial(self, trial_id: str) -> tuple[StudyDesign, StudyItem, Assigned]:
        """What a participant's trial shows. Raises ProjectError for an id that was never given out."""
        self.loaded()
        with self.lock:
            if trial_id not in self._trials:
                raise ProjectError(f"trial {trial_id[:80]!r} does not exist in this project; ask for the trials again")
            study_id, participant, position = self._trials[trial_id]
            book = self.book(study_id)
            assigned = book.enrolled[participant].trials[position]
        if assigned.is_open:
            raise ProjectError(f"trial {trial_id[:80]!r} was not given out yet; ask for the trials again")
        return book.design, book.items[assigned.item_id], assigned

    def forget(self, participant: str) -> None:
        """Takes somebody who was erased out of the books."""
        with self.lock:
            book, enrolment = self.enrolment(participant)
            del book.enrolled[participant]
            self._answers.pop(participant, None)
            self._turns.pop(participant, None)
            for trial in enrolment.trial_ids:
                self._trials.pop(trial, None)

    def loaded(self) -> dict[str, StudyBook]:
        with self.lock:
            if self._books is None:
                self.projection.refresh()
                parts: dict[str, list[tuple[str, str]]] = {}
                for study_id, kind, body in self._catalog.query("SELECT study_id, kind, body FROM study ORDER BY seq"):
                    parts.setdefault(study_id, []).append((kind, body))
                books = {study_id: StudyBook(study_events.design_of(rows)) for study_id, rows in parts.items()}
                self._books = books
                self._times.refresh()
                for seq, kind, study_id, participant, at, body in self._catalog.query(
                    "SELECT seq, kind, study_id, participant, happened_at, body FROM study_event ORDER BY seq"
                ):
                    self._apply(books[study_id], kind, participant, self._at(kind, seq, at), json.loads(body))
                self._fill_answers(books)
            return self._books

    def _fill_answers(self, books: dict[str, StudyBook]) -> None:
        """Of everybody who is in the middle of a study, read at once."""
        for book in books.values():
            if people := [person for person in book.enrolled if person in self._answers]:
                for vote in (one.vote for one in self.query(book.id, people)):
                    self._answers[vote.rater][vote.trial_id, vote.question] = vote

    def _at(self, kind: str, seq: int, at: str) -> str:
        """When an event happened; of a trial's showing as durations are counted from it, whatever the clock did since."""
        return self._times.of(seq, at) if kind == study_events.SHOWN else at

    def _apply(self, book: StudyBook, kind: str, participant: str, at: str, body: dict) -> None:
        book.apply(kind, participant=participant, at=at, body=body)
        if kind == study_events.ASSIGNED:
            self._answers.setdefault(participant, {})
            for position, trial in enumerate(book.enrolled[participant].trial_ids):
                self._trials[trial] = book.id, participant, position
        elif kind in (study_events.FINISHED, study_events.WITHDRAWN):
            self._answers.pop(participant, None)
