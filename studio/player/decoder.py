"""Decoder threads: they fill the frame cache with what is wanted most, in chunks of one GOP."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING

from backend.domain import MediaError
from studio.player.cache import FrameCache

if TYPE_CHECKING:
    from backend.media.reader import VideoReader

CHUNK = 12  # frames; previews have a key frame every 12 (DESIGN section 7), so a chunk decodes alone
OPEN_READERS = 6
"""Files that one thread keeps open: two sides of the trial on the screen and of the next two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reel:
    """A clip that can be played: a local preview file, its number of frames and its rate."""

    path: str
    num_frames: int
    fps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """Frames to hold: up to `horizon` from `playhead` on (around the end). Lower `rank` comes first."""

    reel: Reel
    playhead: int = 0
    rank: int = 0
    horizon: int = 1 << 20


Chunk = tuple[str, int]
"""Path of the clip and number of the chunk."""


@dataclass(slots=True, kw_only=True)
class Decoder:
    """Owns the threads. `ready` and `failed` are called from them with the path (and the reason)."""

    cache: FrameCache
    ready: Callable[[str], None]
    failed: Callable[[str, str], None]
    threads: int = 2
    max_edge_px: int = 1280
    """Frames are scaled down to this long edge, which is that of a preview."""
    _wants: tuple[Want, ...] = ()
    _busy: set[Chunk] = field(default_factory=set)
    _broken: set[str] = field(default_factory=set)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _closing: bool = False
    _workers: list[threading.Thread] = field(default_factory=list)

    def want(self, wants: Sequence[Want]) -> None:
        """Replaces everything wanted; of chunks being decoded, those of other clips end with the frame at hand."""
        with self._changed:
            self._wants = tuple(wants)
            self._changed.notify_all()
        self.start()

    def start(self) -> None:
        """Has the threads there, which load PyAV before anything is wanted."""
        if not self._workers and not self._closing:
            self._workers = [
                threading.Thread(target=self._work, name=f"decoder-{n}", daemon=True) for n in range(self.threads)
            ]
            for worker in self._workers:
                worker.start()

    def try_again(self, path: str) -> None:
        """Opens a clip that failed once more, when it is wanted next."""
        with self._changed:
            self._broken.discard(path)

    def close(self) -> None:
        """Ends the threads and waits for them."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for worker in self._workers:
            worker.join()

    def _work(self) -> None:
        import backend.media.reader  # noqa: F401 - not above: it loads while Studio waits for the first answer

        readers: OrderedDict[str, VideoReader] = OrderedDict()
        try:
            while (task := self._take()) is not None:
                reel, number = task
                try:
                    self._decode(readers, reel, number)
                except MediaError as error:
                    if (reader := readers.pop(reel.path, None)) is not None:
                        reader.close()
                    with self._changed:
                        self._broken.add(reel.path)
                    self.failed(reel.path, str(error))
                finally:
                    with self._changed:
                        self._busy.discard((reel.path, number))
                        self._changed.notify_all()
        finally:
            for reader in readers.values():
                reader.close()

    def _take(self) -> tuple[Reel, int] | None:
        with self._changed:
            while not self._closing:
                task = next_chunk(self._wants, self.cache, self._busy, self._broken)
                if task is not None:
                    self._busy.add((task[0].path, task[1]))
                    return task
                self._changed.wait()
            return None

    def _decode(self, readers: OrderedDict[str, "VideoReader"], reel: Reel, number: int) -> None:
        from backend.media.reader import VideoReader

        if reel.path not in readers:
            readers[reel.path] = VideoReader(reel.path)
            if len(readers) > OPEN_READERS:
                readers.popitem(last=False)[1].close()
        readers.move_to_end(reel.path)
        reader = readers[reel.path]
        if reader.num_frames != reel.num_frames:
            raise MediaError(
                f"{reader.name}: preview holds {reader.num_frames} frames, {reel.num_frames} were promised; "
                "remove it from artifacts/ so that it is made again",
                kind="truncated",
            )
        start, stop = number * CHUNK, min((number + 1) * CHUNK, reel.num_frames)
        # One by one: the first frame of a chunk is shown while the others are decoded, and those end with the wish for them.
        for index, (frame,) in reader.stream(start, stop, size=self._size(reader), chunk=1):
            self.cache.put(reel.path, index, frame)
            self.ready(reel.path)
            if all(want.reel.path != reel.path for want in self._wants):
                return

    def _size(self, reader: "VideoReader") -> tuple[int, int]:
        scale = min(1.0, self.max_edge_px / max(reader.width, reader.height))
        return max(1, round(reader.width * scale)), max(1, round(reader.height * scale))


def next_chunk(wants: Iterable[Want], cache: FrameCache, busy: set[Chunk], broken: set[str]) -> tuple[Reel, int] | None:
    """The most urgent chunk that is neither held nor being decoded: by rank, then nearness to the playhead.

    Clips of one rank take turns, so that both sides of a trial become ready together.
    """
    usable = [want for want in wants if want.reel.path not in broken]
    for rank in sorted({want.rank for want in usable}):
        level = [want for want in usable if want.rank == rank]
        for turn in zip_longest(*(_chunks(want) for want in level)):
            for want, number in zip(level, turn, strict=True):
                if number is None or (want.reel.path, number) in busy:
                    continue
                start, stop = number * CHUNK, min((number + 1) * CHUNK, want.reel.num_frames)
                if not all(cache.has(want.reel.path, index) for index in range(start, stop)):
                    return want.reel, number
    return None


def _chunks(want: Want) -> Iterator[int]:
    total = -(-want.reel.num_frames // CHUNK)
    first = min(want.playhead, max(want.reel.num_frames - 1, 0)) // CHUNK
    for ahead in range(min(total, -(-want.horizon // CHUNK))):
        yield (first + ahead) % total
