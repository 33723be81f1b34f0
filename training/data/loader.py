"""Batches as tensors, read ahead by a thread, with the time that the trainer waited for them.

Shapes: B samples, C channels, T H W of a latent, L text tokens, A channels of an encoder, W frames of a window of sound.
"""

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from backend.domain import StudioError
from training.audio_branch import FRAMES_PER_LATENT, audio_windows
from training.conditioning import Conditions
from training.data.batches import Batch, BatchOrder, Position, Shown
from training.data.latents import EMPTY_TEXT, Encoded

DEPTH = 4  # batches read ahead; cached latents of a batch are megabytes


@dataclass(frozen=True, slots=True)
class Loaded:
    """One rank's batch: clean latents, what they are generated from, and what decides noise and dropout."""

    x_BCTHW: torch.Tensor
    conditions: Conditions
    batch: Batch
    position: Position
    """After it."""
    of_all: tuple[Batch, ...]
    """The batches of all ranks at this position."""

    @property
    def global_samples(self) -> int:
        """Samples of all ranks at this position."""
        return sum(len(batch.samples) for batch in self.of_all)


class TensorReader:
    """Turns batches into tensors. `text_tokens`: texts are filled up with zeros to so many, as Wan was trained; `images`: first
    frames are read too, as Wan I2V takes them."""

    def __init__(self, encoded: Encoded, *, text_tokens: int, images: bool = False) -> None:
        self._cache, self._keys, self._text_tokens, self._images = encoded.cache, encoded.keys, text_tokens, images
        self.empty_text_BLA = self._text(EMPTY_TEXT)[None]

    def read(self, batch: Batch) -> tuple[torch.Tensor, Conditions]:
        """Latents and conditions of a batch. Raises StoreError where the cache is damaged."""
        clips = [sample.example.clip_id for sample in batch.samples]
        x = self._of_clips(clips, "video")
        anchors = tuple(tuple(shown.segment for shown in sample.shown) for sample in batch.samples)
        latents = tuple(
            torch.stack([self._shown(sample.shown[place]) for sample in batch.samples])
            for place in range(len(batch.samples[0].shown))
        )
        audio = None
        if batch.samples[0].example.has_audio:
            audio = audio_windows(self._of_clips(clips, "audio"), 1 + FRAMES_PER_LATENT * (x.shape[2] - 1))
        conditions = Conditions(
            text_BLA=torch.stack([self._text(clip) for clip in clips]),
            empty_text_BLA=self.empty_text_BLA,
            anchors=anchors,
            anchor_latents=latents,
            first_frame_BCTHW=self._of_clips(clips, "first_frame") if self._images else None,
            image_BIA=self._of_clips(clips, "image") if self._images else None,
            audio_BTWA=audio,
        )
        return x, conditions

    def _of_clips(self, clips: Sequence[str], name: str) -> torch.Tensor:
        return torch.stack([self._cache.tensor(self._keys.clips, clip, name) for clip in clips])

    def _shown(self, shown: Shown) -> torch.Tensor:
        return self._cache.tensor(self._keys.pictures, shown.picture.target, shown.variant)

    def _text(self, target: str) -> torch.Tensor:
        found = self._cache.tensor(self._keys.texts, target, "text")[: self._text_tokens]
        return torch.cat((found, found.new_zeros(self._text_tokens - len(found), found.shape[1])))


class Loader:
    """One rank's batches from a position on, without end. `waited_s` is how long `take` has waited so far."""

    def __init__(
        self, order: BatchOrder, reader: TensorReader, *, position: Position, rank: int = 0, ranks: int = 1
    ) -> None:
        self.waited_s = 0.0
        self._order, self._reader, self._rank, self._ranks = order, reader, rank, ranks
        self._ready: queue.Queue[Loaded | BaseException] = queue.Queue(DEPTH)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(position,), name="loader", daemon=True)
        self._thread.start()

    def take(self) -> Loaded:
        """The next batch. Raises what reading it raised."""
        started = time.perf_counter()
        found = self._ready.get()
        self.waited_s += time.perf_counter() - started
        if isinstance(found, BaseException):
            raise found
        return found

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def _work(self, position: Position) -> None:
        try:
            for found in self._batches(position):
                if not self._put(found):
                    return
        except (OSError, RuntimeError, ValueError, KeyError, StudioError) as error:
            self._put(error)

    def _batches(self, position: Position) -> Iterator[Loaded]:
        while not self._ended.is_set():
            batches, position = self._order.at(position, ranks=self._ranks)
            mine = batches[self._rank]
            x, conditions = self._reader.read(mine)
            yield Loaded(x, conditions, mine, position, batches)

    def _put(self, found: Loaded | BaseException) -> bool:
        while not self._ended.is_set():
            try:
                self._ready.put(found, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False
