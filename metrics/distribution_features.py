"""What FID and FVD are made of: features of each video, as evidence of a row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, cast

import numpy as np

from backend.domain import Absent, ModelUnavailable
from backend.domain.roles_faces import ClipFeatureExtractor, FeatureExtractor
from metrics.framing import AllFrames, FramePlan
from metrics.spec import Arrays, Entry, Feature, Found, Measured, Metric, Roles, VideoFacts, VideoFeature

BATCH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFeatures(VideoFeature):
    """`features` float32 `(T, D)` of single frames."""

    name: ClassVar[str] = "frame_features"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video"
    per_frame: ClassVar[bool] = True

    frames: FramePlan = field(default_factory=AllFrames)

    @property
    def roles(self) -> tuple[str, ...]:
        return ("FeatureExtractor",)

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> "_Batches":
        extractor = cast(FeatureExtractor, roles("FeatureExtractor"))
        return _Batches(1, BATCH, lambda clips: extractor.features(clips[:, 0]))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFeatures(VideoFeature):
    """`features` float32 `(N, D)` of clips of consecutive frames that do not overlap; what is left at the end is not seen."""

    name: ClassVar[str] = "clip_features"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video"

    clip_frames: int = 16
    frames: FramePlan = field(default_factory=AllFrames)

    @property
    def roles(self) -> tuple[str, ...]:
        return ("ClipFeatureExtractor",)

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> "_Batches":
        extractor = cast(ClipFeatureExtractor, roles("ClipFeatureExtractor"))
        if extractor.clip_frames != self.clip_frames:
            raise ModelUnavailable(
                f"{extractor.model_id} looks at {extractor.clip_frames} frames; clips have {self.clip_frames}: bind another"
            )
        return _Batches(self.clip_frames, 1, extractor.features)


class _Batches:
    """Clips of `clip_frames` frames, `num` of them at a time, to whoever computes features of them."""

    def __init__(self, clip_frames: int, num: int, compute) -> None:
        self._clip_frames, self._num, self._compute = clip_frames, num, compute
        self._frames: list[np.ndarray] = []
        self._found: list[np.ndarray] = []
        self._seen = 0

    def add(self, index: int, frame: np.ndarray) -> None:
        self._frames.append(frame)
        self._seen += 1
        if len(self._frames) == self._clip_frames * self._num:
            self._flush()

    def finish(self) -> Found:
        self._flush()
        if not self._found:
            return Absent(f"too short: {self._seen} frames are fewer than a clip of {self._clip_frames}")
        features = np.concatenate(self._found).astype(np.float32)
        if not np.isfinite(features).all():
            return Absent("failed: a feature is not finite; the model gave numbers that are none")
        return {"features": features}

    def _flush(self) -> None:
        num = len(self._frames) // self._clip_frames
        if num:
            frames = np.stack(self._frames[: num * self._clip_frames])
            self._found.append(self._compute(frames.reshape(num, self._clip_frames, *frames.shape[1:])))
        self._frames = []


@dataclass(frozen=True, slots=True, kw_only=True)
class FidFeatures(Metric):
    """How many frames of the video stand in FID; their features are the row's evidence, `features` `(T, 2048)`.

    FID is of a set: `distribution_sets` makes sets of such rows. The features are kept, not their sums: of a video of 81
    frames they take 0.7 MB, the sums 34 MB.
    """

    id: ClassVar[str] = "fid_features"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "FID, features of one video"
    source: ClassVar[str] = "Gloria, section 7.4 (FID), with pytorch-fid's network and preprocessing"
    range: ClassVar[tuple[float | None, float | None]] = (0.0, None)

    frames: FramePlan = field(default_factory=AllFrames)  # the paper does not say; Wav2Lip's practice

    @property
    def features(self) -> dict[str, Feature]:
        return {"units": FrameFeatures(frames=self.frames)}

    @property
    def clip_frames(self) -> int:
        return 1

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        return _counted(given["units"]["features"])


@dataclass(frozen=True, slots=True, kw_only=True)
class FvdFeatures(Metric):
    """How many clips of the video stand in FVD; their features are the row's evidence, `features` `(N, 400)`."""

    id: ClassVar[str] = "fvd_features"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "FVD, features of one video"
    source: ClassVar[str] = (
        "Gloria, section 7.4 (FVD); Unterthiner et al., Towards accurate generative models of video, 2018"
    )
    range: ClassVar[tuple[float | None, float | None]] = (0.0, None)

    clip_frames: int = 16  # the paper does not say; what FVD is mostly reported for
    frames: FramePlan = field(default_factory=AllFrames)  # the paper does not say

    @property
    def features(self) -> dict[str, Feature]:
        return {"units": ClipFeatures(clip_frames=self.clip_frames, frames=self.frames)}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        return _counted(given["units"]["features"])


def _counted(features: np.ndarray) -> Measured:
    return Measured(value=float(len(features)), num_units=len(features), evidence={"features": features})
