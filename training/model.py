"""The subject-to-video transformer: Wan's, over a sequence of segments with explicit positions and timesteps.

A Wan checkpoint loads with no key change, and without anchors the output equals diffusers' bit for bit. What differs is the
forward: each segment is patchified alone by the shared layer, position ids come from the layout, and modulation goes by runs
of tokens that share a timestep.

Shapes: B samples, C channels, T H W of a latent, S tokens, D width, R rows (distinct timesteps), L text tokens, I image tokens,
A channels of audio features, others as in `training.blocks`.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from diffusers.configuration_utils import register_to_config
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from torch import nn

from training.blocks import Heard, KeyValue, S2VBlock, modulated
from training.layout import Segment, SequenceLayout, Span
from training.rope import Rotary, layout_rotary
from training.shapes import TEXT_TOKENS, WanShape


class Sharding(Protocol):
    """How ranks share a sequence, for context parallelism; positions and timesteps are cut from those of the whole."""

    def bounds(self, num_tokens: int) -> tuple[int, int]:
        """First token of this rank and the one after its last."""
        ...

    def split(self, x_BSD: torch.Tensor) -> torch.Tensor:
        """This rank's tokens."""
        ...

    def gather(self, x_BSD: torch.Tensor) -> torch.Tensor:
        """All ranks' tokens."""
        ...


@dataclass(slots=True)
class AnchorCache:
    """Keys and values of isolated anchors by block: filled by the first forward, used by later ones. One for each text."""

    blocks: tuple[KeyValue, ...] = ()


class S2VTransformer(WanTransformer3DModel):
    """Arguments up to `pos_embed_seq_len` are diffusers' own.

    `audio_dim`: channels of the audio features; None: no audio branch. `audio_width`: of the branch (our choice, see
    `training.shapes`). `audio_every`: every n-th block has a branch, the last of each n (Gloria: half of the blocks).
    `isolated_anchors`: anchors see only each other, so that their keys and values do not depend on the video.
    """

    _no_split_modules = ["S2VBlock"]  # noqa: RUF012 - diffusers reads it from the class
    _repeated_blocks = ["S2VBlock"]  # noqa: RUF012

    @register_to_config
    def __init__(
        self,
        patch_size: tuple[int, ...] = (1, 2, 2),
        num_attention_heads: int = 40,
        attention_head_dim: int = 128,
        in_channels: int = 16,
        out_channels: int = 16,
        text_dim: int = 4096,
        freq_dim: int = 256,
        ffn_dim: int = 13824,
        num_layers: int = 40,
        cross_attn_norm: bool = True,
        qk_norm: str | None = "rms_norm_across_heads",
        eps: float = 1e-6,
        image_dim: int | None = None,
        added_kv_proj_dim: int | None = None,
        rope_max_seq_len: int = 1024,
        pos_embed_seq_len: int | None = None,
        audio_dim: int | None = None,
        audio_width: int = 1024,
        audio_every: int = 2,
        isolated_anchors: bool = False,
    ) -> None:
        super().__init__(
            patch_size, num_attention_heads, attention_head_dim, in_channels, out_channels, text_dim, freq_dim, ffn_dim,
            0, cross_attn_norm, qk_norm, eps, image_dim, added_kv_proj_dim, rope_max_seq_len, pos_embed_seq_len,
        )  # fmt: skip
        self.register_to_config(num_layers=num_layers)  # the parent was told 0, for its blocks are not ours
        del self.rope  # positions come from the layout
        width = num_attention_heads * attention_head_dim
        self.blocks = nn.ModuleList(
            S2VBlock(
                width,
                ffn_dim,
                num_attention_heads,
                cross_attn_norm=cross_attn_norm,
                eps=eps,
                added_kv_width=added_kv_proj_dim,
                audio_width=audio_width if audio_dim and index % audio_every == audio_every - 1 else None,
            )
            for index in range(num_layers)
        )
        self.audio_projection = nn.Linear(audio_dim, audio_width) if audio_dim else None
        self.sharding: Sharding | None = None
        self.told_layout: Callable[[SequenceLayout], None] | None = None
        """Called with the layout of each forward, for who observes its blocks (`training.probe`)."""

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        latents: Sequence[torch.Tensor],
        layout: SequenceLayout | Sequence[SequenceLayout],
        timestep_B: torch.Tensor,
        text_BLA: torch.Tensor,
        *,
        image_BIA: torch.Tensor | None = None,
        audio_BTWA: torch.Tensor | None = None,
        cache: AnchorCache | None = None,
    ) -> torch.Tensor:
        """The velocity of the stream's latents (B, C, T, H, W); those given clean (first frame, prefix) mean nothing.

        `latents`: one (B, C, T, H, W) for each segment, in the layout's order. `layout`: one for all samples, or one each that
        differ in categories and slots only. `timestep_B`: 0 clean to 1000 noise, of segments without their own.
        `audio_BTWA`: windows of all latent frames of the stream. `cache`: for isolated anchors while sampling; their latents
        are not looked at once it is filled. Raises ValueError where sizes do not agree.
        """
        layouts = _agreed(layout, latents, text_BLA.shape[0])
        if layouts[0].patch != tuple(self.config["patch_size"]):
            raise ValueError(
                f"the layout counts in patches of {layouts[0].patch}, the model in {self.config['patch_size']}"
            )
        if self.told_layout is not None:
            self.told_layout(layouts[0])
        head_channels = self.config["attention_head_dim"]
        rotary = layout_rotary(layouts, head_channels, timestep_B.device)
        temb_BRD, modulation_BR6D, context_BLD = self._conditions(layouts[0], timestep_B, text_BLA, image_BIA)
        run = _Run(layouts[0], context_BLD, modulation_BR6D, rotary)
        if self.config["isolated_anchors"] and layouts[0].anchors:
            stream = self._through_isolated(run, latents, self._heard(run.layout, audio_BTWA, whole=False), cache)
        else:
            stream = self._through_joint(run, latents, audio_BTWA)
        return self._velocity(stream, run.layout, temb_BRD)

    def _conditions(
        self, layout: SequenceLayout, timestep_B: torch.Tensor, text_BLA: torch.Tensor, image_BIA: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Embedded timesteps (B, R, D), what they modulate with (B, R, 6, D), and text after image tokens."""
        if self.config["added_kv_proj_dim"] is not None and (image_BIA is None or text_BLA.shape[1] != TEXT_TOKENS):
            raise ValueError(
                f"a base with image attention needs image embeddings and {TEXT_TOKENS} text tokens, not {text_BLA.shape[1]}"
            )
        fixed = timestep_B.new_tensor(layout.fixed_timesteps).expand(len(timestep_B), -1)
        rows_BR = torch.cat((timestep_B[:, None], fixed), dim=1)
        temb, modulation, text_BLD, image_BID = self.condition_embedder(rows_BR.flatten(), text_BLA, image_BIA)
        context_BLD = text_BLD if image_BID is None else torch.cat((image_BID, text_BLD), dim=1)
        shape = rows_BR.shape
        return temb.unflatten(0, shape), modulation.unflatten(0, shape).unflatten(2, (6, -1)), context_BLD

    def _tokens(self, latents: Sequence[torch.Tensor]) -> torch.Tensor:
        """Each segment patchified alone, then one after another."""
        return torch.cat([self.patch_embedding(x).flatten(2).transpose(1, 2) for x in latents], dim=1)

    def _heard(self, layout: SequenceLayout, audio_BTWA: torch.Tensor | None, *, whole: bool) -> Heard | None:
        """Who listens: the video's tokens, counted in the whole sequence or in the stream alone, cut to this rank's."""
        if audio_BTWA is None:
            return None
        if self.audio_projection is None:
            raise ValueError("sound was given to a model without an audio branch; build it with audio_dim")
        if audio_BTWA.shape[1] != layout.num_frames:
            raise ValueError(f"sound has {audio_BTWA.shape[1]} windows, the clip {layout.num_frames} latent frames")
        grid, known = layout.stream_grid, layout.video_frames.start
        per_frame = grid.rows * grid.columns
        offset = layout.stream_tokens.start if whole else 0
        first, last = offset + known * per_frame, offset + grid.tokens
        start, stop = (0, offset + grid.tokens) if self.sharding is None else self.sharding.bounds(layout.num_tokens)
        low, high = max(first, start), min(last, stop)
        windows = self.audio_projection(audio_BTWA[:, known:])
        if low >= high:  # no listener among this rank's tokens
            return Heard(windows, slice(0, 0), per_frame)
        return Heard(windows, slice(low - start, high - start), per_frame, low - first)

    def _through_joint(self, run: "_Run", latents: Sequence[torch.Tensor], audio_BTWA: torch.Tensor | None) -> torch.Tensor:
        """All tokens see all: the stream's after the last block."""
        layout, rotary, tokens = run.layout, run.rotary, self._tokens(latents)
        start, stop = 0, layout.num_tokens
        if self.sharding is not None:
            start, stop = self.sharding.bounds(layout.num_tokens)
            tokens, rotary = self.sharding.split(tokens), _cut(rotary, start, stop)
        spans = layout.spans(layout.segments, start=start, stop=stop)
        heard = self._heard(layout, audio_BTWA, whole=True)
        for block in self.blocks:
            tokens, _ = self._call(block, tokens, run.context, run.modulation, rotary, spans, heard)
        if self.sharding is not None:
            tokens = self.sharding.gather(tokens)
        return tokens[:, layout.stream_tokens]

    def _through_isolated(
        self, run: "_Run", latents: Sequence[torch.Tensor], heard: Heard | None, cache: AnchorCache | None
    ) -> torch.Tensor:
        """Anchors see each other; the stream sees itself and them."""
        layout, stream_at = run.layout, run.layout.stream_tokens
        if self.sharding is not None:
            raise ValueError("isolated anchors are not shared among ranks; run them without context parallelism")
        if any(anchor.timestep is None for anchor in layout.anchors):
            raise ValueError(
                "isolated anchors need a timestep of their own, for example 0: they may not depend on the video's"
            )
        count = len(layout.anchors)
        before, after = (latents[:count], latents[count:]) if layout.anchors_first else (latents[-count:], latents[:-count])
        anchors_at = slice(0, stream_at.start) if layout.anchors_first else slice(stream_at.stop, layout.num_tokens)
        known = cache.blocks if cache is not None else ()
        anchors = None if known else self._tokens(before)
        stream = self._tokens(after)
        kept: list[KeyValue] = []
        for index, block in enumerate(self.blocks):
            if anchors is None:
                beside = known[index]
            else:
                spans = layout.spans(layout.anchors)
                rotary = _cut(run.rotary, anchors_at.start, anchors_at.stop)
                anchors, beside = self._call(block, anchors, run.context, run.modulation, rotary, spans, None, None, True)
                kept.append(beside)
            rotary = _cut(run.rotary, stream_at.start, stream_at.stop)
            stream, _ = self._call(
                block, stream, run.context, run.modulation, rotary, layout.spans(layout.stream), heard, beside
            )
        if cache is not None and kept:
            cache.blocks = tuple(kept)
        return stream

    def _call(self, block: nn.Module, *inputs: Any) -> Any:
        if torch.is_grad_enabled() and self.gradient_checkpointing:
            checkpointed: Callable[..., Any] = self._gradient_checkpointing_func  # pyright: ignore[reportAssignmentType]
            return checkpointed(block, *inputs)
        return block(*inputs)

    def _velocity(self, stream_BSD: torch.Tensor, layout: SequenceLayout, temb_BRD: torch.Tensor) -> torch.Tensor:
        """Last norm, projection, and patches back to latents."""
        shift, scale = (self.scale_shift_table[:, None] + temb_BRD[:, :, None]).unbind(dim=2)
        spans: tuple[Span, ...] = layout.spans(layout.stream)
        normed = modulated(self.norm_out(stream_BSD.float()), shift, scale, spans).type_as(stream_BSD)
        grid, patch = layout.stream_grid, layout.patch
        patches = self.proj_out(normed).reshape(len(normed), grid.frames, grid.rows, grid.columns, *patch, -1)
        return patches.permute(0, 7, 1, 4, 2, 5, 3, 6).flatten(6, 7).flatten(4, 5).flatten(2, 3)


def build(shape: WanShape) -> S2VTransformer:
    """The model with random weights, on torch's default device (meta: none)."""
    return S2VTransformer(**asdict(shape))


def num_parameters(shape: WanShape) -> int:
    """Counted on the model itself, on the meta device, no weights needed: `num_parameters(wan_14b())` is 14.288 B."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build(shape).parameters())


@dataclass(frozen=True, slots=True)
class _Run:
    """What all blocks of one forward share."""

    layout: SequenceLayout
    context: torch.Tensor
    modulation: torch.Tensor
    rotary: Rotary


def _agreed(
    layout: SequenceLayout | Sequence[SequenceLayout], latents: Sequence[torch.Tensor], batch: int
) -> tuple[SequenceLayout, ...]:
    """The layouts, checked against each other, the latents and the number of samples."""
    layouts = (layout,) if isinstance(layout, SequenceLayout) else tuple(layout)
    if len(layouts) not in (1, batch):
        raise ValueError(f"{len(layouts)} layouts for {batch} samples; give one for all, or one each")
    shapes = {tuple(_shape(segment) for segment in each.segments) for each in layouts}
    if len(shapes) > 1:
        raise ValueError(f"samples of one batch differ in segments: {sorted(shapes)}; put them in batches of their own")
    wanted = [segment.size for segment in layouts[0].segments]
    found = [tuple(x.shape[2:]) for x in latents]
    if wanted != found:
        raise ValueError(f"latents of sizes {found} do not fit the layout's segments {wanted}")
    return layouts


def _shape(segment: Segment) -> tuple[str, tuple[int, int, int], float]:
    return segment.role, segment.size, -1.0 if segment.timestep is None else segment.timestep


def _cut(rotary: Rotary, start: int, stop: int) -> Rotary:
    return rotary[0][:, start:stop], rotary[1][:, start:stop]
