"""Reading frames of one video by their exact index, decoding no more than the index says is needed.

Colour: the matrix and range that the stream states are used; a stream that states none is read as BT.601, limited
range, which is what most writers without tags mean (FFmpeg's scaler, imageio, diffusers). HDR is not tone-mapped.
"""

import itertools
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Self

import av
import av.logging
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from backend.domain import MediaError
from backend.media.container import FilePath, display_name, open_container, packets_of
from backend.media.index import FrameIndex, build_index

SKIPPING_CODECS = frozenset({"h264", "hevc", "mpeg2video", "mpeg4"})
"""Decoders that leave out unneeded non-reference pictures without touching the others."""
SEEKABLE = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"})
"""Containers with an index of their own. In the others a seek lands where it likes, so packets are read from the start."""
CHUNK_BYTES = 16 * 2**20
"""`stream` gives at most this much at a time. Larger arrays are mapped afresh by the allocator each time, and the page
faults cost a quarter of the decoding: 300 frames of 720p took 597 CPU-ms in chunks of 16 MiB and 728 in chunks of 64."""
REORDERING = 16
"""A frame that has not come when this many later ones have will not come (H.264 and HEVC reorder 16 at most)."""
SEEK_ATTEMPTS = 3
Size = tuple[int, int]
"""Width and height."""
UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED, ITU-T H.273 matrix coefficients


class IndexedFrames(ABC):
    """What readers of frames by their index share: asking for some, and for all of a span."""

    name: str
    num_frames: int
    width: int
    height: int

    @abstractmethod
    def _each(self, wanted: Sequence[int], size: Size) -> Iterator[tuple[int, Callable[[np.ndarray], None]]]:
        """Wanted frames (indices rising) in order, each with what writes it into uint8 `(H, W, 3)` of that size."""

    def at(self, indices: Sequence[int], *, size: Size | None = None) -> np.ndarray:
        """Frames uint8 `(len(indices), H, W, 3)` in the order asked for; `size` is `(width, height)`."""
        width, height = size or (self.width, self.height)
        places: dict[int, list[int]] = {}
        for place, index in enumerate(indices):
            places.setdefault(checked(int(index), self.num_frames, self.name), []).append(place)
        frames = np.empty((len(indices), height, width, 3), dtype=np.uint8)
        for index, write in self._each(sorted(places), (width, height)):
            first, *others = places[index]
            write(frames[first])
            for place in others:
                frames[place] = frames[first]
        return frames

    def stream(
        self,
        start: int = 0,
        stop: int | None = None,
        *,
        step: int = 1,
        size: Size | None = None,
        chunk: int = 32,
    ) -> Iterator[tuple[int, np.ndarray]]:
        """First index and up to `chunk` frames uint8 `(n, H, W, 3)` at a time, decoding once, in order.

        Chunks are smaller where `chunk` frames would exceed 16 MiB (six frames of 720p). Each chunk is an array of its own.
        """
        stop = self.num_frames if stop is None else stop
        wanted = range(start, stop, step)
        if len(wanted) == 0:
            return
        checked(wanted[0], self.num_frames, self.name)
        checked(wanted[-1], self.num_frames, self.name)
        width, height = size or (self.width, self.height)
        chunk = max(1, min(chunk, CHUNK_BYTES // (width * height * 3)))
        frames, first, filled = np.empty((0, height, width, 3), dtype=np.uint8), start, 0
        for index, write in self._each(wanted, (width, height)):
            if filled == len(frames):
                left = len(range(index, stop, step))
                frames, first, filled = np.empty((min(chunk, left), height, width, 3), dtype=np.uint8), index, 0
            write(frames[filled])
            filled += 1
            if filled == len(frames):
                yield first, frames


class VideoReader(IndexedFrames):
    """Upright RGB frames of one video by presentation index (a `FrameReader`), and a context manager.

    `index` is the frame index kept from probing; without it the packets are read first. `decode_errors` counts the
    error lines that the decoder has written so far. One decoding thread by default: workers run one per core.
    """

    def __init__(self, path: FilePath, index: FrameIndex | None = None, *, threads: int = 1) -> None:
        self._path, self._threads = path, threads
        self.name = display_name(path)
        self.index = index or build_index(path)
        facts = self.index.facts
        # H.264 decoders know the depth of reordering from the stream; others may learn it from the trial decoding.
        self._is_known = facts.codec == "h264" and facts.timed
        self._container = open_container(path, is_known=self._is_known)
        self._stream = self._find_stream()
        self._skips = facts.codec in SKIPPING_CODECS and not facts.interlaced and not facts.is_damaged
        self._can_seek = facts.container in SEEKABLE
        self._reformatter = VideoReformatter()
        self.num_frames = self.index.num_frames
        self.width = self.index.facts.width
        self.height = self.index.facts.height
        self.times_s = self.index.times_s
        self.decode_errors = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the file; the reader cannot be used afterwards."""
        self._container.close()

    def at_sizes(
        self,
        wanted: Mapping[int, Collection[Size | None]],
        *,
        strict: bool = False,
        make: Callable[[int, int], np.ndarray] | None = None,
    ) -> Iterator[tuple[int, Size | None, np.ndarray]]:
        """Each wanted frame uint8 `(H, W, 3)` at each of its sizes (None: its own), in order, decoding once.

        Frames that cannot be decoded are left out, unless `strict`. `make(width, height)` gives the arrays to write into.
        """
        for index in wanted:
            checked(index, self.num_frames, self.name)
        for index, frame in self._decode(sorted(wanted), strict=strict):
            for size in wanted[index]:
                width, height = size or (self.width, self.height)
                picture = make(width, height) if make else np.empty((height, width, 3), dtype=np.uint8)
                self._convert(frame, picture)
                yield index, size, picture

    def readable(self, indices: Sequence[int]) -> np.ndarray:
        """Bool `(len(indices),)`: which of these frames (rising) the decoder gives. Nothing is converted to RGB."""
        found = {index for index, _ in self._decode(indices, strict=False)}
        return np.array([index in found for index in indices], dtype=bool)

    def _each(self, wanted: Sequence[int], size: Size) -> Iterator[tuple[int, Callable[[np.ndarray], None]]]:
        for index, frame in self._decode(wanted):
            yield index, partial(self._convert, frame)

    def _find_stream(self) -> VideoStream:
        number = self.index.facts.stream
        streams = [s for s in self._container.streams.video if s.index == number]
        if not streams:
            self._container.close()
            raise MediaError(f"{self.name}: stream {number} of its index is missing", kind="index")
        context = streams[0].codec_context
        context.thread_count = self._threads
        context.thread_type = "AUTO" if self._threads != 1 else "NONE"
        if self._is_known:
            # A stream that does not state its depth of reordering is then given the largest, and loses no frame.
            context.options = {**context.options, "strict": "1"}
        return streams[0]

    def _decode(self, wanted: Sequence[int], *, strict: bool = True) -> Iterator[tuple[int, av.VideoFrame]]:
        """Wanted frames (indices rising) with their index, in that order; unless strict, without the missing ones."""
        if not self.index.facts.timed:
            yield from self._decode_untimed(wanted, strict)
            return
        starts = self.index.frame_start[np.asarray(wanted, dtype=np.int64)]
        group = 0
        while group < len(wanted):
            stop = group + 1
            last = self.index.frame_packet[wanted[group]]
            # A group that begins where this one ends is reached by decoding on, without a seek.
            while stop < len(wanted) and starts[stop] <= last + (not self.index.facts.is_damaged):
                last = max(last, self.index.frame_packet[wanted[stop]])
                stop += 1
            yield from self._decode_group(wanted[group:stop], int(starts[group:stop].min()), int(last), strict)
            group = stop

    def _decode_group(
        self, wanted: Sequence[int], start: int, last: int, strict: bool
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        context = self._stream.codec_context
        needed = set(self.index.frame_packet[np.asarray(wanted, dtype=np.int64)].tolist())
        index_of = {int(self.index.pts[index]): index for index in wanted}
        due, early = deque(wanted), {}
        for number, packet in self._packets_from(start, last):
            if self._skips:
                context.skip_frame = "DEFAULT" if number in needed else "NONREF"
            for frame in self._decode_packet(packet):
                index = -1 if frame.pts is None else index_of.get(frame.pts, -1)
                if index >= 0:
                    early[index] = frame
            while due and (due[0] in early or len(early) >= REORDERING or packet is None):
                index = due.popleft()
                if index in early:
                    yield index, early.pop(index)
                elif strict:
                    raise self._missing(index)
            if not due:
                return

    def _missing(self, index: int) -> MediaError:
        reason = f"{self.name}: frame {index} cannot be decoded; its data are damaged or missing"
        return MediaError(reason, kind="damaged")

    def _packets_from(self, start: int, last: int) -> Iterator[tuple[int, av.Packet | None]]:
        """Packets `start` to `last` with their numbers, then None, which makes the decoder give what it holds."""
        number, packets = self._seek(start)
        for packet in packets:
            if number >= start:
                yield number, packet
            number += 1
            if number > last:
                break
        yield last, None

    def _seek(self, start: int) -> tuple[int, Iterator[av.Packet]]:
        """Stands at packet `start` or before it: the number of the next packet, and the packets."""
        keys = np.flatnonzero(self.index.packet_key[: start + 1])
        # Offsets in mov files are looked up by decoding time, elsewhere by presentation time.
        clock = self.index.packet_dts if self.index.facts.container.startswith("mov") else self.index.packet_pts
        for key in keys[::-1][: SEEK_ATTEMPTS if self._can_seek else 0]:
            try:
                self._container.seek(int(clock[key]), stream=self._stream, backward=True)
            except FFmpegError:
                break
            packets = packets_of(self._container, self._stream)
            packet = next(packets, None)
            number = -1 if packet is None else self._number(packet)
            if packet is not None and 0 <= number <= start:
                return number, itertools.chain((packet,), packets)
        self._reopen()
        return 0, packets_of(self._container, self._stream)

    def _number(self, packet: av.Packet) -> int:
        found = np.flatnonzero(self.index.packet_pts == packet.pts) if packet.pts is not None else ()
        return int(found[0]) if len(found) == 1 else -1

    def _decode_packet(self, packet: av.Packet | None) -> list[av.VideoFrame]:
        with av.logging.Capture() as lines:
            try:
                frames = self._stream.codec_context.decode(packet)
            except FFmpegError:
                frames = []
        self.decode_errors += len(lines)
        return frames

    def _decode_untimed(self, wanted: Sequence[int], strict: bool) -> Iterator[tuple[int, av.VideoFrame]]:
        self._reopen()
        due, number = deque(wanted), 0
        for packet in itertools.chain(packets_of(self._container, self._stream), (None,)):
            for frame in self._decode_packet(packet):
                if due and number == self.index.frame_packet[due[0]]:
                    yield due.popleft(), frame
                number += 1
            if not due:
                return
        if strict:
            raise self._missing(due[0])

    def _reopen(self) -> None:
        self._container.close()
        self._container = open_container(self._path, is_known=self._is_known)
        self._stream = self._find_stream()

    def _convert(self, frame: av.VideoFrame, out: np.ndarray) -> None:
        """Writes an upright RGB picture into `out` (H, W, 3), scaled to its size."""
        facts = self.index.facts
        height, width = out.shape[:2]
        if facts.rotation % 180:
            height, width = width, height
        shrinks = width < frame.width or height < frame.height
        tagged = frame.colorspace != UNSPECIFIED
        rgb = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgb24",
            src_colorspace=None if tagged else Colorspace.ITU601,
            src_color_range=ColorRange(frame.color_range),
            interpolation=Interpolation.AREA if shrinks else Interpolation.BICUBIC,
            threads=1,
        )
        plane = rgb.planes[0]
        picture = np.frombuffer(memoryview(plane), np.uint8).reshape(height, plane.line_size)[:, : 3 * width]
        picture = picture.reshape(height, width, 3)
        if facts.interlaced:
            picture = _one_field(picture)
        picture = np.rot90(picture, -(facts.rotation // 90))
        np.copyto(out, picture[:, ::-1] if facts.mirrored else picture)


def _one_field(picture: np.ndarray) -> np.ndarray:
    """The first field at full height: the other field's lines are the mean of their neighbours."""
    whole = picture.copy()
    above = whole[0:-1:2].astype(np.uint16)
    below = np.concatenate((above[1:], above[-1:])) if len(whole) % 2 == 0 else whole[2::2].astype(np.uint16)
    whole[1::2] = ((above + below + 1) >> 1).astype(np.uint8)
    return whole


def checked(index: int, num_frames: int, name: str) -> int:
    """The index itself. Raises IndexError outside the video."""
    if not 0 <= index < num_frames:
        raise IndexError(f"{name}: frame {index} outside [0, {num_frames})")
    return index
