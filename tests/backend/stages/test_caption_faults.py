"""What no caption is: nothing, refusals, floods, other scripts, marks; and how the stage names each."""

from pathlib import Path

import pytest

from backend.domain import Absent, Caption, Failed, Filtered, Ok
from backend.stages.caption_faults import caption_fault, language_of, num_words, whole_sentences
from tests.backend.stages.test_captions import caption

FAULTS = {
    "caption_empty": ["", "  \n ", "...", "！？"],
    "caption_refused": [
        "I cannot describe this video.",
        "I’m sorry, but I can't help with that.",
        '"Sorry, I am only a model."',
        "As an AI, I see nothing.",
        "抱歉，我无法描述这个视频。",
    ],
    "caption_too_long": ["word " * 5000, "人" * 5000],
    "caption_script": ["Собака бежит по полю.", "犬が公園を走っている。", "كلب يركض", "강아지가 달린다."],
    "caption_marked_up": ["<think>hm</think> A dog runs.", "A dog.<|im_end|>", "```A dog.```"],
}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in FAULTS.items() for text in texts])
def test_what_is_no_caption_ends_in_the_state_of_its_name(kind: str, text: str, tmp_path: Path) -> None:
    found = caption(tmp_path, answer=text)
    assert isinstance(found, Failed)
    assert found.kind == kind and len(found.message) < 250


@pytest.mark.parametrize(
    "text", ["A man says sorry to a dog.", "I-beams stand in a field.", "一位女子说抱歉。", "A dog, i.e. a poodle, runs."]
)
def test_a_caption_that_only_speaks_of_such_things_is_one(text: str) -> None:
    assert caption_fault(text, languages=("en", "zh"), max_words=600) is None


def test_a_caption_carries_its_author_and_language(tmp_path: Path) -> None:
    found = caption(tmp_path, answer="一位女子遛狗。")
    assert isinstance(found, Ok)
    (row,) = found.rows
    assert isinstance(row, Caption)
    assert (row.author, row.text, row.language) == ("says-1", "一位女子遛狗。", "zh")


def test_a_caption_that_breaks_off_is_cut_to_its_last_sentence(tmp_path: Path) -> None:
    found = caption(tmp_path, answer="A dog runs 3.5 km. Then the camera pans to the")
    assert isinstance(found, Ok)
    (row,) = found.rows
    assert isinstance(row, Caption) and row.text == "A dog runs 3.5 km."
    assert found.warnings == ("the caption broke off and is cut by 28 characters",)


def test_a_text_without_a_sentence_end_stays_whole() -> None:
    assert whole_sentences("a dog in a park") == "a dog in a park"
    assert whole_sentences("她笑了。然后") == "她笑了。"
    assert whole_sentences('He says "run!" and') == 'He says "run!"'


def test_what_could_not_be_asked_is_asked_again_next_time(tmp_path: Path) -> None:
    found = caption(tmp_path, answer=Absent("unavailable: captioner refused with HTTP 500"))
    assert isinstance(found, Failed) and found.kind == "unavailable"
    assert isinstance(caption(tmp_path, answer=Absent("the picture is black")), Filtered)


def test_words_are_counted_in_both_scripts() -> None:
    assert (num_words("a red dog"), num_words("一只红色的狗"), num_words("dog 狗狗")) == (3, 3, 2)


def test_the_script_tells_the_language() -> None:
    texts = ["café noir", "Собака", "犬がいる", "개", "狗 dog", "123", "Собака a"]
    assert [language_of(text) for text in texts] == ["en", "und", "ja", "ko", "zh", "en", "und"]
