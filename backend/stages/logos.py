"""Marks of makers on cut-outs of things (S26, Phantom-Data section 4.2.3)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar, cast

import numpy as np

from backend.domain import Absent, Appearance, Context, Filtered, Item, Mask, Ok, Resources, Result, Score, Subject
from backend.domain.roles_logos import Logo, LogoFinder
from backend.geometry import boxes
from backend.measures.logos import describe_patch
from backend.media.images import read_rgba
from backend.stages.unbound import role_or_absent


@dataclass(frozen=True, slots=True, kw_only=True)
class FindLogos:
    """The marks on a thing's cut-out.

    Scores of an appearance: `num_logos`, `logo_area` (of the mask's area, marks that no edge cuts), `logo_uncut` (the best
    score of a mark that no edge cuts, 0 when each is cut; NULL without a mark). Their evidence holds boxes, texts and a
    descriptor of each mark. Unknown things are looked at; the living are not.
    """

    name: ClassVar[str] = "find_logos"
    version: ClassVar[int] = 2
    over: ClassVar[type] = Appearance
    gathers: ClassVar[tuple[type, ...]] = (Mask,)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ("LogoFinder",)
    resources: ClassVar[Resources] = Resources(cpu=1.0, ram_gib=0.5)

    min_score: float = 0.15
    """On the finder's scale."""

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        finder = role_or_absent(context, "LogoFinder")
        return [self._found(item, finder, context) for item in items]

    def _found(self, item: Item, finder: object, context: Context) -> Result:
        if any(subject.is_living for subject in item.all(Subject)):
            return Filtered(item.id, "the living carry no logo of their own")
        if all(subject.is_living is None for subject in item.all(Subject)) and item.all(Subject):
            return Filtered(item.id, "the subject is not known to be a thing")
        if not item.all(Mask):
            return Filtered(item.id, "the appearance has no cut-out")
        if isinstance(finder, Absent):
            return Ok(
                item.id,
                named_scores(
                    item.id, dict.fromkeys(("num_logos", "logo_area", "logo_uncut"), finder), f"{self.name}/{self.version}"
                ),
            )
        cut_out = read_rgba(context.artifacts.get(item.all(Mask)[0].crop))
        found = logos_on(cut_out, cast(LogoFinder, finder), self.min_score)
        rows = [asdict(logo) | {"patch": _descriptor(cut_out, logo)} for logo in found]
        evidence = context.artifacts.put(json.dumps({"logos": rows}, ensure_ascii=False).encode(), "json")
        whole = [logo for logo in found if logo.is_uncut]
        values: dict[str, float | Absent] = {
            "num_logos": float(len(found)),
            "logo_area": _covered(whole, cut_out[..., 3] > 127),
            "logo_uncut": max((logo.score for logo in whole), default=0.0) if found else Absent("no logo on the cut-out"),
        }
        producer = f"{self.name}/{self.version}:{cast(LogoFinder, finder).model_id}"
        return Ok(item.id, named_scores(item.id, values, producer, evidence=evidence))


def logos_on(cut_out: np.ndarray, finder: LogoFinder, min_score: float) -> list[Logo]:
    """Marks of at least `min_score` on an RGBA cut-out; boxes that a finder puts off the picture are left out."""
    whole = (0.0, 0.0, float(cut_out.shape[1]), float(cut_out.shape[0]))
    found = [logo for logo in finder.find(cut_out) if logo.score >= min_score and np.isfinite(logo.box).all()]
    return [logo for logo in found if boxes.area(logo.box) > 0 and boxes.contain(logo.box, whole) > 0.99]


def read_logos(evidence: bytes) -> list[Logo]:
    """The marks that a score's evidence holds."""
    rows = json.loads(evidence)["logos"]
    return [Logo(box=tuple(row["box"]), score=row["score"], text=row["text"], is_uncut=row["is_uncut"]) for row in rows]


def named_scores(
    target: str, values: Mapping[str, float | Absent], producer: str, *, evidence: str | None = None
) -> list[Score]:
    """Scores of one record by name; an absent one keeps its reason."""
    return [
        Score(
            target=target,
            name=name,
            value=None if isinstance(value, Absent) else value,
            producer=producer,
            reason=value.reason if isinstance(value, Absent) else None,
            evidence=evidence,
        )
        for name, value in values.items()
    ]


def _descriptor(cut_out: np.ndarray, logo: Logo) -> list[float]:
    return [round(float(value), 4) for value in describe_patch(cut_out[..., :3], logo.box)]


def _covered(found: Sequence[Logo], mask: np.ndarray) -> float:
    """The part of the mask's pixels under a mark."""
    under = np.zeros(mask.shape, bool)
    for logo in found:
        x0, y0, x1, y1 = boxes.to_pixels(logo.box, mask.shape[1], mask.shape[0])
        under[y0:y1, x0:x1] = True
    return float((under & mask).sum() / max(1, mask.sum()))
