"""An optional reader on decord, behind the same protocol, and the choice between the readers."""

from collections.abc import Iterator, Sequence
from typing import Literal, Self

import numpy as np

from backend.domain import MediaError, ModelUnavailable
from backend.media.container import FilePath, display_name
from backend.media.index import FrameIndex, build_index
from backend.media.reader import CHUNK_BYTES, VideoReader, checked

DECORD_CODECS = frozenset({"h264", "mpeg4", "vp8", "vp9"})


def open_reader(
    path: FilePath, index: FrameIndex | None = None, *, backend: Literal["pyav", "decord"] = "pyav"
) -> "VideoReader | DecordReader":
    """A reader of a video. `decord` reads what it can read rightly; PyAV reads everything else.

    Raises MediaError as `build_index` does, and ModelUnavailable when decord is asked for and not installed.
    """
    if backend == "pyav":
        return VideoReader(path, index)
    if backend != "decord":
        raise ValueError(f"reader {backend!r} is not pyav or decord")
    index = index or build_index(path)
    return VideoReader(path, index) if why_not_decord(index) else DecordReader(path, index)


def why_not_decord(index: FrameIndex) -> str | None:
    """What makes decord 0.6 read a video wrongly or not at all, or None. Found by comparing frame numbers and pixels."""
    facts = index.facts
    if facts.codec not in DECORD_CODECS:
        return f"its codec {facts.codec} (decord bundles decoders of 2021)"
    if not facts.container.startswith(("mov", "matroska")):
        return f"its container {facts.container} (decord needs a seekable index)"
    if not facts.promised:
        return "its header does not state the number of frames"
    if facts.hidden:
        return "its edit list (decord numbers hidden frames too)"
    if facts.rotation or facts.mirrored:
        return "its rotation"
    if not facts.timed or facts.is_damaged or facts.interlaced:
        return "its missing times, damage or interlacing"
    if facts.num_video_streams > 1:
        return "its several video streams (decord may take another one)"
    if facts.pixel_format != "yuv420p" or facts.width < 32:
        return f"its pixel format {facts.pixel_format} or size {facts.width}x{facts.height}"
    return None


class DecordReader:
    """Frames of one video through decord (a `FrameReader`). Use `open_reader`, which knows what decord cannot read.

    Raises ModelUnavailable when decord is not installed and MediaError when it disagrees with the index.
    """

    def __init__(self, path: FilePath, index: FrameIndex | None = None) -> None:
        try:
            import decord
        except ImportError as error:
            reason = "the decord reader needs the package decord; install subject-studio[decord] or use the pyav reader"
            raise ModelUnavailable(reason) from error
        self.index = index or build_index(path)
        self.name = display_name(path)
        self.num_frames = self.index.num_frames
        self.width = self.index.facts.width
        self.height = self.index.facts.height
        self.times_s = self.index.times_s
        self.decode_errors = 0
        self._path = str(path)
        self._open = decord.VideoReader
        self._error = decord.DECORDError
        self._readers = {(self.width, self.height): self._new(self.width, self.height)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the file; the reader cannot be used afterwards."""
        self._readers.clear()

    def at(self, indices: Sequence[int], *, size: tuple[int, int] | None = None) -> np.ndarray:
        """Frames uint8 `(len(indices), H, W, 3)` in the order asked for; `size` is `(width, height)`."""
        width, height = size or (self.width, self.height)
        wanted = [checked(int(index), self.num_frames, self.name) for index in indices]
        if not wanted:
            return np.empty((0, height, width, 3), dtype=np.uint8)
        if (width, height) not in self._readers:
            self._readers[width, height] = self._new(width, height)
        try:
            frames = self._readers[width, height].get_batch(wanted).asnumpy()
        except self._error as error:
            reason = f"{self.name}: decord cannot read frames {wanted[0]} to {wanted[-1]}; use the pyav reader"
            raise MediaError(reason, kind="damaged") from error
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
        """First index and up to `chunk` frames uint8 `(n, H, W, 3)` at a time, in order."""
        wanted = range(start, self.num_frames if stop is None else stop, step)
        width, height = size or (self.width, self.height)
        chunk = max(1, min(chunk, CHUNK_BYTES // (width * height * 3)))
        for place in range(0, len(wanted), chunk):
            part = wanted[place : place + chunk]
            yield part[0], self.at(part, size=size)

    def _new(self, width: int, height: int):
        try:
            reader = self._open(self._path, width=width, height=height, num_threads=1)
        except (self._error, RuntimeError) as error:
            raise MediaError(f"{self.name}: decord cannot open it; use the pyav reader", kind="unreadable") from error
        if len(reader) != self.num_frames:
            reason = f"{self.name}: decord counts {len(reader)} frames, its index {self.num_frames}; use the pyav reader"
            raise MediaError(reason, kind="index")
        return reader
