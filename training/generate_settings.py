"""Settings of `generate`; without torch, since forms show them."""

from dataclasses import dataclass, field
from typing import Literal

from backend.settings import nearest
from training.guidance import GUIDANCE


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoShape:
    """Of the video; 0: as the system was trained, and frames as long as the case asks."""

    frames: int = 0
    chunk_frames: int = 0
    """Of runs: longer videos are made in chunks of so many frames, each beginning with the end of the one before; 0: of as many
    as the run's longest bucket."""
    prefix_mode: Literal["frozen", "soft"] = "frozen"
    """Of chunks. frozen: the end of the one before is given clean, which a run has to have learned. soft: it is noised along, made
    again and blended, by any run (`training.long_video`)."""
    width: int = 0
    height: int = 0
    fps: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerChoice:
    """Empty and 0: the system's own."""

    method: Literal["", "euler", "unipc"] = ""
    steps: int = 0
    shift: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidanceChoice:
    """`chain` is for runs (`training.guidance`), `scale` for pipelines of diffusers."""

    chain: str = ""
    scale: float = 0.0
    negative: str = ""
    """What stands for a dropped text."""

    def __post_init__(self) -> None:
        if self.chain and self.chain not in GUIDANCE:
            raise ValueError(f"guidance.chain is {self.chain!r}{nearest(self.chain, GUIDANCE)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compute:
    """Where, in which numbers; empty: bfloat16 on a GPU, float32 on the CPU."""

    device: str = "auto"
    dtype: str = ""
    watts: float = 0.0
    """What the device draws at work, for the estimate of energy; 0: no estimate where nothing is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateSettings:
    """What `--set` of `generate` changes."""

    video: VideoShape = field(default_factory=VideoShape)
    sampler: SamplerChoice = field(default_factory=SamplerChoice)
    guidance: GuidanceChoice = field(default_factory=GuidanceChoice)
    compute: Compute = field(default_factory=Compute)
