"""Videos longer than a clip: chunks that begin with the last latents of the chunk before (Gloria, section 4.3).

Anchors are the same for all chunks. Latents are never encoded again, and the joined stream is to be decoded at once: a causal VAE
gives the first latent of a decoding one frame and each later one four.

Shapes: B samples, C channels, T H W of a latent.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Literal

import torch

from training.audio_branch import FRAMES_PER_LATENT
from training.conditioning import Conditions
from training.layout import PREFIX_LATENTS
from training.sampling import GuidedModel, Sampler, clip_latents


@dataclass(frozen=True, slots=True)
class Chunk:
    """Latent frames [start, stop) of the whole video; the first `prefix` of them are the end of the chunk before."""

    index: int
    start: int
    stop: int
    prefix: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LongVideo:
    """How chunks follow each other. Raises ValueError for a prefix that leaves nothing new."""

    chunk_latents: int = 21  # 81 frames, Wan 2.1
    prefix: int = PREFIX_LATENTS
    prefix_mode: Literal["frozen", "soft"] = "frozen"
    """frozen: the prefix is given clean (`Conditions.known_BCTHW`), and blending changes nothing. soft: it is generated again
    (`clip_latents(soft_prefix=...)`), and blended."""

    def __post_init__(self) -> None:
        if not 0 < self.prefix < self.chunk_latents:
            raise ValueError(f"a prefix of {self.prefix} latents needs longer chunks than {self.chunk_latents}")

    def chunks(self, num_latents: int) -> Iterator[Chunk]:
        """Chunks that cover a video of so many latents; the last is as short as it may be."""
        start, prefix = 0, 0
        for index in count():
            stop = min(start + self.chunk_latents, num_latents)
            yield Chunk(index, start, stop, prefix)
            if stop == num_latents:
                return
            start, prefix = stop - self.prefix, self.prefix


def generate_long(
    guided: Callable[[Conditions, Chunk], GuidedModel],
    conditions: Conditions,
    noise: Callable[[Chunk], torch.Tensor],
    *,
    num_latents: int,
    plan: LongVideo,
    sampler: Sampler,
) -> torch.Tensor:
    """The latents (B, C, T, H, W) of the whole video, to be decoded in one go.

    `conditions`: of the whole video, with its sound. `noise`: (B, C, T, H, W) for a chunk, its prefix included. Where chunks overlap,
    both are blended at the clean level with linear weights (Gloria, supplement; which weights is our choice).
    """
    video: torch.Tensor | None = None
    for chunk in plan.chunks(num_latents):
        prefix = None if video is None else video[:, :, chunk.start :]
        soft = prefix if plan.prefix_mode == "soft" else None
        model = guided(chunk_conditions(conditions, chunk, None if soft is not None else prefix), chunk)
        latents = clip_latents(model, noise(chunk), sampler, soft_prefix=soft)
        video = latents if video is None else joined(video, latents, chunk)
    assert video is not None, "a video has at least one chunk"
    return video


def chunk_conditions(conditions: Conditions, chunk: Chunk, prefix_BCTHW: torch.Tensor | None) -> Conditions:
    """Those of one chunk: its own sound, and its prefix in place of the first frame, which only the first chunk begins with.

    Anchors, text and the picture's embeddings stay.
    """
    sound = conditions.audio_BTWA
    own = replace(conditions, audio_BTWA=None if sound is None else sound[:, chunk.start : chunk.stop])
    if chunk.index == 0:
        return own
    return replace(own, known_BCTHW=prefix_BCTHW, known_as="prefix", first_frame_BCTHW=None)


def blend_weights(overlap: int) -> torch.Tensor:
    """How much of the new chunk: (j + 1) / (overlap + 1), so that both ends keep a share of each."""
    return torch.arange(1, overlap + 1) / (overlap + 1)


def num_frames(num_latents: int) -> int:
    """Frames that a stream of latents decodes to."""
    return 1 + FRAMES_PER_LATENT * (num_latents - 1)


def num_latents(num_frames: int) -> int:
    """The least latents that decode to at least so many frames."""
    return 1 + -(-(num_frames - 1) // FRAMES_PER_LATENT)


def joined(video: torch.Tensor, latents: torch.Tensor, chunk: Chunk) -> torch.Tensor:
    """The video so far and a new chunk, with their overlap blended."""
    weights = blend_weights(chunk.prefix).to(latents).reshape(1, 1, -1, 1, 1)
    overlap = torch.lerp(video[:, :, chunk.start :], latents[:, :, : chunk.prefix], weights)
    return torch.cat((video[:, :, : chunk.start], overlap, latents[:, :, chunk.prefix :]), dim=2)
