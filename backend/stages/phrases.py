"""S11: finds the noun phrases of each caption (taxonomy match and chunking in one pass: S10 is a lookup)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

from backend.domain import (
    Caption,
    Clip,
    Context,
    Failed,
    Filtered,
    Item,
    Ok,
    Phrase,
    PhraseExtractor,
    PhraseSpan,
    Record,
    Resources,
    Result,
    Score,
    digest,
)
from backend.domain.roles_words import PhraseReader, PhraseReading
from backend.models.phrase_answers import read_phrases


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractPhrases:
    """Noun phrases with exact spans, for every caption of a clip in a language that is read.

    For an extractor that is asked (a language model), each caption also has the score `phrases`: how many were kept of
    the `num_units` that were named, with the raw answer, the prompt's digest and every dropped phrase as evidence.
    """

    name: ClassVar[str] = "extract_phrases"
    version: ClassVar[int] = 2
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Caption,)
    makes: ClassVar[tuple[type, ...]] = (Phrase, Score)
    roles: ClassVar[tuple[str, ...]] = ("PhraseExtractor",)
    resources: ClassVar[Resources] = Resources(ram_gib=0.2)

    languages: tuple[str, ...] = ("en", "zh")

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        extractor = cast(PhraseExtractor, context.role("PhraseExtractor"))
        return [self._extract(item, extractor, context) for item in items]

    def _extract(self, item: Item, extractor: PhraseExtractor, context: Context) -> Result:
        every = item.all(Caption)
        captions = [caption for caption in every if caption.language in self.languages]
        if not every:
            return Filtered(item.id, "the clip has no caption")
        unread = {caption.language for caption in every} - set(self.languages)
        reason = f"captions in {', '.join(sorted(unread))} are not read, only in {', '.join(self.languages)}"
        if not captions:
            return Filtered(item.id, reason)
        warnings = (reason,) if unread else ()
        if not isinstance(extractor, PhraseReader):
            rows = [row for caption in captions for row in _rows(caption, extractor.phrases(caption.text))]
            return Ok(item.id, rows, warnings)
        return _asked(item, captions, extractor, context, warnings)


def _asked(
    item: Item, captions: Sequence[Caption], extractor: PhraseReader, context: Context, warnings: Sequence[str]
) -> Result:
    """What a model named in the captions; one caption without a reading fails the clip, which then has no half a list."""
    rows: list[Record] = []
    notes = list(warnings)
    for caption, reading in zip(
        captions, _readings([caption.text for caption in captions], extractor, context), strict=True
    ):
        if reading.reason:
            return Failed(item.id, "phrases_unreadable" if reading.is_final else "unavailable", reading.reason)
        rows += [*_rows(caption, reading.spans), _score(caption, reading, extractor, context)]
        notes += [f"phrase {reason}" for reason in reading.dropped]
    return Ok(item.id, rows, tuple(notes))


def _readings(texts: Sequence[str], extractor: PhraseReader, context: Context) -> list[PhraseReading]:
    """A reading of each text; good ones are kept in the project, and what was read before is not asked for again."""
    keys = [digest(("phrases", extractor.model_id, extractor.prompt_digest, text)) for text in texts]
    told = [context.answers.get(key) for key in keys]
    found = [
        None if answer is None else read_phrases(answer["raw"], text) for answer, text in zip(told, texts, strict=True)
    ]
    left = [place for place, reading in enumerate(found) if reading is None or reading.reason]
    asked = dict(zip(left, extractor.read([texts[place] for place in left]) if left else [], strict=True))
    for place, reading in asked.items():
        if not reading.reason:
            prompt = extractor.prompt_digest
            answer = {"raw": reading.raw, "model": extractor.model_id, "prompt": prompt, "text": texts[place]}
            context.answers.put(keys[place], answer)
    return [asked.get(place) or cast(PhraseReading, reading) for place, reading in enumerate(found)]


def _rows(caption: Caption, spans: Sequence[PhraseSpan]) -> list[Record]:
    return [
        Phrase(
            caption_id=caption.id,
            clip_id=caption.clip_id,
            start=span.start,
            stop=span.stop,
            text=caption.text[span.start : span.stop],
            role=span.role,
            category=span.category,
            is_living=span.is_living,
            is_plural=span.is_plural,
        )
        for span in spans
    ]


def _score(caption: Caption, reading: PhraseReading, extractor: PhraseReader, context: Context) -> Score:
    evidence = {"raw": reading.raw, "prompt_digest": extractor.prompt_digest, "dropped": reading.dropped}
    named = len(reading.spans) + len(reading.dropped)
    return Score(
        target=caption.id,
        name="phrases",
        value=float(len(reading.spans)),
        producer=extractor.model_id,
        num_units=named,
        coverage=len(reading.spans) / named if named else 1.0,
        evidence=context.artifacts.put(json.dumps(evidence, ensure_ascii=False).encode(), "json"),
    )
