"""Pictures and clips that an export copies out of videos. The functions run in a guarded child process."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from backend.domain import ArtifactStore
from backend.exports.opens2v_entries import crop_of
from backend.exports.rows import ExportClip, ExportVideo
from backend.media.guard import run_guarded
from backend.media.images import encode_jpeg
from backend.media.index import FrameIndex
from backend.media.reader import VideoReader
from backend.media.writer import pace, write_video

CRF = 18
"""Of H.264: artefacts that nobody sees (x264's documentation calls 17 to 18 so)."""
JPEG_QUALITY = 95
WALL_S = 900.0
"""For one clip or the frames of one video; encoding 4K takes seconds a second on one core."""


def clip_file(clip: ExportClip, video: ExportVideo, artifacts: ArtifactStore) -> bytes:
    """The clip as MP4 (H.264, without sound), cut to its own picture. Equal clips give equal bytes. Raises MediaError."""
    found = (video.uri, artifacts.get(clip.index), clip.start_frame, clip.stop_frame, crop_of(clip, video))
    return _apart(clip_mp4, found, video)


def frame_files(clip: ExportClip, video: ExportVideo, frames: list[int], artifacts: ArtifactStore) -> list[bytes]:
    """Whole frames of the clip's video as JPEG. Raises MediaError."""
    return _apart(frame_jpegs, (video.uri, artifacts.get(clip.index), frames), video)


def clip_mp4(uri: str, index: bytes, start: int, stop: int, crop: list[int]) -> bytes:
    """Frames `[start, stop)`, cut to `crop` (x0, y0, x1, y1)."""
    x0, y0, x1, y1 = crop
    with VideoReader(uri, FrameIndex.from_bytes(index)) as reader, tempfile.TemporaryDirectory() as folder:
        fps, times = pace(reader.times_s[start:stop])
        place = Path(folder, "clip.mp4")
        write_video(place, _cut(reader, start, stop, (x0, y0, x1, y1)), fps=fps, crf=CRF, times_s=times, bitexact=True)
        return place.read_bytes()


def frame_jpegs(uri: str, index: bytes, frames: list[int]) -> list[bytes]:
    """Frames by presentation index, one after another in memory."""
    with VideoReader(uri, FrameIndex.from_bytes(index)) as reader:
        return [encode_jpeg(reader.at([frame])[0], quality=JPEG_QUALITY) for frame in frames]


def _cut(reader: VideoReader, start: int, stop: int, crop: tuple[int, int, int, int]) -> Iterator[np.ndarray]:
    for _, chunk in reader.stream(start, stop, chunk=8):
        for frame in chunk:
            yield np.ascontiguousarray(frame[crop[1] : crop[3], crop[0] : crop[2]])


def _apart(function: Any, args: tuple[Any, ...], video: ExportVideo) -> Any:
    return run_guarded(function, args, subject=video.uri, wall_s=WALL_S, cpu_s=WALL_S)
