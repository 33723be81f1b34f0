"""VBench's dimensions that need an encoder or a network: formulas and preparation as in its code, streamed.

Values are one video's, as VBench writes them into its rows, but for imaging quality (see there). A frame that cannot
be encoded fails the metric; a video of one frame has no consistency, where VBench divides by zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, cast

import cv2
import numpy as np

from backend.domain import (
    VBENCH_CLIP_PREP,
    VBENCH_DINO_PREP,
    VBENCH_I2V_IMAGE_PREP,
    VBENCH_I2V_PREP,
    Absent,
    FrameInterpolator,
    ImageQuality,
    Prep,
)
from metrics.embeddings import (
    AestheticScores,
    FlushingCollector,
    FrameEmbeddings,
    PromptEmbedding,
    ReferenceEmbeddings,
    VideoEmbedding,
    cosines,
)
from metrics.framing import AllFrames, FramePlan
from metrics.spec import Arrays, Entry, Feature, Found, Measured, Metric, Roles, VideoFacts, VideoFeature

ONE_FRAME = Measured(value=Absent("too short: a video of one frame has no neighbours"), num_units=0, coverage=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectConsistency(Metric):
    """Mean over frames of how alike each is to the one before it and to the first, by DINO's whole-frame embedding."""

    id: ClassVar[str] = "subject_consistency"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Subject consistency (VBench)"
    source: ClassVar[str] = "VBench, vbench/subject_consistency.py"

    encoder: str = "DinoV1"
    prep: Prep = VBENCH_DINO_PREP

    @property
    def features(self) -> dict[str, Feature]:
        return {"frames": FrameEmbeddings(encoder=self.encoder, prep=self.prep)}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        return _consistency(given["frames"])


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundConsistency(Metric):
    """As subject consistency, by CLIP's embedding, which sees more of the background."""

    id: ClassVar[str] = "background_consistency"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Background consistency (VBench)"
    source: ClassVar[str] = "VBench, vbench/background_consistency.py"

    encoder: str = "ClipB32"
    prep: Prep = VBENCH_CLIP_PREP

    @property
    def features(self) -> dict[str, Feature]:
        return {"frames": FrameEmbeddings(encoder=self.encoder, prep=self.prep)}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        return _consistency(given["frames"])


@dataclass(frozen=True, slots=True, kw_only=True)
class AestheticQuality(Metric):
    """Mean of LAION's linear head over all frames, over 10. Not clipped, so that it may leave [0, 1]."""

    id: ClassVar[str] = "aesthetic_quality"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Aesthetic quality (VBench)"
    source: ClassVar[str] = "VBench, vbench/aesthetic_quality.py"

    encoder: str = "ClipL14"
    prep: Prep = VBENCH_CLIP_PREP
    head: str = "AestheticLinear"

    @property
    def features(self) -> dict[str, Feature]:
        embeddings = FrameEmbeddings(encoder=self.encoder, prep=self.prep)
        return {"scores": AestheticScores(head=self.head, embeddings=embeddings)}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        scores = given["scores"]["score"] / 10
        return Measured(
            value=float(scores.mean()),
            num_units=len(scores),
            per_frame={"frame": given["scores"]["frame"], "aesthetic": scores},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameQuality(VideoFeature):
    """`quality`: float64 `(T,)`, about 0 to 100."""

    name: ClassVar[str] = "frame_quality"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video"
    per_frame: ClassVar[bool] = True

    longest_px: int | None = 512
    frames: FramePlan = field(default_factory=AllFrames)

    @property
    def roles(self) -> tuple[str, ...]:
        return ("Musiq",)

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> FlushingCollector:
        musiq = cast(ImageQuality, roles("Musiq"))

        def rows(frames: list[np.ndarray]) -> np.ndarray:
            return np.array([musiq.quality(frame, longest_px=self.longest_px) for frame in frames], np.float64)

        return FlushingCollector("quality", rows, flush=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagingQuality(Metric):
    """Mean of MUSIQ over all frames, over 100. VBench's rows hold it without the division, its total with it."""

    id: ClassVar[str] = "imaging_quality"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Imaging quality (VBench)"
    source: ClassVar[str] = "VBench, vbench/imaging_quality.py"

    longest_px: int | None = 512  # VBench's mode `longer`, its default; None is its mode `None`

    @property
    def features(self) -> dict[str, Feature]:
        return {"quality": FrameQuality(longest_px=self.longest_px)}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        quality = given["quality"]["quality"] / 100
        return Measured(
            value=float(quality.mean()),
            num_units=len(quality),
            per_frame={"frame": given["quality"]["frame"], "quality": quality},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InterpolationError(VideoFeature):
    """`levels`: mean absolute difference of each odd frame to the one interpolated from its neighbours, in 8-bit levels.

    float64 `(N,)`; `frame`: the odd frames' indices. The last frame of an even number has no right neighbour.
    """

    name: ClassVar[str] = "interpolation_error"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video"

    frames: FramePlan = field(default_factory=AllFrames)

    @property
    def roles(self) -> tuple[str, ...]:
        return ("FrameInterpolator",)

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> "_InBetweenCollector":
        return _InBetweenCollector(cast(FrameInterpolator, roles("FrameInterpolator")))


class _InBetweenCollector:
    """Holds two frames: the last even one and the odd one after it."""

    def __init__(self, interpolator: FrameInterpolator) -> None:
        self._interpolator = interpolator
        self._seen = 0
        self._even = self._odd = np.empty(0, np.uint8)
        self._levels: list[float] = []
        self._indices: list[int] = []
        self._odd_index = 0

    def add(self, index: int, frame: np.ndarray) -> None:
        if self._seen % 2:
            self._odd, self._odd_index = frame, index
        else:
            if self._seen:
                guess = self._interpolator.between(self._even, frame)
                self._levels.append(float(cv2.norm(guess, self._odd, cv2.NORM_L1)) / guess.size)
                self._indices.append(self._odd_index)
            self._even = frame
        self._seen += 1

    def finish(self) -> Found:
        if not self._levels:
            return Absent(f"too short: a video of {self._seen} frames has no frame between two; 3 are needed")
        return {"levels": np.array(self._levels), "frame": np.array(self._indices, np.int64)}


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionSmoothness(Metric):
    """1 less the mean difference of odd frames to what AMT-S makes of their neighbours, over 255.

    Always at full size: VBench shrinks frames by a factor that depends on the GPU's memory.
    """

    id: ClassVar[str] = "motion_smoothness"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Motion smoothness (VBench)"
    source: ClassVar[str] = "VBench, vbench/motion_smoothness.py"

    @property
    def features(self) -> dict[str, Feature]:
        return {"error": InterpolationError()}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        levels = given["error"]["levels"]
        return Measured(
            value=float((255.0 - levels.mean()) / 255.0),
            num_units=len(levels),
            per_frame={"frame": given["error"]["frame"], "levels": levels},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OverallConsistency(Metric):
    """Cosine of ViCLIP's embeddings of video and prompt, about 0.2 for videos that fit: Kaleido's ViCLIP score.

    The encoder reads 32 tokens; `truncated` in the evidence says whether the prompt was longer.
    """

    id: ClassVar[str] = "overall_consistency"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Overall consistency (VBench)"
    source: ClassVar[str] = "VBench, vbench/overall_consistency.py"
    range: ClassVar[tuple[float | None, float | None]] = (-1.0, 1.0)
    needs: ClassVar[tuple[str, ...]] = ("prompt",)

    encoder: str = "ViClip"

    @property
    def features(self) -> dict[str, Feature]:
        return {"video": VideoEmbedding(encoder=self.encoder), "prompt": PromptEmbedding(encoder=self.encoder)}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        video, prompt = given["video"], given["prompt"]
        value = float(video["embedding"].astype(np.float64) @ prompt["embedding"])
        return Measured(value=value, evidence={"truncated": prompt["truncated"], "looked_at": video["frame"]})


@dataclass(frozen=True, slots=True, kw_only=True)
class I2vSubject(Metric):
    """.4 of the best likeness of a frame to the first reference, .3 of the mean and .3 of the least of neighbours."""

    id: ClassVar[str] = "i2v_subject"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "I2V subject (VBench-I2V)"
    source: ClassVar[str] = "VBench, vbench2_beta_i2v/i2v_subject.py"
    needs: ClassVar[tuple[str, ...]] = ("references",)

    encoder: str = "DinoV1"
    weights: tuple[float, float, float] = (0.4, 0.3, 0.3)  # i2v_subject.py: max_weight, mean_weight, min_weight

    @property
    def features(self) -> dict[str, Feature]:
        return {
            "frames": FrameEmbeddings(encoder=self.encoder, prep=VBENCH_I2V_PREP),
            "references": ReferenceEmbeddings(encoder=self.encoder, prep=VBENCH_I2V_IMAGE_PREP),
        }

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        frames, first = given["frames"], given["references"]["embedding"][:1]
        if not given["references"]["readable"][0]:
            return Measured(value=Absent("failed: the first reference cannot be read"), num_units=0, coverage=0.0)
        if len(frames["frame"]) < 2:
            return ONE_FRAME
        likeness = np.maximum(cosines(frames, first)[:, 0], 0)
        before = _with_before(frames["embedding"])
        parts = (likeness.max(), before.mean(), before.min())
        return Measured(
            value=float(np.dot(self.weights, parts)),
            num_units=len(likeness),
            coverage=1 / len(entry.case.references),
            per_frame={"frame": frames["frame"], "to_reference": likeness},
        )


def _consistency(frames: Arrays) -> Measured:
    """VBench's mean over the second to the last frame of half the cosine with each of its two anchors, both above 0."""
    vectors = frames["embedding"]
    if len(vectors) < 2:
        return ONE_FRAME
    to_before = _with_before(vectors)
    to_first = np.maximum(cosines(frames, vectors[:1])[1:, 0], 0)
    values = (to_before + to_first) / 2
    return Measured(
        value=float(values.mean()),
        num_units=len(values),
        per_frame={"frame": frames["frame"][1:], "to_before": to_before, "to_first": to_first},
    )


def _with_before(vectors: np.ndarray) -> np.ndarray:
    """Cosine of each vector but the first with the one before it, 0 where it is below."""
    vectors = vectors.astype(np.float64)
    return np.maximum((vectors[1:] * vectors[:-1]).sum(axis=1), 0)
