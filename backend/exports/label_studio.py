"""Trials as Label Studio's tasks, and its annotations as votes (docs/formats.md).

Whoever annotates sees what a task holds, so that it holds an opaque token and no name of a system, a file or a pair. What a
token stands for stays with us. Annotations are untrusted: Label Studio takes names and choices that its own page never offers.
"""

import json
import re
import secrets
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

from backend.domain import Form, Question, Trial, Vote

TOKEN = "subject_studio"
"""The field of a task that holds its token."""
PUSHED = "label-studio-"
"""How files of a project's `index/` begin that say what tokens stand for; those of a study are one participant's each."""
REASONS = "_reasons"
TAGS = {"image": "Image", "video": "Video", "text": "Text"}
MOST_MS = MOST_REV = 2**31 - 1
CHANGED_APART = timedelta(seconds=0.1)
"""Changes of one annotation that lie further apart are revisions of their own; its making takes up to some 10 ms (1.23)."""
_IN_NAMES = re.compile(r"[^A-Za-z0-9_]")
_SPACE = uuid.UUID("6f1bd4f5-6b0c-4b0e-9f0f-5b5a2c0a7d11")
"""Under which ids of votes are made: the same answer pulled twice is one vote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedTrial:
    """What a token stands for. `rater` is whose trial it is; empty where every annotator is a rater of their own."""

    token: str
    study_id: str
    item_id: str
    trial_id: str
    form: str
    shown: tuple[str, ...]
    rater: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """Votes, and what could not be taken, a sentence each."""

    votes: tuple[Vote, ...]
    tasks: int
    taken_back: tuple[Vote, ...] = ()
    """What an annotation leaves open, as votes without a choice: they say something only where it was answered before."""
    faults: tuple[str, ...] = ()


def pushed(trial: Trial, *, rater: str = "") -> PushedTrial:
    """A trial under a fresh token."""
    return PushedTrial(
        token=secrets.token_hex(12),
        study_id=trial.study_id,
        item_id=trial.item_id,
        trial_id=trial.id,
        form=trial.form,
        shown=tuple(one.slot for one in trial.stimuli),
        rater=rater,
    )


def label_config(form: Form, *, shows: Mapping[str, str] | None = None) -> str:
    """The form in Label Studio's XML: panels side by side, a question below another, hotkeys as Studio has them.

    `shows` tells what trials have for a panel (image, video or text), where it is not what the form shows there.
    """
    view = ET.Element("View")
    ET.SubElement(view, "Header", value=form.title)
    row = ET.SubElement(view, "View", style="display: flex; gap: 16px")
    for panel in form.panels:
        cell = ET.SubElement(row, "View", style="flex: 1")
        ET.SubElement(cell, "Header", value=panel.label, size="4")
        tag = TAGS[(shows or {}).get(panel.slot, panel.shows)]
        ET.SubElement(cell, tag, name=field_of(panel.slot), value=f"${field_of(panel.slot)}")
    to = field_of(form.panels[0].slot)
    before: Question | None = None
    for question in form.questions:
        place = ET.SubElement(
            view, "View", {} if not question.after or before is None else _visible_after(before, question)
        )
        ET.SubElement(place, "Header", value=question.text, size="4")
        asked = {"name": question.name, "toName": to, "choice": "single-radio", "showInline": "true"}
        if not question.after:
            asked["required"] = "true"
        choices = ET.SubElement(place, "Choices", asked)
        for choice in question.choices:
            # A key of a later question would be one of the first question's, too.
            keys = {"hotkey": choice.key.lower()} if len(choice.key) == 1 and before is None else {}
            told = {"value": choice.value, "alias": choice.value, "html": _words(choice.label), **keys}
            ET.SubElement(choices, "Choice", told)
        if question.reasons:
            why = {"name": f"{question.name}{REASONS}", "toName": to, "choice": "multiple", "showInline": "true"}
            reasons = ET.SubElement(place, "Choices", why)
            for reason in question.reasons:
                ET.SubElement(reasons, "Choice", value=reason.value, alias=reason.value, html=_words(reason.label))
        before = question
    return ET.tostring(view, encoding="unicode")


def field_of(slot: str) -> str:
    """What a panel is called in tasks and in the XML."""
    return _IN_NAMES.sub("_", slot)


def read_annotations(document: Any, known: Mapping[str, PushedTrial], forms: Mapping[str, Form], *, origin: str) -> Pulled:
    """The votes that tasks exported from Label Studio hold. `origin` names the server and its project, as `127.0.0.1:8080/3`.

    Never raises: what is not as it should be is a fault, and other tasks are read.
    """
    votes: list[Vote] = []
    taken_back: list[Vote] = []
    faults: list[str] = []
    raters: dict[str, str] = {}
    tasks = [task for task in document if isinstance(task, dict)] if isinstance(document, list) else []
    if not isinstance(document, list):
        faults.append("the export is no list of tasks")
    for task in tasks:
        data = task.get("data")
        token = data.get(TOKEN) if isinstance(data, dict) else None
        trial = known.get(token) if isinstance(token, str) else None
        name = f"task {_short(task.get('id'))}"
        if trial is None:
            faults.append(f"{name} was not pushed from this project")
            continue
        annotations = task.get("annotations")
        for annotation in annotations if isinstance(annotations, list) else ():
            try:
                found = list(_votes(annotation, trial, forms[trial.form], origin=origin))
            except ValueError as error:
                faults.append(f"{name}: {error}")
                continue
            given = [vote for vote in found if vote.choice is not None]
            who = _who(annotation)
            if given and trial.rater and raters.setdefault(trial.trial_id, who) != who:
                faults.append(f"{name}: a trial of one participant was answered by a second annotator, {who}")
                continue
            votes += given
            taken_back += [vote for vote in found if vote.choice is None]
    return Pulled(votes=tuple(votes), tasks=len(tasks), taken_back=tuple(taken_back), faults=tuple(faults))


def _votes(annotation: Any, trial: PushedTrial, form: Form, *, origin: str) -> Iterator[Vote]:
    """What one annotation says to each question: a choice, or None to one that it leaves open, as a skipped one does all.

    Raises ValueError for one that its page cannot give.
    """
    if not isinstance(annotation, dict):
        raise ValueError("an annotation is no object")
    is_skipped = annotation.get("was_cancelled") is True
    answers = {} if is_skipped else _answers(annotation.get("result"), form)
    made, changed = _time(annotation.get("created_at")), _time(annotation.get("updated_at"))
    lead = annotation.get("lead_time")
    visible = round(lead * 1000) if isinstance(lead, (int, float)) and 0 <= lead < MOST_MS / 1000 else 0
    who = _who(annotation)
    place = annotation.get("id")
    if type(place) is not int:
        raise ValueError(f"an annotation has the id {_short(place)}, which is no number")
    before: Question | None = None
    for question in form.questions:
        told = answers.get(question.name, ())
        is_asked = not question.after or (before is not None and answers.get(before.name, ("",))[0] in question.after)
        before = question
        if is_asked and not is_skipped and len(told) != 1 and (told or not question.after):
            raise ValueError(f"{question.name} has {len(told)} answers, it asks for one")
        is_answered = is_asked and bool(told)
        yield Vote(
            id=str(uuid.uuid5(_SPACE, json.dumps([origin, place, trial.token, question.name]))),
            # The same answer is the same revision; one that was changed later is a higher one.
            rev=1 + max(0, min(MOST_REV - 1, (changed - made) // CHANGED_APART)),
            study_id=trial.study_id,
            trial_id=trial.trial_id,
            item_id=trial.item_id,
            rater=trial.rater or f"label-studio:{origin.split('/')[0]}:{who}",
            rater_kind="person",
            question=question.name,
            choice=told[0] if is_answered else None,
            reasons=answers.get(f"{question.name}{REASONS}", ()) if is_answered else (),
            shown_order=trial.shown,
            visible_ms=visible,
            made_at=changed.isoformat(timespec="seconds"),
        )


def _answers(result: Any, form: Form) -> dict[str, tuple[str, ...]]:
    """Choices by control. Raises ValueError for a control or a choice that the form does not have."""
    allowed = {question.name: {choice.value for choice in question.choices} for question in form.questions}
    allowed |= {f"{q.name}{REASONS}": {reason.value for reason in q.reasons} for q in form.questions}
    if not isinstance(result, list):
        raise ValueError("an annotation has no list of results")
    found: dict[str, tuple[str, ...]] = {}
    for one in result:
        name = one.get("from_name") if isinstance(one, dict) else None
        if not isinstance(name, str) or name not in allowed:
            raise ValueError(f"{_short(name)} is no question of the form {form.name}")
        value = one.get("value")
        chosen = value.get("choices") if isinstance(value, dict) else None
        if not isinstance(chosen, list) or not all(isinstance(choice, str) for choice in chosen):
            raise ValueError(f"{name} is not answered by choices")
        wrong = [choice for choice in chosen if choice not in allowed[name]]
        if wrong:
            raise ValueError(f"{_short(wrong[0])} is no choice of {name}")
        if name in found:
            raise ValueError(f"{name} is answered twice")
        found[name] = tuple(chosen)
    return found


def _who(annotation: Mapping[str, Any]) -> str:
    """The annotator's number on that server: their address is not taken."""
    by = annotation.get("completed_by")
    number = by.get("id") if isinstance(by, dict) else by
    return str(number) if type(number) is int else "unknown"


def _time(text: Any) -> datetime:
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (AttributeError, ValueError, OverflowError) as error:
        raise ValueError(f"{_short(text)} is no time") from error


def _visible_after(before: Question, question: Question) -> dict[str, str]:
    return {
        "visibleWhen": "choice-selected",
        "whenTagName": before.name,
        "whenChoiceValue": ",".join(question.after),
    }


def _words(label: str) -> str:
    """A label as HTML: Label Studio shows `html` as markup."""
    return label.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _short(value: Any) -> str:
    return repr(value)[:60]


def tasks_of(trials: Sequence[tuple[PushedTrial, Mapping[str, str]]]) -> list[dict[str, Any]]:
    """Tasks as Label Studio imports them: a token, and what each panel shows (an address, or text)."""
    return [{"data": {TOKEN: trial.token, **shown}} for trial, shown in trials]
