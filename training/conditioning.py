"""What a batch is generated from, what of it can be left out, and how it becomes a sequence.

Shapes: B samples, L text tokens, I image tokens, A channels of an encoder, C channels of latents, T H W of a latent, W frames of
a window of sound.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch

from training.guidance import Dropped
from training.layout import WAN_PATCH, PositionScheme, Segment, SequenceLayout, clip_segments
from training.model import AnchorCache, S2VTransformer
from training.shapes import MASK_CHANNELS


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Of B samples. Their anchors have equal sizes; categories and slots may differ."""

    text_BLA: torch.Tensor
    empty_text_BLA: torch.Tensor
    """What stands for a dropped text, for one sample or each: the empty prompt, or a negative one while sampling."""
    anchors: tuple[tuple[Segment, ...], ...] = ((),)
    """For each sample, or once for all."""
    anchor_latents: tuple[torch.Tensor, ...] = ()
    """(B, C, 1, H, W) for each anchor, in this order."""
    known_BCTHW: torch.Tensor | None = None
    """Clean latents at the start of the stream."""
    known_as: Literal["prefix", "first_frame"] = "prefix"
    first_frame_BCTHW: torch.Tensor | None = None
    """Of Wan I2V: latents of a clip that begins with the first frame and is grey after it (`LatentCodec.encode_start`)."""
    image_BIA: torch.Tensor | None = None
    """Of Wan I2V: CLIP embeddings of the first frame."""
    audio_BTWA: torch.Tensor | None = None

    @property
    def given(self) -> frozenset[str]:
        """The names of the conditions that are there."""
        optional = {"image": self.image_BIA, "audio": self.audio_BTWA}
        roles = {anchor.role for anchor in self.anchors[0]}
        return frozenset({"text", *roles, *(name for name, value in optional.items() if value is not None)})

    def without(self, dropped: Dropped | Sequence[Dropped]) -> "Conditions":
        """These left out, of all samples or of each: the empty text, and zeros for all else; tokens stay (Phantom)."""
        each = [dropped] * len(self.text_BLA) if isinstance(dropped, frozenset) else dropped
        assert len(each) == len(self.text_BLA), f"{len(each)} draws for {len(self.text_BLA)} samples"

        def kept(name: str, x: torch.Tensor | None) -> torch.Tensor | None:
            return None if x is None else x * _column([name not in names for names in each], x)

        empty = self.empty_text_BLA.expand_as(self.text_BLA)
        text = torch.where(_column(["text" in names for names in each], empty).bool(), empty, self.text_BLA)
        latents = [kept(anchor.role, x) for anchor, x in zip(self.anchors[0], self.anchor_latents, strict=True)]
        return replace(
            self,
            text_BLA=text,
            anchor_latents=tuple(x for x in latents if x is not None),
            image_BIA=kept("image", self.image_BIA),
            audio_BTWA=kept("audio", self.audio_BTWA),
        )

    def without_tokens(self, roles: Dropped) -> "Conditions":
        """Anchors of these roles gone from all samples, which makes the sequence shorter."""
        stay = [index for index, anchor in enumerate(self.anchors[0]) if anchor.role not in roles]
        return replace(
            self,
            anchors=tuple(tuple(each[index] for index in stay) for each in self.anchors),
            anchor_latents=tuple(self.anchor_latents[index] for index in stay),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """How noise and conditions become the sequence of one model."""

    scheme: PositionScheme
    anchors_first: bool = False
    patch: tuple[int, int, int] = WAN_PATCH
    image_channels: bool = False
    """Wan I2V: mask and condition beside the noise (`WanShape.takes_image_channels`)."""

    def velocity(
        self,
        model: S2VTransformer,
        x_BCTHW: torch.Tensor,
        timestep_B: torch.Tensor,
        conditions: Conditions,
        *,
        cache: AnchorCache | None = None,
    ) -> torch.Tensor:
        """What the model says of the stream x; where latents are known, x is not looked at and the answer means nothing."""
        layouts = self.layouts(tuple(x_BCTHW.shape[2:]), conditions)
        return model(
            self.latents(x_BCTHW, conditions),
            layouts,
            timestep_B,
            conditions.text_BLA,
            image_BIA=conditions.image_BIA,
            audio_BTWA=conditions.audio_BTWA,
            cache=cache,
        )

    def layouts(self, size: Sequence[int], conditions: Conditions) -> tuple[SequenceLayout, ...]:
        """One for each sample, or one for all, for a stream of T, H, W latents."""
        frames, rows, columns = size
        known = 0 if conditions.known_BCTHW is None else conditions.known_BCTHW.shape[2]
        as_prefix = conditions.known_as == "prefix"
        stream = clip_segments(
            (frames, rows, columns), first_frame=known > 0 and not as_prefix, prefix=known if as_prefix else 0
        )
        return tuple(
            SequenceLayout(
                stream=stream, anchors=anchors, scheme=self.scheme, anchors_first=self.anchors_first, patch=self.patch
            )
            for anchors in conditions.anchors
        )

    def latents(self, x_BCTHW: torch.Tensor, conditions: Conditions) -> list[torch.Tensor]:
        """The tensors of the segments, in the layout's order."""
        known = conditions.known_BCTHW
        num_known = 0 if known is None else known.shape[2]
        parts = [x_BCTHW[:, :, num_known:]] if known is None else [known, x_BCTHW[:, :, num_known:]]
        anchors = list(conditions.anchor_latents)
        if self.image_channels:
            beside = image_condition(x_BCTHW, conditions)
            pieces = [beside] if known is None else [beside[:, :, :num_known], beside[:, :, num_known:]]
            parts = [torch.cat(pair, dim=1) for pair in zip(parts, pieces, strict=True)]
            anchors = [torch.cat((x, torch.ones_like(x[:, :MASK_CHANNELS]), x), dim=1) for x in anchors]
        return anchors + parts if self.anchors_first else parts + anchors


def image_condition(x_BCTHW: torch.Tensor, conditions: Conditions) -> torch.Tensor:
    """Mask and condition channels of Wan I2V for a stream: (B, 4 + C, T, H, W).

    The mask is 1 where a frame is given. Our choices, where Gloria is silent: given prefix latents are marked and repeated in the
    condition, and anchors carry their latent as both noise and condition under a mask of ones.
    """
    batch, _, frames, rows, columns = x_BCTHW.shape
    mask = x_BCTHW.new_zeros(batch, MASK_CHANNELS, frames, rows, columns)
    condition = torch.zeros_like(x_BCTHW)
    if conditions.first_frame_BCTHW is not None:
        condition = conditions.first_frame_BCTHW.to(x_BCTHW)
        mask[:, :, 0] = 1
    if conditions.known_BCTHW is not None:
        known = conditions.known_BCTHW.shape[2]
        condition = torch.cat((conditions.known_BCTHW.to(x_BCTHW), condition[:, :, known:]), dim=2)
        mask[:, :, :known] = 1
    return torch.cat((mask, condition), dim=1)


def encode_each(
    encode: Callable[[torch.Tensor], torch.Tensor], pictures: Sequence[torch.Tensor]
) -> tuple[torch.Tensor, ...]:
    """Latents (B, C, 1, H, W) of pictures (B, 3, H, W), each encoded as a clip of its own.

    Pictures as frames of one clip would lose all but one in four: a causal video VAE packs four frames into a latent.
    """
    return tuple(encode(picture[:, :, None]) for picture in pictures)


def _column(flags: Sequence[bool], x: torch.Tensor) -> torch.Tensor:
    """0 or 1 for each sample, ready to be multiplied with x."""
    return torch.tensor(flags, device=x.device).to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))
