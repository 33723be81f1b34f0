"""Prompts say what they ask for, and their digest follows every word."""

from pathlib import Path

import pytest

from backend.models.flux import FluxKontext
from backend.models.gpt_frames import GptFrames
from backend.models.prompts import Prompt, level_questions, level_words, prompt

JUDGED = ("naturalness", "copy_paste", "subject_likeness")
PARTS = {"num_references": "2", "prompt": "a cat {runs}", "label": "Cat"}


@pytest.mark.parametrize("name", JUDGED)
def test_every_grade_is_described_and_one_digit_asked_for(name: str) -> None:
    asked = prompt(name)
    text = asked.filled(**PARTS)
    grades = [int(line[0]) for line in text.splitlines() if line[1:4] == " - "]
    assert sorted(grades) == list(range(asked.lowest, asked.highest + 1))
    assert text.endswith("Reply with that one digit and nothing else.")


def test_braces_of_a_prompt_stay() -> None:
    assert '"a cat {runs}"' in prompt("copy_paste").filled(**PARTS)


def test_missing_part_is_an_error() -> None:
    with pytest.raises(KeyError):
        prompt("copy_paste").filled(prompt="x")


def test_digest_follows_words_and_range() -> None:
    digests = {Prompt("a", "t", 1, 5).digest, Prompt("a", "u", 1, 5).digest, Prompt("a", "t", 0, 5).digest}
    assert len(digests) == 3
    assert Prompt("a", "t", 1, 5).digest == Prompt("b", "t", 1, 5).digest


def test_levels_are_five_and_each_task_leads_in() -> None:
    assert level_words() == ("excellent", "good", "fair", "poor", "bad")
    assert set(level_questions()) == {"quality", "aesthetics", "video"}
    assert all(task.question.endswith("?") and task.lead.endswith(" is") for task in level_questions().values())


def test_every_prompt_is_used_by_its_name() -> None:
    folder = Path(__file__).parents[3] / "resources" / "prompts"
    assert {"naturalness", "copy_paste", "subject_likeness", "reward", "levels"} <= {p.stem for p in folder.glob("*.toml")}


@pytest.mark.parametrize(("name", "maker"), [("isolate", GptFrames), ("other_view", FluxKontext)])
def test_made_pictures_are_kept_under_the_words_that_asked_for_them(name: str, maker: type) -> None:
    """Other words are another model: neither a stage's key nor a kept answer takes the one for the other."""
    assert maker.model_id.endswith(f"-{prompt(name).digest}")  # type: ignore[attr-defined]
