"""A study as it stands: who was invited, who takes part, which trials each has. Events in, records out."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from backend.domain import Form, content_id
from backend.domain.studies import MAIN, Participant, StudyDesign, StudyItem
from backend.studies.design import Assigned
from backend.studies.forms import study_form
from backend.studies.kinds import kind_of
from backend.studies.tally import Taken


@dataclass(slots=True)
class Ticket:
    """An invitation as it is kept."""

    group: str
    expires_at: str
    used: bool = False


@dataclass(slots=True)
class Enrolment:
    """One participant's part. `trial_ids` and `trials` are parallel, by position; empty before consent."""

    participant: Participant
    place: int | None = None
    trials: tuple[Assigned, ...] = ()
    trial_ids: tuple[str, ...] = ()
    shown_at: dict[str, str] = field(default_factory=dict)
    events: set[str] = field(default_factory=set)

    def taken(self) -> Taken:
        given_out = [pair for pair in zip(self.trial_ids, self.trials, strict=True) if not pair[1].is_open]
        return Taken(
            participant=self.participant,
            roles={trial_id: trial.role for trial_id, trial in given_out},
            shown_at=dict(self.shown_at),
            events=frozenset(self.events),
            chosen=frozenset(trial_id for trial_id, trial in given_out if not trial.held_out),
            num_trials=len(self.trials),
        )


@dataclass(frozen=True, slots=True)
class Closed:
    """That a study takes no more answers. `because` is told to people who work on the project."""

    at: str
    because: str


class StudyBook:
    """One study. `apply` takes its events in the journal's order."""

    def __init__(self, design: StudyDesign) -> None:
        self.design = design
        self.id = design.id
        self.items: dict[str, StudyItem] = {item.id: item for item in design.items}
        self.tickets: dict[str, Ticket] = {}
        self.enrolled: dict[str, Enrolment] = {}
        self.erased = 0
        self.closed: Closed | None = None
        self.was_reopened = False
        """By hand: then its rule does not close it again."""
        self.uses: Counter[tuple[str, tuple[int, ...]]] = Counter()
        """How often each main item was given to somebody, by the order of its systems on the screen."""
        self._forms: dict[int, Form] = {}

    @property
    def num_main(self) -> int:
        return sum(item.role == MAIN for item in self.design.items)

    def form_name(self, item: StudyItem) -> str:
        """The form of an item: one a number of references."""
        return f"{self.id}_{len(item.references)}"

    def form(self, num_references: int) -> Form:
        """The form that shows so many references; its name is what trials say."""
        if num_references not in self._forms:
            design = self.design
            main = next(item for item in design.items if item.role == MAIN)
            self._forms[num_references] = study_form(
                design.form,
                language=design.language,
                aspects=design.aspects,
                slots=kind_of(design.kind).slots(len(main.systems)),
                num_references=num_references,
                name=f"{self.id}_{num_references}",
            )
        return self._forms[num_references]

    def form_of(self, item: StudyItem) -> Form:
        return self.form(len(item.references))

    def free_place(self) -> int:
        """The lowest place that nobody holds who is still in: those who withdrew leave theirs to the next."""
        held = {
            one.place for one in self.enrolled.values() if one.place is not None and one.participant.state != "withdrawn"
        }
        return next(place for place in range(len(held) + 1) if place not in held)

    def apply(self, kind: str, *, participant: str, at: str, body: Mapping[str, Any]) -> None:
        """Takes one event in. Raises KeyError for one about somebody who never joined."""
        match kind:
            case "study_invited":
                self.tickets[body["token_hash"]] = Ticket(body["group"], body["expires_at"])
            case "study_invitation_used":
                self.tickets[body["token_hash"]].used = True
            case "study_erased":
                self.erased += 1
            case "study_closed":
                self.closed = Closed(at=at, because=body["because"])
            case "study_reopened":
                self.closed, self.was_reopened = None, True
            case "study_joined":
                names = ("group", "background", "invited_by", "login_hash", "ip_hash")
                kept = {name: body[name] for name in names}
                self.enrolled[participant] = Enrolment(Participant(id=participant, study_id=self.id, joined_at=at, **kept))
            case _:
                self._apply_to(self.enrolled[participant], kind, at, body)

    def _apply_to(self, enrolment: Enrolment, kind: str, at: str, body: Mapping[str, Any]) -> None:
        person = enrolment.participant
        match kind:
            case "study_consented":
                enrolment.participant = replace(person, state="consented", consented_at=at)
            case "study_assigned":
                enrolment.place = body["place"]
                enrolment.trials = tuple(Assigned(item, role, tuple(order)) for item, role, order in body["trials"])
                enrolment.trial_ids = tuple(trial_id(self.id, person.id, k) for k in range(len(enrolment.trials)))
                self.uses.update((one.item_id, one.order) for one in enrolment.trials if one.role == MAIN)
            case "study_chosen":
                one = Assigned(body["item_id"], body["role"], tuple(body["order"]), held_out=False)
                place = body["position"]
                enrolment.trials = (*enrolment.trials[:place], one, *enrolment.trials[place + 1 :])
                self.uses[one.item_id, one.order] += one.role == MAIN
            case "study_shown":
                enrolment.shown_at.setdefault(body["trial_id"], at)
            case "study_page":
                enrolment.events.add(body["name"])
            case "study_finished":
                enrolment.participant = replace(person, state="finished", finished_at=at, code=body["code"])
            case "study_withdrawn":
                enrolment.participant = replace(person, state="withdrawn")
            case _:
                raise AssertionError(f"event {kind} is not one of a study's")


def trial_id(study_id: str, participant: str, position: int) -> str:
    """An id that says nothing about the item, and that nobody can guess who does not know the participant's."""
    return content_id("trial", study_id, participant, position)
