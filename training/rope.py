"""Rotary embedding from explicit position ids, as Wan does it: three axes, interleaved pairs, tables in float32.

diffusers' own table is indexed by whole numbers from 0 to 1023; ids here may be any number, and angles are taken in float64.

Shapes: B samples (1 where all share ids), S tokens, N heads, P channels of a head.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from training.layout import SequenceLayout

THETA = 10000.0  # Wan 2.1
Rotary = tuple[torch.Tensor, torch.Tensor]
"""cos and sin, float32 (B, S, 1, P), each value twice in a row."""


def axis_channels(head_channels: int) -> tuple[int, int, int]:
    """Channels of a head that turn with t, h and w: Wan gives each spatial axis a third, rounded down to pairs."""
    spatial = 2 * (head_channels // 6)
    return head_channels - 2 * spatial, spatial, spatial


def rotary_table(ids_BS3: torch.Tensor, head_channels: int) -> Rotary:
    """Tables for float64 ids (B, S, 3), on their device."""
    angles = []
    for axis, channels in enumerate(axis_channels(head_channels)):
        exponent = torch.arange(0, channels, 2, dtype=torch.float64, device=ids_BS3.device) / channels
        angles.append(ids_BS3[..., axis, None] * (1.0 / THETA**exponent))
    angles_BSP = torch.cat(angles, dim=-1)[:, :, None]
    return _paired(angles_BSP.cos()), _paired(angles_BSP.sin())


def layout_rotary(layouts: Sequence[SequenceLayout], head_channels: int, device: torch.device) -> Rotary:
    """Tables of a batch whose samples have one layout each, or all the same one."""
    ids = np.stack([_ids(layout) for layout in layouts])
    return rotary_table(torch.from_numpy(ids).to(device), head_channels)


def turned(x_BSNP: torch.Tensor, rotary: Rotary) -> torch.Tensor:
    """Queries or keys turned by their positions; in float32, given back in their own type."""
    even, odd = x_BSNP.unflatten(-1, (-1, 2)).unbind(-1)
    cos, sin = rotary[0][..., 0::2], rotary[1][..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2).type_as(x_BSNP)


def _paired(x_BSP: torch.Tensor) -> torch.Tensor:
    return x_BSP.float().repeat_interleave(2, dim=-1)


@lru_cache(maxsize=64)
def _ids(layout: SequenceLayout) -> np.ndarray:
    return layout.position_ids()
