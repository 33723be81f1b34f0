"""Asking a judge the questions of a form about records, and keeping what it said as scores."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from PIL import Image

from backend.domain import Absent, Box, Context, Form, Judge, Score
from backend.geometry import boxes
from backend.media.images import encode_jpeg
from backend.models.kept_answers import KeptAnswers
from backend.studies.inquiries import choice_of, inquiry_of

VALUES: Mapping[str, float] = {"yes": 1.0, "no": 0.0}
"""Of the choices that decide; any other choice abstains."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of each question: 1 yes, 0 no, or why there is neither."""

    values: Mapping[str, float | Absent]
    producer: str
    evidence: str | None = None
    """Artifact: the questions as they were put, and the raw answers."""

    def scores(self, target: str) -> list[Score]:
        """`judged_NAME` for each question, in order of name."""
        return [self._score(target, name, value) for name, value in sorted(self.values.items())]

    def summary(self, target: str, name: str, questions: Iterable[str], rule: Callable[[Iterable[bool]], bool]) -> Score:
        """`judged_NAME`: `all` or `any` of the questions, NULL where it hangs on one without an answer."""
        values = [self.values[question] for question in questions]
        known = [value == 1.0 for value in values if not isinstance(value, Absent)]
        best, worst = (rule([*known, *([end] * (len(values) - len(known)))]) for end in (True, False))
        missing = next(
            (value for value in values if isinstance(value, Absent)), Absent("not applicable: nothing was asked")
        )
        return self._score(target, name, float(best) if best == worst else missing)

    def _score(self, target: str, name: str, value: float | Absent) -> Score:
        absent = isinstance(value, Absent)
        return Score(
            target=target,
            name=f"judged_{name}",
            value=None if absent else value,
            producer=self.producer,
            reason=value.reason if absent else None,
            evidence=self.evidence,
        )


@dataclass(frozen=True, slots=True)
class Chosen:
    """The choice that was made of each question, or why there is none."""

    choices: Mapping[str, str | Absent]
    producer: str
    evidence: str | None = None
    """Artifact: the questions as they were put, and the raw answers."""


def ask(
    judge: object, form: Form, shown: Mapping[str, Sequence[bytes]], *, context: Context, stage: str, **parts: str
) -> Judged:
    """`choose` with the choices read as yes, no, or neither."""
    chosen = choose(judge, form, shown, context=context, stage=stage, **parts)
    values = {
        name: choice if isinstance(choice, Absent) else VALUES.get(choice, Absent(f"unsure: the judge chose {choice}"))
        for name, choice in chosen.choices.items()
    }
    return Judged(values, chosen.producer, chosen.evidence)


def choose(
    judge: object, form: Form, shown: Mapping[str, Sequence[bytes]], *, context: Context, stage: str, **parts: str
) -> Chosen:
    """Puts the questions of a form that are named in `shown`, each with its pictures (JPEG).

    What the project has an answer to is not asked again. An Absent judge answers nothing. A judge's faults are answers
    without a value; raises what `Judge.ask` raises.
    """
    if isinstance(judge, Absent):
        return Chosen(dict.fromkeys(shown, judge), stage)
    judge = KeptAnswers(cast(Judge, judge), context.answers)
    questions = [question for question in form.questions if question.name in shown]
    inquiries = [inquiry_of(form, question, shown[question.name], **parts) for question in questions]
    verdicts = judge.ask(inquiries)
    kept = [
        {"question": question.name, "prompt": inquiry.prompt, "raw": verdict.raw, "reason": verdict.reason}
        for question, inquiry, verdict in zip(questions, inquiries, verdicts, strict=True)
    ]
    choices = {question.name: choice_of(question, verdict) for question, verdict in zip(questions, verdicts, strict=True)}
    evidence = json.dumps({"model": judge.model_id, "answers": kept}, ensure_ascii=False)
    return Chosen(choices, f"{stage}:{judge.model_id}", context.artifacts.put(evidence.encode(), "json"))


def around(frame: np.ndarray, box: Box, margin: float) -> np.ndarray:
    """The box of a frame, widened on each side by a share of its sides, as far as the frame goes."""
    x0, y0, x1, y1 = box
    wide, high = (x1 - x0) * margin, (y1 - y0) * margin
    left, top, right, bottom = boxes.to_pixels((x0 - wide, y0 - high, x1 + wide, y1 + high), frame.shape[1], frame.shape[0])
    return frame[top:bottom, left:right]


def fitted_jpeg(picture: np.ndarray, long_side_px: int) -> bytes:
    """JPEG of uint8 `(H, W, 3)`, scaled down to the longer side."""
    factor = min(1.0, long_side_px / max(picture.shape[:2]))
    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    scaled = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX)) if factor < 1.0 else picture
    return encode_jpeg(scaled)
