"""S10 and S17: whether captions speak of people, and whether a cut-out looks like its category."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, cast

import numpy as np

from backend.domain import (
    CLIP_PREP,
    Absent,
    Appearance,
    Caption,
    Clip,
    Context,
    Failed,
    ImageTextEncoder,
    Item,
    Mask,
    Ok,
    Resources,
    Result,
    Score,
    StudioError,
    Subject,
)
from backend.media.images import read_image
from backend.models.prompts import instruction
from backend.models.taxonomy import load_taxonomy
from backend.stages.unbound import role_or_absent

PEOPLE = "human"
"""The taxonomy's domain of people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountPeopleWords:
    """`human` of each clip: how many nouns for people its captions have, in the one that has the most.

    OpenS2V-Nexus keeps a clip whose caption holds one of 97 words as a part of any word, so that "many" and "command"
    count; here they are the taxonomy's words for people, as whole nouns.
    """

    name: ClassVar[str] = "count_people_words"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Caption,)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources(ram_gib=0.2)

    languages: tuple[str, ...] = ("en", "zh")
    taxonomy: int = 4
    """Version of the table that is read; it enters the work key."""

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [Ok(item.id, [self._score(item)]) for item in items]

    def _score(self, item: Item) -> Score:
        captions = [caption for caption in item.all(Caption) if caption.language in self.languages]
        counts = [
            sum(match.category.domain == PEOPLE for match in load_taxonomy().find(caption.text)) for caption in captions
        ]
        return Score(
            target=item.one(Clip).id,
            name="human",
            value=float(max(counts)) if counts else None,
            producer=f"{self.name}/{self.version}:table-{self.taxonomy}",
            reason=None if counts else f"the clip has no caption in {' or '.join(self.languages)}",
            num_units=len(counts),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckCategories:
    """How much a cut-out looks like its subject's category, to CLIP (Kaleido's category check).

    `category_score` is the cosine of the cut-out on white and "a photo of a CATEGORY"; `category_margin` that less the
    best other category's. A category's own ancestors and descendants are no others. A negative margin has the other's
    name as its reason.
    """

    name: ClassVar[str] = "check_categories"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Appearance
    gathers: ClassVar[tuple[type, ...]] = (Mask,)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ("ClipL14",)
    resources: ClassVar[Resources] = Resources(gpu=1.0, ram_gib=2.0)

    taxonomy: int = 4
    prompt: str = "6e76e094a7a6"
    """Digest of `resources/prompts/category.toml`; it enters the work key."""

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        encoder = role_or_absent(context, "ClipL14")
        results: dict[str, Result] = {}
        crops: dict[str, np.ndarray] = {}
        for item in items:
            try:
                found = _crop(item, context)
            except StudioError as error:
                results[item.id] = Failed(item.id, error.kind, str(error))
                continue
            if isinstance(found, Absent):
                results[item.id] = self._unmeasured(item, found, context)
            elif isinstance(encoder, Absent):
                results[item.id] = self._unmeasured(item, encoder, context)
            else:
                crops[item.id] = found
        if crops:
            clip = cast(ImageTextEncoder, encoder)
            seen = dict(zip(crops, clip.crops(list(crops.values()), CLIP_PREP), strict=True))
            results |= {item.id: self._measured(item, seen[item.id], clip) for item in items if item.id in seen}
        return [results[item.id] for item in items]

    def _unmeasured(self, item: Item, reason: Absent, context: Context) -> Result:
        producer = context.model_id("ClipL14") or self.name
        names = ("category_score", "category_margin")
        return Ok(
            item.id,
            [Score(target=item.id, name=name, value=None, producer=producer, reason=reason.reason) for name in names],
        )

    def _measured(self, item: Item, vector: np.ndarray, encoder: ImageTextEncoder) -> Result:
        category = item.one(Subject).category
        if not np.isfinite(vector).all():
            return Failed(item.id, "not_finite", f"{encoder.model_id} gave numbers that are not finite; try another dtype")
        assert category is not None, "subjects without a category are not embedded"
        directions = _directions(encoder)
        cosines = {name: float(vector @ direction) for name, direction in directions.items()}
        rivals = cosines.keys() - _relatives(category)
        best = max(rivals, key=lambda name: cosines[name])
        margin = cosines[category] - cosines[best]
        return Ok(
            item.id,
            [
                Score(
                    target=item.id,
                    name=name,
                    value=value,
                    producer=encoder.model_id,
                    reason=f"looks more like {best}" if name == "category_margin" and value < 0 else None,
                )
                for name, value in (("category_score", cosines[category]), ("category_margin", margin))
            ],
        )


def _crop(item: Item, context: Context) -> np.ndarray | Absent:
    """The cut-out on white, made square, uint8 `(S, S, 3)`; or why there is nothing to compare.

    Raises StoreError and MediaError when the cut-out is lost or damaged.
    """
    subjects = item.all(Subject)
    category = subjects[0].category if subjects else None
    if category is None:
        return Absent("the subject has no category")
    if category not in load_taxonomy().categories:
        return Absent(f"{category!r} is no category of the taxonomy")
    masks = item.all(Mask)
    if not masks:
        return Absent("the appearance has no mask")
    picture = read_image(context.artifacts.get(masks[0].crop))
    height, width = picture.shape[:2]
    side = max(height, width)
    square = np.full((side, side, 3), 255, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = picture
    return square


@lru_cache(maxsize=2)
def _directions(encoder: ImageTextEncoder) -> Mapping[str, np.ndarray]:
    """The unit vector of each category: the mean of its grounding prompts'. Texts are embedded once an encoder."""
    names = [(c.id, name) for c in load_taxonomy().categories.values() for name in c.grounding_prompt.split(" . ")]
    vectors, _ = encoder.texts([instruction("category").filled(name=name) for _, name in names])
    found: dict[str, np.ndarray] = {}
    for (category, _), vector in zip(names, vectors, strict=True):
        found[category] = found.get(category, 0.0) + vector
    return {category: vector / np.linalg.norm(vector) for category, vector in found.items()}


@lru_cache
def _relatives(category: str) -> frozenset[str]:
    """The category, all that it is a kind of, and all that are a kind of it."""
    taxonomy = load_taxonomy()
    below = (name for name in taxonomy.categories if category in taxonomy.ancestors(name))
    return frozenset((*taxonomy.ancestors(category), *below))
