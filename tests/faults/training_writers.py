"""What training writes, on a disk that fills: checkpoints and packed latents."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event

from backend.domain import StudioError
from backend.exports.reader import read_manifest
from backend.jobs.board import JobTicket
from tests.faults.kept_weights import trained, world
from tests.faults.writers import Writer
from tests.training.made_export import made_export
from tests.training.test_latents import SMALL
from training.checkpoint import Checkpoints, Progress
from training.data.latents import Encoded, encode, existing


class CheckpointWriter(Writer):
    """Checkpoints of a run that keeps one; the step is the number, and the seed of its weights."""

    latest = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "checkpoints"
        self._opened = Checkpoints(self._folder, world(), keep=1)

    def write(self, number: int) -> None:
        self._opened.save(trained(number), Progress(step=number, samples=number))
        self._opened.finish()

    def held(self) -> set[int]:
        return {self._step_of(path) for path in self._folder.iterdir()}

    def _step_of(self, place: Path) -> int:
        step = int(place.name.rpartition("-")[2]) if not place.name.startswith(".") else -1
        if step < 0:
            return -1
        found, wanted = trained(0), trained(step)
        progress = Checkpoints(self._folder, world(), keep=1).load(found, step)
        same = all(found.model.state_dict()[name].equal(value) for name, value in wanted.model.state_dict().items())
        return step if same and progress.samples == step else -1


class LatentWriter(Writer):
    """The latents of an export, a cache a number: what is refused goes on in the same cache."""

    once = True
    latest = True

    def __init__(self, folder: Path) -> None:
        self._disk, self._export = folder, made_export(folder.parent / "squares", videos=1)
        self._last, self._asks = 0, False
        self._wanted = _content(self._encoded(folder.parent / "wanted"))

    @property
    def _cache(self) -> Path:
        return self._disk / "cache"

    def write(self, number: int) -> None:
        if not self._asks:
            shutil.rmtree(self._cache, ignore_errors=True)
        self._asks = True
        self._encoded(self._cache)
        self._last, self._asks = number, False

    def held(self) -> set[int]:
        """Of a cache that is asked for, what is there is right, and the rest is told as missing."""
        settings = replace(SMALL, cache=str(self._cache))
        found = _content(existing(read_manifest(self._export), self._export, settings))
        known = {name for name, value in found.items() if value is not None}
        right = all(found[name] == self._wanted[name] for name in known)
        if not right or (not self._asks and self._last and known != set(self._wanted)):
            return {-1}
        return {self._last} - {0}

    def _encoded(self, cache: Path) -> Encoded:
        ticket = JobTicket(lambda *_: None, Event())
        found = encode(
            ticket, export=self._export, settings=replace(SMALL, engine="inline", cache=str(cache)), retry_failed=True
        )
        if found.failed:
            raise StudioError("; ".join(found.remarks))
        return found


def _content(encoded: Encoded) -> dict[str, bytes | None]:
    """Bytes of each clip's latents, None for one that is not there."""
    clips = sorted({sample.clip_id for sample in encoded.reader.samples()})
    key = encoded.keys.clips
    return {
        clip: encoded.cache.tensor(key, clip, "video").numpy().tobytes() if encoded.cache.find(key, clip) else None
        for clip in clips
    }


TRAINING: dict[str, Callable[[Path], Writer]] = {"checkpoint": CheckpointWriter, "latents": LatentWriter}
