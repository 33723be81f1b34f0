"""Flow matching: straight paths from latents to noise, and where on them to train.

x_t = (1 - t) x_0 + t e, and the model is asked for the velocity e - x_0 (Kaleido, equation 2; Phantom-Data, section 5.1).
The transformer is told 1000 t.

Shapes: B samples, C channels, T H W of a latent.
"""

import math

import torch

from training.layout import SequenceLayout
from training.times import TimeSampling

TIMESTEPS = 1000.0  # Wan: t = 1 is timestep 1000
FLUX_TOKENS = (256, 4096)  # Flux: spatial tokens between which the shift of densities is linear ...
FLUX_LOG_SHIFTS = (0.5, 1.15)  # ... and its logarithms there


def noised(x_BCTHW: torch.Tensor, noise_BCTHW: torch.Tensor, t_B: torch.Tensor) -> torch.Tensor:
    """x_t. `t_B`: 0 clean to 1 noise."""
    t = t_B.reshape(-1, *[1] * (x_BCTHW.ndim - 1))
    return (1 - t) * x_BCTHW + t * noise_BCTHW


def velocity(x_BCTHW: torch.Tensor, noise_BCTHW: torch.Tensor) -> torch.Tensor:
    """What the model should say."""
    return noise_BCTHW - x_BCTHW


def clean(x_t_BCTHW: torch.Tensor, velocity_BCTHW: torch.Tensor, t_B: torch.Tensor) -> torch.Tensor:
    """x_0, as x_t and a velocity say."""
    return x_t_BCTHW - t_B.reshape(-1, *[1] * (x_t_BCTHW.ndim - 1)) * velocity_BCTHW


def flow_loss(
    predicted_BCTHW: torch.Tensor, x_BCTHW: torch.Tensor, noise_BCTHW: torch.Tensor, layout: SequenceLayout
) -> torch.Tensor:
    """Mean squared error (B) over the latents that the model is asked for: no anchors, no first frame, no prefix.

    All three (B, C, T, H, W) are of the whole stream. The plain mean is also how OpenS2V-Nexus checks its data on a ConsisID
    model. In float32, whatever the model's type.
    """
    frames = layout.video_frames
    target = velocity(x_BCTHW, noise_BCTHW)[:, :, frames].float()
    return (predicted_BCTHW[:, :, frames].float() - target).square().flatten(1).mean(dim=1)


def shifted(t: torch.Tensor, shift: float) -> torch.Tensor:
    """Times moved towards noise: s t / (1 + (s - 1) t). A shift of 1 moves nothing."""
    return shift * t / (1 + (shift - 1) * t)


def token_shift(spatial_tokens: int) -> float:
    """The shift for so many tokens a frame: exp(mu), mu linear in tokens, as Flux has it and Kaleido's code uses it."""
    (low, high), (first, last) = FLUX_TOKENS, FLUX_LOG_SHIFTS
    return math.exp(first + (spatial_tokens - low) * (last - first) / (high - low))


def drawn_times(sampling: TimeSampling, samples: int, generator: torch.Generator, *, spatial_tokens: int) -> torch.Tensor:
    """t (B) in [0, 1], float32, on the generator's device. `spatial_tokens`: of one frame."""
    if sampling.density == "uniform":
        t = torch.rand(samples, generator=generator, device=generator.device)
    else:
        normal = torch.randn(samples, generator=generator, device=generator.device)
        t = torch.sigmoid(sampling.mean + sampling.spread * normal)
    return shifted(t, token_shift(spatial_tokens) if sampling.shift == "tokens" else sampling.shift)
