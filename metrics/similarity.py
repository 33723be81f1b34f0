"""Likeness of whole frames to references and prompt (CLIP-I, DINO-I, CLIP-T), and OpenS2V's aesthetic score.

"DINO" is three encoders in the papers and CLIP two sizes, and their cosines are five scales: each is its own metric.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from backend.domain import CLIP_PREP, DINO_PREP, Prep
from metrics.embeddings import AestheticScores, FrameEmbeddings, PromptEmbedding, ReferenceEmbeddings, cosines
from metrics.framing import FramePlan, Linspace
from metrics.spec import Arrays, Entry, Feature, Measured, Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceLikeness(Metric):
    """Mean over frames of the cosine with the references, taken together by `over_references`.

    References that cannot be read are left out and lower the coverage.
    """

    range: ClassVar[tuple[float | None, float | None]] = (-1.0, 1.0)
    needs: ClassVar[tuple[str, ...]] = ("references",)

    encoder: str
    prep: Prep = CLIP_PREP
    frames: FramePlan = field(default_factory=Linspace)  # OpenS2V's 32; no paper says which frames CLIP-I and DINO-I take
    over_references: Literal["mean", "max"] = "mean"
    """`mean`: a video owes something to each of several subjects. `max`: the references are views of one subject
    (Gloria's anchors), of which a frame can show one."""

    @property
    def features(self) -> dict[str, Feature]:
        return {
            "frames": FrameEmbeddings(encoder=self.encoder, prep=self.prep, frames=self.frames),
            "references": ReferenceEmbeddings(encoder=self.encoder, prep=self.prep),
        }

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        readable = given["references"]["readable"]
        each = cosines(given["frames"], given["references"]["embedding"])
        together = np.max if self.over_references == "max" else np.mean
        values = together(each[:, readable], axis=1)
        return Measured(
            value=float(values.mean()),
            num_units=len(values),
            coverage=float(readable.mean()),
            per_frame={"frame": given["frames"]["frame"], "likeness": values},
            evidence={"by_reference": each},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipIB32(ReferenceLikeness):
    """CLIP-I by ViT-B/32, as in DreamBench++."""

    id: ClassVar[str] = "clip_i_b32"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "CLIP-I (ViT-B/32)"
    source: ClassVar[str] = "DreamBooth, section 4.2; Gloria, table 4, names no size"
    encoder: str = "ClipB32"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipIL14(ReferenceLikeness):
    """CLIP-I by ViT-L/14, whose embeddings OpenS2V's aesthetic score shares."""

    id: ClassVar[str] = "clip_i_l14"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "CLIP-I (ViT-L/14)"
    source: ClassVar[str] = "DreamBooth, section 4.2; Gloria, table 4, names no size"
    encoder: str = "ClipL14"


@dataclass(frozen=True, slots=True, kw_only=True)
class DinoIV1(ReferenceLikeness):
    """DINO-I by DINO, as in DreamBooth."""

    id: ClassVar[str] = "dino_i_v1"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "DINO-I (DINO)"
    source: ClassVar[str] = "DreamBooth, section 4.2"
    encoder: str = "DinoV1"
    prep: Prep = DINO_PREP


@dataclass(frozen=True, slots=True, kw_only=True)
class DinoIV2(ReferenceLikeness):
    """DINO-I by DINOv2, which Phantom-Data cites."""

    id: ClassVar[str] = "dino_i_v2"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "DINO-I (DINOv2)"
    source: ClassVar[str] = "Phantom-Data, table 2"
    encoder: str = "DinoV2"
    prep: Prep = DINO_PREP


@dataclass(frozen=True, slots=True, kw_only=True)
class DinoIV3(ReferenceLikeness):
    """DINO-I by DINOv3, which Gloria cites. The processor of its checkpoint would squeeze frames to a square."""

    id: ClassVar[str] = "dino_i_v3"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "DINO-I (DINOv3)"
    source: ClassVar[str] = "Gloria, table 4"
    encoder: str = "DinoV3"
    prep: Prep = DINO_PREP


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipT(Metric):
    """CLIP-T: mean over frames of the cosine with the prompt.

    CLIP reads 77 tokens; `truncated` in the evidence says whether the prompt was longer.
    """

    id: ClassVar[str] = "clip_t"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "CLIP-T"
    source: ClassVar[str] = "DreamBooth, section 4.2; OpenS2V-Nexus, figure 10"
    range: ClassVar[tuple[float | None, float | None]] = (-1.0, 1.0)
    needs: ClassVar[tuple[str, ...]] = ("prompt",)

    encoder: str = "ClipB32"  # DreamBench++'s; the S2V papers name no size
    frames: FramePlan = field(default_factory=Linspace)  # OpenS2V's 32

    @property
    def features(self) -> dict[str, Feature]:
        return {
            "frames": FrameEmbeddings(encoder=self.encoder, prep=CLIP_PREP, frames=self.frames),
            "prompt": PromptEmbedding(encoder=self.encoder),
        }

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        values = cosines(given["frames"], given["prompt"]["embedding"][None])[:, 0]
        return Measured(
            value=float(values.mean()),
            num_units=len(values),
            per_frame={"frame": given["frames"]["frame"], "likeness": values},
            evidence={"truncated": given["prompt"]["truncated"]},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AestheticOpenS2vCompat(Metric):
    """Mean of the improved aesthetic predictor over 32 frames, about 1 to 10.

    As upstream: the square from the middle, which drops 44% of a 16:9 frame, and repeated frames of short videos.
    """

    id: ClassVar[str] = "aesthetic_opens2v_compat"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Aesthetics (OpenS2V)"
    source: ClassVar[str] = "OpenS2V-Nexus, eval/get_aesscore.py"
    range: ClassVar[tuple[float | None, float | None]] = (None, None)

    frames: FramePlan = field(default_factory=Linspace)

    @property
    def features(self) -> dict[str, Feature]:
        embeddings = FrameEmbeddings(encoder="ClipL14", prep=CLIP_PREP, frames=self.frames)
        return {"scores": AestheticScores(head="AestheticMlp", embeddings=embeddings)}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        scores = given["scores"]["score"]
        return Measured(
            value=float(scores.mean()),
            num_units=len(scores),
            per_frame={"frame": given["scores"]["frame"], "aesthetic": scores},
        )
