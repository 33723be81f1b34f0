"""Words without weights: noun phrases by rule, and a caption that says only what classical vision can see."""

from dataclasses import dataclass
from typing import ClassVar

from backend.domain import PhraseSpan
from backend.models.taxonomy import Match, Taxonomy, load_taxonomy


@dataclass(frozen=True, slots=True)
class RulePhrases:
    """PhraseExtractor by rule: a taxonomy noun with the colours, sizes and materials before it.

    Spans are verbatim, without determiner or numeral, as OpenS2V-Nexus asks of its tags (data_process, step 4).
    """

    model_id: ClassVar[str] = "rule-phrases-1"
    max_phrases: int = 8
    max_modifiers: int = 3

    def phrases(self, text: str) -> list[PhraseSpan]:
        """Noun phrases in order, one for each distinct text. When there are more than `max_phrases`, subjects go
        before objects and objects before background; within a role the first mentioned stay."""
        taxonomy = load_taxonomy()
        found: dict[tuple[str, str], PhraseSpan] = {}
        for match in taxonomy.find(text):
            span = self._span(taxonomy, text, match)
            found.setdefault((match.category.id, text[span.start : span.stop].casefold()), span)
        rank = {"subject": 0, "object": 1, "background": 2}
        kept = sorted(found.values(), key=lambda span: (rank[span.role], span.start))[: self.max_phrases]
        return sorted(kept, key=lambda span: span.start)

    def _span(self, taxonomy: Taxonomy, text: str, match: Match) -> PhraseSpan:
        category = match.category
        return PhraseSpan(
            start=taxonomy.phrase_start(text, match, limit=self.max_modifiers),
            stop=match.stop,
            role=category.role,
            category=category.id,
            is_living=category.living,
            is_plural=match.is_plural,
        )
