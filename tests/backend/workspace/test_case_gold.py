"""Cases that are faulty on purpose stand among the rest of a rater's queue; what machines check of a case is said beside it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.api import Api
from backend.domain import CASES_STUDY, Case, Trial
from backend.media.images import encode_png
from backend.workspace.case_checks import share_named
from backend.workspace.case_gold import mixed
from tests.backend.workspace.test_case_approving import edit, vote_on
from tests.metrics.made_cases import case, written

THINGS = ("Cup", "Dog", "Woman", "Car")


def test_one_in_ten_is_faulty_and_none_is_behind_the_last_real_one() -> None:
    order = [f"c{n:02d}" for n in range(25)]
    found = mixed(order, ("x", "y", "z"), place=0)
    assert [found.index("x"), found.index("y")] == [9, 19]
    assert "z" not in found
    assert [name for name in found if name in order] == order
    assert mixed(found[9:], ("x", "y", "z"), place=9)[0] == "x"
    assert mixed(order[:5], ("x",), place=0) == order[:5]
    assert mixed([], ("x",), place=9) == []


@pytest.mark.parametrize(
    ("prompt", "labels", "share"),
    [
        ("A red mug on a table.", ("Mug",), 1.0),  # the taxonomy's word for it is cup
        ("A woman walks a dog.", ("Person", "Dog"), 1.0),  # a woman is a person
        ("Somebody feeds an animal.", ("Dog",), 1.0),
        ("A red mug on a table.", ("Mug", "Dog"), 0.5),
        ("一只狗在公园里。", ("Dog",), 1.0),
        ("A red mug.", ("Qwrt",), None),
        ("A red mug.", (), None),
    ],
)
def test_what_a_prompt_names_is_the_class_or_one_above_or_below_it(
    prompt: str, labels: tuple[str, ...], share: float | None
) -> None:
    assert share_named(Case(benchmark="b", name="n", prompt=prompt, labels=labels)) == share


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Twelve cases of four things by turns, each named by its prompt, with pictures of 128 pixels of their own."""
    (tmp_path / "bench" / "Images").mkdir(parents=True)
    cases = {}
    for number in range(12):
        label = THINGS[number % 4]
        one = case(prompt=f"A {label.lower()} in a garden, {number}.", label=label)
        cases[f"singleobj_{number}"] = {**one, "img_paths": [f"Images/{number}.png"]}
        picture = square(128, number)
        (tmp_path / "bench" / "Images" / f"{number}.png").write_bytes(picture)
    (tmp_path / "bench" / "cases.json").write_text(json.dumps(cases))
    return tmp_path / "bench" / "cases.json"


def square(side: int, grey: int) -> bytes:
    return encode_png(np.full((side, side, 3), grey, np.uint8))


def judged(api: Api, rater: str, upto: int) -> list[Trial]:
    """The trials that a rater is given one after the other, each approved."""
    seen = []
    while len(seen) < upto and (trials := api.next_trials(study_id=CASES_STUDY, rater=rater, limit=1)):
        seen += trials
        api.submit_votes(votes=(vote_on(trials[0].item_id, "approve", by=rater),))
    return seen


@pytest.mark.slow
def test_a_faulty_case_comes_as_the_tenth_and_tells_how_well_a_rater_looks(api: Api, file: Path) -> None:
    real = {one.content: one for one in api.ask_approval(cases=str(file)).cases}
    seen = judged(api, "ann", 99)
    assert [number for number, trial in enumerate(seen) if trial.item_id not in real] == [9]
    faulty = seen[9]
    prompt, reference = faulty.stimuli
    assert prompt.text in {one.prompt for one in real.values()}
    assert reference.text in THINGS
    assert reference.text.lower() not in prompt.text.lower()
    assert faulty.gold is None, "nothing tells it from the others"
    state = api.queue_state(study_id=CASES_STUDY, rater="ann")
    assert (state.total, state.judged, state.left) == (13, 13, 0)
    assert (state.gold_seen, state.gold_right) == (1, 0)
    (vote,) = api.votes(study_id=CASES_STUDY, item_id=faulty.item_id)
    api.submit_votes(votes=(replace(vote, rev=vote.rev + 1, choice="reject"),))
    state = api.queue_state(study_id=CASES_STUDY, rater="ann")
    assert (state.gold_seen, state.gold_right) == (1, 1)
    assert all(one.verdict == "approve" for one in api.review_cases(cases=str(file)).cases), (
        "a verdict on none of the file's"
    )
    before = api.verify()
    assert before.ok and api.rebuild() == before
    assert api.queue_state(study_id=CASES_STUDY, rater="ann") == state


@pytest.mark.slow
def test_a_faulty_case_with_another_prompt_is_neither_asked_again_nor_counted(api: Api, file: Path) -> None:
    real = {one.content for one in api.ask_approval(cases=str(file)).cases}
    judged(api, "ann", 9)
    (faulty,) = api.next_trials(study_id=CASES_STUDY, rater="ann", limit=1)
    assert faulty.item_id not in real
    edit(api, faulty.item_id, "What the picture shows.", by="ann")
    state = api.queue_state(study_id=CASES_STUDY, rater="ann")
    assert (state.gold_seen, state.left, state.total) == (0, 3, 12)
    (again,) = api.next_trials(study_id=CASES_STUDY, rater="ann", limit=1)
    assert again.item_id not in real | {faulty.item_id}, "another faulty one"


@pytest.mark.slow
def test_cases_of_one_domain_give_no_faulty_one(api: Api, tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    cases = {f"singleobj_{number}": case(prompt=f"A cup, {number}.") for number in range(12)}
    asked = api.ask_approval(cases=written(tmp_path / "bench", cases, pictures=1))
    assert {trial.item_id for trial in judged(api, "ann", 99)} == {one.content for one in asked.cases}


@pytest.mark.slow
def test_machines_say_what_fails_of_a_case(api: Api, tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    cases = {
        "singleobj_1": case(prompt="A red mug.", label="Cup", inside=[False]),
        "singleobj_2": {**case(prompt="A dog.", label="Cup", inside=[True]), "img_paths": ["Images/2.png"]},
    }
    file = written(tmp_path / "bench", cases, pictures=3)
    (tmp_path / "bench" / "Images" / "0.png").write_bytes(square(128, 7))
    api.ask_approval(cases=file)
    fit, unfit = api.next_trials(study_id=CASES_STUDY, rater="ann", limit=2)
    assert dict(fit.scores) == {"references_named": 1.0, "min_side_px": 128.0, "references_inside": 0.0, "clip_kept": None}
    assert (fit.failed, fit.suggested) == ((), (("fit", "approve"),))
    assert dict(unfit.scores) == {"references_named": 0.0, "min_side_px": 4.0, "references_inside": 1.0, "clip_kept": None}
    assert unfit.failed == ("references_named", "min_side_px", "references_inside")
    assert unfit.suggested == (("fit", "reject"),)
