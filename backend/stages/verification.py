"""S15 to S17, and S27: a judge looks at subjects and pairs again, one criterion at a time, and may abstain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from backend.domain import (
    Absent,
    Appearance,
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
    Subject,
    Video,
)
from backend.media.images import read_image
from backend.models.taxonomy import load_taxonomy
from backend.stages.judged import Judged, around, ask, fitted_jpeg
from backend.stages.unbound import role_or_absent
from backend.studies.forms import load_form

SUBJECT_FORM = "subject_check"
PAIR_FORM = "pair_criteria"
IDENTITY: Mapping[str, tuple[str, ...]] = {"human": ("face",), "animal": ("markings",)}
"""What makes one identity, by the domain of the subject (Phantom-Data, section 4.2.4); of things OF_THINGS does."""
OF_THINGS = ("colour", "packaging", "text")
CONTEXT = ("scene", "pose")
FULL_BODY_ASPECT = 1.6
"""People whose box is this much higher than wide are shown to the legs: their clothes are asked for too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifySubjects:
    """Scores `judged_complete`, `judged_specific`, `judged_phrase` of an appearance: 1 yes, 0 no, NULL with why not.

    The picture is the box with some of its surroundings. Without a phrase the third is not asked.
    """

    name: ClassVar[str] = "verify_subjects"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Appearance
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ("Judge",)
    resources: ClassVar[Resources] = Resources(ram_gib=0.5)

    margin: float = 0.1
    """How far the box is widened on each side, as a share of its sides: whether a limb is cut off shows beside it."""
    long_side_px: int = 512

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        judge = role_or_absent(context, "Judge")
        return [self._verified(item, judge, context) for item in items]

    def _verified(self, item: Item, judge: object, context: Context) -> Result:
        subject, form = item.one(Subject), load_form(SUBJECT_FORM)
        try:
            picture = b"" if isinstance(judge, Absent) else self._picture(item, context)
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        asked = [question.name for question in form.questions if subject.phrase or question.name != "phrase"]
        producer = f"{self.name}/{self.version}"
        judged = ask(
            judge, form, {name: [picture] for name in asked}, context=context, stage=producer, phrase=subject.phrase or ""
        )
        rows = judged.scores(item.id)
        if not subject.phrase:
            nameless = {"phrase": Absent("not applicable: the subject has no phrase")}
            rows += Judged(nameless, judged.producer).scores(item.id)
        return Ok(item.id, rows)

    def _picture(self, item: Item, context: Context) -> bytes:
        appearance = item.one(Appearance)
        if appearance.frame is None:
            return fitted_jpeg(read_image(context.artifacts.get(appearance.artifact or "")), self.long_side_px)
        frame = context.frames(item).at([appearance.frame])[0]
        return fitted_jpeg(around(frame, appearance.box, self.margin), self.long_side_px)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyPairs:
    """A judge's answer to each criterion of each pair of two clips, and what the answers come to.

    Scores of a pair: `judged_face`, `judged_clothing` ... (1 yes, 0 no, NULL with why not) for the criteria of the
    subject's kind; `judged_identity`: 0 when a criterion of identity is denied, 1 when all are met, else NULL, which
    leaves the pair to people; `judged_context`: 1 when scene or pose differ, 0 when neither does, else NULL. Identity is
    asked of cut-outs, context of whole frames (of cut-outs where a side is no frame).
    """

    name: ClassVar[str] = "verify_pairs"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = (Clip, Subject, Appearance, Mask, Pair)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ("Judge",)
    resources: ClassVar[Resources] = Resources(ram_gib=0.5)

    long_side_px: int = 512

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        judge = role_or_absent(context, "Judge")
        return [self._verified(item, judge, context) for item in items]

    def _verified(self, item: Item, judge: object, context: Context) -> Result:
        pairs = [pair for pair in item.all(Pair) if pair.kind != "in_pair"]
        if not pairs:
            return Filtered(item.id, "no pair joins two clips")
        subjects = {subject.id: subject for subject in item.all(Subject)}
        appearances = {appearance.id: appearance for appearance in item.all(Appearance)}
        masks = {mask.appearance_id: mask.crop for mask in item.all(Mask)}
        rows: list[Score] = []
        for pair in pairs:
            ends = [appearances.get(end) for end in (pair.target_appearance_id, pair.reference_appearance_id)]
            shown = [(end, masks.get(end.id) or end.artifact) for end in ends if end is not None]
            asked = criteria(subjects[pair.target_subject_id], [end for end, _ in shown])
            try:
                judged = self._judged(item, asked, [(end, crop) for end, crop in shown if crop], judge, context)
            except MediaError as error:
                return Failed(item.id, error.kind, str(error))
            rows += judged.scores(pair.id)
            rows.append(judged.summary(pair.id, "identity", [name for name in asked if name not in CONTEXT], all))
            rows.append(judged.summary(pair.id, "context", CONTEXT, any))
        return Ok(item.id, rows)

    def _judged(
        self, item: Item, asked: Sequence[str], shown: Sequence[tuple[Appearance, str]], judge: object, context: Context
    ) -> Judged:
        producer = f"{self.name}/{self.version}"
        if isinstance(judge, Absent):
            return Judged(dict.fromkeys(asked, judge), producer)
        if len(shown) < 2:
            return Judged(dict.fromkeys(asked, Absent("not applicable: a side has no cut-out here")), producer)
        cut_outs = [fitted_jpeg(read_image(context.artifacts.get(crop)), self.long_side_px) for _, crop in shown]
        frames = [
            cut_out if end.frame is None else fitted_jpeg(context.frames(item).at([end.frame])[0], self.long_side_px)
            for (end, _), cut_out in zip(shown, cut_outs, strict=True)
        ]
        pictures = {name: frames if name in CONTEXT else cut_outs for name in asked}
        return ask(judge, load_form(PAIR_FORM), pictures, context=context, stage=producer)


def criteria(subject: Subject, ends: Sequence[Appearance]) -> list[str]:
    """What a pair of a subject is asked for: by its kind, with clothes for people who are shown to the legs on both sides."""
    category = load_taxonomy().categories.get(subject.category or "")
    domain = category.domain if category is not None else ""
    asked = list(IDENTITY.get(domain, OF_THINGS))
    if domain == "human" and all(_aspect(end) >= FULL_BODY_ASPECT for end in ends):
        asked.append("clothing")
    return [*asked, *CONTEXT]


def _aspect(appearance: Appearance) -> float:
    x0, y0, x1, y1 = appearance.box
    return (y1 - y0) / (x1 - x0)
