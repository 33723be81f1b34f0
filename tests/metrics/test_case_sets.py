"""Case sets are counted as they are, and what a person should look at is named."""

import json
from pathlib import Path

import pytest

from backend.report import ShownReferences, case_set_report, render
from metrics.benchmark import read_cases
from metrics.case_sets import check, cloud, stats, unapproved
from tests.metrics.made_cases import WORDS, case, picture, written


def test_counts_are_of_cases_and_references(tmp_path: Path) -> None:
    cases = {
        "singleobj_1": case(synthesis_flag="False", caption_kind="person", duration_s=2.5),
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
    assert (found.cases, found.approved) == (3, 0)
    assert found.domains == {"human": 3, "product": 2} and found.kinds == {"unsaid": 5}
    assert found.captions == {"unsaid": 2, "person": 1}
    assert found.durations == {"least": 2.5, "mean": 2.5, "median": 2.5, "most": 2.5}
    assert found.words == (5, 3, 3)
    assert list(found.cloud.items()) == [("three", 2), ("five", 1), ("four", 1), ("nine", 1), ("seven", 1)]


def test_cloud_counts_words_of_substance() -> None:
    told = ["The dog and the DOG's bowl, a dog.", "With her dog: well-lit bowl 42", "", "It is so"]
    assert cloud(told) == {"dog": 3, "bowl": 2, "dog's": 1, "well-lit": 1}
    assert len(cloud([" ".join(f"word{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(300))])) == 120


def test_approval_is_of_what_the_case_holds(tmp_path: Path) -> None:
    path = written(tmp_path, {"a_1": case(), "a_2": case(prompt="two"), "a_3": case(prompt="three")})
    contents = {one.name: one.content for one in read_cases(Path(path)).cases}
    cases = json.loads(Path(path).read_text())
    for name, fields in cases.items():
        fields |= {"approved": True, "approval": {"by": "ann", "content": contents[name]}}
    cases["a_2"]["prompt"] = "other"
    del cases["a_3"]["approval"]
    written(tmp_path, cases)
    assert stats(path).approved == 1 and unapproved(path) == ("a_2", "a_3")
    assert check(path).notes == (
        "1 cases changed since they were approved and need a new approval: a_2",
        "1 cases say that they are approved but not by whom: a_3",
    )


def test_page_shows_the_counts_and_needs_nothing_else(tmp_path: Path) -> None:
    path = written(tmp_path, {"a_1": case(2, prompt="<script>alert(1)</script> a dog"), "b_1": case(label="Man")})
    shown = ShownReferences(name="a_1", prompt="<b>", approved=False, references=(("Cup", picture(0)), ("Cup", None)))
    page = render(case_set_report(stats(path), [shown], check(path).notes))
    assert "<script" not in page and "<b>" not in page and "http://" not in page.replace("http://www.w3.org", "")
    assert page.count("data:image/webp") == 1
    for words in ("Categories", "Domains", "Real or synthetic", "Words of prompts", "Word cloud", "not approved: "):
        assert words in page
    assert "dog: 1" in page, "each word of the cloud says how often"


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
        ({"a_1": case(approved=False)}, "1 cases wait for a person's approval: a_1"),
        ({"a_1": case(2, inside=[False, True])}, "1 cases show a frame of the clip that their prompt describes, as a_1"),
        ({"a_1": case(approved=False, rejection={"by": "ann"})}, "1 cases were rejected by a person: a_1"),
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
