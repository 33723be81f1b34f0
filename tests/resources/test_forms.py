"""Every shipped form can be read, answered by keyboard and told apart."""

import json

import pytest

from backend.domain import IDENTITY_CHOICES, Form, form_from_json, resource
from metrics.table import SETS

NAMES = sorted(path.stem for path in resource("forms").glob("*.json"))
STUDIO_KEYS = {"Z", "Space", "Return", "Escape", "Tab"}
"""Undo, play, confirm, leave: keys that the pages keep for themselves."""


def form(name: str) -> Form:
    return form_from_json(resource(f"forms/{name}.json").read_text("utf-8"), origin=name)


def test_the_forms_are_there() -> None:
    assert {"identity", "ab"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_form_loads_under_its_own_name(name: str) -> None:
    assert form(name).name == name
    assert form(name).panels
    assert form(name).questions


@pytest.mark.parametrize("name", NAMES)
def test_every_answer_has_a_key_that_no_page_keeps(name: str) -> None:
    for question in form(name).questions:
        keys = {choice.key for choice in (*question.choices, *question.reasons)}
        assert keys.isdisjoint(STUDIO_KEYS)
        assert all(keys)


@pytest.mark.parametrize("name", NAMES)
def test_slots_values_and_kinds_are_distinct_and_known(name: str) -> None:
    slots = [panel.slot for panel in form(name).panels]
    assert len(set(slots)) == len(slots)
    assert {panel.shows for panel in form(name).panels} <= {"image", "video", "text"}
    for question in form(name).questions:
        values = [choice.value for choice in (*question.choices, *question.reasons)]
        assert len(set(values)) == len(values)


def test_identity_asks_for_the_verdicts_that_pairs_have() -> None:
    identity, contexts = form("identity").questions
    assert tuple(choice.value for choice in identity.choices) == IDENTITY_CHOICES
    assert [choice.key for choice in identity.choices] == ["1", "2", "3", "4"]
    assert contexts.after == ("same",), "whether contexts differ is asked of one and the same subject alone"
    assert [panel.slot for panel in form("identity").panels] == ["target", "reference"]


def test_ab_is_answered_by_arrows_with_a_tie_and_both_bad() -> None:
    (question,) = form("ab").questions
    answers = {choice.value: choice.key for choice in question.choices}
    assert answers == {"left": "Left", "tie": "Down", "right": "Right", "both_bad": "X"}


@pytest.mark.parametrize("name", ["ab", "best_of", "gloria", "ab_zh", "best_of_zh", "gloria_zh"])
def test_every_diagnostic_can_be_given_as_a_reason(name: str) -> None:
    """What a metric looks for, a person can tick: votes and scores of one failure have one name."""
    for question in form(name).questions:
        chips = {reason.value: reason.label for reason in question.reasons}
        assert set(SETS["diagnostics"]) <= set(chips), question.name
        assert len(set(chips.values())) == len(chips), "no two are called alike"


def test_a_question_s_own_reasons_stand_before_the_form_s() -> None:
    one = {"value": "a", "label": "A", "key": "A"}
    raw = {
        "name": "f",
        "title": "F",
        "panels": [],
        "choices": [{**one, "key": "1"}],
        "reasons": [one],
        "questions": [{"name": "q", "text": "?"}, {"name": "r", "text": "?", "reasons": []}],
    }
    shared, own = form_from_json(json.dumps(raw), origin="f").questions
    assert [reason.value for reason in shared.reasons] == ["a"] and own.reasons == ()
