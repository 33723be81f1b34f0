"""What people say: forms, trials, votes and the state of a pair after them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from backend.domain.errors import SettingsError
from backend.domain.ids import content_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One answer. `key` is the keyboard key that gives it (Qt key name, such as `1` or `Left`)."""

    value: str
    label: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question of a form, with its choices and the reasons that a person may tick."""

    name: str
    text: str
    choices: tuple[Choice, ...]
    reasons: tuple[Choice, ...] = ()
    after: tuple[str, ...] = ()
    """Answers to the question before, only after which this one is asked; empty for always."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A place on the screen for one stimulus: `slot` names it in `Trial.stimuli`; shows image, video or text."""

    slot: str
    label: str
    shows: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a trial looks and what it asks: rendered alike by Qt, the study page and a VLM judge."""

    name: str
    title: str
    panels: tuple[Panel, ...]
    questions: tuple[Question, ...]

    def open_question(self, answers: Mapping[str, str | None]) -> Question | None:
        """The first question without an answer, of those that the answers before it call for; None where none is left."""
        before = None
        for question in self.questions:
            choice = answers.get(question.name)
            if choice is None and (not question.after or before in question.after):
                return question
            before = choice
        return None

    def ends_with(self, question: str, choice: str | None) -> bool:
        """Whether nothing is left to ask after this answer, of questions asked in their order; None takes one back."""
        names = [each.name for each in self.questions]
        if choice is None or question not in names:
            return False
        before: str | None = choice
        for following in self.questions[names.index(question) + 1 :]:
            if not following.after or before in following.after:
                return False
            before = None
        return True


def form_from_json(text: str, *, origin: str) -> Form:
    """Reads a form file; `choices` and `reasons` of the form are those of every question that names none.

    Raises SettingsError naming `origin` when a field is missing or a key is used twice.
    """
    try:
        raw = json.loads(text)
        shared = {"choices": raw.get("choices"), "reasons": raw.get("reasons", ())}
        form = Form(
            name=raw["name"],
            title=raw["title"],
            panels=tuple(Panel(**panel) for panel in raw["panels"]),
            questions=tuple(_question({**shared, **question}) for question in raw["questions"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"form {origin} cannot be read: {error}; compare it with resources/forms") from error
    for question in form.questions:
        keys = [choice.key for choice in (*question.choices, *question.reasons)]
        repeated = sorted({key for key in keys if keys.count(key) > 1})
        if repeated:
            raise SettingsError(
                f"form {origin}, question {question.name}: key {repeated[0]} is used twice; give each its own"
            )
    return form


def _question(raw: dict) -> Question:
    return Question(
        name=raw["name"],
        text=raw["text"],
        choices=tuple(Choice(**choice) for choice in raw["choices"]),
        reasons=tuple(Choice(**choice) for choice in raw.get("reasons", ())),
        after=tuple(raw.get("after", ())),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stimulus:
    """What a panel shows: `media` is an opaque media id (`Api.media`), `text` stands beside or instead of it."""

    slot: str
    media: str | None = None
    clip_media: str | None = None
    """Media id of the clip that plays under an image, when there is one."""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One answer to one question. A correction is the same `id` with a higher `rev`; an undo has `choice` None."""

    KIND: ClassVar[str] = "vote"
    id: str
    rev: int
    study_id: str
    trial_id: str
    item_id: str
    rater: str
    rater_kind: str
    question: str
    choice: str | None
    strength: int | None = None
    reasons: tuple[str, ...] = ()
    comment: str = ""
    shown_order: tuple[str, ...] = ()
    visible_ms: int = 0
    made_at: str = ""
    """ISO 8601 UTC, by the rater's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One item put before a person: stimuli in shown order. `item_id` is the pair, case or anchor that is judged."""

    KIND: ClassVar[str] = "trial"
    study_id: str
    item_id: str
    form: str
    stimuli: tuple[Stimulus, ...]
    scores: tuple[tuple[str, float | None], ...] = ()
    gold: str | None = None
    suggested: tuple[tuple[str, str], ...] = ()
    """By question what machines answer; shown or hidden as the rater likes."""
    failed: tuple[str, ...] = ()
    """Names of those `scores` that are not as machines want them."""
    answers: tuple[Vote, ...] = ()
    """What the rater who gets the trial answered of it before and did not take back: where that leaves a question open."""

    @property
    def id(self) -> str:
        return content_id("trial", self.study_id, self.item_id, tuple(s.slot for s in self.stimuli))


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The journal's answer to a stored vote: its place in the chain. `applied` is False for a stale revision."""

    id: str
    rev: int
    seq: int
    hash: str
    applied: bool


VERIFY_STUDY = "verify"
"""The standing study in which people verify candidate pairs."""

CASES_STUDY = "cases"
"""The standing study in which people approve a benchmark's cases; an item is a case's content."""

ANCHORS_STUDY = "anchors"
"""The standing study in which people name the side or the expression that an anchor shows; an item is an anchor."""

SUBJECTS_STUDY = "subjects"
"""The standing study in which people check subjects: whole, knowable, well named, well cut out; an item is a subject."""

IDENTITY_CHOICES = ("same", "different", "near_duplicate", "unsure")
