"""A form's questions put to a judge: what people answer by a key, a model answers by a number."""

from collections.abc import Sequence

from backend.domain import Absent, Form, Inquiry, Question, Verdict
from backend.models.prompts import prompt

TEMPLATE = "form_question"


def inquiry_of(form: Form, question: Question, images: Sequence[bytes], **parts: str) -> Inquiry:
    """One question with a JPEG for each of the form's panels; `parts` fill what the question's text leaves open.

    The answer is the place of a choice, from 0.
    """
    assert len(images) == len(form.panels), f"form {form.name} shows {len(form.panels)} pictures, got {len(images)}"
    labels = ", then ".join(panel.label.lower() for panel in form.panels)
    choices = "\n".join(f"{place} - {choice.label}" for place, choice in enumerate(question.choices))
    text = prompt(TEMPLATE).filled(
        pictures=f"You see: {labels}.", question=question.text.format_map(parts), choices=choices
    )
    return Inquiry(text, tuple(images), 0, len(question.choices) - 1)


def choice_of(question: Question, verdict: Verdict) -> str | Absent:
    """The value of the choice that a judge made, or why there is none."""
    if verdict.score is None:
        return Absent(f"failed: {verdict.reason}")
    return question.choices[verdict.score].value
