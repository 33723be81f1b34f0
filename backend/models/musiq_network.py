"""MUSIQ under the keys of pyiqa's checkpoints. Imports torch: import it where one is made.

Written from the paper and the published tensors, because pyiqa may not be used commercially and brings 31 packages.
Shapes: B pictures, L patches of all scales, D width.
"""

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

STEM = 64  # channels of the first convolution
GROUPS = 32  # of all group normalisations
SCALES = (224, 384)  # longer sides of the small copies (MUSIQ, section 3.2); the picture itself is the third scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What tells one MUSIQ from another; the defaults are the published network's."""

    patch_px: int = 32
    width: int = 384
    mlp: int = 1152
    layers: int = 14
    heads: int = 6
    grid: int = 10

    @classmethod
    def of(cls, state: Mapping[str, torch.Tensor]) -> "Sizes":
        """Read from the shapes of a state dict. Raises KeyError for one of another kind."""
        encoder = "transformer_encoder"
        width, flat = state["embedding.weight"].shape
        blocks = f"{encoder}.transformer.encoderblock_"
        return cls(
            patch_px=4 * round((flat / (4 * STEM)) ** 0.5),
            width=width,
            mlp=state[f"{blocks}0.mlp.fc1.weight"].shape[0],
            layers=1 + max(int(key.removeprefix(blocks).split(".")[0]) for key in state if key.startswith(blocks)),
            heads=max(1, width // 64),
            grid=round(state[f"{encoder}.posembed_input.position_emb"].shape[1] ** 0.5),
        )


class MusiqNetwork(nn.Module):
    """Quality of pictures, about 0 to 100 with the SPAQ weights."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self._patch, self._grid = sizes.patch_px, sizes.grid
        self.conv_root = _StandardizedConv(3, STEM, 7, 2, bias=False)
        self.gn_root = nn.GroupNorm(GROUPS, STEM, eps=1e-6)
        self.block1 = _Bottleneck()
        self.embedding = nn.Linear(4 * STEM * (sizes.patch_px // 4) ** 2, sizes.width)
        self.transformer_encoder = _Encoder(sizes)
        self.head = nn.Linear(sizes.width, 1)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """`(B,)` of pictures float in [0, 1] of one size."""
        x_BCHW = (x_BCHW - 0.5) * 2
        scales = [*(_shrunk(x_BCHW, longer_px) for longer_px in SCALES), x_BCHW]
        return self.head(self.transformer_encoder(torch.cat([self._tokens(x, n) for n, x in enumerate(scales)], dim=1)))[
            :, 0
        ]

    def _tokens(self, x_BCHW: torch.Tensor, scale: int) -> torch.Tensor:
        """Patches of one scale `(B, L, D)`, with what tells their place and scale.

        Published code fills small copies up with empty patches, which it hides from all others; here there are none.
        """
        size, patch = len(x_BCHW), self._patch
        x_BCHW = _same_padded(x_BCHW, patch, patch)
        rows, columns = x_BCHW.shape[-2] // patch, x_BCHW.shape[-1] // patch
        x_LCHW = F.unfold(x_BCHW, patch, stride=patch).transpose(1, 2).reshape(-1, 3, patch, patch)
        places_L = (_hashed(rows, self._grid)[:, None] * self._grid + _hashed(columns, self._grid)).flatten()
        encoder = self.transformer_encoder
        known_LD = encoder.posembed_input.position_emb[0, places_L] + encoder.scaleembed_input.scale_emb[scale]
        return self._embedded(x_LCHW).reshape(size, rows * columns, -1) + known_LD

    def _embedded(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        x_BCHW = F.relu(self.gn_root(self.conv_root(x_BCHW)))
        x_BCHW = self.block1(F.max_pool2d(_same_padded(x_BCHW, 3, 2), 3, 2))
        return self.embedding(x_BCHW.permute(0, 2, 3, 1).flatten(1))  # channels last, as TensorFlow flattens


class _StandardizedConv(nn.Conv2d):
    """Convolution with TensorFlow's `same` padding and weights of zero mean and unit deviation."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        weight = weight / (weight.std((1, 2, 3), keepdim=True) + 1e-5)
        return F.conv2d(_same_padded(x, self.kernel_size[0], self.stride[0]), weight, self.bias, self.stride)


class _Bottleneck(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.gn1 = _StandardizedConv(STEM, STEM, 1, bias=False), nn.GroupNorm(GROUPS, STEM, eps=1e-4)
        self.conv2, self.gn2 = _StandardizedConv(STEM, STEM, 3, bias=False), nn.GroupNorm(GROUPS, STEM, eps=1e-4)
        self.conv3, self.gn3 = _StandardizedConv(STEM, 4 * STEM, 1, bias=False), nn.GroupNorm(GROUPS, 4 * STEM, eps=1e-4)
        self.conv_proj = _StandardizedConv(STEM, 4 * STEM, 1, bias=False)
        self.gn_proj = nn.GroupNorm(GROUPS, 4 * STEM, eps=1e-4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        beside = self.gn_proj(self.conv_proj(x))
        x = F.relu(self.gn1(self.conv1(x)))
        x = F.relu(self.gn2(self.conv2(x)))
        return F.relu(self.gn3(self.conv3(x)) + beside)


class _Encoder(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.posembed_input = _Places(sizes)
        self.scaleembed_input = _Scales(sizes)
        self.cls = nn.Parameter(torch.zeros(1, 1, sizes.width))
        self.encoder_norm = nn.LayerNorm(sizes.width, eps=1e-6)
        self.transformer = nn.ModuleDict({f"encoderblock_{n}": _Block(sizes) for n in range(sizes.layers)})

    def forward(self, tokens_BLD: torch.Tensor) -> torch.Tensor:
        """The class token's output `(B, D)`."""
        x_BLD = torch.cat((self.cls.expand(len(tokens_BLD), 1, -1), tokens_BLD), dim=1)
        for block in self.transformer.values():
            x_BLD = block(x_BLD)
        return self.encoder_norm(x_BLD[:, 0])


class _Places(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.position_emb = nn.Parameter(torch.zeros(1, sizes.grid**2, sizes.width))


class _Scales(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.scale_emb = nn.Parameter(torch.zeros(len(SCALES) + 1, sizes.width))


class _Block(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(sizes.width, eps=1e-6)
        self.attention = _Attention(sizes)
        self.norm2 = nn.LayerNorm(sizes.width, eps=1e-6)
        layers = (
            ("fc1", nn.Linear(sizes.width, sizes.mlp)),
            ("gelu", nn.GELU()),
            ("fc2", nn.Linear(sizes.mlp, sizes.width)),
        )
        self.mlp = nn.Sequential(OrderedDict(layers))

    def forward(self, x_BLD: torch.Tensor) -> torch.Tensor:
        x_BLD = x_BLD + self.attention(self.norm1(x_BLD))
        return x_BLD + self.mlp(self.norm2(x_BLD))


class _Attention(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self._heads = sizes.heads
        self.query, self.key = nn.Linear(sizes.width, sizes.width), nn.Linear(sizes.width, sizes.width)
        self.value, self.out = nn.Linear(sizes.width, sizes.width), nn.Linear(sizes.width, sizes.width)

    def forward(self, x_BLD: torch.Tensor) -> torch.Tensor:
        split = (*x_BLD.shape[:2], self._heads, -1)
        query, key, value = (layer(x_BLD).reshape(split).transpose(1, 2) for layer in (self.query, self.key, self.value))
        return self.out(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


def _shrunk(x_BCHW: torch.Tensor, longer_px: int) -> torch.Tensor:
    """Resized in proportion, also upwards, so that the longer side has `longer_px`."""
    height, width = x_BCHW.shape[-2:]
    ratio = longer_px / max(height, width)
    return F.interpolate(x_BCHW, (round(height * ratio), round(width * ratio)), mode="bicubic", align_corners=False)


def _hashed(count: int, grid: int) -> torch.Tensor:
    """Cell of each of `count` neighbouring patches in a grid of fixed size, int64."""
    return F.interpolate(torch.arange(grid).float()[None, None], count, mode="nearest")[0, 0].long()


def _same_padded(x_BCHW: torch.Tensor, kernel: int, stride: int) -> torch.Tensor:
    """Zeros around, the odd one after, so that a step gives `ceil(side / stride)` values."""
    pads: list[int] = []
    for side in (x_BCHW.shape[-1], x_BCHW.shape[-2]):
        total = (math.ceil(side / stride) - 1) * stride + kernel - side
        pads += [max(0, total) // 2, max(0, total) - max(0, total) // 2]
    return F.pad(x_BCHW, pads)
