"""What a stage may ask for while it works: the `Context` of workers."""

import importlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.domain import (
    Clip,
    Footage,
    FrameReader,
    Item,
    MediaError,
    ModelUnavailable,
    Region,
    Source,
    Video,
    digest,
)
from backend.media.index import FrameIndex
from backend.media.reader import VideoReader
from backend.store.artifacts import Artifacts

CACHE_BYTES = 256 * 2**20  # decoded frames kept per worker; 720p needs 2.8 MB a frame


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """What a worker needs to know; travels to it by pickling."""

    artifacts: Path
    roles: Mapping[str, str]
    """Dotted path of the implementation bound to each role."""
    seed: int = 0


class WorkContext:
    """`backend.domain.Context` over a project's artifacts. Holds open readers, decoded frames and loaded models."""

    def __init__(self, settings: WorkerSettings) -> None:
        self.artifacts = Artifacts(settings.artifacts, durable=False)  # the owner settles them before it commits
        self._settings = settings
        self._readers: OrderedDict[str, CachedReader] = OrderedDict()
        self._models: dict[str, object] = {}

    def path(self, video: Video, item: Item) -> str:
        """The video's file. Raises MediaError when it has gone or changed since it was ingested."""
        source = item.one(Source)
        try:
            found = Path(source.uri).stat()
        except OSError as error:
            raise MediaError(
                f"{source.uri} is not there any more ({error.strerror}); put it back or ingest it again", kind="gone"
            ) from error
        if (found.st_size, found.st_mtime_ns) != (source.num_bytes, source.modified_ns):
            raise MediaError(f"{source.uri} changed since it was ingested; ingest it again", kind="changed")
        return source.uri

    def frames(self, item: Item) -> FrameReader:
        """Frames of the item's video. The last two videos stay open; their decoded frames share CACHE_BYTES."""
        video = item.one(Video)
        reader = self._readers.get(video.id)
        if reader is None:
            index = FrameIndex.from_bytes(self.artifacts.get(video.index))
            reader = CachedReader(VideoReader(self.path(video, item), index))
            self._readers[video.id] = reader
        self._readers.move_to_end(video.id)
        while len(self._readers) > 2:
            self._readers.popitem(last=False)[1].close()
        return reader

    def footage(self, item: Item) -> Footage:
        """Frames of the item's clip. Borders and overlays are those of gathered Regions, else none."""
        video, clip = item.one(Video), item.one(Clip)
        content = (0.0, 0.0, float(video.width), float(video.height))
        regions = [region for region in item.all(Region) if region.clip_id == clip.id]
        for region in regions:
            if region.kind == "content":
                content = region.box
        overlays = tuple(region.box for region in regions if region.kind == "overlay")
        return Footage(video, clip, self.frames(item), content, overlays)

    def role(self, name: str) -> object:
        """The implementation bound to a role, loaded once. Raises ModelUnavailable for an unbound role."""
        if name not in self._models:
            if name not in self._settings.roles:
                raise ModelUnavailable(
                    f"role {name} has no implementation in this profile; name one under [roles] in project.toml"
                )
            self._models[name] = load(self._settings.roles[name])()
        return self._models[name]

    def rng(self, item_id: str) -> np.random.Generator:
        return np.random.default_rng(int(digest((self._settings.seed, item_id), num_bytes=8), 16))

    def close(self) -> None:
        """Closes every reader."""
        while self._readers:
            self._readers.popitem()[1].close()


class CachedReader:
    """A FrameReader that keeps recently decoded frames, oldest out first, within CACHE_BYTES."""

    def __init__(self, reader: VideoReader) -> None:
        self._reader = reader
        self._cache: OrderedDict[tuple[int, tuple[int, int] | None], np.ndarray] = OrderedDict()
        self._bytes = 0
        self.num_frames, self.width, self.height, self.times_s = (
            reader.num_frames,
            reader.width,
            reader.height,
            reader.times_s,
        )

    def at(self, indices: Sequence[int], *, size: tuple[int, int] | None = None) -> np.ndarray:
        missing = sorted({i for i in indices if (i, size) not in self._cache})
        fresh = dict(zip(missing, self._reader.at(missing, size=size), strict=True)) if missing else {}
        frames = np.stack([fresh[i] if i in fresh else self._cache[i, size] for i in indices])
        for i, frame in fresh.items():
            self._cache[i, size] = frame
            self._bytes += frame.nbytes
        while self._bytes > CACHE_BYTES:
            self._bytes -= self._cache.popitem(last=False)[1].nbytes
        return frames

    def stream(
        self,
        start: int = 0,
        stop: int | None = None,
        *,
        step: int = 1,
        size: tuple[int, int] | None = None,
        chunk: int = 32,
    ) -> Iterator[tuple[int, np.ndarray]]:
        return self._reader.stream(start, stop, step=step, size=size, chunk=chunk)

    def close(self) -> None:
        self._cache.clear()
        self._reader.close()


def load(path: str) -> type:
    """The class or function at `package.module:Name`."""
    module, name = path.split(":")
    return getattr(importlib.import_module(module), name)
