"""The same samples at the same times with the same noise, again and again: losses that can be compared, and videos to look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from backend.domain import LatentCodec, digest
from backend.media.writer import write_video
from training.conditioning import Arrangement
from training.config import TrainConfig
from training.data.batches import Batch, BatchOrder
from training.data.loader import TensorReader
from training.guidance import GuidanceChain
from training.model import S2VTransformer
from training.parallel import World
from training.sampling import GuidedModel, Sampler, denoise
from training.steps import loss_at, moved


@dataclass(frozen=True, kw_only=True)
class Validation:
    """What is looked at. `order` is of the validation examples; its first epoch is what is used."""

    order: BatchOrder
    reader: TensorReader
    arrangement: Arrangement
    config: TrainConfig
    world: World

    @torch.no_grad()
    def losses(self, model: S2VTransformer) -> dict[str, float]:
        """`validation/loss` and `validation/loss_t0.1` ...: means over samples. Every rank works on a share and has all results."""
        times = self.config.validation.times
        tasks = [(batch, place) for batch in self._batches(self.config.validation.samples) for place in range(len(times))]
        sums = torch.zeros(len(times), 2, dtype=torch.float64)
        rounds = -(-len(tasks) // self.world.data_size)
        for number in range(rounds):
            index = number * self.world.data_size + self.world.data_rank
            batch, place = tasks[index % len(tasks)]  # every rank makes as many forwards, as sharded weights demand
            loss = self._loss(model, batch, times[place])
            if index < len(tasks):
                sums[place] += torch.tensor([float(loss.sum()), len(loss)], dtype=torch.float64)
        sums = self.world.summed(sums)
        means = (sums[:, 0] / sums[:, 1]).tolist()
        named = {f"validation/loss_t{t:g}": mean for t, mean in zip(times, means, strict=True)}
        return {"validation/loss": sum(means) / len(means), **named}

    @torch.no_grad()
    def videos(self, model: S2VTransformer, codec: LatentCodec | None, folder: Path) -> None:
        """Generates from fixed noise; whoever has the codec writes `CLIP.mp4`."""
        sampler = Sampler(steps=self.config.validation.sampling_steps)
        for batch in self._batches(self.config.validation.videos):
            x, conditions = self.reader.read(batch)
            dtype = getattr(torch, self.config.parallel.dtype)
            guided = GuidedModel(
                model=model,
                arrangement=self.arrangement,
                conditions=moved(conditions, self.world.device, dtype),
                chain=GuidanceChain(),
            )
            noise = torch.randn(x.shape, generator=_generator(self.config.run.seed, batch, "video"))
            found = denoise(guided, noise.to(self.world.device, dtype), sampler).float().cpu().numpy()
            if codec is None:
                continue
            folder.mkdir(parents=True, exist_ok=True)
            for sample, latents in zip(batch.samples, found, strict=True):
                path = folder / f"{sample.example.clip_id}.mp4"
                write_video(path, codec.decode(latents), fps=self.config.data.latents.clips.fps, bitexact=True)

    def _loss(self, model: S2VTransformer, batch: Batch, t: float) -> torch.Tensor:
        x, conditions = self.reader.read(batch)
        noise = torch.randn(x.shape, generator=_generator(self.config.run.seed, batch, "loss"))
        times = torch.full((len(x),), t)
        return loss_at(model, self.arrangement, self.config, x, noise, times, conditions, device=self.world.device)

    def _batches(self, samples: int) -> Sequence[Batch]:
        """The first samples, whole batches of them but the last."""
        found: list[Batch] = []
        for batch in self.order.epoch(0):
            left = samples - sum(len(each.samples) for each in found)
            if left <= 0:
                break
            found.append(Batch(batch.samples[:left], batch.seed))
        return found


def _generator(seed: int, batch: Batch, what: str) -> torch.Generator:
    names = tuple(sample.example.name for sample in batch.samples)
    return torch.Generator().manual_seed(int(digest((seed, names, what), num_bytes=7), 16))
