"""One small picture of each shot, read in children: several videos at once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from backend.domain import StudioError
from backend.media.guard import run_guarded
from backend.media.images import encode_webp
from backend.media.index import FrameIndex
from backend.media.reader import VideoReader

WIDTH = 256
WALL_S = 60.0
NUM_READERS = 2
"""Children that read at once."""


def thumbs_of(videos: Sequence[tuple[str, bytes, Sequence[int]]]) -> list[list[bytes]]:
    """For each video (where it lies, its index, frames) those frames as WebP; none of a video that has gone."""
    with ThreadPoolExecutor(NUM_READERS) as pool:
        return list(pool.map(lambda video: _read(*video), videos))


def read_thumbs(uri: str, index: bytes, frames: list[int]) -> list[bytes]:
    """Frames as WebP, WIDTH wide."""
    with VideoReader(uri, FrameIndex.from_bytes(index)) as reader:
        size = (WIDTH, max(2, round(reader.height * WIDTH / reader.width)))
        return [encode_webp(reader.at([frame], size=size)[0]) for frame in frames]


def _read(uri: str, index: bytes, frames: Sequence[int]) -> list[bytes]:
    try:
        return run_guarded(read_thumbs, (uri, index, list(frames)), wall_s=WALL_S)
    except StudioError:
        return []
