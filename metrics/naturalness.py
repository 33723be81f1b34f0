"""What judges say of videos: how natural one looks, how much of its references was pasted, how alike its subjects are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from backend.models.prompts import prompt
from metrics.framing import FramePlan, Linspace, Strided
from metrics.judging import PairAnswers, ReferredAnswers, VideoAnswers, averaged
from metrics.spec import Arrays, Entry, Feature, Measured, Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class NaturalScoreCompat(Metric):
    """One grade for 16 frames, the mean of three runs. The frames are strided, so that the last ones are never seen."""

    id: ClassVar[str] = "natural_compat"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "NaturalScore (OpenS2V's code)"
    source: ClassVar[str] = "OpenS2V-Nexus, eval/get_naturalscore.py; criteria in our words"
    range: ClassVar[tuple[float | None, float | None]] = (1.0, 5.0)

    frames: FramePlan = field(default_factory=Strided)
    repeats: int = 3  # three files of answers, averaged by merge_result.py

    @property
    def features(self) -> dict[str, Feature]:
        name = "naturalness"
        return {"answers": VideoAnswers(asked=name, words=prompt(name).digest, frames=self.frames, repeats=self.repeats)}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        return averaged(given["answers"])


@dataclass(frozen=True, slots=True, kw_only=True)
class NaturalScore(NaturalScoreCompat):
    """One grade for 32 frames from the first to the last, the mean of three runs.

    The paper writes of a grade per frame; a single frame shows no movement, so the frames are judged together, as its
    code does.
    """

    id: ClassVar[str] = "naturalscore"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "NaturalScore"
    source: ClassVar[str] = "OpenS2V-Nexus, section 4.2 (32 frames); criteria in our words"

    frames: FramePlan = field(default_factory=Linspace)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyPasteJudged(Metric):
    """How little of the references returned beside the subjects themselves: 5 nothing, 1 the picture as it is."""

    id: ClassVar[str] = "copy_paste_judged"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Copy-paste, judged"
    source: ClassVar[str] = "ours: OpenS2V-Nexus names the fault, and its NaturalScore does not ask about it"
    range: ClassVar[tuple[float | None, float | None]] = (1.0, 5.0)
    needs: ClassVar[tuple[str, ...]] = ("references",)

    frames: FramePlan = field(default_factory=lambda: Linspace(8))  # a pasted picture stays for the whole of a video
    repeats: int = 1

    @property
    def features(self) -> dict[str, Feature]:
        name = "copy_paste"
        return {"answers": ReferredAnswers(asked=name, words=prompt(name).digest, frames=self.frames, repeats=self.repeats)}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        return averaged(given["answers"])


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectJudged(Metric):
    """Mean grade from 0 to 4 of each reference with each of four frames: shape, colour, texture, face."""

    id: ClassVar[str] = "subject_judged"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Subject likeness, judged (GPT-4o score)"
    source: ClassVar[str] = "Phantom-Data, table 2 (GPT-4o score, after DreamBench++); criteria in our words"
    range: ClassVar[tuple[float | None, float | None]] = (0.0, 4.0)
    needs: ClassVar[tuple[str, ...]] = ("references",)

    frames: FramePlan = field(default_factory=lambda: Linspace(4))  # the paper does not say which; four bound the cost
    repeats: int = 1  # DreamBench++ asks up to three times

    @property
    def features(self) -> dict[str, Feature]:
        name = "subject_likeness"
        return {"answers": PairAnswers(asked=name, words=prompt(name).digest, frames=self.frames, repeats=self.repeats)}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        answers = given["answers"]
        found = averaged(answers)
        by_frame = _means(np.moveaxis(answers["score"], 1, 0))
        return Measured(
            value=found.value,
            num_units=found.num_units,
            coverage=found.coverage,
            per_frame={"frame": answers["frame"], "grade": by_frame},
            evidence=dict(found.evidence) | {"by_reference": _means(answers["score"])},
        )


def _means(scores: np.ndarray) -> np.ndarray:
    """The mean of each row's grades, NaN for a row without any."""
    flat = scores.reshape(len(scores), -1)
    num = (~np.isnan(flat)).sum(axis=1)
    return np.where(num > 0, np.nansum(flat, axis=1) / np.maximum(num, 1), np.nan)
