"""From noise to latents: Euler and UniPC on flow matching's times, by diffusers' schedulers, under guidance.

Shapes: B samples, C channels, T H W of a latent.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

from training.conditioning import Arrangement, Conditions
from training.flow import noised
from training.guidance import Dropped, GuidanceChain
from training.layout import ANCHOR_ROLES
from training.model import AnchorCache, S2VTransformer

Velocity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""x (B, C, T, H, W) and timesteps (B) to the velocity of x."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    """How to step. Phantom: unipc, 50 steps, shift 5. Phantom-Data: euler, 50. Kaleido's code: euler, 50, shift 7."""

    method: Literal["euler", "unipc"] = "unipc"
    steps: int = 50
    shift: float = 5.0

    def scheduler(self) -> FlowMatchEulerDiscreteScheduler | UniPCMultistepScheduler:
        """diffusers', with its times set: for euler, even from 1 to 0 before the shift.

        Left alone, its euler would shift the least time twice and spend the last step on next to nothing.
        """
        if self.method == "euler":
            euler = FlowMatchEulerDiscreteScheduler(shift=self.shift)
            euler.set_timesteps(sigmas=[1 - step / self.steps for step in range(self.steps)])
            return euler
        unipc = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=self.shift)
        unipc.set_timesteps(self.steps)
        return unipc


@torch.no_grad()
def denoise(
    velocity: Velocity,
    noise_BCTHW: torch.Tensor,
    sampler: Sampler,
    *,
    before_step: Callable[[torch.Tensor, float], torch.Tensor] | None = None,
) -> torch.Tensor:
    """Latents from noise, in float32 between the steps as diffusers' pipelines do.

    `before_step(x, t)` may change x before the model sees it at t (0 clean to 1 noise); what it gives is stepped from.
    """
    scheduler: Any = sampler.scheduler()
    x = noise_BCTHW.float()
    for timestep, sigma in zip(scheduler.timesteps, scheduler.sigmas.tolist(), strict=False):
        if before_step is not None:
            x = before_step(x, sigma)
        found = velocity(x.to(noise_BCTHW.dtype), timestep.to(x.device).expand(len(x)))
        x = scheduler.step(found.float(), timestep, x, return_dict=False)[0]
    return x.to(noise_BCTHW.dtype)


def clip_latents(
    guided: "GuidedModel", noise_BCTHW: torch.Tensor, sampler: Sampler, *, soft_prefix: torch.Tensor | None = None
) -> torch.Tensor:
    """One clip. Known latents of the conditions come back as they are.

    `soft_prefix` (B, C, T, H, W): latents that the clip should begin with, noised along and generated again.
    """
    before_step = None if soft_prefix is None else renoised(soft_prefix, noise_BCTHW)
    latents = denoise(guided, noise_BCTHW, sampler, before_step=before_step)
    known = guided.conditions.known_BCTHW
    return latents if known is None else torch.cat((known.to(latents), latents[:, :, known.shape[2] :]), dim=2)


def renoised(prefix_BCTHW: torch.Tensor, noise_BCTHW: torch.Tensor) -> Callable[[torch.Tensor, float], torch.Tensor]:
    """Puts the prefix at the noise of each step before the model sees it; after the last step the model has moved it."""
    overlap = prefix_BCTHW.shape[2]

    def before_step(x: torch.Tensor, t: float) -> torch.Tensor:
        again = noised(prefix_BCTHW, noise_BCTHW[:, :, :overlap], torch.full((len(x),), t, device=x.device))
        return torch.cat((again.to(x), x[:, :, overlap:]), dim=2)

    return before_step


@dataclass(slots=True, kw_only=True)
class GuidedModel:
    """A model under guidance for one batch: a `Velocity`.

    Conditions that a batch lacks are taken from the chain. Isolated anchors are computed at the first step, once for each branch.
    """

    model: S2VTransformer
    arrangement: Arrangement
    conditions: Conditions
    chain: GuidanceChain
    dropped_anchors: Literal["zero", "remove"] = "zero"
    """Phantom: zero latents, tokens kept. remove: a shorter sequence, cheaper, for a model trained so (our option)."""
    before_forward: Callable[[Dropped, float], None] | None = None
    """Told before each forward what it leaves out, and its timestep."""
    _branches: tuple[tuple[Dropped, Conditions, AnchorCache | None], ...] = field(init=False)

    def __post_init__(self) -> None:
        self.chain = self.chain.of(self.conditions.given)
        isolated = self.model.config["isolated_anchors"]
        self._branches = tuple(
            (dropped, self._branch(dropped), AnchorCache() if isolated else None) for dropped in self.chain.branches()
        )

    def __call__(self, x_BCTHW: torch.Tensor, timestep_B: torch.Tensor) -> torch.Tensor:
        velocities = []
        for dropped, conditions, cache in self._branches:
            if self.before_forward is not None:
                self.before_forward(dropped, float(timestep_B[0]))
            velocities.append(self.arrangement.velocity(self.model, x_BCTHW, timestep_B, conditions, cache=cache))
        return self.chain.combined(velocities)

    def _branch(self, dropped: Dropped) -> Conditions:
        left = self.conditions.without(dropped)
        return left.without_tokens(dropped & frozenset(ANCHOR_ROLES)) if self.dropped_anchors == "remove" else left
