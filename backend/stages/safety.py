"""Whether a clip may be shown: what its captions and on-screen words say, and its look where a classifier is bound."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np

from backend.domain import (
    Absent,
    Caption,
    Clip,
    Context,
    Failed,
    Item,
    MediaError,
    Ok,
    Region,
    Resources,
    Result,
    Score,
)
from backend.domain.roles_words import SafetyFilter, SafetyFinding, TextReader
from backend.stages.unbound import role_or_absent


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSafety:
    """`safety` of each clip: the least of what its captions, its on-screen words and its pictures give, 1 safe to 0.

    The reason names what speaks against it, and the evidence each finding. Nothing is held back here: a recipe's gate
    decides, what it holds back is counted with the reason, and studies show only what is kept. A clip of which there is
    nothing to read or see has no value. Without a TextReader a remark says of each clip that its words were not read.
    """

    name: ClassVar[str] = "check_safety"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Caption, Region)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ("SafetyFilter", "TextReader")
    resources: ClassVar[Resources] = Resources(ram_gib=0.5)

    look_at: tuple[float, ...] = (0.05, 0.5, 0.95)
    min_reading: float = 0.5
    """Least score of a line of on-screen text; below it OCR reads leaves and bricks as words."""

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        safety = cast(SafetyFilter, context.role("SafetyFilter"))
        reader = role_or_absent(context, "TextReader")
        return [self._check(item, safety, reader, context) for item in items]

    def _check(self, item: Item, safety: SafetyFilter, reader: object, context: Context) -> Result:
        try:
            seen = _Sources(self, item, safety, reader, context).findings()
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        known = [(place, one) for place, one in seen if one.safety is not None]
        missing = "; ".join(f"{place}: {one.reason}" for place, one in seen if one.safety is None)
        if not known:
            value, reason = None, missing or "the clip has no caption, no on-screen words and no picture that is classified"
        else:
            place, worst = min(known, key=lambda entry: cast(float, entry[1].safety))
            value, reason = worst.safety, f"{place}: {worst.reason}" if worst.reason else None
        evidence = [{"place": place, "safety": one.safety, "reason": one.reason} for place, one in seen]
        row = Score(
            target=item.one(Clip).id,
            name="safety",
            value=value,
            producer=safety.model_id,
            reason=reason,
            num_units=len(seen),
            coverage=len(known) / len(seen) if seen else 0.0,
            evidence=context.artifacts.put(json.dumps(evidence, ensure_ascii=False).encode(), "json"),
        )
        unread = (f"on-screen words are not read: {reader.reason}",) if isinstance(reader, Absent) else ()
        return Ok(item.id, [row], (*unread, missing) if missing and known else unread)


@dataclass(frozen=True, slots=True)
class _Sources:
    """What there is to judge of one clip."""

    stage: CheckSafety
    item: Item
    safety: SafetyFilter
    reader: object
    context: Context

    def findings(self) -> list[tuple[str, SafetyFinding]]:
        """Each thing that was judged and what was found. Raises MediaError."""
        captions = self.item.all(Caption)
        found = [
            (f"caption by {caption.author}", finding)
            for caption, finding in zip(captions, self.safety.words([one.text for one in captions]), strict=True)
        ]
        frames = self._frames() if self.safety.has_eyes or not isinstance(self.reader, Absent) else []
        if not isinstance(self.reader, Absent):
            found += self._written(cast(TextReader, self.reader), frames)
        looks = self.safety.pictures(frames) if self.safety.has_eyes else []
        return found + [(f"picture {number + 1} of {len(looks)}", finding) for number, finding in enumerate(looks)]

    def _frames(self) -> list[np.ndarray]:
        """The whole picture: text laid over it and borders may hold words as well."""
        footage = self.context.footage(self.item)
        return list(footage.reader.at(footage.fractions(self.stage.look_at)))

    def _written(self, reader: TextReader, frames: Sequence[np.ndarray]) -> list[tuple[str, SafetyFinding]]:
        """All lines of a picture as one text, so that a phrase over two lines is read as one."""
        texts = [
            " ".join(line.text for line in reader.read(frame) if line.score >= self.stage.min_reading) for frame in frames
        ]
        different = [text for text in dict.fromkeys(texts) if text]
        return [("on-screen words", finding) for finding in self.safety.words(different)]
