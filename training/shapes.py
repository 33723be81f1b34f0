"""Sizes of the bases, as published, and what a forward costs; without torch, since configs name them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

GLORIA_AUDIO_WIDTH = 1024  # our choice: with 768 to 1024 the model has the 17 B of Gloria, section 5.1
TEXT_TOKENS = 512  # diffusers' Wan attention counts image tokens as those before the last 512
MASK_CHANNELS = 4  # Wan I2V: one for each frame of a latent
WAV2VEC2_CHANNELS = 768  # wav2vec 2.0 base


@dataclass(frozen=True, slots=True, kw_only=True)
class WanShape:
    """The arguments of `S2VTransformer`, complete. Defaults are Wan 2.1 T2V 1.3B."""

    num_attention_heads: int = 12
    attention_head_dim: int = 128
    in_channels: int = 16
    out_channels: int = 16
    text_dim: int = 4096
    freq_dim: int = 256
    ffn_dim: int = 8960
    num_layers: int = 30
    cross_attn_norm: bool = True
    eps: float = 1e-6
    image_dim: int | None = None
    added_kv_proj_dim: int | None = None
    audio_dim: int | None = None
    audio_width: int = GLORIA_AUDIO_WIDTH
    audio_every: int = 2
    isolated_anchors: bool = False

    @property
    def width(self) -> int:
        return self.num_attention_heads * self.attention_head_dim

    @property
    def takes_image_channels(self) -> bool:
        """Whether latents come with a mask and a condition beside the noise: Wan I2V."""
        return self.in_channels > self.out_channels

    def with_latents(self, channels: int) -> "WanShape":
        """The same for latents of so many channels."""
        beside = channels + MASK_CHANNELS if self.takes_image_channels else 0
        return replace(self, in_channels=channels + beside, out_channels=channels)

    def with_audio(self, channels: int = WAV2VEC2_CHANNELS) -> "WanShape":
        """The same with the branch for sound."""
        return replace(self, audio_dim=channels)


def tiny() -> WanShape:
    """For tests and the CPU: 2 blocks of width 48."""
    return WanShape(
        num_attention_heads=2, attention_head_dim=24, text_dim=32, freq_dim=32, ffn_dim=64, num_layers=2, audio_width=16
    )


def tiny_i2v() -> WanShape:
    """The same as a base of Wan I2V: noise, mask and condition, and features of the first frame (the embedded PatchEncoder's)."""
    shape = tiny()
    return replace(shape, in_channels=36, image_dim=192, added_kv_proj_dim=shape.width)


def wan_1_3b() -> WanShape:
    """Wan 2.1 T2V 1.3B: 1.419 B parameters."""
    return WanShape()


def wan_14b() -> WanShape:
    """Wan 2.1 T2V 14B: 14.288 B parameters."""
    return WanShape(num_attention_heads=40, ffn_dim=13824, num_layers=40)


def wan_i2v_14b() -> WanShape:
    """Wan 2.1 I2V 14B: 16.395 B parameters; 16 channels of noise, 4 of mask, 16 of condition, and CLIP embeddings."""
    return replace(wan_14b(), in_channels=36, image_dim=1280, added_kv_proj_dim=5120)


def wan_5b() -> WanShape:
    """Wan 2.2 TI2V 5B; first frame as a clean latent at timestep 0. Gloria's 5 B is not described; this base is our choice."""
    return WanShape(num_attention_heads=24, ffn_dim=14336, in_channels=48, out_channels=48)


SHAPES: Mapping[str, Callable[[], WanShape]] = {
    "tiny": tiny,
    "tiny_i2v": tiny_i2v,
    "wan_1_3b": wan_1_3b,
    "wan_14b": wan_14b,
    "wan_i2v_14b": wan_i2v_14b,
    "wan_5b": wan_5b,
}


def forward_flops(shape: WanShape, num_tokens: int, *, text_tokens: int = 512) -> float:
    """Multiplications and additions of one forward's blocks; a training step takes three times as many, four if recomputed.

    Of a block on N tokens of width d: N (12 d^2 + 4 d f) for projections and feed-forward, 4 N^2 d for self-attention, which at
    480p is 70 % of a 1.3B's, and 4 L d^2 + 4 N L d for the text. Embeddings and sound are left out.
    """
    width, tokens, text = shape.width, num_tokens, text_tokens
    projections = tokens * (12 * width**2 + 4 * width * shape.ffn_dim)
    attention = 4 * tokens**2 * width
    cross = 4 * text * width**2 + 4 * tokens * text * width
    return float(shape.num_layers * (projections + attention + cross))
