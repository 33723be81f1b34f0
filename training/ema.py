"""A moving average of the weights, sharded as they are, in float32."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class Ema:
    """average = decay * average + (1 - decay) * weight after every step. Early on the decay is smaller, (1 + n) / (10 + n)."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.average = {name: p.detach().clone().float() for name, p in model.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """After optimizer step `step`, counted from 1."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, parameter in model.named_parameters():
            if name in self.average:
                self.average[name].lerp_(parameter.detach().float(), 1 - decay)

    @contextmanager
    def shown(self, model: nn.Module) -> Iterator[None]:
        """The model with the average in place of its weights."""
        kept = {name: p.detach().clone() for name, p in model.named_parameters() if name in self.average}
        try:
            self._put(model, self.average)
            yield
        finally:
            self._put(model, kept)

    @torch.no_grad()
    def _put(self, model: nn.Module, values: dict[str, torch.Tensor]) -> None:
        for name, parameter in model.named_parameters():
            if name in values:
                parameter.copy_(values[name])
