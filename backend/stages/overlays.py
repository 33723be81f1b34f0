"""Finds text, logos and badges laid over the picture, and what of it is free of them (S04)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

from backend.domain import Clip, Context, Failed, Item, MediaError, Ok, Region, Resources, Result, Score, TextSpotter
from backend.measures.overlays_layout import clean_rectangle, covered_fraction


@dataclass(frozen=True)
class FindOverlays:
    """An overlay region for each, and a clean one: the largest rectangle of the content without any.

    With `crop` the clean one is the clip's picture for every later stage that looks at it.

    Scores: `has_overlay` (0 or 1), `overlay_area` and `clean_fraction` (of the content's area).
    """

    name: ClassVar[str] = "find_overlays"
    version: ClassVar[int] = 2
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Region,)
    makes: ClassVar[tuple[type, ...]] = (Region, Score)
    roles: ClassVar[tuple[str, ...]] = ("TextSpotter",)
    resources: ClassVar[Resources] = Resources(cpu=1.0, ram_gib=0.5)

    min_confidence: float = 0.5
    crop: bool = False

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        spotter = cast(TextSpotter, context.role("TextSpotter"))
        return [self._find(item, context, spotter) for item in items]

    def _find(self, item: Item, context: Context, spotter: TextSpotter) -> Result:
        clip = item.one(Clip)
        try:
            footage = context.footage(item)
            found = [(box, confidence) for box, confidence in spotter.spot(footage) if confidence >= self.min_confidence]
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        content, overlays = footage.content, [box for box, _ in found]
        rows = [Region(clip_id=clip.id, kind="overlay", box=box, confidence=confidence) for box, confidence in found]
        sides = content[2] - content[0], content[3] - content[1]
        clean = clean_rectangle(content, overlays)
        clean_fraction = 0.0
        if clean is not None:
            certainty = min((confidence for _, confidence in found), default=1.0)
            kinds = ("clean", "crop") if self.crop and found else ("clean",)
            rows += [Region(clip_id=clip.id, kind=kind, box=clean, confidence=certainty) for kind in kinds]
            clean_fraction = (clean[2] - clean[0]) * (clean[3] - clean[1]) / (sides[0] * sides[1])
        values = {
            "has_overlay": float(bool(found)),
            "overlay_area": covered_fraction(content, overlays),
            "clean_fraction": clean_fraction,
        }
        scores = [
            Score(target=clip.id, name=name, value=value, producer=spotter.model_id) for name, value in values.items()
        ]
        return Ok(item.id, [*rows, *scores])
