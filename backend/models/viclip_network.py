"""ViCLIP's two towers under the keys of `ViClip-InternVid-10M-FLT.pth`. Imports torch: import it where one is made.

Shapes: B videos, T frames, N patches, L tokens, D width.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

HEAD_WIDTH = 64  # of both towers: 16 heads for 1024, 12 for 768 (CLIP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What tells one ViCLIP from another; the defaults are ViCLIP-L/14."""

    input_px: int = 224
    patch_px: int = 14
    num_frames: int = 8
    width: int = 1024
    layers: int = 24
    text_width: int = 768
    text_layers: int = 12
    vocabulary: int = 49408
    context: int = 32
    dim: int = 768

    @classmethod
    def of(cls, state: Mapping[str, torch.Tensor]) -> "Sizes":
        """Read from the shapes of a state dict. Raises KeyError for one of another kind."""
        width, _, _, patch, _ = state["vision_encoder.conv1.weight"].shape
        grid = round((state["vision_encoder.positional_embedding"].shape[0] - 1) ** 0.5)
        vocabulary, text_width = state["text_encoder.token_embedding.weight"].shape
        return cls(
            input_px=grid * patch,
            patch_px=patch,
            num_frames=state["vision_encoder.temporal_positional_embedding"].shape[1],
            width=width,
            layers=_depth(state, "vision_encoder"),
            text_width=text_width,
            text_layers=_depth(state, "text_encoder"),
            vocabulary=vocabulary,
            context=state["text_encoder.positional_embedding"].shape[0],
            dim=state["vision_encoder.proj"].shape[1],
        )


class ViClipNetwork(nn.Module):
    """Both towers, and the temperature that only training uses."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.vision_encoder = _VideoTower(sizes)
        self.text_encoder = _TextTower(sizes)
        self.temp = nn.Parameter(torch.tensor(0.01))


class _VideoTower(nn.Module):
    """CLIP's vision transformer, in which the patches of all frames attend to each other."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width, patch = sizes.width, (1, sizes.patch_px, sizes.patch_px)
        self.conv1 = nn.Conv3d(3, width, patch, patch, bias=False)
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.positional_embedding = nn.Parameter(torch.zeros((sizes.input_px // sizes.patch_px) ** 2 + 1, width))
        self.temporal_positional_embedding = nn.Parameter(torch.zeros(1, sizes.num_frames, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = _Transformer(width, sizes.layers)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.zeros(width, sizes.dim))

    def forward(self, x_BCTHW: torch.Tensor) -> torch.Tensor:
        """`(B, dim)` of normalised videos `(B, 3, T, H, W)`."""
        x_BTND = self.conv1(x_BCTHW).flatten(3).permute(0, 2, 3, 1)
        x_BTND = x_BTND + self.positional_embedding[1:] + self.temporal_positional_embedding[:, :, None]
        class_B1D = (self.class_embedding + self.positional_embedding[0]).expand(len(x_BTND), 1, -1)
        x_BLD = self.ln_pre(torch.cat((class_B1D, x_BTND.flatten(1, 2)), dim=1))
        return self.ln_post(self.transformer(x_BLD)[:, 0]) @ self.proj


class _TextTower(nn.Module):
    """CLIP's text transformer, read at the end-of-text token, whose number is the highest."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width = sizes.text_width
        self.token_embedding = nn.Embedding(sizes.vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.zeros(sizes.context, width))
        self.transformer = _Transformer(width, sizes.text_layers)
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.zeros(width, sizes.dim))

    def forward(self, tokens_BL: torch.Tensor) -> torch.Tensor:
        """`(B, dim)` of tokens `(B, context)`, padded with zeros."""
        later_LL = torch.ones(tokens_BL.shape[1], tokens_BL.shape[1], dtype=torch.bool, device=tokens_BL.device).triu(1)
        x_BLD = self.transformer(self.token_embedding(tokens_BL) + self.positional_embedding, later_LL)
        ends_B = tokens_BL.argmax(dim=-1)
        return self.ln_final(x_BLD[torch.arange(len(x_BLD)), ends_B]) @ self.text_projection


class _Transformer(nn.Module):
    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(_Block(width) for _ in range(layers))

    def forward(self, x_BLD: torch.Tensor, hidden_LL: torch.Tensor | None = None) -> torch.Tensor:
        for block in self.resblocks:
            x_BLD = block(x_BLD, hidden_LL)
        return x_BLD


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, width // HEAD_WIDTH, batch_first=True)
        self.ln_1 = nn.LayerNorm(width)
        layers = (("c_fc", nn.Linear(width, 4 * width)), ("gelu", _QuickGelu()), ("c_proj", nn.Linear(4 * width, width)))
        self.mlp = nn.Sequential(OrderedDict(layers))
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, x_BLD: torch.Tensor, hidden_LL: torch.Tensor | None) -> torch.Tensor:
        y_BLD = self.ln_1(x_BLD)
        x_BLD = x_BLD + self.attn(y_BLD, y_BLD, y_BLD, need_weights=False, attn_mask=hidden_LL)[0]
        return x_BLD + self.mlp(self.ln_2(x_BLD))


class _QuickGelu(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(1.702 * x)  # CLIP's approximation of GELU


def _depth(state: Mapping[str, torch.Tensor], tower: str) -> int:
    mark = f"{tower}.transformer.resblocks."
    return 1 + max(int(key.removeprefix(mark).split(".")[0]) for key in state if key.startswith(mark))
