"""Votes coded into canonical terms, and the facts of each participant's response."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from backend.domain import Vote
from backend.domain.studies import GOLD, IDENTICAL, MAIN, REPEAT, CodedVote, Participant, StudyDesign, StudyItem
from backend.measures.raters import Sitting
from backend.studies.kinds import LEFT, RIGHT, kind_of, order_of

SLIDER = "slider_passed"
"""The page event that says so."""
IMPORTED = "import"
"""What `Participant.invited_by` says of somebody whose votes were read from a file."""
MAIN_ROLES = (MAIN, REPEAT, GOLD, IDENTICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A current vote, and when its first revision came: its place among all events, and the server's time (ISO 8601 UTC).

    Times are right to one another, jumps of the server's clock taken out (`store.clock_events`).
    """

    vote: Vote
    first_seq: int
    first_received_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One participant's part: the role of each of their trials, when each was first given out, events of their page."""

    participant: Participant
    roles: Mapping[str, str]
    """By trial id, in the order of their positions."""
    shown_at: Mapping[str, str]
    events: frozenset[str] = frozenset()
    chosen: frozenset[str] = frozenset()
    """Trials whose item a sequential study chose."""
    num_trials: int = 0
    """Of every role, those that were never given out among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What one participant gave. `votes` are all but those of practice; `seconds` by the server's clock."""

    participant: Participant
    votes: tuple[CodedVote, ...]
    sitting: Sitting = field(default_factory=Sitting)
    """How they worked."""
    slider: bool = False
    share_answered: float = 1.0
    """Of their trials: less than all where the study was closed meanwhile."""

    @property
    def seconds(self) -> float:
        """In all; a long pause on one trial counts up to the rule's most."""
        return sum(self.sitting.seconds)


def responses(
    design: StudyDesign, taken: Sequence[Taken], given: Sequence[Given], *, max_item_seconds: float
) -> list[Response]:
    """The response of each who takes part, in their order."""
    items = {item.id: item for item in design.items}
    own: dict[str, list[Given]] = {one.participant.id: [] for one in taken}
    for one in given:
        if one.vote.rater in own:
            own[one.vote.rater].append(one)
    return [_response(design, items, one, own[one.participant.id], max_item_seconds) for one in taken]


def answer_of(design: StudyDesign, vote: CodedVote) -> str:
    """The canonical answer of a coded vote, to be compared with others on the same item."""
    places = tuple(_places(vote))
    found = kind_of(design.kind).code(vote.choice, places)
    assert found is not None, f"vote {vote.vote_id} was coded and has no answer"
    return found.answer


def _coded(
    design: StudyDesign,
    items: Mapping[str, StudyItem],
    vote: Vote,
    *,
    role: str,
    group: str,
    seconds: float,
    held_out: bool,
) -> CodedVote | None:
    """A vote in canonical terms; None when it says nothing. Raises ValueError for one that does not fit its item."""
    item = items.get(vote.item_id)
    if item is None:
        raise ValueError(f"vote {vote.id} is about item {vote.item_id}, which study {design.name} does not have")
    order = order_of(vote, item.systems)
    found = kind_of(design.kind).code(vote.choice, order) if vote.choice is not None else None
    if found is None:
        return None
    return CodedVote(
        vote_id=vote.id,
        item_id=item.id,
        case_id=item.case_id,
        category=item.category,
        role=role,
        rater=vote.rater,
        group=group,
        question=vote.question,
        systems=item.systems,
        shown=vote.shown_order,
        choice=vote.choice or "",
        value=found.value,
        both_bad=found.both_bad,
        strength=found.strength,
        first_on_left=order[0] == 0,
        reasons=vote.reasons,
        comment=vote.comment,
        seconds=round(seconds, 3),
        held_out=held_out,
    )


def _response(
    design: StudyDesign, items: Mapping[str, StudyItem], taken: Taken, given: Sequence[Given], cap_s: float
) -> Response:
    given = sorted((one for one in given if one.vote.trial_id in taken.roles), key=lambda one: one.first_seq)
    seconds = _item_seconds(taken, given, cap_s)
    votes: list[CodedVote] = []
    right: list[bool] = []
    for one in given:
        role = taken.roles[one.vote.trial_id]
        if role not in MAIN_ROLES:
            continue
        vote = _coded(
            design,
            items,
            one.vote,
            role=role,
            group=taken.participant.group,
            seconds=seconds[one.vote.trial_id],
            held_out=one.vote.trial_id not in taken.chosen,
        )
        if vote is None:
            continue
        votes.append(vote)
        wanted = dict(items[vote.item_id].gold).get(vote.question)
        if role in (GOLD, IDENTICAL) and wanted:
            right.append(answer_of(design, vote) in wanted)
    first = {(v.item_id, v.question): answer_of(design, v) for v in votes if v.role == MAIN}
    again = [(first.get((v.item_id, v.question)), answer_of(design, v)) for v in votes if v.role == REPEAT]
    counted = [one for one in given if taken.roles[one.vote.trial_id] in MAIN_ROLES and one.vote.choice is not None]
    return Response(
        participant=taken.participant,
        votes=tuple(votes),
        sitting=Sitting(
            keys=tuple(one.vote.choice or "" for one in counted),
            is_left=tuple(side == LEFT for one in counted if (side := _side(one)) in (LEFT, RIGHT)),
            seconds=tuple(s for trial, s in seconds.items() if taken.roles[trial] in MAIN_ROLES),
            is_right=tuple(right),
            is_alike=tuple(a == b for a, b in again if a is not None),
        ),
        slider=SLIDER in taken.events,
        share_answered=len(seconds) / taken.num_trials if taken.num_trials else 1.0,
    )


def _side(given: Given) -> str:
    return (given.vote.choice or "").removesuffix("_much")


def _item_seconds(taken: Taken, given: Sequence[Given], cap_s: float) -> dict[str, float]:
    """Per answered trial the time from the answer before (or from when it was given out, if later) to its last question.

    `given` stands in the order in which it came.
    """
    done: dict[str, datetime] = {}
    for one in given:
        done.pop(one.vote.trial_id, None)  # trials in the order of their last questions
        done[one.vote.trial_id] = datetime.fromisoformat(one.first_received_at)
    if not done:
        return {}
    ordered = list(done.items())
    starts = {trial: datetime.fromisoformat(taken.shown_at[trial]) for trial in done if trial in taken.shown_at}
    first, at = ordered[0]
    found = {first: (at - starts.get(first, at)).total_seconds()}
    for (_, before), (trial, at) in pairwise(ordered):
        found[trial] = (at - max(before, starts.get(trial, before))).total_seconds()
    return {trial: min(max(seconds, 0.0), cap_s) for trial, seconds in found.items()}


def _places(vote: CodedVote) -> list[int]:
    places: list[int] = []
    for shown in vote.shown:
        places.append(next(k for k, name in enumerate(vote.systems) if name == shown and k not in places))
    return places
