"""Votes coded into canonical terms, and the facts of each participant's response."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise
from statistics import median

from backend.domain import Vote
from backend.domain.studies import GOLD, IDENTICAL, MAIN, REPEAT, CodedVote, Participant, StudyDesign
from backend.studies.kinds import LEFT, RIGHT, kind_of, order_of

SLIDER = "slider_passed"
"""The page event that says so."""
IMPORTED = "import"
"""What `Participant.invited_by` says of somebody whose votes were read from a file."""
MAIN_ROLES = (MAIN, REPEAT, GOLD, IDENTICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A current vote; `first_received_at` is when its first revision came, by the server's clock (ISO 8601 UTC)."""

    vote: Vote
    first_received_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One participant's part: the role of each of their trials, when each was first given out, events of their page."""

    participant: Participant
    roles: Mapping[str, str]
    """By trial id, in the order of their positions."""
    shown_at: Mapping[str, str]
    events: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What one participant gave. `votes` are all but those of practice; `seconds` by the server's clock."""

    participant: Participant
    votes: tuple[CodedVote, ...]
    item_seconds: tuple[float, ...] = ()
    choices: tuple[str, ...] = ()
    """As given, in the order in which they came."""
    checks: int = 0
    checks_right: int = 0
    repeats: int = 0
    repeats_alike: int = 0
    slider: bool = False

    @property
    def seconds(self) -> float:
        return sum(self.item_seconds)

    @property
    def median_item_s(self) -> float | None:
        return median(self.item_seconds) if self.item_seconds else None

    @property
    def longest_run(self) -> int:
        return max((len(list(run)) for _, run in groupby(self.choices)), default=0)

    @property
    def left_share(self) -> float | None:
        sides = [choice.removesuffix("_much") for choice in self.choices]
        left, right = sides.count(LEFT), sides.count(RIGHT)
        return left / (left + right) if left + right else None


def responses(
    design: StudyDesign, taken: Sequence[Taken], given: Sequence[Given], *, max_item_seconds: float
) -> list[Response]:
    """The response of each who takes part, in their order."""
    own: dict[str, list[Given]] = {one.participant.id: [] for one in taken}
    for one in given:
        if one.vote.rater in own:
            own[one.vote.rater].append(one)
    return [_response(design, one, own[one.participant.id], max_item_seconds) for one in taken]


def coded(design: StudyDesign, given: Given, *, role: str, group: str, seconds: float = 0.0) -> CodedVote | None:
    """A vote in canonical terms; None when it says nothing. Raises ValueError for one that does not fit its item."""
    vote = given.vote
    item = next((item for item in design.items if item.id == vote.item_id), None)
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
        seconds=round(seconds, 3),
    )


def answer_of(design: StudyDesign, vote: CodedVote) -> str:
    """The canonical answer of a coded vote, to be compared with others on the same item."""
    places = tuple(_places(vote))
    found = kind_of(design.kind).code(vote.choice, places)
    assert found is not None, f"vote {vote.vote_id} was coded and has no answer"
    return found.answer


def _response(design: StudyDesign, taken: Taken, given: Sequence[Given], cap_s: float) -> Response:
    given = sorted((one for one in given if one.vote.trial_id in taken.roles), key=lambda one: one.first_received_at)
    seconds = _item_seconds(taken, given, cap_s)
    gold = {item.id: dict(item.gold) for item in design.items if item.gold}
    votes, checks, right = [], 0, 0
    for one in given:
        role = taken.roles[one.vote.trial_id]
        if role not in MAIN_ROLES:
            continue
        vote = coded(design, one, role=role, group=taken.participant.group, seconds=seconds[one.vote.trial_id])
        if vote is None:
            continue
        votes.append(vote)
        wanted = gold.get(vote.item_id, {}).get(vote.question)
        if role in (GOLD, IDENTICAL) and wanted:
            checks += 1
            right += answer_of(design, vote) in wanted
    first = {(v.item_id, v.question): answer_of(design, v) for v in votes if v.role == MAIN}
    again = [(first.get((v.item_id, v.question)), answer_of(design, v)) for v in votes if v.role == REPEAT]
    pairs = [(a, b) for a, b in again if a is not None]
    counted = [one for one in given if taken.roles[one.vote.trial_id] in MAIN_ROLES and one.vote.choice is not None]
    return Response(
        participant=taken.participant,
        votes=tuple(votes),
        item_seconds=tuple(s for trial, s in seconds.items() if taken.roles[trial] in MAIN_ROLES),
        choices=tuple(one.vote.choice or "" for one in counted),
        checks=checks,
        checks_right=right,
        repeats=len(pairs),
        repeats_alike=sum(a == b for a, b in pairs),
        slider=SLIDER in taken.events,
    )


def _item_seconds(taken: Taken, given: Sequence[Given], cap_s: float) -> dict[str, float]:
    """Per answered trial the time from the answer before (or from when it was given out, if later) to its last question."""
    done: dict[str, datetime] = {}
    for one in given:
        at = datetime.fromisoformat(one.first_received_at)
        done[one.vote.trial_id] = max(done.get(one.vote.trial_id, at), at)
    if not done:
        return {}
    ordered = sorted(done.items(), key=lambda row: row[1])
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
