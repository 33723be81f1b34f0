"""Forms of the standing studies say in Chinese the same questions, with the same answers under the same keys."""

import pytest

from backend.domain import Form, ProjectError
from backend.studies.forms import load_form

NAMES = (
    "identity",
    "subject",
    "subject_unnamed",
    "anchor_label_expression",
    "anchor_label_viewpoint",
    "case_1",
    "case_3_clip",
)


def shape(form: Form) -> tuple:
    """All of a form but its words."""
    return (
        [(panel.slot, panel.shows) for panel in form.panels],
        [
            (
                question.name,
                question.after,
                [(choice.value, choice.key) for choice in (*question.choices, *question.reasons)],
            )
            for question in form.questions
        ],
    )


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_ask_the_same(name: str) -> None:
    english, chinese = load_form(name), load_form(f"{name}_zh")
    assert shape(english) == shape(chinese)
    assert chinese.name == f"{name}_zh"
    words = [chinese.title, *(panel.label for panel in chinese.panels), *(q.text for q in chinese.questions)]
    words += [choice.label for question in chinese.questions for choice in (*question.choices, *question.reasons)]
    assert all(any("\u4e00" <= letter <= "\u9fff" for letter in said) for said in words)


def test_a_form_that_no_language_has_is_refused() -> None:
    with pytest.raises(ProjectError, match="does not exist"):
        load_form("anchor_label_smile_zh")
