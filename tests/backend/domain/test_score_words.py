"""Scores and gates in words: one table, in both languages of the window."""

import json

import pytest

from backend.domain import resource
from backend.domain.score_words import gate_title, score_title
from backend.recipes import RECIPES, plan_for
from backend.settings import ProjectSettings


def test_a_score_has_a_title_in_each_language_and_one_without_keeps_its_name() -> None:
    assert score_title("black_fraction") == "share of black frames"
    assert score_title("black_fraction", "zh") == "黑帧比例"
    assert score_title("sharpness_of_hats", "zh") == "sharpness of hats"


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ("clip.black_fraction <= 0.5", "share of black frames ≤ 0.5"),
        ("pair.similarity >= 0.5 (dog 0.62, mug 0.55)", "similarity ≥ 0.5 (dog 0.62, mug 0.55)"),
        ("pair.redundancy < 0.5", "redundancy < 0.5"),
        ("anchor.worth top 10000", "worth: the 10000 highest"),
        ("clip.black_fraction.max", "share of black frames (maximum)"),
        ("clip.sharpness.min", "sharpness (minimum)"),
        ("anchor.worth.top", "worth (the highest)"),
        ("a gate of before", "a gate of before"),
    ],
)
def test_a_gate_is_told_by_its_condition_or_its_name(gate: str, words: str) -> None:
    assert gate_title(gate) == words


def test_chinese_says_the_same() -> None:
    assert gate_title("clip.black_fraction <= 0.5", "zh") == "黑帧比例 ≤ 0.5"
    assert gate_title("anchor.worth.top", "zh") == "价值分（最高者）"


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_gate_of_a_recipe_looks_at_a_score_with_a_title(recipe: str) -> None:
    titles = json.loads(resource("scores.json").read_text("utf-8"))["scores"]
    gates = plan_for(ProjectSettings(recipe=recipe)).gates()
    assert {gate.score for gate in gates} <= set(titles)
    for gate in gates:
        assert "_" not in gate_title(gate.words) and gate_title(gate.name) != gate.name


def test_titles_tell_scores_of_one_kind_apart() -> None:
    titles = json.loads(resource("scores.json").read_text("utf-8"))["scores"]
    shared = {"shorter side of the crop in pixels"}  # of an appearance, and of an anchor
    for language in ("en", "zh"):
        said = [words[language] for words in titles.values()]
        assert all(said)
        assert {one for one in said if said.count(one) > 1} <= shared | {"裁剪短边（像素）"}
