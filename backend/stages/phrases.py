"""S11: finds the noun phrases of each caption (taxonomy match and chunking in one pass: S10 is a lookup)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

from backend.domain import Caption, Clip, Context, Filtered, Item, Ok, Phrase, PhraseExtractor, Resources, Result


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractPhrases:
    """Noun phrases with exact spans, for every caption of a clip."""

    name: ClassVar[str] = "extract_phrases"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Caption,)
    makes: ClassVar[tuple[type, ...]] = (Phrase,)
    roles: ClassVar[tuple[str, ...]] = ("PhraseExtractor",)
    resources: ClassVar[Resources] = Resources(ram_gib=0.2)

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        extractor = cast(PhraseExtractor, context.role("PhraseExtractor"))
        return [self._extract(item, extractor) for item in items]

    def _extract(self, item: Item, extractor: PhraseExtractor) -> Result:
        captions = item.all(Caption)
        if not captions:
            return Filtered(item.id, "the clip has no caption")
        rows = [
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
            for caption in captions
            for span in extractor.phrases(caption.text)
        ]
        return Ok(item.id, rows)
