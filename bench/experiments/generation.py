"""Videos of tested clips from a run: the same reader, conditions and samplers that training looks at its videos with.

Shapes: B samples, C channels, T H W of a latent.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import torch

from backend.domain import LatentCodec, digest
from backend.engine.context import WorkContext
from backend.jobs.board import JobTicket
from training.building import EXPORT, arrangement_of, shape_of
from training.conditioning import Conditions
from training.config import TrainConfig, from_json
from training.data.batches import Batch, BatchOrder, Drawn, shown_anchors
from training.data.latents import cache_folder, encode, worker_settings
from training.data.loader import TensorReader
from training.data.modes import Example, examples_of
from training.guidance import GuidanceChain
from training.loading import load_transformer
from training.long_video import Chunk, LongVideo, generate_long
from training.model import S2VTransformer
from training.sampling import GuidedModel, Sampler, clip_latents
from training.steps import moved

SHIFT = 3.0  # as trained
AT_ONCE = 8
PREFIX = 2  # latents, as trained
NUM_CHUNKS = 4

Chosen = Callable[[Example], Sequence[str]]
"""Ids of the anchors that an example is to be given."""


class Filmer(Protocol):
    """Makes videos uint8 (F, 64, 64, 3) of tested clips: a model, or what is true (`bench.experiments.truths`)."""

    def videos(self, chosen: Chosen | None = None) -> Iterator[tuple[Drawn, np.ndarray]]:
        """A clip for each example: with references as its mode gives them, or with the anchors that `chosen` names."""
        ...

    def long_videos(self, chosen: Chosen) -> Iterator[tuple[Drawn, np.ndarray]]:
        """Four chunks for each."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedClips:
    """Examples of a tested export, encoded as those that a config learns from."""

    config: TrainConfig
    reader: TensorReader
    examples: tuple[Example, ...]
    codec: LatentCodec

    def batches(self, chosen: Chosen | None = None) -> Iterator[Batch]:
        """Examples of equal shapes together."""
        if chosen is None:
            order = BatchOrder(examples=self.examples, tokens=10**9, max_samples=AT_ONCE)
            yield from order.epoch(0)
            return
        drawn = sorted(
            (self._with_anchors(example, chosen(example)) for example in self.examples), key=lambda d: repr(d.group)
        )
        while drawn:
            part = [each for each in drawn[:AT_ONCE] if each.group == drawn[0].group]
            yield Batch(tuple(part), 0)
            drawn = drawn[len(part) :]

    def _with_anchors(self, example: Example, ids: Sequence[str]) -> Drawn:
        chosen = [candidate for candidate in example.candidates if candidate.id in ids]
        shown = shown_anchors(example, chosen, timestep=self.config.model.anchor_timestep)
        return Drawn(example, tuple(sorted(shown, key=lambda each: (each.segment.role, each.segment.category))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """What a run exported, on tested clips."""

    clips: AskedClips
    model: S2VTransformer
    device: torch.device
    steps: int

    @torch.no_grad()
    def videos(self, chosen: Chosen | None = None) -> Iterator[tuple[Drawn, np.ndarray]]:
        for batch in self.clips.batches(chosen):
            x, conditions = self.clips.reader.read(batch)
            guided = self._guided(moved(conditions, self.device, torch.float32))
            noise = torch.cat([_noise(sample.example, "clip", (1, *x.shape[1:])) for sample in batch.samples])
            found = clip_latents(guided, noise.to(self.device), self._sampler).cpu().numpy()
            for sample, latents in zip(batch.samples, found, strict=True):
                yield sample, self.clips.codec.decode(latents)

    @torch.no_grad()
    def long_videos(self, chosen: Chosen) -> Iterator[tuple[Drawn, np.ndarray]]:
        """Each chunk begins with the last two latents of the one before; anchors are the same for all."""
        for batch in self.clips.batches(chosen):
            x, conditions = self.clips.reader.read(batch)
            frames = x.shape[2]
            samples = batch.samples

            def noise(chunk: Chunk, samples=samples, x=x) -> torch.Tensor:
                size = (1, x.shape[1], chunk.stop - chunk.start, *x.shape[3:])
                return torch.cat([_noise(sample.example, chunk.index, size) for sample in samples]).to(self.device)

            found = generate_long(
                lambda given, *_: self._guided(given),
                moved(conditions, self.device, torch.float32),
                noise,
                num_latents=frames + (NUM_CHUNKS - 1) * (frames - PREFIX),
                plan=LongVideo(chunk_latents=frames, prefix=PREFIX),
                sampler=self._sampler,
            )
            for sample, latents in zip(batch.samples, found.cpu().numpy(), strict=True):
                yield sample, self.clips.codec.decode(latents)

    @property
    def _sampler(self) -> Sampler:
        return Sampler(method="euler", steps=self.steps, shift=SHIFT)

    def _guided(self, conditions: Conditions) -> GuidedModel:
        return GuidedModel(
            model=self.model,
            arrangement=arrangement_of(self.clips.config),
            conditions=conditions,
            chain=GuidanceChain(),
        )


def opened(run: Path, export: Path, *, mode: str, steps: int) -> Generator:
    """A run on a tested export, whose latents are encoded as those it learned from were."""
    config = from_json((run / EXPORT / "training.json").read_text("utf-8"))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return Generator(
        clips=asked_clips(config, export, mode=mode),
        model=load_transformer(run / EXPORT, shape_of(config), device=str(device)),
        device=device,
        steps=steps,
    )


def asked_clips(config: TrainConfig, export: Path, *, mode: str) -> AskedClips:
    """The examples that a mode gives of a tested export."""
    ticket = JobTicket(lambda stage, done, total: None, threading.Event())
    encoded = encode(ticket, export=export, settings=config.data.latents)
    assert not encoded.failed, encoded.remarks
    settings = worker_settings(cache_folder(export, config.data.latents), config.data.latents)
    return AskedClips(
        config=config,
        reader=TensorReader(encoded, text_tokens=config.model.text_tokens),
        examples=tuple(examples_of(encoded, (mode,))),
        codec=cast(LatentCodec, WorkContext(settings).role("LatentCodec")),
    )


def _noise(example: Example, what: object, size: tuple[int, ...]) -> torch.Tensor:
    """The same for a clip in every row."""
    seed = int(digest((example.clip_id, str(what)), num_bytes=7), 16)
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))
