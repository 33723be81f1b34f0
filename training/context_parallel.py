"""Ulysses: ranks hold parts of a sequence, and during attention parts of the heads instead.

Gradients: every rank of a context computes the same loss from the gathered sequence, so each weighs it by one through the number
of ranks, and gradients of weights are summed over them (`training.trainer`).

Shapes: B samples, S tokens of the sequence, s of this rank, N heads, n of this rank, P channels of a head, D width.
"""

from typing import Any

import torch
import torch.distributed as dist
from diffusers.models.attention_dispatch import dispatch_attention_fn

from training.rope import Rotary, turned


class UlyssesSharding:
    """Contiguous parts, as equal as can be: of the first ranks one token longer where the number does not divide."""

    def __init__(self, group: dist.ProcessGroup) -> None:
        self.group, self.rank, self.size = group, dist.get_rank(group), dist.get_world_size(group)
        self.lengths: list[int] = []
        """Tokens of each rank, of the sequence that was split last: the one being worked on."""

    def bounds(self, num_tokens: int) -> tuple[int, int]:
        start = sum(_parts(num_tokens, self.size)[: self.rank])
        return start, start + _parts(num_tokens, self.size)[self.rank]

    def split(self, x_BSD: torch.Tensor) -> torch.Tensor:
        self.lengths = _parts(x_BSD.shape[1], self.size)
        start, stop = self.bounds(x_BSD.shape[1])
        return x_BSD[:, start:stop].contiguous()

    def gather(self, x_BSD: torch.Tensor) -> torch.Tensor:
        return _Gathered.apply(x_BSD, self.group, self.lengths)  # pyright: ignore[reportReturnType]


class UlyssesProcessor:
    """Self-attention of diffusers' Wan block over a shared sequence. Text attention needs no other rank's tokens."""

    _attention_backend = None
    _parallel_config = None

    def __init__(self, sharding: UlyssesSharding) -> None:
        self.sharding = sharding

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        rotary_emb: Rotary | None = None,
    ) -> torch.Tensor:
        """Attention over all ranks' tokens for this rank's, (B, s, D). There is no mask and no foreign text here."""
        assert encoder_hidden_states is None, "a shared sequence attends to itself"
        assert attention_mask is None, "no token is hidden"
        assert rotary_emb is not None, "video tokens have positions"
        query, key, value = (
            norm(project(hidden_states)).unflatten(2, (attn.heads, -1))
            for project, norm in ((attn.to_q, attn.norm_q), (attn.to_k, attn.norm_k), (attn.to_v, torch.nn.Identity()))
        )
        query, key = turned(query, rotary_emb), turned(key, rotary_emb)
        group, lengths = self.sharding.group, self.sharding.lengths
        query, key, value = (_Exchanged.apply(x, group, lengths, True) for x in (query, key, value))
        found = dispatch_attention_fn(query, key, value, backend=self._attention_backend)
        own = _Exchanged.apply(found, group, lengths, False)
        return attn.to_out[1](attn.to_out[0](own.flatten(2, 3).type_as(hidden_states)))  # pyright: ignore


class _Gathered(torch.autograd.Function):
    """All ranks' tokens; backward sums what every rank says of this rank's."""

    @staticmethod
    def forward(ctx: Any, x_BsD: torch.Tensor, group: dist.ProcessGroup, lengths: list[int]) -> torch.Tensor:
        ctx.group, ctx.lengths = group, lengths
        batch, _, width = x_BsD.shape
        padded = x_BsD.new_zeros(max(lengths), batch, width)
        padded[: x_BsD.shape[1]] = x_BsD.transpose(0, 1)
        whole = [torch.empty_like(padded) for _ in lengths]
        dist.all_gather(whole, padded, group=group)
        return torch.cat([part[:length] for part, length in zip(whole, lengths, strict=True)]).transpose(0, 1).contiguous()

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        summed = grads[0].contiguous().clone()
        dist.all_reduce(summed, group=ctx.group)
        rank = dist.get_rank(ctx.group)
        start = sum(ctx.lengths[:rank])
        return summed[:, start : start + ctx.lengths[rank]].contiguous(), None, None


class _Exchanged(torch.autograd.Function):
    """Tokens for heads: (B, s, N, P) to (B, S, n, P), and back."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, group: dist.ProcessGroup, lengths: list[int], to_heads: bool) -> torch.Tensor:
        ctx.group, ctx.lengths, ctx.to_heads = group, lengths, to_heads
        return _heads_of_all(x, group, lengths) if to_heads else _tokens_of_all(x, group, lengths)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        back = _tokens_of_all if ctx.to_heads else _heads_of_all
        return back(grads[0].contiguous(), ctx.group, ctx.lengths), None, None, None


def _heads_of_all(x_BsNP: torch.Tensor, group: dist.ProcessGroup, lengths: list[int]) -> torch.Tensor:
    """All tokens of this rank's heads."""
    size = len(lengths)
    batch, tokens, heads, channels = x_BsNP.shape
    # Rows are sent by rank: first who gets them, then token.
    rows = x_BsNP.reshape(batch, tokens, size, heads // size, channels).permute(2, 1, 0, 3, 4).flatten(0, 1).contiguous()
    found = rows.new_empty(sum(lengths), *rows.shape[1:])
    dist.all_to_all_single(found, rows, lengths, [tokens] * size, group=group)
    return found.transpose(0, 1).contiguous()


def _tokens_of_all(x_BSnP: torch.Tensor, group: dist.ProcessGroup, lengths: list[int]) -> torch.Tensor:
    """This rank's tokens of all heads."""
    size, mine = len(lengths), lengths[dist.get_rank(group)]
    rows = x_BSnP.transpose(0, 1).contiguous()
    found = rows.new_empty(size * mine, *rows.shape[1:])
    dist.all_to_all_single(found, rows, [mine] * size, lengths, group=group)
    return found.unflatten(0, (size, mine)).permute(2, 1, 0, 3, 4).flatten(2, 3).contiguous()


def _parts(num_tokens: int, size: int) -> list[int]:
    whole, rest = divmod(num_tokens, size)
    return [whole + (rank < rest) for rank in range(size)]
