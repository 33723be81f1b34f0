"""Naturalness by a classifier: how real the frames look to one that tells taken pictures from made ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, cast

import numpy as np

from backend.domain import Absent, AuthenticityScorer
from metrics.framing import FramePlan, Linspace
from metrics.spec import Arrays, Entry, Feature, Found, Measured, Metric, Roles, VideoFacts, VideoFeature

BATCH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameAuthenticity(VideoFeature):
    """`real` float32 `(T,)`: the probability that each frame is a real picture."""

    name: ClassVar[str] = "frame_authenticity"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video"
    per_frame: ClassVar[bool] = True

    frames: FramePlan = field(default_factory=Linspace)

    @property
    def roles(self) -> tuple[str, ...]:
        return ("AuthenticityScorer",)

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> "_Scored":
        return _Scored(cast(AuthenticityScorer, roles("AuthenticityScorer")))


class _Scored:
    def __init__(self, scorer: AuthenticityScorer) -> None:
        self._scorer = scorer
        self._frames: list[np.ndarray] = []
        self._found: list[np.ndarray] = []

    def add(self, index: int, frame: np.ndarray) -> None:
        self._frames.append(frame)
        if len(self._frames) == BATCH:
            self._flush()

    def finish(self) -> Found:
        self._flush()
        real = np.concatenate(self._found).astype(np.float32)
        if not np.isfinite(real).all():
            return Absent("failed: a probability is not finite; the model gave numbers that are none")
        return {"real": real}

    def _flush(self) -> None:
        if self._frames:
            self._found.append(self._scorer.real(np.stack(self._frames)))
        self._frames = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticity(Metric):
    """Mean over 32 frames of the probability of being a real picture, by the classifier that is bound.

    A baseline to hold NaturalScore against. It judges single frames by what its makers showed it: another classifier is
    another scale, and pictures of generators that it never saw may look real to it.
    """

    id: ClassVar[str] = "authenticity"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Authenticity"
    source: ClassVar[str] = "ours: a classifier of real and generated pictures, as a baseline for NaturalScore"

    frames: FramePlan = field(default_factory=Linspace)  # 32, OpenS2V's

    @property
    def features(self) -> dict[str, Feature]:
        return {"frames": FrameAuthenticity(frames=self.frames)}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        real = given["frames"]["real"]
        return Measured(
            value=float(real.astype(np.float64).mean()),
            num_units=len(real),
            per_frame={"frame": given["frames"]["frame"], "real": real},
        )
