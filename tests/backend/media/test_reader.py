from pathlib import Path

import numpy as np
import pytest

from backend.domain import MediaError
from backend.media.index import FrameIndex, build_index
from backend.media.reader import VideoReader
from backend.media.writer import write_preview, write_video

BITS = 10


def barcode(number: int, *, width: int = 320, height: int = 176) -> np.ndarray:
    """A frame whose top strip shows `number` as black and white blocks."""
    frame = np.full((height, width, 3), 128, dtype=np.uint8)
    frame[:, number * 3 % width] = 200
    block = width // BITS
    for bit in range(BITS):
        frame[:32, bit * block : (bit + 1) * block] = 255 if number >> bit & 1 else 0
    return frame


def number_of(frame: np.ndarray) -> int:
    block = frame.shape[1] / BITS
    return sum(int(frame[16, int((bit + 0.5) * block), 0] > 127) << bit for bit in range(BITS))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "counted.mp4"
    write_video(path, map(barcode, range(90)), fps=30, gop=30)
    return path


def test_frames_come_by_exact_index_in_the_order_asked_for(clip: Path) -> None:
    wanted = [88, 0, 45, 31, 45, 30, 29]
    with VideoReader(clip) as reader:
        assert [number_of(frame) for frame in reader.at(wanted)] == wanted


def test_stream_gives_every_frame_once_in_order(clip: Path) -> None:
    with VideoReader(clip) as reader:
        seen = [(first + i, number_of(frame)) for first, chunk in reader.stream() for i, frame in enumerate(chunk)]
    assert seen == [(i, i) for i in range(90)]


def test_stream_steps_through_a_span(clip: Path) -> None:
    with VideoReader(clip) as reader:
        seen = [number_of(frame) for _, chunk in reader.stream(7, 80, step=9, chunk=4) for frame in chunk]
    assert seen == list(range(7, 80, 9))


def test_an_index_outside_the_video_is_refused(clip: Path) -> None:
    with VideoReader(clip) as reader, pytest.raises(IndexError, match="frame 90 outside"):
        reader.at([90])


def test_index_survives_the_round_trip_through_bytes(clip: Path) -> None:
    index = build_index(clip)
    again = FrameIndex.from_bytes(index.to_bytes())
    assert again.facts == index.facts
    for name in ("packet_pts", "packet_dts", "packet_key", "frame_packet", "times_s", "frame_start"):
        np.testing.assert_array_equal(getattr(again, name), getattr(index, name))


def test_bytes_that_are_no_index_are_refused() -> None:
    with pytest.raises(MediaError, match="not a frame index"):
        FrameIndex.from_bytes(b"something else entirely, and long enough to hold a header")


def test_preview_frame_i_is_source_frame_start_plus_i(clip: Path, tmp_path: Path) -> None:
    with VideoReader(clip) as reader:
        assert write_preview(reader, 40, 70, tmp_path / "preview.mp4", max_height=120) == 30
    with VideoReader(tmp_path / "preview.mp4") as preview:
        assert preview.height == 120
        frames = preview.at(range(30))
    block = frames.shape[2] / BITS
    shown = [sum(int(f[8, int((b + 0.5) * block), 0] > 127) << b for b in range(BITS)) for f in frames]
    assert shown == list(range(40, 70))
