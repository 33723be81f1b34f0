"""Decoded frames kept between the calls of stages: decoding is dear, and most stages look at the same clips."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from backend.media.guarded_reader import GuardedReader
from backend.media.reader import Size, VideoReader
from backend.models.borders import border

CACHE_BYTES = 320 * 2**20  # per worker; two clips in hand, each of SPAN_BYTES and some whole frames
SPAN_BYTES = 128 * 2**20  # clips up to this size are decoded in one go: 7 s at 640 x 360 and 25 fps
SMALL_PX = 640  # longer side; all that is asked for up to it is made from frames of this size

Key = tuple[str, int, Size | None]


class FrameCache:
    """Frames by video, index and size, least recently used out first, within CACHE_BYTES."""

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        self._frames: OrderedDict[Key, np.ndarray] = OrderedDict()
        self._max_bytes = max_bytes
        self._bytes = 0

    def get(self, key: Key) -> np.ndarray | None:
        if key in self._frames:
            self._frames.move_to_end(key)
        return self._frames.get(key)

    def put(self, key: Key, frame: np.ndarray) -> None:
        if key not in self._frames:
            self._frames[key] = frame
            self._bytes += frame.nbytes
        while self._bytes > self._max_bytes:
            self._bytes -= self._frames.popitem(last=False)[1].nbytes


class CachedReader:
    """A FrameReader over a shared cache.

    Frames up to SMALL_PX are scaled down from ones of that size, whether these were cached or not: what a stage sees
    does not depend on what ran before it.
    """

    def __init__(self, video_id: str, reader: GuardedReader | VideoReader, cache: FrameCache) -> None:
        self._video_id, self._reader, self._cache = video_id, reader, cache
        self._span = range(0)
        self._whole: frozenset[int] = frozenset()
        self.num_frames, self.width, self.height, self.times_s = (
            reader.num_frames,
            reader.width,
            reader.height,
            reader.times_s,
        )
        factor = SMALL_PX / max(self.width, self.height)
        self._small = None if factor >= 1 else (max(1, round(self.width * factor)), max(1, round(self.height * factor)))

    def expect(self, span: range, whole: Sequence[int]) -> None:
        """Says what will be asked for: small frames of a span, and some in their own size. All come with one decode."""
        width, height = self._small or (self.width, self.height)
        self._span = span if len(span) * width * height * 3 <= SPAN_BYTES else range(0)
        self._whole = frozenset(whole) if self._span else frozenset()

    def at(self, indices: Sequence[int], *, size: Size | None = None) -> np.ndarray:
        border()
        base = self._base(size)
        found = {i: self._cache.get((self._video_id, i, base)) for i in indices}
        missing = {i for i, frame in found.items() if frame is None}
        if missing:
            found |= self._decoded(missing, base)
        frames = [found[i] for i in indices]
        if size != base and size is not None:
            frames = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames if frame is not None]
        return np.stack(frames)  # pyright: ignore[reportArgumentType, reportCallIssue]

    def stream(
        self,
        start: int = 0,
        stop: int | None = None,
        *,
        step: int = 1,
        size: Size | None = None,
        chunk: int = 32,
    ) -> Iterator[tuple[int, np.ndarray]]:
        for first, frames in self._reader.stream(start, stop, step=step, size=size, chunk=chunk):
            border()
            yield first, frames

    def close(self) -> None:
        self._reader.close()

    def _base(self, size: Size | None) -> Size | None:
        """The size at which frames are decoded and kept for what is asked for."""
        is_small = size is not None and self._small is not None and max(size) <= SMALL_PX
        return self._small if is_small else size

    def _decoded(self, missing: set[int], base: Size | None) -> dict[int, np.ndarray]:
        """The missing frames; where they lie in the expected span, all that is expected of it comes with them."""
        wanted = {i: {base} for i in missing}
        if not missing.isdisjoint(self._span):
            for size, indices in ((self._small, self._span), (None, self._whole)):
                for i in indices:
                    if self._cache.get((self._video_id, i, size)) is None:
                        wanted.setdefault(i, set()).add(size)
        found = {}
        for i, size, frame in self._reader.at_sizes(wanted):
            border()
            self._cache.put((self._video_id, i, size), frame)
            if size == base:
                found[i] = frame
        if lost := sorted(missing - found.keys()):
            found |= dict(zip(lost, self._reader.at(lost, size=base), strict=True))  # raises: it says what is wrong
        return found
