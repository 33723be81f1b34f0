"""ExtractPhrases: captions in, phrases with exact spans out."""

from typing import cast

from backend.domain import Caption, Clip, Context, Filtered, Item, Ok, Phrase
from backend.models.classical_captions import RulePhrases
from backend.stages.phrases import ExtractPhrases

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
