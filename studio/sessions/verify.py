"""A rater at a queue of trials: which is shown, which come next, what was said, what can be taken back.

The session decides and remembers; it touches no widget, thread, file or network. Whoever holds it writes the votes
that it gives out, and says when they are safe: only then does it move on.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from backend.api import QueueState
from backend.domain import Form, Question, Trial, Vote


class Phase(StrEnum):
    """What the rater can do now."""

    WAITING = "waiting"
    """Nothing to show yet: trials are being asked for, or cannot be had (`trouble` says why)."""
    OPENING = "opening"
    """A trial is current, its pictures are not on the screen yet."""
    JUDGING = "judging"
    SAVING = "saving"
    """A vote was given out and is not safe yet; keys are ignored."""
    EMPTY = "empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to ask the queue for: how many trials, and which items not to offer again."""

    limit: int
    skip: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Held:
    """A trial leased to this rater, its form, and the answers given so far by question name."""

    trial: Trial
    form: Form
    leased_at_s: float
    answers: dict[str, Vote] = field(default_factory=dict)
    earlier: tuple[Vote, ...] = ()
    """Answers that were given before the trial came."""
    was_open: bool = False
    id: str = ""
    """The trial's id, derived once."""

    def __post_init__(self) -> None:
        self.id = self.trial.id

    @property
    def open_question(self) -> Question | None:
        """The first question without an answer, of those that the answers before them call for."""
        return self.form.open_question({name: vote.choice for name, vote in self.answers.items()})


@dataclass(slots=True, kw_only=True)
class VerifySession:
    """State of one rater in one study. `clock` gives monotonic seconds, `now` ISO 8601 UTC, `new_id` fresh vote ids."""

    study_id: str
    rater: str
    clock: Callable[[], float]
    now: Callable[[], str]
    new_id: Callable[[], str]
    prefetch: int = 2
    lease_s: float = 540.0  # the service leases for 600 s; a minute is kept for the last look
    max_undo: int = 200

    phase: Phase = Phase.WAITING
    trouble: str = ""
    current: Held | None = None
    upcoming: deque[Held] = field(default_factory=deque)
    reasons: tuple[str, ...] = ()
    comment: str = ""
    taken_back: Vote | None = None
    """The answer that undo withdrew from the open question, for the page to recall it."""
    total: int = 0
    judged: int = 0
    counted: bool = False
    """Whether the service said once how far the queue is; from then on what is judged is counted here."""
    gold_seen: int = 0
    gold_right: int = 0
    """Of items whose answer others agree on."""
    _asking: bool = False
    _outdated: bool = False
    """Whether the answer that is awaited may name items as they no longer are."""
    _spent: bool = False
    _unsynced: dict[str, Vote] = field(default_factory=dict)
    _left: dict[str, Vote] = field(default_factory=dict)
    """Votes that an earlier run left in the outbox on the item that it was last at: it may be half answered."""
    _aside: dict[tuple[str, int], str] = field(default_factory=dict)
    """Items that are others as soon as the service has a correction, by its id and revision."""
    _history: list[tuple[Held, Vote]] = field(default_factory=list)
    _pending: Callable[[], None] | None = None
    _before_saving: Phase = Phase.WAITING
    _looked_ms: float = 0.0
    _looked: dict[str, int] = field(default_factory=dict)
    _looking_since_s: float | None = None

    def restore(self, unsent: Iterable[Vote]) -> None:
        """Tells of votes that an earlier run left in the outbox, so that what they answer is not asked again."""
        mine = [vote for vote in unsent if vote.study_id == self.study_id and vote.rater == self.rater]
        for vote in mine:
            if vote.choice is None:
                self._unsynced.pop(vote.id, None)
            else:
                self._unsynced[vote.id] = vote
        self._left = {vote.id: vote for vote in mine if vote.item_id == mine[-1].item_id}

    def wanted(self) -> Wanted | None:
        """What to fetch now, or None; call after every change. The answer is `arrived` or `unreachable`."""
        self._drop_expired()
        held = [h.trial.item_id for h in self.held]
        missing = self.prefetch + 1 - len(held)
        if self._asking or self._spent or missing <= 0:
            return None
        self._asking = True
        return Wanted(limit=missing, skip=tuple(dict.fromkeys((*held, *sorted(self._unsynced_items())))))

    def arrived(self, trials: Iterable[Trial], forms: dict[str, Form]) -> None:
        """Takes leased trials; none means that nothing is left for now (`ask_again` resumes)."""
        self._asking = False
        self.trouble = ""
        if self._outdated:
            self._outdated = False
            return
        known = {held.trial.item_id for held in self.held} | self._unsynced_items()
        found = [self._hold(trial, forms[trial.form]) for trial in trials if trial.item_id not in known]
        fresh = [held for held in found if held.open_question is not None]
        counted = {vote.item_id for vote in self._left.values() if vote.id in self._unsynced}
        self.judged = max(0, self.judged - sum(held.trial.item_id in counted for held in fresh))
        self._left = {}
        self._spent = not found
        self.upcoming.extend(fresh)
        self._open_if_idle()

    def count(self, state: QueueState) -> None:
        """How far the queue is, as the service says."""
        self.total = state.total
        self.gold_seen, self.gold_right = state.gold_seen, state.gold_right
        if not self.counted:
            self.counted = True
            self.judged = state.judged + len({vote.item_id for vote in self._unsynced.values()})

    def renewed(self, items: Iterable[str], *, asked_at_s: float) -> None:
        """These are leased anew since that was asked; what else was held then may be another's, and does not come up."""
        kept = set(items)
        for held in self.held:
            if held.trial.item_id in kept:
                held.leased_at_s = max(held.leased_at_s, asked_at_s)
        self.upcoming = deque(h for h in self.upcoming if h.leased_at_s >= asked_at_s or h.answers)

    def unreachable(self, reason: str) -> None:
        """The queue could not be asked; what is held stays usable."""
        self._asking, self._outdated = False, False
        self.trouble = reason

    def ask_again(self) -> None:
        """Looks whether an empty queue has something again."""
        self._spent = False

    def shown(self) -> None:
        """The current trial is on the screen: verdicts count from here, and so does the time."""
        if self.phase is Phase.OPENING:
            self.phase = Phase.JUDGING
            self._looking_since_s = self.clock()

    def look_again(self) -> None:
        """The current trial is shown anew, since what it shows was changed: no verdict until its pictures are back."""
        if self.phase is Phase.JUDGING:
            self.look_away()
            self.phase = Phase.OPENING

    def look_away(self) -> None:
        """The window was left: the time stands still."""
        if self._looking_since_s is not None:
            self._looked_ms += (self.clock() - self._looking_since_s) * 1000
            self._looking_since_s = None

    def look_back(self) -> None:
        """The window is looked at again."""
        if self._looking_since_s is None and self.phase in (Phase.JUDGING, Phase.SAVING):
            self._looking_since_s = self.clock()

    def toggle_reason(self, value: str) -> None:
        """Ticks or unticks a reason for the answer to come. Raises ValueError for one that the question lacks."""
        if self.phase is not Phase.JUDGING or self.current is None:
            return
        question = self.current.open_question
        if question is None or value not in {reason.value for reason in question.reasons}:
            raise ValueError(f"reason {value!r} is not one of the open question's")
        ticked = set(self.reasons) ^ {value}
        self.reasons = tuple(reason.value for reason in question.reasons if reason.value in ticked)

    def put_aside(self, item_id: str, correction: tuple[str, int]) -> None:
        """An item is not offered as it was until the service has a correction of it, known by id and revision."""
        self._aside[correction] = item_id
        self.upcoming = deque(held for held in self.upcoming if held.trial.item_id != item_id)
        if self.current is not None and self.current.trial.item_id == item_id:
            self._drop_current()

    def ask_anew(self) -> None:
        """What is held may have become another item: it is given up, but for what has answers already, and asked for again."""
        self._spent, self._outdated = False, self._asking
        self.upcoming = deque(held for held in self.upcoming if held.answers)
        if self.current is not None and not self.current.answers:
            self._drop_current()

    def answer(self, choice: str) -> Vote | None:
        """Answers the open question: the vote to write, or None while no verdict is taken. Raises ValueError."""
        held = self.current
        if self.phase is not Phase.JUDGING or held is None:
            return None
        question = held.open_question
        assert question is not None, f"trial {held.trial.id} is open with every question answered"
        if choice not in {c.value for c in question.choices}:
            raise ValueError(f"choice {choice!r} is not one of question {question.name!r}")
        earlier = held.answers.get(question.name)
        vote = Vote(
            id=earlier.id if earlier else self.new_id(),
            rev=earlier.rev + 1 if earlier else 1,
            study_id=self.study_id,
            trial_id=held.id,
            item_id=held.trial.item_id,
            rater=self.rater,
            rater_kind="person",
            question=question.name,
            choice=choice,
            reasons=self.reasons,
            comment=self.comment,
            shown_order=tuple(s.slot for s in held.trial.stimuli),
            visible_ms=round(self._visible_ms()),
            made_at=self.now(),
        )
        self._give_out(lambda: self._answered(held, vote))
        return vote

    def undo(self) -> Vote | None:
        """Takes back the last vote, even of an earlier trial: the withdrawal to write, or None with nothing to undo."""
        if not self.can_undo:
            return None
        held, last = self._history[-1]
        vote = replace(last, rev=last.rev + 1, choice=None, reasons=(), comment="", made_at=self.now())
        self._give_out(lambda: self._undone(held, last, vote))
        return vote

    @property
    def can_undo(self) -> bool:
        return bool(self._history) and self.phase is not Phase.SAVING

    def saved(self) -> None:
        """The vote that was given out is safe: the session moves on."""
        assert self._pending is not None, "saved() without a vote given out"
        act, self._pending = self._pending, None
        act()
        self._open_if_idle()

    def not_saved(self) -> None:
        """The vote could not be written: the same question stays open, nothing is forgotten."""
        assert self._pending is not None, "not_saved() without a vote given out"
        self._pending = None
        self.phase = self._before_saving
        self._open_if_idle()

    def synced(self, sent: Iterable[tuple[str, int]]) -> None:
        """The service has these votes and corrections, as (id, rev): their items need not be named in `Wanted.skip` any more."""
        for vote_id, rev in sent:
            self._aside.pop((vote_id, rev), None)
            if vote_id in self._unsynced and self._unsynced[vote_id].rev <= rev:
                del self._unsynced[vote_id]

    def dropped(self, refused: Iterable[tuple[str, int]]) -> bool:
        """These votes, as (id, rev), were refused and are gone: their items come again. Gives whether it held any of them."""
        gone = [vote for key, rev in refused if (vote := self._unsynced.get(key)) is not None and vote.rev <= rev]
        ids = {vote.id for vote in gone}
        for vote_id in ids:
            del self._unsynced[vote_id]
        self._history = [(held, vote) for held, vote in self._history if vote.id not in ids]
        at_hand = set()
        for held in self.held:
            at_hand.add(held.trial.item_id)
            left = {name: vote for name, vote in held.answers.items() if vote.id not in ids}
            if held is self.current and len(left) < len(held.answers):
                self._clear_ticks()
            held.answers = left
        kept = {vote.item_id for vote in self._unsynced.values()} | at_hand
        self.judged = max(0, self.judged - len({vote.item_id for vote in gone} - kept))
        self._spent = self._spent and not gone
        return bool(gone)

    @property
    def held(self) -> tuple[Held, ...]:
        """The trials leased to this rater, in their order: the one on the screen first."""
        return (*((self.current,) if self.current else ()), *self.upcoming)

    @property
    def recent(self) -> tuple[Held, ...]:
        """What undo can bring back, latest first."""
        return tuple({held.id: held for held, _ in reversed(self._history)}.values())

    @property
    def pace(self) -> float | None:
        """Items judged in a minute of looking, over the last twenty; None before the fifth."""
        recent = list(self._looked.values())[-20:]
        return None if len(recent) < 5 else 60_000 * len(recent) / max(1, sum(recent))

    @property
    def position(self) -> int:
        """Number of the current trial for people, from 1."""
        return min(self.judged + 1, max(self.total, 1))

    def _hold(self, trial: Trial, form: Form) -> Held:
        """A trial that came, with what was answered of it before: as the service knows, and as the outbox does."""
        waiting = [vote for vote in self._left.values() if vote.item_id == trial.item_id]
        answers = {vote.question: vote for vote in (*trial.answers, *waiting)}
        said = (answers.get(question.name) for question in form.questions)
        earlier = tuple(vote for vote in said if vote is not None and vote.choice is not None)
        return Held(trial=trial, form=form, leased_at_s=self.clock(), answers=answers, earlier=earlier)

    def _give_out(self, act: Callable[[], None]) -> None:
        self._before_saving = self.phase
        self.phase = Phase.SAVING
        self._pending = act

    def _answered(self, held: Held, vote: Vote) -> None:
        held.answers[vote.question] = vote
        self._unsynced[vote.id] = vote
        self._history = [*self._history, (held, vote)][-self.max_undo :]
        self._clear_ticks()
        if held.open_question is not None:
            self.phase = Phase.JUDGING
            return
        self.judged += 1
        self._looked.pop(held.id, None)
        self._looked[held.id] = vote.visible_ms
        self._open_next()

    def _undone(self, held: Held, last: Vote, withdrawal: Vote) -> None:
        if self._history and self._history[-1][1] is last:  # unless it was dropped meanwhile
            self._history.pop()
        if held.open_question is None:
            self.judged = max(0, self.judged - 1)
        held.answers[last.question] = withdrawal
        self._unsynced.pop(last.id, None)
        self.reasons, self.comment, self.taken_back = last.reasons, last.comment, last
        if held is self.current:
            self.phase = Phase.JUDGING
            return
        if self.current is not None:
            self.upcoming.appendleft(self.current)
        self._open(held)

    def _drop_current(self) -> None:
        if self.phase in (Phase.OPENING, Phase.JUDGING):
            self._clear_ticks()
            self._open_next()

    def _open_if_idle(self) -> None:
        """What arrived while nothing was open is opened, but never under a vote that is being saved."""
        if self.current is None and self.phase is not Phase.SAVING:
            self._open_next()

    def _open_next(self) -> None:
        if self.upcoming:
            self._open(self.upcoming.popleft())
            return
        self.current = None
        self.phase = Phase.EMPTY if self._spent else Phase.WAITING

    def _open(self, held: Held) -> None:
        if not held.was_open:
            held.was_open = True
            self._history = [*self._history, *((held, vote) for vote in held.earlier)][-self.max_undo :]
        self.current = held
        self.phase = Phase.OPENING
        self._looked_ms, self._looking_since_s = 0.0, None

    def _clear_ticks(self) -> None:
        self.reasons, self.comment, self.taken_back = (), "", None

    def _visible_ms(self) -> float:
        running = 0.0 if self._looking_since_s is None else (self.clock() - self._looking_since_s) * 1000
        return self._looked_ms + running

    def _drop_expired(self) -> None:
        at_s = self.clock()
        self.upcoming = deque(h for h in self.upcoming if at_s - h.leased_at_s < self.lease_s or h.answers)

    def _unsynced_items(self) -> set[str]:
        left = {vote.item_id for vote in self._left.values()}
        return {vote.item_id for vote in self._unsynced.values()} - left | set(self._aside.values())
