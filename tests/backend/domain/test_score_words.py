"""Scores, gates and stages in words, in both languages of the window."""

import json

import pytest

from backend.domain import resource
from backend.domain.score_words import failure_title, gate_title, score_title, stage_purpose, stage_title
from backend.recipes import RECIPES, plan_for
from backend.settings import ProjectSettings
from backend.stages import STAGES
from training.data.stages import EncodeClips, EncodePictures, EncodeTexts, ListClips


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


def test_a_stage_has_a_title_in_each_language_and_a_chain_has_both_its_ends() -> None:
    assert stage_title("split_shots") == "split shots"
    assert stage_title("split_shots", "zh") == "切分镜头"
    assert stage_title("find_borders to find_subjects", "zh") == "检测黑边至检测主体"
    assert stage_title("measure_black_fraction", "zh") == "测量黑帧比例"
    assert stage_title("measure_motion") == "measure motion"
    assert stage_title("a_stage_of_before", "zh") == "a stage of before"
    assert failure_title("no_video", "zh") == "没有视频流"
    assert failure_title("a_word_of_before", "zh") == "a word of before"


def test_every_stage_of_curation_and_of_latents_has_its_own_title() -> None:
    titles = json.loads(resource("stages.json").read_text("utf-8"))["stages"]
    latents = {stage.name for stage in (ListClips, EncodeClips, EncodePictures, EncodeTexts)}
    assert {*STAGES, *latents} <= set(titles)
    for language in ("en", "zh"):
        said = [words[language] for words in titles.values()]
        assert all(said) and len(set(said)) == len(said)
        assert not any("_" in one for one in said)
    assert set(json.loads(resource("stages.json").read_text("utf-8"))["does"]) == set(STAGES)
    assert all(stage_purpose(name, language) for name in STAGES for language in ("en", "zh"))
    assert stage_purpose("list_clips") == ""
