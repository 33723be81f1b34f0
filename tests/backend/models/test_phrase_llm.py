"""Phrases by language models: what is kept, what is dropped and why, and every way of not answering."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import ModelUnavailable
from backend.domain.roles_words import PhraseReader
from backend.models.endpoint_calls import Limits
from backend.models.phrase_answers import MAX_PHRASES, read_phrases
from backend.models.phrase_llm import PROMPT, LocalPhrases, OpenAiPhrases
from backend.models.places import ModelPlace
from tests.backend.models.tiny_words import causal
from tests.metrics.checkpoints_language import Endpoint, completion, endpoint, sent

TEXT = "In the park, a young woman in a red top feeds two ducks."
ANSWER = '{"background": ["park"], "subject": ["young woman", "ducks"], "object": ["red top"]}'
QUICK = Limits(tries=3, attempt_s=2.0, first_wait_s=0.01, longest_wait_s=0.05)


def answer(*, background: list | None = None, subject: list | None = None, object: list | None = None) -> str:
    return json.dumps({"background": background or [], "subject": subject or [], "object": object or []})


def kept(raw: str, text: str = TEXT) -> list[tuple[str, str, str | None]]:
    return [(text[span.start : span.stop], span.role, span.category) for span in read_phrases(raw, text).spans]


def test_phrases_come_in_the_order_of_the_text_with_group_and_category() -> None:
    assert kept(ANSWER) == [
        ("park", "background", "park"),
        ("young woman", "subject", "woman"),
        ("red top", "object", "shirt"),
        ("ducks", "subject", "duck"),
    ]
    spans = read_phrases(ANSWER, TEXT).spans
    assert [span.is_plural for span in spans] == [False, False, False, True]
    assert [span.is_living for span in spans] == [False, True, False, True]


@pytest.mark.parametrize(
    ("phrase", "reason"),
    [
        ("green top", "not in the caption"),
        ("Red top", "not in the caption"),
        ("uck", "not in the caption"),
        ("red to", "not in the caption"),
        ("a", "empty"),
        ("the", "empty"),
        (" ", "empty"),
        (TEXT, "too long for a phrase"),
    ],
)
def test_what_does_not_stand_in_the_text_is_dropped_with_the_reason(phrase: str, reason: str) -> None:
    reading = read_phrases(answer(object=["red top", phrase]), TEXT)
    assert [TEXT[span.start : span.stop] for span in reading.spans] == ["red top"]
    (line,) = reading.dropped
    assert line.endswith(f": {reason}")


def test_an_article_is_left_out_of_the_span() -> None:
    assert kept(answer(subject=["a young woman"], background=["the park"])) == [
        ("park", "background", "park"),
        ("young woman", "subject", "woman"),
    ]


def test_a_phrase_named_in_two_groups_is_kept_in_the_first() -> None:
    reading = read_phrases(answer(subject=["ducks"], object=["ducks"]), TEXT)
    assert [span.role for span in reading.spans] == ["subject"]
    assert reading.dropped == ("'ducks': named twice",)


def test_of_too_many_phrases_subjects_stay_before_objects_before_background() -> None:
    words = ["dog", "cat", "cow", "hen", "cup", "hat", "bag", "pen", "bed", "sea"]
    text = " ".join(words)
    reading = read_phrases(answer(background=words[8:], object=words[4:8], subject=words[:4]), text)
    assert [text[span.start : span.stop] for span in reading.spans] == words[:MAX_PHRASES]
    assert reading.dropped == ("'bed': more than 8 phrases", "'sea': more than 8 phrases")


def test_chinese_phrases_need_no_blanks_around() -> None:
    text = "一位年轻女子在公园里喂两只鸭子。"
    raw = answer(subject=["年轻女子", "鸭子"], background=["公园"], object=["红色上衣"])
    reading = read_phrases(raw, text)
    assert [(text[s.start : s.stop], s.category, s.is_plural) for s in reading.spans] == [
        ("年轻女子", "woman", False),
        ("公园", "park", False),
        ("鸭子", "duck", True),
    ]
    assert reading.dropped == ("'红色上衣': not in the caption",)


def test_the_category_is_that_of_the_phrases_head() -> None:
    text = "A girl in a red coat, a coat of arms and a dog blanket."
    assert [category for _, _, category in kept(answer(object=["girl in a red coat", "dog blanket"]), text)] == [
        "girl",
        "soft_furnishing",
    ]


def test_a_thing_that_no_category_has_is_kept_without_one() -> None:
    assert kept(answer(object=["quokka gizmo"]), "A quokka gizmo.") == [("quokka gizmo", "object", None)]


@pytest.mark.parametrize("around", ["```json\n{}\n```", "```\n{}\n```", "<think>Two ducks...</think>\n{}", "  {}\n"])
def test_a_fence_and_a_thought_around_the_object_are_passed_over(around: str) -> None:
    assert kept(around.replace("{}", ANSWER)) == kept(ANSWER)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "answered nothing"),
        ("Sure! " + ANSWER, "which is no JSON"),
        (ANSWER[:-3], "which is no JSON"),
        ("[]", "no JSON object"),
        ("null", "no JSON object"),
        ('{"background": [], "subject": []}', "lacks object"),
        ('{"background": [], "subject": [], "object": [], "verb": []}', "has 'verb', which was not asked for"),
        ('{"background": [], "subject": "dog", "object": []}', "subject is no list of texts"),
        ('{"background": [], "subject": [{"name": "dog"}], "object": []}', "subject is no list of texts"),
        ("[" * 100_000, "which is no JSON"),
    ],
)
def test_an_answer_of_another_shape_is_no_reading(raw: str, reason: str) -> None:
    reading = read_phrases(raw, TEXT)
    assert reading.spans == () and reason in reading.reason and reading.raw == raw


@given(st.text(max_size=60), st.lists(st.text(max_size=12), max_size=12))
def test_every_span_is_its_phrase_letter_by_letter(text: str, phrases: list[str]) -> None:
    reading = read_phrases(answer(subject=phrases), text)
    assert len(reading.spans) <= MAX_PHRASES
    assert len(reading.spans) + len(reading.dropped) == len(phrases)
    wanted = {phrase.strip().casefold() for phrase in phrases}
    for span in reading.spans:
        found = text[span.start : span.stop]
        assert found and any(phrase.endswith(found.casefold()) for phrase in wanted)


@pytest.fixture
def stub() -> Iterator[Endpoint]:
    with endpoint() as found:
        yield found


def remote(stub: Endpoint) -> OpenAiPhrases:
    place = ModelPlace("PhraseExtractor", f"openai:deepseek-chat@{stub.url}")
    return OpenAiPhrases(place, device="cpu", dtype="float32", limits=QUICK)


def test_an_endpoint_is_asked_for_an_object(stub: Endpoint) -> None:
    stub.says(ANSWER)
    (reading,) = remote(stub).read([TEXT])
    assert len(reading.spans) == 4 and reading.raw == ANSWER
    (request,) = stub.requests
    assert request["model"] == "deepseek-chat"
    assert request["response_format"] == {"type": "json_object"} and request["max_tokens"] == 1024
    assert request["messages"][0]["content"][-1]["text"] == PROMPT.filled(caption=TEXT)


def test_an_endpoint_that_answers_nonsense_is_asked_again_and_then_left(stub: Endpoint) -> None:
    stub.answers = [completion("Sure!"), completion(ANSWER)]
    assert len(remote(stub).read([TEXT])[0].spans) == 4
    stub.says("Sure!")
    (reading,) = remote(stub).read(["A dog."])
    assert reading.is_final and "no JSON" in reading.reason and "asked 3 times" in reading.reason


@pytest.mark.parametrize(
    ("way", "reason"),
    [(sent(500, "boom"), "HTTP 500"), (sent(200, "<html>"), "no chat completion"), (sent(401, "no"), "HTTP 401")],
)
def test_an_endpoint_that_does_not_answer_is_no_final_state(stub: Endpoint, way, reason: str) -> None:
    stub.answers = [way]
    (reading,) = remote(stub).read([TEXT])
    assert not reading.is_final and reason in reading.reason
    with pytest.raises(ModelUnavailable, match="phrases cannot be read"):
        remote(stub).phrases(TEXT)


def test_each_caption_gets_its_own_answer(stub: Endpoint) -> None:
    texts = [f"A dog beside cup number {number}." for number in range(12)]

    def reply(handler) -> None:
        text = stub.requests[-1]["messages"][0]["content"][-1]["text"].rpartition("Caption: ")[2]
        completion(answer(object=[text.strip().removeprefix("A dog beside ").removesuffix(".")]))(handler)

    stub.answers = [reply]
    one_at_a_time = Limits(tries=1, attempt_s=5.0, at_once=1)
    place = ModelPlace("PhraseExtractor", f"openai:m@{stub.url}")
    extractor = OpenAiPhrases(place, device="cpu", dtype="float32", limits=one_at_a_time)
    readings = extractor.read(texts)
    assert [text[r.spans[0].start : r.spans[0].stop] for text, r in zip(texts, readings, strict=True)] == [
        f"cup number {number}" for number in range(12)
    ]


def local(folder: Path, max_tokens: int = 64) -> LocalPhrases:
    place = ModelPlace("PhraseExtractor", str(folder))
    return LocalPhrases(place, device="cpu", dtype="float32", max_tokens=max_tokens)


def test_a_local_model_is_asked_through_its_chat_template(tmp_path: Path) -> None:
    extractor = local(causal(tmp_path / "model", says=ANSWER))
    assert isinstance(extractor, PhraseReader)
    assert extractor.model_id.startswith(f"phrases-local-1-{PROMPT.digest}@")
    assert extractor.phrases(TEXT) == list(read_phrases(ANSWER, TEXT).spans)
    assert extractor.read([TEXT])[0].raw == ANSWER


def test_a_local_model_that_babbles_has_no_reading_and_the_same_one_twice(tmp_path: Path) -> None:
    folder = causal(tmp_path / "model")
    first, second = (local(folder, 12).read([TEXT])[0] for _ in range(2))
    assert first == second and first.reason and first.raw and first.is_final


@pytest.mark.parametrize("damage", ["absent", "truncated", "other"])
def test_weights_that_are_not_there_or_of_another_kind_are_told(damage: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    if damage != "absent":
        causal(folder, says=ANSWER)
    if damage == "truncated":
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
    if damage == "other":
        (folder / "config.json").write_text(json.dumps({"model_type": "sam2"}))
    with pytest.raises(ModelUnavailable, match=r"does not exist|cannot be loaded as a language model"):
        local(folder)
