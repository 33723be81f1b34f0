"""A Wan block that modulates runs of tokens, listens to sound, and can look at keys and values kept from elsewhere.

Parameters and their names are those of diffusers' `WanTransformerBlock`; those of the audio branch come on top.

Shapes: B samples, S tokens, D width, R rows (distinct timesteps), L text tokens, N heads, P channels of a head,
T W E as in `training.audio_branch`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.transformers.transformer_wan import WanAttention, WanTransformerBlock

from training.audio_branch import AudioAttention
from training.layout import Span
from training.rope import Rotary, turned

KeyValue = tuple[torch.Tensor, torch.Tensor]
"""Keys, turned by their positions, and values, (B, S, N, P)."""


Observer = Callable[[WanAttention, torch.Tensor, Rotary, KeyValue | None], None]
"""Told of self-attention before it is computed: its weights, its tokens (B, S, D), their rotation, and keys and values beside them."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Which tokens of a sequence listen, and to what."""

    audio_BTWE: torch.Tensor
    """Windows of the frames from the first that listens on."""
    tokens: slice
    """The listeners."""
    tokens_per_frame: int
    start: int = 0
    """How many tokens of the first window's frame lie before the first listener (in a share of a sequence)."""


class S2VBlock(WanTransformerBlock):
    """`audio_width`: of the audio features after their projection; None: this block has no audio branch."""

    def __init__(
        self,
        width: int,
        ffn_width: int,
        heads: int,
        *,
        cross_attn_norm: bool,
        eps: float,
        added_kv_width: int | None = None,
        audio_width: int | None = None,
    ) -> None:
        super().__init__(width, ffn_width, heads, "rms_norm_across_heads", cross_attn_norm, eps, added_kv_width)
        self.audio = None if audio_width is None else AudioAttention(width, audio_width, heads, eps)
        self.observer: Observer | None = None
        """Of the tokens that are generated; those of isolated anchors (`give_kv`) are not told."""

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        x_BSD: torch.Tensor,
        text_BLD: torch.Tensor,
        modulation_BR6D: torch.Tensor,
        rotary: Rotary,
        spans: tuple[Span, ...],
        heard: Heard | None = None,
        beside: KeyValue | None = None,
        give_kv: bool = False,
    ) -> tuple[torch.Tensor, KeyValue | None]:
        """The tokens after this block, and their keys and values where asked for.

        `beside`: keys and values of tokens that are looked at and do not look back (isolated references).
        """
        table_BR6D = self.scale_shift_table[:, None] + modulation_BR6D.float()
        shift, scale, gate, ffn_shift, ffn_scale, ffn_gate = table_BR6D.unbind(dim=2)

        normed = modulated(self.norm1(x_BSD.float()), shift, scale, spans).type_as(x_BSD)
        if self.observer is not None and not give_kv:
            self.observer(self.attn1, normed, rotary, beside)
        if beside is None and not give_kv:
            kept, attended = None, self.attn1(normed, None, None, rotary)
        else:
            attended, kept = _attended_beside(self.attn1, normed, rotary, beside)
        x_BSD = (x_BSD.float() + gated(attended, gate, spans)).type_as(x_BSD)

        normed = self.norm2(x_BSD.float()).type_as(x_BSD)
        said = self.attn2(normed, text_BLD, None, None)
        if self.audio is not None and heard is not None:
            said = _with_sound(said, normed[:, heard.tokens], self.attn2, self.audio, heard)
        x_BSD = x_BSD + said

        normed = modulated(self.norm3(x_BSD.float()), ffn_shift, ffn_scale, spans).type_as(x_BSD)
        return (x_BSD.float() + gated(self.ffn(normed).float(), ffn_gate, spans)).type_as(x_BSD), kept


def modulated(
    x_BSD: torch.Tensor, shift_BRD: torch.Tensor, scale_BRD: torch.Tensor, spans: tuple[Span, ...]
) -> torch.Tensor:
    """x * (1 + scale) + shift, with the row of each run of tokens; never a table by token, which would take S * 6 * D floats a block."""
    return _joined(
        [x_BSD[:, low:high] * (1 + scale_BRD[:, row, None]) + shift_BRD[:, row, None] for low, high, row in spans]
    )


def gated(x_BSD: torch.Tensor, gate_BRD: torch.Tensor, spans: tuple[Span, ...]) -> torch.Tensor:
    """x * gate, with the row of each run of tokens."""
    return _joined([x_BSD[:, low:high] * gate_BRD[:, row, None] for low, high, row in spans])


def query_key(attn: WanAttention, x_BSD: torch.Tensor, rotary: Rotary) -> tuple[torch.Tensor, torch.Tensor]:
    """Queries and keys of tokens, (B, S, N, P), normed and turned by their positions."""
    query = turned(_heads(attn.norm_q(attn.to_q(x_BSD)), attn), rotary)
    return query, turned(_heads(attn.norm_k(attn.to_k(x_BSD)), attn), rotary)


def _joined(parts: list[torch.Tensor]) -> torch.Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def _attended_beside(
    attn: WanAttention, x_BSD: torch.Tensor, rotary: Rotary, beside: KeyValue | None
) -> tuple[torch.Tensor, KeyValue]:
    """Self-attention with foreign keys and values in front of the own; and the own."""
    query, key = query_key(attn, x_BSD, rotary)
    value = _heads(attn.to_v(x_BSD), attn)
    all_keys, all_values = (
        (key, value) if beside is None else (torch.cat((beside[0], key), 1), torch.cat((beside[1], value), 1))
    )
    backend = getattr(attn.processor, "_attention_backend", None)
    found = dispatch_attention_fn(query, all_keys, all_values, backend=backend).flatten(2, 3).type_as(query)
    return attn.to_out[1](attn.to_out[0](found)), (key, value)


def _with_sound(
    said_BSD: torch.Tensor, listeners_BSD: torch.Tensor, attn: WanAttention, audio: AudioAttention, heard: Heard
) -> torch.Tensor:
    """Adds the branch to the listeners only; its queries are those of the text attention."""
    queries = attn.norm_q(attn.to_q(listeners_BSD))
    sound = audio(queries, heard.audio_BTWE, tokens_per_frame=heard.tokens_per_frame, start=heard.start)
    low, high = heard.tokens.start, heard.tokens.stop
    return torch.cat((said_BSD[:, :low], said_BSD[:, low:high] + sound, said_BSD[:, high:]), dim=1)


def _heads(x_BSD: torch.Tensor, attn: WanAttention) -> torch.Tensor:
    return x_BSD.unflatten(2, (attn.heads, -1))
