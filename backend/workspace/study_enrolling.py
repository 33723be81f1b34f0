"""Who takes part in a study: invitations, joining, consent, finishing, withdrawing."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backend.domain import ProjectError, SettingsError
from backend.domain.studies import Invitation, PageEvent, Participant
from backend.store import study_events
from backend.store.secret_file import secret_of_file
from backend.studies.book import StudyBook
from backend.studies.design import trials_of
from backend.workspace.study_shelf import StudyShelf

GROUPS = ("expert", "public")
MAX_INVITATIONS = 10_000
MAX_NAME = 200  # letters of a login, a background or an address
MAX_EVENTS = 200  # page events in one call


class Enrolling:
    """`key` is the file of the key that logins and addresses are hashed with; it is made when first needed."""

    def __init__(self, shelf: StudyShelf, *, key: Path) -> None:
        self._shelf = shelf
        self._key_path = key

    def invite(self, name: str, *, num: int, group: str, days: float) -> tuple[Invitation, ...]:
        """Makes tokens of 256 bits; their hashes are kept."""
        book = self._shelf.book(name)
        if book.closed is not None:
            raise ProjectError(f"study {book.design.name} was closed; `studio-backend study reopen` lets it go on")
        _check_group(group)
        if not 1 <= num <= MAX_INVITATIONS:
            raise SettingsError(f"num is {num}; make 1 to {MAX_INVITATIONS} invitations at once")
        if not 0 < days <= 3650:
            raise SettingsError(f"days is {days}; an invitation holds for more than 0 and at most 3650")
        until = (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")
        tokens = [secrets.token_urlsafe(32) for _ in range(num)]
        events = [
            study_events.invited_event(book.id, token_hash=_hash(token), group=group, expires_at=until) for token in tokens
        ]
        self._shelf.append(book, events)
        return tuple(Invitation(study_id=book.id, token=token, group=group, expires_at=until) for token in tokens)

    def join(self, *, token: str, login: str, address: str, background: str) -> Participant:
        """Uses an invitation up."""
        token_hash = _hash(token)
        with self._shelf.once:
            found = [book for book in self._shelf.books() if token_hash in book.tickets]
            if not found:
                raise ProjectError("this invitation is not valid; ask for a new one")
            book, ticket = found[0], found[0].tickets[token_hash]
            if ticket.used:
                raise ProjectError(
                    "this invitation was used already; go on in the browser that opened it, or ask for a new one"
                )
            if datetime.fromisoformat(ticket.expires_at) < datetime.now(UTC):
                raise ProjectError(f"this invitation ended on {ticket.expires_at[:10]}; ask for a new one")
            _require_going_on(book)
            person = self._newcomer(book, ticket.group, login, address, background, invited_by=token_hash)
            used = study_events.invitation_used_event(book.id, token_hash=token_hash)
            self._shelf.append(book, [used, study_events.joined_event(person)])
            return book.enrolled[person.id].participant

    def take_part(self, name: str, *, login: str, group: str) -> Participant:
        """Joins by name; the same login goes on."""
        book = self._shelf.book(name)
        _check_group(group)
        if not login.strip():
            raise SettingsError("login is empty; say who takes part, so that they can go on later")
        with self._shelf.once:
            known = self._by_login(book, login)
            if known is not None:
                return known
            _require_going_on(book)
            person = self._newcomer(book, group, login, "", "", invited_by="")
            self._shelf.append(book, [study_events.joined_event(person)])
            return book.enrolled[person.id].participant

    def participant(self, participant: str) -> Participant:
        return self._shelf.enrolment(participant)[1].participant

    def consent(self, participant: str, *, text: str) -> Participant:
        """Keeps what was agreed to, and decides the trials before the first is shown."""
        with self._shelf.turn_of(participant), self._shelf.once:
            book, enrolment = self._shelf.enrolment(participant)
            if enrolment.participant.state == "joined":
                _require_going_on(book)
                if not text.strip() or len(text) > 20_000:
                    raise SettingsError("the text that was agreed to is empty or too long; give what the participant read")
                with self._shelf.lock:
                    place = book.free_place()
                trials = [(one.item_id, one.role, one.order) for one in trials_of(book.design, place)]
                person = enrolment.participant
                agreed = study_events.consented_event(person, text=text)
                self._shelf.append(book, [agreed, study_events.assigned_event(person, place=place, trials=trials)])
            return enrolment.participant

    def finish(self, participant: str) -> Participant:
        """Ends a response. Raises ProjectError while trials are open, unless the study was closed meanwhile."""
        with self._shelf.turn_of(participant):
            book, enrolment = self._shelf.enrolment(participant)
            person = enrolment.participant
            if person.state == "finished":
                return person
            _require_open(person)
            left = len(enrolment.trials) - self._shelf.num_answered(book, enrolment)
            if left and book.closed is None:
                raise ProjectError(
                    f"{left} of {len(enrolment.trials)} trials are not answered yet; answer them, then finish"
                )
            self._shelf.append(book, [study_events.finished_event(person, code=secrets.token_hex(4).upper())])
            return enrolment.participant

    def withdraw(self, participant: str) -> Participant:
        """Takes somebody out, whenever they ask."""
        with self._shelf.turn_of(participant):
            book, enrolment = self._shelf.enrolment(participant)
            if enrolment.participant.state != "withdrawn":
                self._shelf.append(book, [study_events.withdrawn_event(enrolment.participant)])
            return enrolment.participant

    def note(self, participant: str, events: Sequence[PageEvent]) -> int:
        """Journals what a page reports; gives how many were new."""
        if len(events) > MAX_EVENTS:
            raise SettingsError(f"{len(events)} events were sent at once; send up to {MAX_EVENTS}")
        with self._shelf.turn_of(participant):
            book, enrolment = self._shelf.enrolment(participant)
            for event in events:
                if not 0 < len(event.name) <= MAX_NAME or not event.name.isidentifier():
                    raise SettingsError(f"page event {event.name[:40]!r} has no fit name; use a word such as `played`")
                if event.trial_id and event.trial_id not in enrolment.trial_ids:
                    raise SettingsError("a page event names a trial that this participant does not have")
            before = self._shelf.journal.head().seq
            receipts = self._shelf.append(
                book, [study_events.page_event(enrolment.participant, event) for event in events], keep=True
            )
        return sum(receipt.seq > before for receipt in receipts)

    def _newcomer(
        self, book: StudyBook, group: str, login: str, address: str, background: str, *, invited_by: str
    ) -> Participant:
        for name, text in (("login", login), ("background", background), ("address", address)):
            if len(text) > MAX_NAME or not _is_unicode(text):
                raise SettingsError(f"{name} is {text[:40]!r}; give valid text of up to {MAX_NAME} letters")
        if login.strip() and self._by_login(book, login) is not None:
            raise ProjectError("this login has taken part already; one response each is counted")
        return Participant(
            id=f"p_{secrets.token_hex(16)}",
            study_id=book.id,
            group=group,
            background=background.strip(),
            invited_by=invited_by,
            login_hash=self._keyed(book, login.strip()),
            ip_hash=self._keyed(book, address.strip()),
        )

    def _by_login(self, book: StudyBook, login: str) -> Participant | None:
        own = self._keyed(book, login.strip())
        people = tuple(book.enrolled.values())
        return next((one.participant for one in people if one.participant.login_hash == own), None)

    def _keyed(self, book: StudyBook, text: str) -> str:
        """A hash that nobody can try out without the project's key; empty for nothing. Raises StoreError for a damaged key."""
        if not text:
            return ""
        key = secret_of_file(self._key_path)
        return hmac.new(key, f"{book.id}\n{text}".encode(), hashlib.sha256).hexdigest()


def _require_going_on(book: StudyBook) -> None:
    """Told to participants."""
    if book.closed is not None:
        raise ProjectError("this study has ended, no more answers are needed; thank you for wanting to take part")


def _require_open(person: Participant) -> None:
    if person.state != "consented":
        raise ProjectError(
            "this participant has not agreed to take part yet" if person.state == "joined" else "this participant withdrew"
        )


def _check_group(group: str) -> None:
    if group not in GROUPS:
        raise SettingsError(f"group {group[:80]!r} is none of {', '.join(GROUPS)}")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "backslashreplace")).hexdigest()


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
