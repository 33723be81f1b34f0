"""S15 to S17: a judge looks at subjects again, one criterion at a time, and may abstain."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from backend.domain import (
    Absent,
    Appearance,
    Context,
    Failed,
    Item,
    MediaError,
    Ok,
    Resources,
    Result,
    Score,
    Subject,
)
from backend.media.images import read_image
from backend.stages.judged import Judged, around, ask, fitted_jpeg
from backend.stages.unbound import role_or_absent
from backend.studies.forms import load_form

SUBJECT_FORM = "subject_check"


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
