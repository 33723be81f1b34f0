"""Case sets are counted as they are, and what a person should look at is named."""

from pathlib import Path

import pytest

from metrics.case_sets import check, stats
from tests.metrics.made_cases import WORDS, case, written


def test_counts_are_of_cases_and_references(tmp_path: Path) -> None:
    cases = {
        "singleobj_1": case(synthesis_flag="False", approved=True),
        "singleobj_2": case(prompt="one two three", synthesis_flag="Wrong", approved=False),
        "multihuman_1": case(3, prompt="seven of nine", label="Man", synthesis_flag="True"),
    }
    found = stats(written(tmp_path, cases))
    assert found.categories == {"multihuman": 1, "singleobj": 2}
    assert found.references == {"1": 2, "3": 1}
    assert found.labels == {"Man": 3, "Cup": 2}
    assert found.sources == {"real": 2, "synthetic": 1}
    assert found.subjects == {"other": 2, "human": 1}
    assert found.prompt_words == {"least": 3, "mean": pytest.approx(11 / 3), "median": 3, "most": 5}
    assert (found.cases, found.approved) == (3, 1)


def test_clean_file_has_no_problem_and_no_note(tmp_path: Path) -> None:
    found = check(written(tmp_path, {"singleobj_1": case(), "multiobject_1": case(2, prompt="else")}))
    assert (found.cases, found.problems, found.notes) == (2, (), ())


def test_missing_pictures_are_problems(tmp_path: Path) -> None:
    found = check(written(tmp_path, {"singleobj_1": case(2)}, pictures=1))
    assert len(found.problems) == 1
    assert found.problems[0].startswith("singleobj_1: ") and found.problems[0].endswith("1.png is missing")


@pytest.mark.parametrize(
    ("cases", "note"),
    [
        ({"a_1": case(label="Chiken")}, "label 'Chiken' of a_1 is not in the taxonomy; did you mean chicken?"),
        ({"a_1": case(label="book"), "a_2": case(label="Book", prompt="x")}, "one label is spelt Book and book"),
        ({"a_1": case(), "a_2": case(prompt=f"{WORDS} \n".title())}, "a_1 and a_2 have the same prompt"),
        ({"a_1": case(4)}, "a_1: 4 references; most models take 3"),
        ({"a_1": case(approved=False)}, "1 cases wait for a person's approval, as a_1"),
        (
            {"b_1": case(), **{f"a_{n}": case(prompt=str(n)) for n in range(4)}},
            "a has 4 cases and b 1: a mean over all cases is mostly a's",
        ),
    ],
)
def test_oddities_are_notes(tmp_path: Path, cases: dict, note: str) -> None:
    found = check(written(tmp_path, cases))
    assert found.notes == (note,) and not found.problems


@pytest.mark.real
def test_opens2v_counts_are_the_published_ones(real_media: Path) -> None:
    path = str(real_media / "dev" / "prompts" / "opens2v_Open-Domain_Eval.json")
    found = stats(path)
    assert (found.cases, sum(found.labels.values()), len(found.labels)) == (180, 320, 81)
    assert found.references == {"1": 90, "2": 40, "3": 50}
    assert found.prompt_words == {"least": 8, "mean": pytest.approx(110.8, abs=0.05), "median": 111, "most": 246}
    assert sum("have the same prompt" in note for note in check(path).notes) == 5
