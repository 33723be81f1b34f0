"""Obedience to the prompt by GME: OpenS2V's GmeScore."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, cast

from backend.domain import Case, VideoTextEmbedder
from metrics.embeddings import FlushingCollector
from metrics.framing import FramePlan, Linspace
from metrics.spec import Arrays, CaseFeature, Entry, Feature, Found, Measured, Metric, Roles, VideoFacts, VideoFeature


@dataclass(frozen=True, slots=True, kw_only=True)
class GmeFrames(VideoFeature):
    """`embedding`: unit vectors float32 `(T, D)` of whole frames."""

    name: ClassVar[str] = "gme_frames"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video"
    per_frame: ClassVar[bool] = True

    encoder: str = "Gme"
    frames: FramePlan = field(default_factory=Linspace)

    @property
    def roles(self) -> tuple[str, ...]:
        return (self.encoder,)

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> FlushingCollector:
        return FlushingCollector("embedding", cast(VideoTextEmbedder, roles(self.encoder)).images)


@dataclass(frozen=True, slots=True, kw_only=True)
class GmePrompt(CaseFeature):
    """`embedding`: the prompt's unit vector float32 `(1, D)`, made once for all systems and frames."""

    name: ClassVar[str] = "gme_prompt"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "prompt"

    encoder: str = "Gme"

    @property
    def roles(self) -> tuple[str, ...]:
        return (self.encoder,)

    def compute(self, case: Case, roles: Roles, given: Mapping[str, Found]) -> Found:
        return {"embedding": cast(VideoTextEmbedder, roles(self.encoder)).texts([case.prompt])}


@dataclass(frozen=True, slots=True, kw_only=True)
class GmeScore(Metric):
    """Mean over 32 frames of the dot product of frame and prompt. Of a prompt, what lies beyond 1,800 tokens is not read."""

    id: ClassVar[str] = "gmescore"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "GmeScore (OpenS2V)"
    source: ClassVar[str] = "OpenS2V-Nexus, section 4.2 and eval/get_gmescore.py"
    range: ClassVar[tuple[float | None, float | None]] = (-1.0, 1.0)
    needs: ClassVar[tuple[str, ...]] = ("prompt",)

    frames: FramePlan = field(default_factory=Linspace)  # upstream's 32, first and last included

    @property
    def features(self) -> dict[str, Feature]:
        return {"frames": GmeFrames(frames=self.frames), "prompt": GmePrompt()}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        values = given["frames"]["embedding"].astype(float) @ given["prompt"]["embedding"][0].astype(float)
        frames = given["frames"]["frame"]
        return Measured(value=float(values.mean()), num_units=len(values), per_frame={"frame": frames, "agreement": values})
