"""The loop: batches to gradients to weights, with what is logged, looked at and saved on the way.

Loss of a step: the mean over its samples, on all ranks and in all accumulated batches. Every rank knows how many these are before the
first backward, so gradients need no correction afterwards. Each rank's loss is weighed so that the mean that sharded weights take over
all ranks is that sum: times the number of ranks, through those that share a sequence (each of them computes the same loss).
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

import torch
from torch.distributed.tensor import DTensor

from backend.domain import LatentCodec, ModelFailed
from training.building import EXPORT, arrangement_of
from training.checkpoint import Checkpoints, Progress, Trained
from training.config import Optimizer, TrainConfig
from training.data.batches import Batch, BatchOrder
from training.data.loader import Loaded, Loader, TensorReader
from training.ema import Ema
from training.model import S2VTransformer
from training.observe import Metrics, memory_gib
from training.parallel import World
from training.publish import publish
from training.resuming import Parts, changed_steps
from training.shapes import WanShape, forward_flops
from training.steps import batch_loss
from training.validate import Validation

BACKWARD = 3  # forward and backward cost three forwards
SHOWN_CLIPS = 3


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one step was."""

    loss: float
    gradient_norm: float
    learning_rate: float
    samples: int
    tokens: int
    flops: float
    batches: tuple[Batch, ...]
    """Of all ranks."""


@dataclass(slots=True, kw_only=True)
class Trainer:
    """One run on one rank. `model` is laid out over the ranks already; `report(stage, done, total)` is called after each step."""

    config: TrainConfig
    shape: WanShape
    model: S2VTransformer
    world: World
    order: BatchOrder
    reader: TensorReader
    folder: Path
    validation: Validation | None = None
    codec: LatentCodec | None = None
    report: Callable[[str, int, int], None] = lambda stage, done, total: None
    cancelled: Event = field(default_factory=Event)
    progress: Progress = field(default_factory=Progress)
    resumed_otherwise: str = field(init=False, default="")
    """After `resume`: a remark where the steps are of more or fewer batches than those before."""
    _trained: Trained = field(init=False)
    _checkpoints: Checkpoints = field(init=False)

    def __post_init__(self) -> None:
        self.progress = replace(self.progress, parts=Parts(self.world.data_size, self.config.run.accumulation))
        parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        wanted = self.config.optimizer
        optimizer = torch.optim.AdamW(
            parameters,
            lr=wanted.learning_rate,
            betas=(wanted.betas[0], wanted.betas[1]),
            eps=wanted.eps,
            weight_decay=wanted.weight_decay,
            fused=True,
        )
        ema = Ema(self.model, self.config.run.ema_decay) if self.config.run.ema_decay else None
        self._trained = Trained(model=self.model, optimizer=optimizer, ema=ema)
        self._checkpoints = Checkpoints(self.folder / "checkpoints", self.world, keep=self.config.run.keep)

    def resume(self) -> bool:
        """Goes back to the newest checkpoint; whether there was one. Raises StoreError for one that is damaged."""
        step = self._checkpoints.latest()
        if step is not None:
            loaded, parts = self._checkpoints.load(self._trained, step), self.progress.parts
            self.resumed_otherwise = changed_steps(loaded.parts, parts)
            self.progress = replace(loaded, parts=parts)
        return step is not None

    def run(self) -> bool:
        """Trains to the last step, or until asked to stop; whether it came to the end. What is reached is saved either way.

        Raises ModelFailed where loss or gradient are no numbers, before the weights are touched; ProjectError on a full disk.
        """
        run = self.config.run
        metrics = (
            Metrics(self.folder, from_step=self.progress.step, tensorboard=run.tensorboard) if self.world.is_first else None
        )
        loader = Loader(
            self.order,
            self.reader,
            position=self.progress.position,
            rank=self.world.data_rank,
            ranks=self.world.data_size,
        )
        stopped = False
        try:
            while self.progress.step < run.steps and not stopped:
                stopped = self._round(loader, metrics)
            self._checkpoints.save(self._trained, self.progress)
            self._checkpoints.finish()
        finally:
            loader.close()
            if metrics is not None:
                metrics.close()
        if not stopped:
            publish(self.model, self._trained.ema, self.config, self.world, self.folder / EXPORT)
        return not stopped

    def _round(self, loader: Loader, metrics: Metrics | None) -> bool:
        """A step and what follows it; whether anybody was asked to stop."""
        started, waited = time.perf_counter(), loader.waited_s
        result = self._step(loader)
        seconds = time.perf_counter() - started
        self.progress = replace(self.progress, seconds=self.progress.seconds + seconds)
        step, run = self.progress.step, self.config.run
        if metrics is not None:
            metrics.showed(step, result.batches)
            if step % run.log_every == 0 or step == run.steps:
                metrics.write(step, self._figures(result, seconds, loader.waited_s - waited))
        every = self.config.validation.every
        if self.validation is not None and every and step % every == 0:
            self._validate(metrics)
        if step % run.save_every == 0:
            self._checkpoints.save(self._trained, self.progress)
        self._checkpoints.finish_if_done()
        self.report("train", step, run.steps)
        asked = self.world.summed(torch.tensor([float(self.cancelled.is_set())], dtype=torch.float64))
        return bool(asked.item()) and step < run.steps

    def _step(self, loader: Loader) -> StepResult:
        """Gradients over all accumulated batches, and one change of the weights."""
        optimizer, accumulation = self._trained.optimizer, self.config.run.accumulation
        batches = [loader.take() for _ in range(accumulation)]
        samples = sum(loaded.global_samples for loaded in batches)
        rate = learning_rate(self.config.optimizer, self.progress.step, self.config.run.steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for number, loaded in enumerate(batches):
            total += self._backward(loaded, samples, is_last=number == accumulation - 1)
        sums = self.world.summed(self._sums(batches, total))
        loss = float(sums[0]) / samples
        norm = self._gradient_norm()
        if not math.isfinite(loss) or not math.isfinite(norm):
            raise ModelFailed(self._not_finite(loss, norm, batches), kind="not_finite")
        optimizer.step()
        step = self.progress.step + 1
        if self._trained.ema is not None:
            self._trained.ema.update(self.model, step)
        self.progress = replace(
            self.progress,
            step=step,
            position=batches[-1].position,
            samples=self.progress.samples + samples,
            tokens=self.progress.tokens + int(sums[1]),
        )
        shown = tuple(batch for loaded in batches for batch in loaded.of_all)
        return StepResult(loss, norm, rate, samples, int(sums[1]), float(sums[2]), shown)

    def _backward(self, loaded: Loaded, samples: int, *, is_last: bool) -> float:
        """Adds a batch's gradients; the sum of its samples' losses."""
        if self.world.weights is not None:
            model: Any = self.model
            model.set_requires_gradient_sync(is_last)
        conditions = loaded.conditions
        if not self.config.model.audio_channels:
            conditions = replace(conditions, audio_BTWA=None)
        losses = batch_loss(
            self.model,
            arrangement_of(self.config),
            self.config,
            loaded.x_BCTHW,
            conditions,
            seed=loaded.batch.seed,
            device=self.world.device,
        )
        weight = self.world.size / self.config.parallel.context if self.world.weights is not None else 1.0
        (losses.sum() * (weight / samples)).backward()
        return float(losses.detach().sum())

    def _sums(self, batches: list[Loaded], loss: float) -> torch.Tensor:
        """Loss, tokens and FLOP of this rank's batches; ranks of one context have the same, so each gives its share."""
        tokens = sum(loaded.batch.tokens for loaded in batches)
        flops = sum(
            BACKWARD * forward_flops(self.shape, sample.tokens, text_tokens=self.config.model.text_tokens)
            for loaded in batches
            for sample in loaded.batch.samples
        )
        return torch.tensor([loss, tokens, flops], dtype=torch.float64) / self.config.parallel.context

    def _gradient_norm(self) -> float:
        """Over all weights of all ranks; gradients are cut to the limit."""
        parameters = [parameter for parameter in self.model.parameters() if parameter.grad is not None]
        norm = torch.nn.utils.clip_grad_norm_(parameters, self.config.optimizer.max_norm)
        return float(norm.full_tensor() if isinstance(norm, DTensor) else norm)

    def _not_finite(self, loss: float, norm: float, batches: list[Loaded]) -> str:
        clips = [sample.example.clip_id for loaded in batches for sample in loaded.batch.samples]
        last = self._checkpoints.latest()
        return (
            f"step {self.progress.step + 1}: loss {loss:g}, gradient norm {norm:g}; the weights were not touched. This rank's clips: "
            f"{', '.join(clips[:SHOWN_CLIPS])}{' ...' if len(clips) > SHOWN_CLIPS else ''}. Lower optimizer.learning_rate or look at them; "
            f"{'--resume goes on from step ' + str(last) if last is not None else 'no checkpoint was saved before'}"
        )

    def _figures(self, result: StepResult, seconds: float, waited_s: float) -> dict[str, float]:
        return {
            "loss": result.loss,
            "gradient_norm": result.gradient_norm,
            "learning_rate": result.learning_rate,
            "samples": result.samples,
            "tokens": result.tokens,
            "tokens_per_s": result.tokens / seconds,
            "samples_per_s": result.samples / seconds,
            "flops_per_s": result.flops / seconds,
            "data_wait": waited_s / seconds,
            "memory_gib": memory_gib(self.world.device),
            "epoch": self.progress.position.epoch,
        }

    def _validate(self, metrics: Metrics | None) -> None:
        """With the moving average where there is one: it is what is published."""
        assert self.validation is not None, "there is something to validate on"
        self.model.eval()
        ema = self._trained.ema
        if ema is None:
            found = self._looked_at()
        else:
            with ema.shown(self.model):
                found = self._looked_at()
        self.model.train()
        if metrics is not None:
            metrics.write(self.progress.step, found)

    def _looked_at(self) -> dict[str, float]:
        assert self.validation is not None, "there is something to validate on"
        found = self.validation.losses(self.model)
        if self.config.validation.videos:
            self.validation.videos(self.model, self.codec, self.folder / "samples" / f"step-{self.progress.step:08d}")
        return found


def learning_rate(wanted: Optimizer, step: int, steps: int) -> float:
    """Of the step that follows `step` done ones: a linear rise, then constant or half a cosine down to nothing."""
    if step < wanted.warmup_steps:
        return wanted.learning_rate * (step + 1) / wanted.warmup_steps
    if wanted.schedule == "constant":
        return wanted.learning_rate
    share = (step - wanted.warmup_steps) / max(1, steps - wanted.warmup_steps)
    return wanted.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
