"""S34: a judge looks at expression anchors again, and keeps, corrects or drops the label of each (Gloria, section 3)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from backend.domain import (
    Absent,
    Anchor,
    Appearance,
    Context,
    Filtered,
    Item,
    Ok,
    Record,
    Resources,
    Result,
    Score,
    Video,
)
from backend.media.images import read_image
from backend.stages.anchors import EXPRESSION
from backend.stages.expressions import ANCHOR_LABELS
from backend.stages.judged import Chosen, choose, fitted_jpeg
from backend.stages.unbound import role_or_absent
from backend.studies.forms import ANCHOR_FORM, load_form

UNSURE = "unsure"
LABEL, CORRECTED, GIVEN = "judged_label", "judged_corrected", "judged_given"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyAnchors:
    """What a judge sees in the head crop of each expression anchor, and an Anchor more where it sees another expression.

    Scores of an expression anchor: `judged_label`: 1 where the judge names its label, 0 where it names another one or
    none, NULL where it cannot tell, which leaves the anchor to people; `judged_corrected`: 1 where it names another one.
    The anchor with that label has a `judged_label` of 1 and `judged_given` 1, so that a gate on the first keeps it in
    the other's place.
    """

    name: ClassVar[str] = "verify_anchors"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = (Appearance, Anchor)
    makes: ClassVar[tuple[type, ...]] = (Anchor, Score)
    roles: ClassVar[tuple[str, ...]] = ("Judge",)
    resources: ClassVar[Resources] = Resources(ram_gib=0.3)

    long_side_px: int = 512

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        judge = role_or_absent(context, "Judge")
        return [self._verified(item, judge, context) for item in items]

    def _verified(self, item: Item, judge: object, context: Context) -> Result:
        crops = {appearance.id: appearance.artifact for appearance in item.all(Appearance)}
        anchors = [(anchor, crops[anchor.appearance_id]) for anchor in item.all(Anchor) if anchor.kind == EXPRESSION]
        if not anchors:
            return Filtered(item.id, "no expression anchor")
        rows: list[Record] = []
        for anchor, crop in anchors:
            rows += _rows(anchor, self._chosen(crop, judge, context))
        return Ok(item.id, rows)

    def _chosen(self, crop: str | None, judge: object, context: Context) -> Chosen:
        stage = f"{self.name}/{self.version}"
        if isinstance(judge, Absent):
            return Chosen({EXPRESSION: judge}, stage)
        assert crop is not None, "an expression anchor is the crop of a head"
        shown = {EXPRESSION: [fitted_jpeg(read_image(context.artifacts.get(crop)), self.long_side_px)]}
        return choose(judge, load_form(ANCHOR_FORM), shown, context=context, stage=stage)


def _rows(anchor: Anchor, chosen: Chosen) -> list[Record]:
    choice = chosen.choices[EXPRESSION]
    if choice == UNSURE:
        choice = Absent("unsure: the judge cannot tell")
    if isinstance(choice, Absent):
        return [_score(anchor, name, None, chosen, reason=choice.reason) for name in (LABEL, CORRECTED)]
    is_other = choice in ANCHOR_LABELS and choice != anchor.label
    rows: list[Record] = [
        _score(anchor, LABEL, float(choice == anchor.label), chosen),
        _score(anchor, CORRECTED, float(is_other), chosen),
    ]
    if is_other:
        corrected = replace(anchor, label=choice)
        rows += [corrected, *(_score(corrected, name, 1.0, chosen) for name in (LABEL, GIVEN))]
    return rows


def _score(anchor: Anchor, name: str, value: float | None, chosen: Chosen, *, reason: str | None = None) -> Score:
    return Score(
        target=anchor.id, name=name, value=value, producer=chosen.producer, reason=reason, evidence=chosen.evidence
    )
