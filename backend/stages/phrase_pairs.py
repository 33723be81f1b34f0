"""Whether what the two sides of a pair are called is one thing (OpenS2V-Nexus, step6-2_get_cross-frame.py)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

from backend.domain import Absent, Context, Filtered, Item, Ok, Pair, Resources, Result, Score, Subject, Video
from backend.domain.roles_words import PhraseEmbedder
from backend.stages.references import score_row
from backend.stages.unbound import role_or_absent


@dataclass(frozen=True, slots=True)
class MatchPhrases:
    """`phrase_cosine` of each pair of two clips of a video: of the phrases of its subjects, or of their categories' words.

    It is on the scale of what is bound to PhraseEmbedder. Each phrase of a video is embedded once.
    """

    name: ClassVar[str] = "match_phrases"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = (Subject, Pair)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ("PhraseEmbedder",)
    resources: ClassVar[Resources] = Resources(ram_gib=0.2)

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        embedder = role_or_absent(context, "PhraseEmbedder")
        return [self._scored(item, embedder) for item in items]

    def _scored(self, item: Item, embedder: object) -> Result:
        pairs = [pair for pair in item.all(Pair) if pair.kind == "cross_frame"]
        if not pairs:
            return Filtered(item.id, "no pair joins two clips of it")
        called = {subject.id: called_of(subject) for subject in item.all(Subject)}
        sides = [(called[pair.target_subject_id], called.get(pair.reference_subject_id or "", "")) for pair in pairs]
        texts = sorted({text for side in sides for text in side if text})
        if isinstance(embedder, Absent) or not texts:
            vectors = {}
        else:
            vectors = dict(zip(texts, cast(PhraseEmbedder, embedder).texts(texts), strict=True))
        rows = []
        for pair, (target, reference) in zip(pairs, sides, strict=True):
            value: float | Absent
            if isinstance(embedder, Absent):
                value = embedder
            elif not (target and reference):
                value = Absent("not applicable: a subject has neither phrase nor category")
            else:
                value = float(vectors[target] @ vectors[reference])
            rows.append(score_row(pair.id, "phrase_cosine", value, self, embedder))
        return Ok(item.id, rows)


def called_of(subject: Subject) -> str:
    """What a subject is called: its phrase, else its category's words, else nothing."""
    return subject.phrase or (subject.category or "").replace("_", " ")
