"""Asking judges about videos: which questions a video needs, what became of each, and that none is asked twice.

A question that was answered, well or badly, is a row of the feature. One that was not (a refusal, a timeout, an answer that is
no completion) fails the feature, which is then not kept: the next run asks again for what is missing only.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, cast

import cv2
import numpy as np

from backend.domain import Absent, Case, Inquiry, Judge, MediaError, StudioError, Verdict
from backend.media.images import read_image
from backend.models.kept_answers import prompt_hash
from backend.models.prompts import Prompt, prompt
from metrics.framing import FramePlan, Linspace
from metrics.spec import Arrays, Entry, Found, Measured, Roles, VideoFacts, VideoFeature


class JudgeFailed(StudioError):
    """A judge was asked and did not answer."""

    kind = "judge"


@dataclass(frozen=True, slots=True)
class Question:
    """What one call shows and asks, without its pictures: for forecasts."""

    text: str
    sizes: tuple[tuple[int, int], ...]
    """Width and height of each picture as it is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers(VideoFeature):
    """`score` float64 (NaN where the answer was none), `raw` and `reason` as text, one entry a question, repeats last.

    With them who answered and what: `judge` and `sampling`, `prompt` (a hash of each question's words), `readable`.
    `asked` names the prompt file; `words` is its digest, so that other words are another feature.
    """

    asked: str
    words: str
    judge: str = "Judge"
    frames: FramePlan = field(default_factory=Linspace)
    repeats: int = 1
    long_side_px: int = 512  # OpenS2V's get_naturalscore.py, larger and smaller frames alike

    @property
    def roles(self) -> tuple[str, ...]:
        return (self.judge,)

    @property
    def prompt(self) -> Prompt:
        return prompt(self.asked)

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> "_Asker":
        return _Asker(self, entry.case, cast(Judge, roles(self.judge)))

    @abstractmethod
    def questions(self, case: Case, references: Mapping[int, bytes], frames: Sequence[bytes]) -> list[Inquiry]:
        """The questions of one repeat. References are those that can be read, by their place among the case's."""

    def foreseen(self, case: Case, facts: VideoFacts) -> list[Question]:
        """The questions that a video will need, all repeats, if every reference can be read. Calls nobody."""
        shape = self.sent_size(facts.width, facts.height)
        # Stand-ins that tell a frame from a reference: no pixels are needed to count.
        references = dict.fromkeys(range(len(case.references)), b"r")
        asked = self.questions(case, references, [b"f"] * len(set(self.frames.indices(facts.num_frames, facts.fps))))
        most = (self.long_side_px, self.long_side_px)  # references are not opened: at most a square
        sizes = {b"r": most, b"f": shape}
        once = [Question(inquiry.prompt, tuple(sizes[image] for image in inquiry.images)) for inquiry in asked]
        return once * self.repeats

    def sent_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height in which a picture is sent."""
        factor = self.long_side_px / max(width, height)
        return max(1, int(width * factor)), max(1, int(height * factor))

    def jpeg(self, picture: np.ndarray) -> bytes:
        """A picture uint8 `(H, W, 3)` as it is sent: area-averaged, OpenCV's JPEG quality of 95."""
        size = self.sent_size(picture.shape[1], picture.shape[0])
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        _, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        return data.tobytes()

    def shaped(self, values: np.ndarray, num_references: int) -> np.ndarray:
        """Values of one repeat's questions, `(questions, repeats)`, in the shape that `combine` wants."""
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoAnswers(Answers):
    """All frames in one message."""

    name: ClassVar[str] = "video_answers"
    version: ClassVar[int] = 2
    of: ClassVar[str] = "video"

    def questions(self, case: Case, references: Mapping[int, bytes], frames: Sequence[bytes]) -> list[Inquiry]:
        asked = self.prompt
        return [Inquiry(asked.text, tuple(frames), asked.lowest, asked.highest)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferredAnswers(Answers):
    """All references, then all frames in one message, with the text that the video was made for."""

    name: ClassVar[str] = "referred_answers"
    version: ClassVar[int] = 2
    of: ClassVar[str] = "video+references+prompt"

    def questions(self, case: Case, references: Mapping[int, bytes], frames: Sequence[bytes]) -> list[Inquiry]:
        asked = self.prompt
        text = asked.filled(num_references=str(len(references)), prompt=case.prompt)
        return [Inquiry(text, (*references.values(), *frames), asked.lowest, asked.highest)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairAnswers(Answers):
    """One message for each reference with each frame, references first in the order of the rows."""

    name: ClassVar[str] = "pair_answers"
    version: ClassVar[int] = 2
    of: ClassVar[str] = "video+references"

    def questions(self, case: Case, references: Mapping[int, bytes], frames: Sequence[bytes]) -> list[Inquiry]:
        asked = self.prompt
        found = []
        for place, reference in references.items():
            label = case.labels[place] if place < len(case.labels) else "what it shows"
            text = asked.filled(label=label)
            found += [Inquiry(text, (reference, frame), asked.lowest, asked.highest) for frame in frames]
        return found

    def shaped(self, values: np.ndarray, num_references: int) -> np.ndarray:
        """`(references, frames, repeats)`."""
        return values.reshape(num_references, -1, values.shape[-1])


def averaged(answers: Arrays) -> Measured:
    """The mean of all answers that are grades; coverage is their share. Failed when none is, with what was answered."""
    scores = answers["score"]
    graded = ~np.isnan(scores)
    evidence = {name: answers[name] for name in ("score", "raw", "reason", "prompt", "judge", "sampling")}
    if not graded.any():
        return Measured(value=Absent(f"failed: {answers['reason'].flat[0]}"), num_units=0, coverage=0.0, evidence=evidence)
    return Measured(
        value=float(scores[graded].mean()),
        num_units=int(graded.sum()),
        coverage=float(graded.mean()) * float(answers["readable"]),
        evidence=evidence,
    )


class _Asker:
    def __init__(self, feature: Answers, case: Case, judge: Judge) -> None:
        self._feature, self._case, self._judge = feature, case, judge
        self._frames: list[bytes] = []
        self._indices: list[int] = []

    def add(self, index: int, frame: np.ndarray) -> None:
        self._indices.append(index)
        self._frames.append(self._feature.jpeg(frame))

    def finish(self) -> Found:
        feature, case = self._feature, self._case
        references, faults = self._references() if "references" in feature.of else ({}, [])
        if faults and not references:
            return Absent(f"failed: no reference of case {case.name} can be read: {faults[0]}")
        once = feature.questions(case, references, self._frames)
        asked = [_again(inquiry, repeat) for inquiry in once for repeat in range(feature.repeats)]
        verdicts = self._judge.ask(asked)
        _all_answered(verdicts)
        shape = (len(once), feature.repeats)

        def column(values: Sequence[object], dtype: type) -> np.ndarray:
            return feature.shaped(np.array(values, dtype).reshape(shape), max(1, len(references)))

        return {
            "score": column([np.nan if v.score is None else v.score for v in verdicts], np.float64),
            "raw": column([v.raw for v in verdicts], np.str_),
            "reason": column([v.reason for v in verdicts], np.str_),
            "prompt": column([prompt_hash(inquiry) for inquiry in asked], np.str_),
            "judge": np.array(self._judge.model_id),
            "sampling": np.array(self._judge.sampling),
            "frame": np.array(self._indices, np.int64),
            "readable": np.array(len(references) / (len(references) + len(faults)) if faults else 1.0),
        }

    def _references(self) -> tuple[dict[int, bytes], list[str]]:
        found, faults = {}, []
        for place, path in enumerate(self._case.references):
            try:
                found[place] = self._feature.jpeg(read_image(path))
            except MediaError as error:
                faults.append(str(error))
        return found, faults


def _again(inquiry: Inquiry, repeat: int) -> Inquiry:
    return Inquiry(inquiry.prompt, inquiry.images, inquiry.lowest, inquiry.highest, repeat)


def _all_answered(verdicts: Sequence[Verdict]) -> None:
    faults = [verdict for verdict in verdicts if not verdict.is_final]
    if faults:
        share = f" ({len(faults)} of {len(verdicts)} questions; the answers to the rest are kept)" if verdicts[1:] else ""
        raise JudgeFailed(f"{faults[0].reason}{share}")
