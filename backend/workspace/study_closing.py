"""When a study ends: by its own rule, or by hand. What was answered stays and counts."""

import threading

from backend.domain import ProjectError, SettingsError
from backend.domain.studies import StopState
from backend.store import study_events
from backend.studies.book import StudyBook
from backend.studies.results import stop_now
from backend.workspace.study_answering import Answering
from backend.workspace.study_shelf import StudyShelf

MAX_REASON = 500  # letters


class Closing:
    """Closes studies and opens them again."""

    def __init__(self, shelf: StudyShelf, answering: Answering) -> None:
        self._shelf = shelf
        self._answering = answering
        self._looking = threading.Lock()
        self._due: set[str] = set()

    def close(self, name: str, *, because: str) -> StudyBook:
        """Ends a study. Raises ProjectError for one that has ended."""
        because = because.strip() or "closed by hand"
        if len(because) > MAX_REASON or not because.isprintable():
            raise SettingsError(f"the reason is {because[:40]!r}; give up to {MAX_REASON} letters in one line")
        with self._shelf.once:
            book = self._shelf.book(name)
            if book.closed is not None:
                raise ProjectError(f"study {book.design.name} was closed already on {book.closed.at[:10]}")
            self._shelf.append(book, [study_events.closed_event(book.id, because=because)])
        return book

    def reopen(self, name: str) -> StudyBook:
        """Lets a study go on; its rule does not close it again. Raises ProjectError for one that is open."""
        with self._shelf.once:
            book = self._shelf.book(name)
            if book.closed is None:
                raise ProjectError(f"study {book.design.name} is open; there is nothing to reopen")
            self._shelf.append(book, [study_events.reopened_event(book.id)])
        return book

    def look(self, book: StudyBook) -> None:
        """Closes a study whose rule is reached; called when somebody finished.

        One looks at a time, and for all who finish meanwhile: they do not wait.
        """
        if not book.design.stop_half_width:
            return
        self._due.add(book.id)
        while self._due and self._looking.acquire(blocking=False):
            try:
                while self._due:
                    self._judge(self._shelf.book(self._due.pop()))
            finally:
                self._looking.release()

    def _judge(self, book: StudyBook) -> None:
        if book.closed is not None or book.was_reopened:
            return
        state = stop_now(book.design, self._answering.responses(book))
        if state.is_reached:
            with self._shelf.once:
                if book.closed is None and not book.was_reopened:
                    self._shelf.append(book, [study_events.closed_event(book.id, because=_because(state))])


def _because(state: StopState) -> str:
    return f"narrow enough: the widest interval is +-{state.widest:.3f} ({state.about}), +-{state.wanted:g} was wanted"
