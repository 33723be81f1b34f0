"""Frames of an untrusted video, decoded in a guarded child and seen by whoever runs models: `VideoReader`'s, to the bit.

Pictures come through memory that both share, everything else as `backend.media.wire` carries it.
"""

import mmap
import os
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np

from backend.domain import MediaError
from backend.media.container import FilePath, display_name
from backend.media.guard import KeptChild
from backend.media.index import FrameIndex
from backend.media.reader import IndexedFrames, Size, VideoReader, checked

SHARED_BYTES = 6 * 2**20
"""Pictures that pass at a time: nine frames of 640 x 360, one of 1920 x 1080; larger ones pass one by one."""
WALL_S = 60.0
CPU_S = 60.0
"""For one filling of the shared memory: a second or less at usual sizes."""
OPEN_IN_CHILD = 2
Asked = list[tuple[int, list[Size | None]]]
"""Frames by rising index, each with its sizes (None: the video's own)."""


class FrameSource:
    """A child that decodes, for the readers of one worker in turn, and the memory that both see."""

    def __init__(self) -> None:
        self._child = KeptChild()
        self._memory = _Memory()
        self._told: OrderedDict[str, None] = OrderedDict()
        self._tasks = 0

    def frames(
        self, path: str, index: FrameIndex, asked: Asked, *, strict: bool, largest: int
    ) -> Iterator[tuple[int, Size | None, np.ndarray]]:
        """Index, size as asked, and picture of each frame. A picture is written over when the next one is taken.

        Raises MediaError as VideoReader does where `strict`, and as `run_guarded`.
        """
        self._memory.grow(largest)
        self._tasks += 1
        answer = self._fill(path, index, [self._tasks, strict, largest, asked])
        while True:
            for number, asked_size, width, height, place in answer["frames"]:
                picture = np.frombuffer(self._memory.map, np.uint8, width * height * 3, place)
                yield number, tuple(asked_size) if asked_size else None, picture.reshape(height, width, 3)
            if answer["done"]:
                return
            answer = self._fill(path, index, [self._tasks, strict, largest, None])

    def close(self) -> None:
        """Gives the child back, with nothing left open in it, and lets go of the memory."""
        if self._child.is_there:
            self._child.run(_forget, (), subject="closing", wall_s=WALL_S, cpu_s=CPU_S)
        self._child.close()
        self._told.clear()
        self._memory.close()

    def _fill(self, path: str, index: FrameIndex, task: list[Any]) -> dict[str, Any]:
        if not self._child.is_there:
            self._told.clear()
        known = self._told.pop(path, path) is None
        arguments = (self._memory.path, self._memory.size, path, None if known else index.to_bytes(), *task)
        answer = self._child.run(_fill, arguments, subject=display_name(path), wall_s=WALL_S, cpu_s=CPU_S)
        self._told[path] = None  # what the child holds open, forgotten in the same order
        while len(self._told) > OPEN_IN_CHILD:
            self._told.popitem(last=False)
        return answer


class GuardedReader(IndexedFrames):
    """Frames of one video as `VideoReader` gives them, decoded in a source's child; and a context manager.

    Without a source it has one of its own. Nothing is opened before the first frames are asked for. One call is ended
    before the next is made, as with VideoReader.
    """

    def __init__(self, path: FilePath, index: FrameIndex, source: FrameSource | None = None) -> None:
        self._path = os.fspath(Path(path).absolute())  # the child may stand elsewhere
        self._source, self._is_own = source or FrameSource(), source is None
        self.name = display_name(path)
        self.index = index
        self.num_frames = index.num_frames
        self.width, self.height = index.facts.width, index.facts.height
        self.times_s = index.times_s

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the source where it is the reader's own."""
        if self._is_own:
            self._source.close()

    def at_sizes(self, wanted: Mapping[int, Collection[Size | None]]) -> Iterator[tuple[int, Size | None, np.ndarray]]:
        """As `VideoReader.at_sizes`."""
        for index in wanted:
            checked(index, self.num_frames, self.name)
        asked = [(index, list(wanted[index])) for index in sorted(wanted)]
        for index, size, picture in self._frames(asked, strict=False):
            yield index, size, picture.copy()

    def _each(self, wanted: Sequence[int], size: Size) -> Iterator[tuple[int, Callable[[np.ndarray], None]]]:
        given = None if size == (self.width, self.height) else size
        for index, _, picture in self._frames([(index, [given]) for index in wanted], strict=True):
            yield index, partial(_written, picture)

    def _frames(self, asked: Asked, *, strict: bool) -> Iterator[tuple[int, Size | None, np.ndarray]]:
        sizes = {size or (self.width, self.height) for _, each in asked for size in each}
        largest = max((3 * width * height for width, height in sizes), default=0)
        return self._source.frames(self._path, self.index, asked, strict=strict, largest=largest)


def _written(picture: np.ndarray, out: np.ndarray) -> None:
    np.copyto(out, picture)


class _Memory:
    """Memory under a name that the child can open: of the system's, without a disk, where there is such a thing."""

    def __init__(self) -> None:
        self.size = 0
        if sys.platform == "linux":
            self._descriptor = os.memfd_create("frames")
            self.path = f"/proc/{os.getpid()}/fd/{self._descriptor}"
            self._is_named = False
        else:
            self._descriptor, self.path = tempfile.mkstemp(prefix="subject-studio-frames-")
            self._is_named = True
        self.map: mmap.mmap

    def grow(self, num_bytes: int) -> None:
        """Makes room for so many bytes at once, and for SHARED_BYTES at least."""
        if self.size == 0 or num_bytes > self.size:
            self.size = max(SHARED_BYTES, num_bytes)
            os.ftruncate(self._descriptor, self.size)
            self.map = mmap.mmap(self._descriptor, self.size)

    def close(self) -> None:
        if self.path:
            os.close(self._descriptor)
            if self._is_named:
                os.unlink(self.path)  # noqa: PTH108, a name, not a place
            self.path = ""


class _Here:
    """What the child holds between calls."""

    def __init__(self) -> None:
        self.readers: OrderedDict[str, VideoReader] = OrderedDict()
        self.memory: tuple[str, int, np.ndarray] = ("", 0, np.empty(0, np.uint8))
        self.task = 0
        self.frames: Iterator[tuple[int, Size | None, np.ndarray]] = iter(())
        self.used = 0

    def room(self, width: int, height: int) -> np.ndarray:
        """Where the next picture goes in the shared memory."""
        return self.memory[2][self.used : self.used + 3 * width * height].reshape(height, width, 3)


_here = _Here()


def _fill(
    memory: str, size: int, path: str, index: bytes | None, task: int, strict: bool, largest: int, asked: list[Any] | None
) -> dict[str, Any]:
    """In the child: writes the next pictures of a task, each of `largest` bytes at most, where there is room for another such."""
    here = _here
    if here.memory[:2] != (memory, size):
        with open(memory, "r+b") as file:  # noqa: PTH123, a name, not a place
            here.memory = (memory, size, np.frombuffer(mmap.mmap(file.fileno(), size), np.uint8))
    if asked is not None:
        wanted = {number: [tuple(one) if one else None for one in sizes] for number, sizes in asked}
        here.task = task
        here.frames = _opened(path, index).at_sizes(wanted, strict=strict, make=here.room)  # pyright: ignore[reportArgumentType]
    if here.task != task:
        raise MediaError(f"{display_name(path)}: other frames were asked for before these had come", kind="crash")
    told: list[Any] = []
    here.used = 0
    while here.used + largest <= size:
        # Not a loop over the iterator: one that is left would end it, and it goes on in the next filling.
        found = next(here.frames, None)
        if found is None:
            return {"frames": told, "done": True}
        number, asked_size, picture = found
        height, width = picture.shape[:2]
        told.append([number, asked_size, width, height, here.used])
        here.used += picture.nbytes
    return {"frames": told, "done": False}


def _forget() -> None:
    """In the child: closes what is open."""
    global _here
    for reader in _here.readers.values():
        reader.close()
    _here = _Here()


def _opened(path: str, index: bytes | None) -> VideoReader:
    readers = _here.readers
    if index is not None and path in readers:
        readers.pop(path).close()
    if path not in readers:
        assert index is not None, "a video is opened with its index"
        readers[path] = VideoReader(path, FrameIndex.from_bytes(index))
    readers.move_to_end(path)
    while len(readers) > OPEN_IN_CHILD:
        readers.popitem(last=False)[1].close()
    return readers[path]
