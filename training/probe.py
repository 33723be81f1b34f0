"""Where generated tokens look: the share of their self-attention that falls on each segment of the sequence (Gloria, section 5.4).

Text is not among the segments: it has an attention of its own. Keys are gone through in blocks with running log-sums of exponents, so
the matrix of all tokens against all, 5 GB a head at 81 x 480 x 832, is never there. The model's own attention is left alone:
its output is the same bit for bit whether somebody looks or not.

Shapes: B samples, S queries, K keys, N heads, P channels of a head, G segments, T latent frames.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import numpy as np
import torch
from diffusers.models.transformers.transformer_wan import WanAttention

from training.blocks import KeyValue, S2VBlock, query_key
from training.guidance import Dropped
from training.layout import Segment, SequenceLayout
from training.model import S2VTransformer
from training.rope import Rotary

OWN = "own"
"""What the generated tokens themselves are called among the segments."""
QUERY_BLOCK, KEY_BLOCK = 256, 2048  # 25 MB of float32 for 12 heads
ALL_GIVEN = "none"
"""The branch of guidance that leaves nothing out."""


@dataclass(frozen=True, slots=True)
class Looked:
    """One layer of one forward. `mass` float32 (T, G): of each generated latent frame, mean over its tokens and all heads; rows sum to 1."""

    chunk: int
    step: int
    timestep: float
    branch: str
    """What guidance left out, by commas; `none`: nothing."""
    layer: int
    first_frame: int
    """Of the whole video: the latent frame that the first row of `mass` is of."""
    segments: tuple[str, ...]
    tokens: tuple[int, ...]
    """Of each segment."""
    mass: np.ndarray


def attention_mass(
    query_BSNP: torch.Tensor,
    key_BKNP: torch.Tensor,
    borders: Sequence[int],
    *,
    query_block: int = QUERY_BLOCK,
    key_block: int = KEY_BLOCK,
) -> torch.Tensor:
    """Shares (B, S, N, G) of each query's attention, in float32 or better: what falls on keys `[borders[g], borders[g + 1])`.

    Scaled dot-product attention over all keys, without a mask. Segments without a key get 0.
    """
    scale = query_BSNP.shape[-1] ** -0.5
    kind = torch.promote_types(query_BSNP.dtype, torch.float32)
    parts = []
    for query in query_BSNP.split(query_block, dim=1):
        sums = []
        for start, stop in itertools.pairwise(borders):
            running = query.new_full((query.shape[0], query.shape[2], query.shape[1]), -torch.inf, dtype=kind)
            for key in key_BKNP[:, start:stop].split(key_block, dim=1) if stop > start else ():
                logits = torch.einsum("bqnp,bknp->bnqk", query.to(kind), key.to(kind)) * scale
                running = torch.logaddexp(running, logits.logsumexp(dim=-1))
            sums.append(running)
        parts.append(torch.stack(sums, dim=-1).softmax(dim=-1).transpose(1, 2))
    return torch.cat(parts, dim=1)


@dataclass(slots=True)
class AttentionProbe:
    """Looks at all blocks of a model from `attach` to `detach`. One sample a batch; not under context parallelism."""

    model: S2VTransformer
    seen: list[Looked] = field(default_factory=list)
    _chunk: int = -1
    _first_frame: int = 0
    _step: int = -1
    _timestep: float = 0.0
    _branch: str = ALL_GIVEN
    _first: Dropped | None = None
    """What the first forward of each step leaves out."""
    _layout: SequenceLayout | None = None

    def attach(self) -> None:
        self.model.told_layout = self._laid_out
        for layer, block in enumerate(self.model.blocks):
            cast(S2VBlock, block).observer = partial(self._saw, layer)

    def detach(self) -> None:
        self.model.told_layout = None
        for block in self.model.blocks:
            cast(S2VBlock, block).observer = None

    def chunk(self, index: int, start: int) -> Callable[[Dropped, float], None]:
        """To be called before each forward of a chunk that begins at latent frame `start`."""
        self._chunk, self._first_frame, self._step, self._first = index, start, -1, None
        return self._begins

    def _begins(self, dropped: Dropped, timestep: float) -> None:
        if self._first is None or dropped == self._first:
            self._first, self._step = dropped, self._step + 1
        self._timestep = timestep
        self._branch = ",".join(sorted(dropped)) or ALL_GIVEN

    def _laid_out(self, layout: SequenceLayout) -> None:
        self._layout = layout

    @torch.no_grad()
    def _saw(self, layer: int, attn: WanAttention, x_BSD: torch.Tensor, rotary: Rotary, beside: KeyValue | None) -> None:
        layout = self._layout
        assert layout is not None, "a forward tells its layout before its blocks run"
        assert len(x_BSD) == 1, "one video is looked at at a time"
        query, key = query_key(attn, x_BSD, rotary)
        if beside is not None:
            key = torch.cat((beside[0], key), dim=1)
        # Beside the stream, isolated anchors come first whatever the layout's order
        ordered = layout.segments if beside is None else (*layout.anchors, *layout.stream)
        tokens = [layout.grid(segment).tokens for segment in ordered]
        borders = np.cumsum([0, *tokens]).tolist()
        own = ordered.index(layout.stream[-1])
        offset = 0 if beside is None else borders[len(layout.anchors)]
        asked = query[:, borders[own] - offset : borders[own + 1] - offset]
        mass = attention_mass(asked, key, borders)[0].mean(dim=1)
        by_frame = mass.reshape(layout.grid(ordered[own]).frames, -1, len(ordered)).mean(dim=1)
        self.seen.append(
            Looked(
                chunk=self._chunk,
                step=self._step,
                timestep=self._timestep,
                branch=self._branch,
                layer=layer,
                first_frame=self._first_frame + layout.video_frames.start,
                segments=_names(ordered),
                tokens=tuple(tokens),
                mass=by_frame.float().cpu().numpy(),
            )
        )


def _names(segments: Sequence[Segment]) -> tuple[str, ...]:
    """One name a segment: several global anchors, or several of one side, are told apart by their places."""
    names = [_name(segment) for segment in segments]
    return tuple(
        name if names.count(name) == 1 else f"{name} {segment.slot}" for name, segment in zip(names, segments, strict=True)
    )


def _name(segment: Segment) -> str:
    """As it is called in tables and plots."""
    if segment.role == "video":
        return OWN
    if segment.category:
        return f"{segment.role} {segment.category}"
    return f"{segment.role} {segment.slot}" if segment.role == "reference" else segment.role.replace("_", " ")
