"""ExtractPhrases: captions in, phrases with exact spans out."""

import json
from collections.abc import Sequence
from typing import cast

from backend.domain import Caption, Clip, Context, Failed, Filtered, Item, Ok, Phrase, Score
from backend.domain.roles_words import PhraseReading
from backend.models.classical_captions import RulePhrases
from backend.models.phrase_answers import read_phrases
from backend.stages.phrases import ExtractPhrases
from tests.backend.stages.answered_judges import MemoryAnswers

CLIP = Clip(video_id="video_1", start_frame=0, stop_frame=48, start_s=0.0, stop_s=2.0, opens_with="start")


class Roles:
    """A context that serves one role."""

    def role(self, name: str) -> object:
        return {"PhraseExtractor": RulePhrases()}[name]


def extract(*captions: Caption) -> object:
    item = Item(CLIP.id, {Clip: (CLIP,), Caption: captions})
    return ExtractPhrases()([item], cast(Context, Roles()))[0]


def test_phrases_point_into_their_own_caption() -> None:
    first = Caption(clip_id=CLIP.id, author="sidecar", text="A black cat sleeps.")
    second = Caption(clip_id=CLIP.id, author="template", text="An animal on a red sofa.")
    result = extract(first, second)
    assert isinstance(result, Ok)
    rows = cast(list[Phrase], result.rows)
    texts = {first.id: first.text, second.id: second.text}
    assert [(row.caption_id, row.text, row.category) for row in rows] == [
        (first.id, "black cat", "cat"),
        (second.id, "animal", "animal"),
        (second.id, "red sofa", "sofa"),
    ]
    assert all(texts[row.caption_id][row.start : row.stop] == row.text for row in rows)


def test_a_clip_without_captions_is_filtered_with_the_reason() -> None:
    assert extract() == Filtered(CLIP.id, "the clip has no caption")


def test_a_caption_without_known_nouns_gives_no_phrases() -> None:
    assert extract(Caption(clip_id=CLIP.id, author="sidecar", text="Nothing of note.")) == Ok(CLIP.id, [])


class Reader:
    """An extractor that is asked: it has one reading for everything."""

    model_id = "reader-1"
    prompt_digest = "abc"

    def __init__(self, reading: PhraseReading) -> None:
        self.reading = reading

    def read(self, texts: Sequence[str]) -> list[PhraseReading]:
        return [self.reading for _ in texts]


class Desk:
    """A context that serves one reader and keeps artifacts."""

    def __init__(self, reader: Reader) -> None:
        self._reader, self.kept = reader, []
        self.artifacts, self.answers = self, MemoryAnswers()

    def role(self, name: str) -> object:
        return {"PhraseExtractor": self._reader}[name]

    def put(self, data: bytes, suffix: str) -> str:
        self.kept.append(data)
        return f"{len(self.kept)}.{suffix}"


def asked(reading: PhraseReading, *texts: str) -> tuple[object, Desk]:
    desk = Desk(Reader(reading))
    captions = tuple(Caption(clip_id=CLIP.id, author="sidecar", text=text) for text in texts)
    return ExtractPhrases()([Item(CLIP.id, {Clip: (CLIP,), Caption: captions})], cast(Context, desk))[0], desk


def test_a_models_reading_gives_phrases_a_score_and_the_raw_answer() -> None:
    reading = read_phrases('{"background": [], "subject": ["black cat"], "object": ["mat"]}', "A black cat sleeps.")
    result, desk = asked(reading, "A black cat sleeps.")
    assert isinstance(result, Ok)
    phrase, score = result.rows
    assert isinstance(phrase, Phrase) and (phrase.text, phrase.category) == ("black cat", "cat")
    assert isinstance(score, Score)
    assert (score.target, score.name, score.value, score.num_units) == (phrase.caption_id, "phrases", 1.0, 2)
    assert result.warnings == ("phrase 'mat': not in the caption",)
    (evidence,) = map(json.loads, desk.kept)
    assert evidence["prompt_digest"] == "abc" and json.loads(evidence["raw"])["object"] == ["mat"]


def test_an_unreadable_answer_and_an_endpoint_away_are_two_states() -> None:
    final, _ = asked(PhraseReading(reason="the model answered nothing"), "A cat.")
    away, _ = asked(PhraseReading(reason="phrase model cannot be reached", is_final=False), "A cat.")
    assert final == Failed(CLIP.id, "phrases_unreadable", "the model answered nothing")
    assert away == Failed(CLIP.id, "unavailable", "phrase model cannot be reached")


def test_captions_in_another_script_are_told() -> None:
    latin = Caption(clip_id=CLIP.id, author="sidecar", text="A cat.")
    kana = Caption(clip_id=CLIP.id, author="sidecar", text="犬がいる。", language="ja")
    mixed, alone = extract(latin, kana), extract(kana)
    assert isinstance(mixed, Ok) and mixed.warnings == ("captions in ja are not read, only in en, zh",)
    assert alone == Filtered(CLIP.id, "captions in ja are not read, only in en, zh")


def test_a_chinese_caption_has_phrases() -> None:
    result = extract(Caption(clip_id=CLIP.id, author="sidecar", text="两只可爱的小狗在红色沙发上睡觉。", language="zh"))
    assert isinstance(result, Ok)
    rows = cast(list[Phrase], result.rows)
    assert [(row.text, row.role, row.category, row.is_plural) for row in rows] == [
        ("可爱的小狗", "subject", "dog", True),
        ("红色沙发", "object", "sofa", False),
    ]


class Counting(Reader):
    """Finds a cat in everything, and counts the texts."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def read(self, texts: Sequence[str]) -> list[PhraseReading]:
        self.asked += texts
        return [read_phrases('{"background": [], "subject": ["cat"], "object": []}', text) for text in texts]


def test_a_text_is_read_once_and_a_bad_answer_is_asked_for_again() -> None:
    reader = Counting()
    desk = Desk(reader)

    def read(*texts: str) -> list[str]:
        captions = tuple(Caption(clip_id=CLIP.id, author="sidecar", text=text) for text in texts)
        (result,) = ExtractPhrases()([Item(CLIP.id, {Clip: (CLIP,), Caption: captions})], cast(Context, desk))
        assert isinstance(result, Ok)
        return [row.text for row in result.rows if isinstance(row, Phrase)]

    assert read("A cat.") == ["cat"]
    assert read("A cat.", "No cat.") == ["cat", "cat"]
    assert reader.asked == ["A cat.", "No cat."]
    assert {answer["prompt"] for answer in desk.answers.kept.values()} == {"abc"}
    assert [answer["model"] for answer in desk.answers.kept.values()] == ["reader-1", "reader-1"]
    for answer in desk.answers.kept.values():
        answer["raw"] = "no JSON"
    assert read("A cat.") == ["cat"]
    assert reader.asked == ["A cat.", "No cat.", "A cat."]


def test_nothing_is_kept_of_an_answer_that_is_none() -> None:
    _, desk = asked(PhraseReading(reason="phrase model cannot be reached", is_final=False), "A cat.")
    assert desk.answers.kept == {}
