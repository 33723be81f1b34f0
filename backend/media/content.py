"""What a video shows and sounds like, apart from how its file is put together; and the comment that a file carries.

A digest is taken of the decoded pictures, since a lossless change of container may rewrite packets (MP4 and transport streams
frame H.264 differently) and never the pictures: H.264's decoder is exact by its standard. Sound is taken packet by packet.
"""

import hashlib
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.stream import Stream
from av.video.stream import VideoStream

from backend.domain import MediaError
from backend.media.container import MAX_PIXELS, NO_VIDEO, FilePath, display_name, open_container, packets_of
from backend.media.mp4 import check_mp4, is_mp4

COMMENT = "comment"
MAX_LATE_S = 0.005
"""How far a frame may stand from its time: containers round times, Matroska to a millisecond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoContent:
    """The pictures and the sound of a file."""

    frames: int
    width: int
    height: int
    fps: float
    """Even times at this rate; of a file whose times are uneven, 0."""
    pixel_format: str
    pictures: str
    """SHA-256 of all planes of all pictures in the order they are shown."""
    sound: str
    """SHA-256 of the packets of all sound streams; empty without any."""

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    def differences(self, other: "VideoContent") -> tuple[str, ...]:
        """What is not the same, in words; a rate counts as the same when no frame stands elsewhere by more than 5 ms."""
        found = []
        if (self.width, self.height) != (other.width, other.height):
            found.append(f"it is {other.width}x{other.height}, not {self.width}x{self.height}")
        if self.frames != other.frames:
            found.append(f"it has {other.frames} frames, not {self.frames}")
        if not self._same_rate(other):
            found.append(
                f"it runs at {other.fps:.3f} frames a second, not {self.fps:.3f}"
                if other.fps
                else "its frames come unevenly"
            )
        if self.pictures != other.pictures and not found:
            found.append("its pictures are others")
        if self.sound != other.sound:
            found.append(
                "its sound is another"
                if self.sound and other.sound
                else f"sound was {'removed' if self.sound else 'added'}"
            )
        return tuple(found)

    def _same_rate(self, other: "VideoContent") -> bool:
        if not self.fps or not other.fps:
            return self.fps == other.fps
        return abs(self.frames / self.fps - self.frames / other.fps) <= MAX_LATE_S


def read_content(path: FilePath) -> VideoContent:
    """Decodes the whole file. Raises MediaError where it cannot be read as a video."""
    name = display_name(path)
    with Path(path).open("rb") as file:
        head = file.read(16)
    if is_mp4(head):
        check_mp4(path, max_pixels=MAX_PIXELS)
    with open_container(path) as container:
        if not container.streams.video:
            raise MediaError(f"{name}: {NO_VIDEO}", kind="no_video")
        stream = container.streams.video[0]
        hasher, times, sizes, formats = hashlib.sha256(), [], set(), set()
        try:
            for frame in container.decode(stream):
                for plane in frame.planes:
                    rows = np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, -1)
                    hasher.update(np.ascontiguousarray(rows[:, : _row_bytes(plane, frame.format)]).tobytes())
                times.append(0.0 if frame.time is None else float(frame.time))
                sizes.add((frame.width, frame.height))
                formats.add(frame.format.name)
        except FFmpegError as error:
            raise MediaError(f"{name}: its pictures cannot be decoded: {error.strerror}", kind="unreadable") from error
    if len(sizes) != 1:
        raise MediaError(f"{name}: {'no picture' if not sizes else 'pictures of several sizes'}", kind="unreadable")
    (width, height) = sizes.pop()
    return VideoContent(
        frames=len(times),
        width=width,
        height=height,
        fps=_rate(times, stream),
        pixel_format=",".join(sorted(formats)),
        pictures=hasher.hexdigest(),
        sound=_sound(path),
    )


def read_comments(path: FilePath) -> tuple[str, ...]:
    """What a file says of itself as comments: its own, and its streams'. Raises MediaError."""
    with open_container(path) as container:
        tables = [container.metadata, *(stream.metadata for stream in container.streams)]
        return tuple(value for table in tables for name, value in table.items() if name.lower() == COMMENT)


def write_comment(source: FilePath, target: FilePath, comment: str) -> None:
    """A copy of an MP4 with the same packets and a comment; it names neither writer nor time. It appears when it is whole."""
    target = Path(target)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".writing-", suffix=target.suffix)
    os.close(handle)
    try:
        options = {"movflags": "+faststart", "fflags": "+bitexact"}
        with open_container(source) as read, av.open(name, "w", options=options) as written:
            written.metadata[COMMENT] = comment
            copies: dict[int, Stream] = {
                stream.index: written.add_stream_from_template(stream)
                for stream in read.streams
                if stream.type in ("video", "audio")
            }
            for packet in read.demux([read.streams[index] for index in copies]):
                if packet.size:
                    packet.stream = copies[packet.stream.index]
                    written.mux(packet)
        Path(name).chmod(0o644)
        with Path(name).open("rb") as file:
            os.fsync(file.fileno())
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)


def _row_bytes(plane: Any, pixel_format: Any) -> int:
    """Bytes of a row that are picture; decoders put padding after them."""
    bits = max(component.bits for component in pixel_format.components)
    samples = 1 if pixel_format.is_planar else len(pixel_format.components)
    return plane.width * samples * (1 if bits <= 8 else 2)


def _rate(times: list[float], stream: VideoStream) -> float:
    """Frames a second of even times, by the first and the last; 0 of uneven ones."""
    if len(times) < 2 or times[-1] <= times[0]:
        return float(stream.average_rate or 0)
    step = (times[-1] - times[0]) / (len(times) - 1)
    even = np.abs(np.asarray(times) - times[0] - step * np.arange(len(times))).max() <= MAX_LATE_S
    return round(1 / step, 6) if even else 0.0


def _sound(path: FilePath) -> str:
    hasher, found = hashlib.sha256(), False
    with open_container(path) as container:
        for stream in container.streams.audio:
            for packet in packets_of(container, stream):
                hasher.update(bytes(packet))
                found = True
            container.seek(0)
    return hasher.hexdigest() if found else ""
