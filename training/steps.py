"""One batch through the model: noise, dropout and what is given clean, all decided by the batch's own seed.

Shapes: B samples, C channels, T H W of a latent.
"""

from dataclasses import replace

import numpy as np
import torch

from training.conditioning import Arrangement, Conditions
from training.config import TrainConfig
from training.dropout import DROPOUT
from training.flow import TIMESTEPS, drawn_times, flow_loss, noised
from training.model import S2VTransformer

SPATIAL_PATCH = 2


def batch_loss(
    model: S2VTransformer,
    arrangement: Arrangement,
    config: TrainConfig,
    x_BCTHW: torch.Tensor,
    conditions: Conditions,
    *,
    seed: int,
    device: torch.device,
) -> torch.Tensor:
    """The loss of each sample (B). Equal seeds give equal draws on every device and every rank of a context."""
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    given = with_known(conditions, x_BCTHW, config, rng)
    given = given.without(DROPOUT[config.conditioning.dropout].draw(len(x_BCTHW), rng))
    spatial_tokens = x_BCTHW.shape[3] * x_BCTHW.shape[4] // SPATIAL_PATCH**2
    t_B = drawn_times(config.times, len(x_BCTHW), generator, spatial_tokens=spatial_tokens)
    noise_BCTHW = torch.randn(x_BCTHW.shape, generator=generator)
    return loss_at(model, arrangement, config, x_BCTHW, noise_BCTHW, t_B, given, device=device)


def loss_at(
    model: S2VTransformer,
    arrangement: Arrangement,
    config: TrainConfig,
    x_BCTHW: torch.Tensor,
    noise_BCTHW: torch.Tensor,
    t_B: torch.Tensor,
    conditions: Conditions,
    *,
    device: torch.device,
) -> torch.Tensor:
    """The loss of each sample (B) at given times, with given noise."""
    dtype = getattr(torch, config.parallel.dtype)
    x, noise, t = x_BCTHW.to(device), noise_BCTHW.to(device), t_B.to(device)
    found = arrangement.velocity(model, noised(x, noise, t).to(dtype), t * TIMESTEPS, moved(conditions, device, dtype))
    layout = arrangement.layouts(tuple(x.shape[2:]), conditions)[0]
    return flow_loss(found, x, noise, layout)


def with_known(conditions: Conditions, x_BCTHW: torch.Tensor, config: TrainConfig, rng: np.random.Generator) -> Conditions:
    """The clean start of the stream that chance gives this batch; a clip too short for a prefix has none.

    A base of Wan I2V is given its first frame beside the noise (`Conditions.first_frame_BCTHW`), others as a clean latent. A prefix
    takes its place, as it does in sampling (`training.long_video.chunk_conditions`).
    """
    chance = rng.random()
    wanted, frames = config.conditioning, x_BCTHW.shape[2]
    if chance < wanted.prefix and frames > wanted.prefix_latents:
        known = x_BCTHW[:, :, : wanted.prefix_latents]
        return replace(conditions, known_BCTHW=known, known_as="prefix", first_frame_BCTHW=None)
    is_first = wanted.prefix <= chance < wanted.prefix + wanted.first_frame and frames > 1
    if conditions.image_BIA is not None:
        nothing = {"first_frame_BCTHW": None, "image_BIA": torch.zeros_like(conditions.image_BIA)}
        return conditions if is_first else replace(conditions, **nothing)
    return replace(conditions, known_BCTHW=x_BCTHW[:, :, :1], known_as="first_frame") if is_first else conditions


def moved(conditions: Conditions, device: torch.device, dtype: torch.dtype) -> Conditions:
    """The tensors on a device, in the type of computation."""

    def to(x: torch.Tensor | None) -> torch.Tensor | None:
        return None if x is None else x.to(device, dtype, non_blocking=True)

    return replace(
        conditions,
        text_BLA=conditions.text_BLA.to(device, dtype),
        empty_text_BLA=conditions.empty_text_BLA.to(device, dtype),
        anchor_latents=tuple(x.to(device, dtype) for x in conditions.anchor_latents),
        known_BCTHW=to(conditions.known_BCTHW),
        first_frame_BCTHW=to(conditions.first_frame_BCTHW),
        image_BIA=to(conditions.image_BIA),
        audio_BTWA=to(conditions.audio_BTWA),
    )
