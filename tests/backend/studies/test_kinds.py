"""What answers mean, whatever the sides were."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import SettingsError, Vote, resource
from backend.sampleworld.cases import SYSTEMS
from backend.studies import STUDIES
from backend.studies.forms import load_form, study_form
from backend.studies.kinds import BOTH_BAD, LEFT, RIGHT, TIE, kind_of, order_of


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_choice_of_every_form_of_a_kind_is_coded(name: str, language: str) -> None:
    kind = kind_of(name)
    num = len(kind.groups(("one", "two", "three"))[0])
    for form in kind.forms:
        shown = study_form(form, language=language, aspects=(), slots=kind.slots(num), num_references=2, name="x")
        assert [p.slot for p in shown.panels if p.shows == "image"] == ["reference_1", "reference_2"]
        assert [p.slot for p in shown.panels if p.shows == "video"] == list(kind.slots(num))
        for question in shown.questions:
            coded = [kind.code(choice.value, range(num)) for choice in question.choices]
            assert sum(one is not None for one in coded) >= 2
            answers = {one.answer for one in coded if one}
            assert set(kind.right(question.name)) <= answers
            assert set(kind.identical()) <= answers


@pytest.mark.parametrize("form", sorted({form for name in STUDIES for form in kind_of(name).forms}))
@pytest.mark.parametrize("language", ["", "_zh"])
def test_forms_hold_no_name_of_the_sample_worlds_systems(form: str, language: str) -> None:
    sent = resource(f"forms/{form}{language}.json").read_text(encoding="utf-8").lower()
    assert [name for name in SYSTEMS if name in sent] == []


@pytest.mark.parametrize("form", sorted({form for name in STUDIES for form in kind_of(name).forms}))
def test_both_languages_ask_the_same(form: str) -> None:
    english, chinese = load_form(form), load_form(f"{form}_zh")
    asked = [
        [(q.name, [(c.value, c.key) for c in (*q.choices, *q.reasons)]) for q in f.questions] for f in (english, chinese)
    ]
    assert asked[0] == asked[1]
    assert [p.slot for p in english.panels] == [p.slot for p in chinese.panels]


@given(choice=st.sampled_from([LEFT, RIGHT, TIE, BOTH_BAD]), kind=st.sampled_from(["preference", "comparative"]))
def test_exchanging_the_sides_with_the_answer_changes_nothing(choice: str, kind: str) -> None:
    if kind == "comparative" and choice == BOTH_BAD:
        return
    mirrored = {LEFT: RIGHT, RIGHT: LEFT}.get(choice, choice)
    assert kind_of(kind).code(choice, (0, 1)) == kind_of(kind).code(mirrored, (1, 0))


def test_answers_of_a_pair_are_1_0_and_a_half() -> None:
    code = kind_of("preference").code
    found = [code(choice, (1, 0)) for choice in (LEFT, RIGHT, TIE, BOTH_BAD)]
    assert [(one.value, one.answer, one.both_bad) for one in found if one] == [
        (0.0, "b", False),
        (1.0, "a", False),
        (0.5, "tie", False),
        (0.5, "tie", True),
    ]
    assert code("skip", (0, 1)) is None


def test_comparisons_keep_their_strength() -> None:
    code = kind_of("comparative").code
    found = [code(choice, (0, 1)) for choice in ("left_much", "left", "tie", "right", "right_much")]
    assert [(one.value, one.strength) for one in found if one] == [(1, 2), (1, 1), (0.5, 0), (0, 1), (0, 2)]


def test_the_best_of_four_is_named_by_its_system() -> None:
    coded = kind_of("best_of").code("video_3", (2, 0, 3, 1))
    assert coded is not None
    assert (coded.answer, coded.value) == ("3", 3.0)


def test_the_reference_pasted_in_is_not_the_subject_shown() -> None:
    code = kind_of("identity").code
    values = {choice: code(choice, (0,)) for choice in ("same", "different", "near_duplicate", "unsure")}
    assert {name: one.value if one else None for name, one in values.items()} == {
        "same": 1.0,
        "different": 0.0,
        "near_duplicate": 0.0,
        "unsure": None,
    }


def test_an_unknown_kind_choice_or_aspect_is_told() -> None:
    with pytest.raises(SettingsError, match="kind 'duel' is none of best_of"):
        kind_of("duel")
    with pytest.raises(ValueError, match="none of a pair's"):
        kind_of("preference").code("middle", (0, 1))
    with pytest.raises(SettingsError, match="'beauty' is no question of form opens2v"):
        study_form("opens2v", language="en", aspects=("beauty",), slots=("left", "right"), num_references=1, name="x")
    with pytest.raises(SettingsError, match="a pair needs two systems"):
        kind_of("preference").groups(("one",))


def test_a_votes_screen_is_read_in_canonical_places() -> None:
    vote = Vote(
        id="v", rev=1, study_id="s", trial_id="t", item_id="i", rater="r", rater_kind="person", question="q",
        choice="left", shown_order=("two", "one"),
    )  # fmt: skip
    assert order_of(vote, ("one", "two")) == (1, 0)
    with pytest.raises(ValueError, match="does not hold"):
        order_of(vote, ("one", "three"))
