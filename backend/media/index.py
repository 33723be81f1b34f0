"""The frame index: which packet gives which displayed frame, and from which key frame decoding must start.

Made from packets alone, without decoding (one key frame apart), and kept as bytes beside the video. Frames are
numbered in presentation order after edit lists; what an edit list hides is not numbered.
"""

import itertools
import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Disposition
from av.video.stream import VideoStream

from backend.domain import MediaError
from backend.media.container import NO_VIDEO, FilePath, display_name, open_container, packets_of
from backend.media.header import DEFAULT_LIMITS, Limits, check_header, is_cover

MAGIC = b"SSFI"
VERSION = 1
ASSUMED_RATE = Fraction(25)
"""Frames per second for a stream that states no timing (the rate that FFmpeg assumes for raw streams)."""
FIRST_FRAME_TRIES = 3


@dataclass(frozen=True, kw_only=True)
class StreamFacts:
    """What holds for the whole picture stream. Sizes are displayed pixels: rotated, not stretched by `sar`."""

    stream: int
    """Number of the stream in the file."""
    num_video_streams: int
    container: str
    codec: str
    pixel_format: str
    width: int
    height: int
    rotation: int
    """Degrees by which the stored picture is turned clockwise to stand upright: 0, 90, 180 or 270."""
    mirrored: bool
    """Whether the turned picture is then mirrored left to right."""
    sar: tuple[int, int]
    """Width to height of one pixel; (1, 1) when square or unknown."""
    interlaced: bool
    timed: bool
    """False when the packets have no usable times: frames are then numbered as they leave the decoder."""
    time_base: tuple[int, int]
    rate: tuple[int, int]
    """Frames per second as the container states it, or as assumed when not `timed`."""
    transfer: int
    """Transfer characteristics by ITU-T H.273 (16 is PQ, 18 is HLG), 2 when unstated."""
    hidden: int
    """Number of pictures that are stored and not shown: cut off by an edit list, or before the first key picture."""
    is_damaged: bool = False
    """Whether probing met decode errors: each group of pictures is then decoded whole and by itself, so that a frame
    has the same pixels however it is reached."""
    promised: int = 0
    """Number of frames that the header promises, 0 when it says nothing."""
    last_duration: int = 0
    """How long the last frame stands, in time base units."""


@dataclass(frozen=True, eq=False)
class FrameIndex:
    """Packets in file order and frames in presentation order.

    Arrays: `packet_pts`, `packet_dts` int64 `(P,)`; `packet_key` bool `(P,)`; `frame_packet` int64 `(N,)`, the packet
    of each displayed frame. For streams without timing `packet_pts` counts packets.
    """

    facts: StreamFacts
    packet_pts: np.ndarray
    packet_dts: np.ndarray
    packet_key: np.ndarray
    frame_packet: np.ndarray

    @property
    def num_frames(self) -> int:
        return len(self.frame_packet)

    @cached_property
    def pts(self) -> np.ndarray:
        """int64 `(N,)`, strictly increasing presentation times in time base units."""
        if not self.facts.timed:
            return np.arange(self.num_frames, dtype=np.int64)
        return self.packet_pts[self.frame_packet]

    @cached_property
    def times_s(self) -> np.ndarray:
        """float64 `(N,)`, presentation times from the first displayed frame."""
        num, den = self.facts.time_base
        return (self.pts - self.pts[0]).astype(np.float64) * num / den

    @property
    def start_s(self) -> float:
        """Presentation time of the first displayed frame on the file's own clock."""
        num, den = self.facts.time_base
        return float(self.pts[0]) * num / den if self.facts.timed else 0.0

    @property
    def duration_s(self) -> float:
        num, den = self.facts.time_base
        return float(self.times_s[-1]) + self.facts.last_duration * num / den

    @property
    def fps(self) -> float:
        """Mean frames per second: the stated rate where the times agree with it to one part in a thousand."""
        stated = self.facts.rate[0] / self.facts.rate[1]
        if self.num_frames < 2:
            return stated
        measured = (self.num_frames - 1) / float(self.times_s[-1])
        return stated if abs(measured / stated - 1) < 1e-3 else measured

    @cached_property
    def frame_start(self) -> np.ndarray:
        """int64 `(N,)`, the packet at which decoding must start to get each frame.

        It is the last key packet that stands before the frame both in the file and in presentation: frames shown before
        the key picture that they follow in the file (open GOP) also need the group before.
        """
        keys = np.flatnonzero(self.packet_key)
        if not self.facts.timed or len(keys) == 0:
            return np.zeros(self.num_frames, dtype=np.int64)
        place = np.searchsorted(keys, self.frame_packet, side="right") - 1
        while True:
            early = (place > 0) & (self.packet_pts[keys[place]] > self.pts)
            if not early.any():
                return keys[np.maximum(place, 0)]
            place = place - early

    def frame_at(self, time_s: float) -> int:
        """The frame shown at a time from the first displayed frame; the nearest one outside the video."""
        return int(np.clip(np.searchsorted(self.times_s, time_s + 1e-9, side="right") - 1, 0, self.num_frames - 1))

    def damaged(self, is_kept: np.ndarray) -> "FrameIndex":
        """The index of a damaged stream: of the frames for which bool `(N,)` is true, numbered anew."""
        return FrameIndex(
            replace(self.facts, is_damaged=True),
            self.packet_pts,
            self.packet_dts,
            self.packet_key,
            self.frame_packet[is_kept],
        )

    def to_bytes(self) -> bytes:
        """A compact versioned form, about 3 bytes a frame."""
        head = json.dumps(asdict(self.facts), sort_keys=True).encode()
        arrays = (
            _second_difference(self.packet_pts),
            _second_difference(self.packet_dts),
            np.packbits(self.packet_key).tobytes(),
            _second_difference(self.frame_packet),
        )
        body = b"".join((head, *arrays))
        sizes = struct.pack("<BIIIIIII", VERSION, len(self.packet_pts), self.num_frames, len(head), *map(len, arrays))
        return MAGIC + sizes + zlib.compress(body, 6)

    @staticmethod
    def from_bytes(data: bytes) -> "FrameIndex":
        """Reads what `to_bytes` wrote. Raises MediaError for other bytes or another version."""
        layout = struct.Struct("<BIIIIIII")
        if data[:4] != MAGIC or len(data) < 4 + layout.size:
            raise MediaError("not a frame index; probe the video again", kind="index")
        version, packets, frames, *sizes = layout.unpack_from(data, 4)
        if version != VERSION:
            raise MediaError(f"frame index of version {version}, need {VERSION}; probe the video again", kind="index")
        try:
            body = zlib.decompress(data[4 + layout.size :])
        except zlib.error as error:
            raise MediaError("damaged frame index; probe the video again", kind="index") from error
        pieces = [body[start : start + size] for start, size in zip(np.cumsum([0, *sizes]), sizes)]
        raw: dict[str, Any] = json.loads(pieces[0])
        raw = {name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()}
        facts = StreamFacts(**raw)
        key = np.unpackbits(np.frombuffer(pieces[3], np.uint8), count=packets).astype(bool)
        return FrameIndex(facts, _sums(pieces[1]), _sums(pieces[2]), key, _sums(pieces[4])[:frames])


def build_index(path: FilePath, *, limits: Limits = DEFAULT_LIMITS) -> FrameIndex:
    """The index of a file's picture stream, read from its packets.

    The stream is the one that the file marks as default, else the first; cover pictures are not video. A stream whose
    packets lack times, or repeat them, is decoded once to count its frames. Raises MediaError (kind `no_video`,
    `unreadable`, `truncated`), and as `check_header`.
    """
    with open_container(path) as container:
        check_header(container, path, limits)
        stream, num_streams = choose_stream(container, path)
        packets, first = _read_packets(container, stream)
        if not len(packets.pts):
            raise MediaError(f"{display_name(path)}: no picture data", kind="truncated")
        first = first or next(decode_all(path), None)
        if first is None:
            raise MediaError(f"{display_name(path)}: no frame of its video stream can be decoded", kind="undecodable")
        facts = _facts(container, stream, first)
    facts = replace(facts, num_video_streams=num_streams)
    shown = _shown_packets(packets)
    timed = not packets.untimed and len(np.unique(packets.pts[shown])) == len(shown)
    if timed:
        facts = replace(facts, last_duration=_last_duration(packets, shown))
    else:
        shown = np.arange(sum(1 for _ in decode_all(path)))
        facts = replace(facts, timed=False, time_base=facts.rate[::-1], last_duration=1)
    facts = replace(facts, hidden=max(0, len(packets.pts) - len(shown)))
    key = packets.key.copy()
    key[0] = key[0] or not key.any()
    return FrameIndex(facts, packets.pts, packets.dts, key, shown)


def choose_stream(container: InputContainer, path: FilePath) -> tuple[VideoStream, int]:
    """The picture stream to use and how many there are: the first marked default, else the first; never a cover."""
    streams = [s for s in container.streams.video if not is_cover(s)]
    if not streams:
        raise MediaError(f"{display_name(path)}: {NO_VIDEO}", kind="no_video")
    streams = [s for s in streams if s.codec_context is not None]
    if not streams:
        raise MediaError(f"{display_name(path)}: the codec of its video stream is not known", kind="unknown_codec")
    default = [s for s in streams if s.disposition & Disposition.default]
    return (default or streams)[0], len(streams)


def orientation(frame: av.VideoFrame) -> tuple[int, bool]:
    """Clockwise rotation (0, 90, 180, 270) and mirroring from the frame's display matrix."""
    side_data: Any = frame.side_data
    for data in side_data:
        if data.type == SideDataType.DISPLAYMATRIX:
            a, b, _, c, d = struct.unpack_from("<5i", memoryview(data))
            transposed = abs(b) > abs(a)
            upside_down = (b if transposed else d) < 0
            turn = (90 if transposed else 0) + (180 if upside_down else 0)
            # 32-bit fixed point products need Python's integers, which these are.
            return turn, a * d - b * c < 0
    return 0, False


@dataclass(frozen=True)
class _Packets:
    pts: np.ndarray
    dts: np.ndarray
    key: np.ndarray
    hidden: np.ndarray
    duration: np.ndarray
    untimed: bool


def _facts(container: InputContainer, stream: VideoStream, first: av.VideoFrame) -> StreamFacts:
    """What the header and the first frame say; `build_index` puts in what the packets say."""
    rotation, mirrored = orientation(first)
    width, height = (first.height, first.width) if rotation % 180 else (first.width, first.height)
    rate = stream.average_rate or stream.guessed_rate or ASSUMED_RATE
    base = stream.time_base or Fraction(1, 1000)
    sar = stream.sample_aspect_ratio or Fraction(1)
    return StreamFacts(
        stream=stream.index,
        num_video_streams=1,
        container=container.format.name,
        codec=stream.codec_context.codec.canonical_name,
        pixel_format=first.format.name,
        width=width,
        height=height,
        rotation=rotation,
        mirrored=mirrored,
        sar=(sar.numerator, sar.denominator),
        interlaced=bool(first.interlaced_frame) or stream.codec_context.field_order > 1,
        timed=True,
        transfer=int(first.color_trc),
        hidden=0,
        time_base=(base.numerator, base.denominator),
        rate=(rate.numerator, rate.denominator),
        promised=stream.frames,
    )


def _read_packets(container: InputContainer, stream: VideoStream) -> tuple[_Packets, av.VideoFrame | None]:
    """Every packet, and the first key picture that can be decoded by itself, for the facts that only frames tell."""
    rows: list[tuple[int, int, bool, bool, int]] = []
    untimed, first, tries = False, None, 0
    is_vp8 = stream.codec_context.name == "vp8"
    stream.codec_context.thread_count = 1
    for packet in packets_of(container, stream):
        untimed = untimed or packet.pts is None
        number = len(rows)
        pts = number if packet.pts is None else packet.pts
        dts = pts if packet.dts is None else packet.dts
        # VP8 keeps its alternate reference pictures in packets of their own; bit 4 of the first byte says "shown".
        hidden = packet.is_discard or (is_vp8 and not bytes(packet)[0] & 0x10)
        rows.append((pts, dts, packet.is_keyframe, hidden, packet.duration or 0))
        if first is None and packet.is_keyframe and not packet.is_discard and tries < FIRST_FRAME_TRIES:
            first, tries = _decoded_alone(stream, packet), tries + 1
    table = np.array(rows, dtype=np.int64).reshape(-1, 5)
    return _Packets(table[:, 0], table[:, 1], table[:, 2] > 0, table[:, 3] > 0, table[:, 4], untimed), first


def _decoded_alone(stream: VideoStream, packet: av.Packet) -> av.VideoFrame | None:
    context = stream.codec_context
    try:
        frames = [*context.decode(packet), *context.decode(None)]
    except FFmpegError:
        frames = []
    context.flush_buffers()
    return frames[0] if frames else None


def _shown_packets(packets: _Packets) -> np.ndarray:
    order = np.argsort(packets.pts, kind="stable")
    shown = order[~packets.hidden[order]]
    keys = np.flatnonzero(packets.key)
    if len(keys) == 0:
        return shown
    # Nothing before the first key picture can be decoded, in the file or in presentation.
    return shown[(shown >= keys[0]) & (packets.pts[shown] >= packets.pts[keys[0]])]


def _last_duration(packets: _Packets, shown: np.ndarray) -> int:
    if len(shown) == 0:
        return 0
    stated = int(packets.duration[shown[-1]])
    if stated > 0 or len(shown) < 2:
        return max(stated, 0)
    return int(np.median(np.diff(packets.pts[shown])))


def decode_all(path: FilePath) -> Iterator[av.VideoFrame]:
    """Every frame that the decoder gives, in its order, passing over damaged packets."""
    with open_container(path) as container:
        stream, _ = choose_stream(container, path)
        stream.codec_context.thread_count = 1
        for packet in itertools.chain(packets_of(container, stream), (None,)):
            try:
                frames = stream.codec_context.decode(packet)
            except FFmpegError:
                continue
            yield from frames


def _second_difference(values: np.ndarray) -> bytes:
    return np.diff(values, n=2, prepend=[0, 0]).astype("<i8").tobytes()


def _sums(data: bytes) -> np.ndarray:
    return np.cumsum(np.cumsum(np.frombuffer(data, "<i8"))).astype(np.int64)
