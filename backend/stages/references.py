"""What cut-outs are worth as references, and which of them are chosen to make pictures of (S17, S31)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np

from backend.domain import (
    Absent,
    Anchor,
    Appearance,
    Clip,
    Context,
    CropScorer,
    Filtered,
    ImageScorer,
    Item,
    Mask,
    Ok,
    Record,
    Resources,
    Result,
    Score,
    Subject,
    VideoTextEmbedder,
)
from backend.measures.matting import on_white
from backend.media.images import read_rgba
from backend.stages.unbound import role_or_absent

REFERENCE = "reference"
"""Kind of the anchors that say so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreReferences:
    """What a cut-out is worth as a reference, as OpenS2V scores each: how it looks, and whether it is what its phrase says.

    Scores of an appearance, of the cut-out on white: `crop_aesthetic` (on the scale of its producer), `crop_text_cosine`
    with the phrase, and `worth`: the mean of the two in [0, 1], or of the one that there is.
    """

    name: ClassVar[str] = "score_references"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Appearance
    gathers: ClassVar[tuple[type, ...]] = (Mask,)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ("AestheticScorer", "Gme")
    resources: ClassVar[Resources] = Resources(cpu=1.0, ram_gib=0.5)

    best_aesthetic: float = 10.0
    """Top of the scale of a learned AestheticScorer; the heuristic one ends at 1 and says so by its name."""

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        beauty, words = role_or_absent(context, "AestheticScorer"), role_or_absent(context, "Gme")
        pictures = {
            item.id: on_white(read_rgba(context.artifacts.get(item.all(Mask)[0].crop))) for item in items if item.all(Mask)
        }
        looks = dict(zip(pictures, _looks(beauty, list(pictures.values())), strict=True))
        return [
            self._scored(item, pictures[item.id], looks[item.id], beauty, words)
            if item.id in pictures
            else Filtered(item.id, "the appearance has no cut-out")
            for item in items
        ]

    def _scored(self, item: Item, picture: np.ndarray, looks: float | Absent, beauty: object, words: object) -> Result:
        phrase = item.one(Subject).phrase
        says: float | Absent = words if isinstance(words, Absent) else Absent("not applicable: the subject has no phrase")
        if phrase and not isinstance(words, Absent):
            embedder = cast(VideoTextEmbedder, words)
            says = float(embedder.images([picture])[0] @ embedder.texts([f"{phrase}."])[0])
        best = 1.0 if getattr(beauty, "model_id", "").startswith("heuristic") else self.best_aesthetic
        known = [value for value in (_share(looks, best), _share(says, 1.0)) if value is not None]
        rows = [
            score_row(item.id, "crop_aesthetic", looks, self, beauty),
            score_row(item.id, "crop_text_cosine", says, self, words),
            score_row(
                item.id, "worth", float(np.mean(known)) if known else Absent("unavailable: nothing is scored"), self, beauty
            ),
        ]
        return Ok(item.id, rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChooseReferences:
    """For each subject of a clip an Anchor of kind `reference` on its worthiest cut-out that fills enough of the frame.

    Score of the anchor: `worth`, as `ScoreReferences` gives it. A gate on it keeps the highest of all clips, which bounds
    what pictures may cost: their number times their price.
    """

    name: ClassVar[str] = "choose_references"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Subject, Appearance, Mask, Score)
    makes: ClassVar[tuple[type, ...]] = (Anchor, Score)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources(ram_gib=0.2)

    least_area: float = 0.08
    """Share of the picture that the box covers (OpenS2V-Nexus, step6-4_get_gpt-frame.py)."""
    most_of_clip: int = 4
    """Subjects of one clip, the worthiest first (the same; it draws up to four at random)."""

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._chosen(item) for item in items]

    def _chosen(self, item: Item) -> Result:
        cut = {mask.appearance_id for mask in item.all(Mask)}
        values: dict[str, dict[str, float]] = defaultdict(dict)
        for score in item.all(Score):
            if score.value is not None:
                values[score.target][score.name] = score.value
        best: dict[str, tuple[float, Appearance]] = {}
        for appearance in sorted(item.all(Appearance), key=lambda a: a.id):
            known, subject = values[appearance.id], appearance.subject_id
            if subject is None or appearance.id not in cut or known.get("area_fraction", 0.0) < self.least_area:
                continue
            worth = known.get("worth", 0.0)
            if subject not in best or worth > best[subject][0]:
                best[subject] = (worth, appearance)
        if not best:
            return Filtered(item.id, f"no cut-out fills {self.least_area:.0%} of the picture")
        rows: list[Record] = []
        for worth, appearance in sorted(best.values(), key=lambda pair: (-pair[0], pair[1].id))[: self.most_of_clip]:
            label = appearance.subject_id or ""
            anchor = Anchor(appearance_id=appearance.id, clip_id=item.id, kind=REFERENCE, label=label, inside=True)
            rows += [anchor, Score(target=anchor.id, name="worth", value=worth, producer=f"{self.name}/{self.version}")]
        return Ok(item.id, rows)


def _looks(beauty: object, pictures: Sequence[np.ndarray]) -> list[float | Absent]:
    """The aesthetic value of each picture uint8 `(H, W, 3)`; a scorer that takes crops is asked once for all."""
    if isinstance(beauty, Absent):
        return [Absent("unavailable")] * len(pictures)
    if getattr(beauty, "takes_crops", False):
        return cast(CropScorer, beauty).score_crops(pictures)
    return [cast(ImageScorer, beauty).score(picture[None]) for picture in pictures]


def _share(value: float | Absent, best: float) -> float | None:
    return None if isinstance(value, Absent) else min(1.0, max(0.0, value / best))


def score_row(target: str, name: str, value: float | Absent, stage: Any, model: object) -> Score:
    """A score by a stage with a model, NULL with its reason where the value is absent."""
    absent = isinstance(value, Absent)
    producer = f"{stage.name}/{stage.version}:{getattr(model, 'model_id', '')}"
    return Score(
        target=target,
        name=name,
        value=None if absent else value,
        producer=producer,
        reason=value.reason if absent else None,
    )
