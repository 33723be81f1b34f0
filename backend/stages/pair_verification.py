"""S27: a judge looks at the two sides of a pair again, one criterion at a time, and may abstain."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

from backend.domain import (
    Absent,
    Appearance,
    BankPart,
    Box,
    Clip,
    Context,
    Failed,
    Filtered,
    Item,
    Mask,
    MediaError,
    Ok,
    Pair,
    Resources,
    Result,
    Score,
    Source,
    Subject,
    Survey,
    Video,
)
from backend.media.images import read_image
from backend.models.taxonomy import load_taxonomy
from backend.stages.judged import Judged, ask, fitted_jpeg
from backend.stages.rolled_views import RolledView, rolled_views
from backend.stages.unbound import role_or_absent
from backend.store.artifacts import Artifacts
from backend.studies.forms import load_form

PAIR_FORM = "pair_criteria"
IDENTITY: Mapping[str, tuple[str, ...]] = {"human": ("face",), "animal": ("markings",)}
"""What makes one identity, by the domain of the subject (Phantom-Data, section 4.2.3); of things OF_THINGS does."""
OF_THINGS = ("colour", "packaging", "text")
CONTEXT = ("scene", "pose")
FULL_BODY_ASPECT = 1.6
"""People whose box is this much higher than wide are shown to the legs: their clothes are asked for too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _PairJudging(ABC):
    """What the stages that have pairs judged have in common."""

    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ("Judge",)
    resources: ClassVar[Resources] = Resources(ram_gib=0.5)

    long_side_px: int = 512

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        judge = role_or_absent(context, "Judge")
        return [self._verified(item, judge, context) for item in items]

    @abstractmethod
    def _verified(self, item: Item, judge: object, context: Context) -> Result: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyPairs(_PairJudging):
    """A judge's answer to each criterion of each pair of two clips of a video, and what the answers come to.

    Scores of a pair: `judged_face`, `judged_clothing` ... (1 yes, 0 no, NULL with why not) for the criteria of the
    subject's kind; `judged_identity`: 0 when a criterion of identity is denied, 1 when all are met, else NULL, which
    leaves the pair to people; `judged_context`: 1 when scene or pose differ, 0 when neither does, else NULL. Identity is
    asked of cut-outs, context of whole frames (of cut-outs where a side is no frame). When a video has other pairs than
    before, the judge is asked about the new ones.
    """

    name: ClassVar[str] = "verify_pairs"
    version: ClassVar[int] = 2
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = (Clip, Subject, Appearance, Mask, Pair)

    def _verified(self, item: Item, judge: object, context: Context) -> Result:
        pairs = [pair for pair in item.all(Pair) if pair.kind in ("cross_frame", "generated")]
        if not pairs:
            return Filtered(item.id, "no pair joins two clips of it")
        subjects = {subject.id: subject for subject in item.all(Subject)}
        appearances = {appearance.id: appearance for appearance in item.all(Appearance)}
        masks = {mask.appearance_id: mask.crop for mask in item.all(Mask)}
        rows: list[Score] = []
        for pair in pairs:
            ends = [appearances[end] for end in (pair.target_appearance_id, pair.reference_appearance_id)]
            sides = [_Side(end.box, end.frame, masks.get(end.id) or end.artifact, item) for end in ends]
            asked = criteria(subjects[pair.target_subject_id].category, [side.box for side in sides])
            try:
                judged = _judged(asked, sides, judge, context, stage=f"{self.name}/{self.version}", px=self.long_side_px)
            except MediaError as error:
                return Failed(item.id, error.kind, str(error))
            rows += _scores(pair.id, asked, judged)
        return Ok(item.id, rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyPairsAcross(_PairJudging):
    """`VerifyPairs` for the `cross_video` pairs of a source: both sides are shown as the banks know them.

    Where the other side's video cannot be read any more, the pair is left to people, with a warning.
    """

    name: ClassVar[str] = "verify_pairs_across"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Source
    gathers: ClassVar[tuple[type, ...]] = (BankPart, Pair)
    surveys: ClassVar[tuple[type, ...]] = (BankPart, Source, Video)

    def _verified(self, item: Item, judge: object, context: Context) -> Result:
        pairs = [pair for pair in item.all(Pair) if pair.kind == "cross_video"]
        if not pairs or not item.all(Survey):
            return Filtered(item.id, "no pair joins it with another source")
        views = rolled_views(cast(Artifacts, context.artifacts).root, item.one(Survey).artifact)
        ends = {
            pair.id: [views.get(end) for end in (pair.target_appearance_id, pair.reference_appearance_id)] for pair in pairs
        }
        rows: list[Score] = []
        warnings: list[str] = []
        for pair in sorted(pairs, key=lambda pair: (_film_of(ends[pair.id][-1]), pair.id)):  # each film is opened once
            known = [end for end in ends[pair.id] if end is not None]
            asked = criteria(known[0].category if known else None, [end.box for end in known])
            sides = [_Side(end.box, end.frame, end.crop, end.film) for end in known]
            stage = f"{self.name}/{self.version}"
            try:
                judged = _judged(asked, sides, judge, context, stage=stage, px=self.long_side_px)
            except MediaError as error:
                judged = Judged(dict.fromkeys(asked, Absent(f"failed: {error}")), stage)
                warnings.append(str(error))
            rows += _scores(pair.id, asked, judged)
        return Ok(item.id, rows, tuple(dict.fromkeys(warnings)))


def criteria(category: str | None, boxes: Sequence[Box]) -> list[str]:
    """What a pair is asked for: by its subject's kind, with clothes for people who are shown to the legs on both sides."""
    known = load_taxonomy().categories.get(category or "")
    domain = known.domain if known is not None else ""
    asked = list(IDENTITY.get(domain, OF_THINGS))
    if domain == "human" and all(_aspect(box) >= FULL_BODY_ASPECT for box in boxes):
        asked.append("clothing")
    return [*asked, *CONTEXT]


@dataclass(frozen=True, slots=True)
class _Side:
    """A side of a pair as it can be shown: its cut-out, and the frame that it was cut from (None for a picture)."""

    box: Box
    frame: int | None
    crop: str | None
    film: Item | None


def _judged(
    asked: Sequence[str], sides: Sequence[_Side], judge: object, context: Context, *, stage: str, px: int
) -> Judged:
    if isinstance(judge, Absent):
        return Judged(dict.fromkeys(asked, judge), stage)
    crops = [side.crop for side in sides if side.crop is not None]
    if len(crops) < 2:
        return Judged(dict.fromkeys(asked, Absent("not applicable: a side has no cut-out here")), stage)
    cut_outs = [fitted_jpeg(read_image(context.artifacts.get(crop)), px) for crop in crops]
    frames = [_frame(side, context, px) or cut_out for side, cut_out in zip(sides, cut_outs, strict=True)]
    pictures = {name: frames if name in CONTEXT else cut_outs for name in asked}
    return ask(judge, load_form(PAIR_FORM), pictures, context=context, stage=stage)


def _frame(side: _Side, context: Context, px: int) -> bytes | None:
    """The whole frame of a side; None for a picture. Raises MediaError."""
    if side.frame is None or side.film is None:
        return None
    return fitted_jpeg(context.frames(side.film).at([side.frame])[0], px)


def _scores(pair_id: str, asked: Sequence[str], judged: Judged) -> list[Score]:
    return [
        *judged.scores(pair_id),
        judged.summary(pair_id, "identity", [name for name in asked if name not in CONTEXT], all),
        judged.summary(pair_id, "context", CONTEXT, any),
    ]


def _film_of(view: RolledView | None) -> str:
    return view.film.id if view is not None and view.film is not None else ""


def _aspect(box: Box) -> float:
    x0, y0, x1, y1 = box
    return (y1 - y0) / (x1 - x0)
