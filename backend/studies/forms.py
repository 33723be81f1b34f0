"""The forms that studies show."""

import re
from collections.abc import Sequence
from dataclasses import replace

from backend.domain import Form, Panel, ProjectError, SettingsError, form_from_json, resource

IDENTITY_FORM = "identity"
IDENTITY_QUESTION = "same"
"""The question of the identity form whose answer is a pair's verdict."""
CONTEXT_QUESTION = "context"
"""Asked after `same`: whether the surroundings differ."""
CASE_FORM = "case"
CASE_QUESTION = "fit"
"""The question of the case form whose answer approves or rejects a case."""
ANCHOR_FORM = "anchor_label"
"""Its questions are named like the kinds of anchors that they are about."""
SUBJECT_FORM = "subject"
"""Its questions are what a subject must be to stay in pairs and exports."""
UNNAMED_SUBJECT_FORM = f"{SUBJECT_FORM}_unnamed"
"""The same of a subject that no phrase names."""
PHRASE_QUESTION = "phrase"
_NAME = re.compile(r"[a-z0-9_]{1,80}")
_CASE_VARIANT = re.compile(r"case_([1-9][0-9]?)(_clip)?(_zh)?")


def load_form(name: str) -> Form:
    """A shipped form by name. Raises ProjectError for a name that is none."""
    missing = f"form {name[:80]!r} does not exist; the shipped ones are {IDENTITY_FORM} and ab"
    if match := _CASE_VARIANT.fullmatch(name):
        return _case_form(name, int(match[1]), has_clip=bool(match[2]), suffix=match[3] or "")
    if name.startswith(f"{ANCHOR_FORM}_") and name != f"{ANCHOR_FORM}_zh":
        return _anchor_form(name, missing)
    if name in (UNNAMED_SUBJECT_FORM, f"{UNNAMED_SUBJECT_FORM}_zh"):
        form = load_form(SUBJECT_FORM + name.removeprefix(UNNAMED_SUBJECT_FORM))
        return replace(form, name=name, questions=tuple(q for q in form.questions if q.name != PHRASE_QUESTION))
    if not _NAME.fullmatch(name):
        raise ProjectError(missing)
    try:
        path = resource(f"forms/{name}.json")
    except FileNotFoundError as error:
        raise ProjectError(missing) from error
    return form_from_json(path.read_text(encoding="utf-8"), origin=name)


def case_form_name(num_references: int, *, has_clip: bool) -> str:
    """The variant of the case form that shows so many references, and the clip that the prompt describes."""
    return f"{CASE_FORM}_{num_references}{'_clip' if has_clip else ''}"


def study_form(
    form: str, *, language: str, aspects: Sequence[str], slots: Sequence[str], num_references: int, name: str
) -> Form:
    """A shipped form as a study shows it: chosen questions, as many references and videos as an item has, under `name`.

    Raises SettingsError for an aspect that is none of the form's questions.
    """
    whole = load_form(form if language == "en" else f"{form}_{language}")
    known = {question.name: question for question in whole.questions}
    unknown = [aspect for aspect in aspects if aspect not in known]
    if unknown:
        raise SettingsError(f"aspect {unknown[0][:80]!r} is no question of form {form}; it asks {', '.join(known)}")
    panels: list[Panel] = []
    for panel in whole.panels:
        if panel.slot == "reference":
            panels += _numbered(panel, "reference", num_references)
        elif panel.slot == "video" and len(slots) > 1:
            panels += _numbered(panel, "video", len(slots))
        else:
            panels.append(panel)
    shown = {panel.slot for panel in panels}
    questions = [known[aspect] for aspect in (aspects or known)]
    if "video_1" in shown:  # the form has a choice for every place there could be
        questions = [replace(q, choices=tuple(c for c in q.choices if c.value in shown)) for q in questions]
    return replace(whole, name=name, panels=tuple(panels), questions=tuple(questions))


def anchor_form_name(kind: str) -> str:
    """The variant of the anchor form that asks about one kind of anchor: expression or viewpoint."""
    return f"{ANCHOR_FORM}_{kind}"


def _anchor_form(name: str, missing: str) -> Form:
    suffix = "_zh" if name.endswith("_zh") else ""
    form = load_form(f"{ANCHOR_FORM}{suffix}")
    questions = tuple(question for question in form.questions if anchor_form_name(question.name) + suffix == name)
    if not questions:
        raise ProjectError(missing)
    return replace(form, name=name, questions=questions)


def _case_form(name: str, num_references: int, *, has_clip: bool, suffix: str) -> Form:
    """The case form with its reference panel as often as a case has references: `reference_1`, `reference_2` ..."""
    form = load_form(f"{CASE_FORM}{suffix}")
    panels: list[Panel] = []
    for panel in form.panels:
        if panel.slot == "reference":
            panels += _numbered(panel, "reference", num_references)
        elif panel.slot != "clip" or has_clip:
            panels.append(panel)
    return replace(form, name=name, panels=tuple(panels))


def _numbered(panel: Panel, slot: str, num: int) -> list[Panel]:
    return [Panel(slot=f"{slot}_{n}", label=f"{panel.label} {n}", shows=panel.shows) for n in range(1, num + 1)]
