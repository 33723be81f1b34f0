"""Cached frames are those of the file, whatever was asked for before."""

from pathlib import Path

import numpy as np
import pytest

from backend.domain import MediaError
from backend.engine.frames import SMALL_PX, CachedReader, FrameCache
from backend.media.reader import VideoReader
from backend.media.writer import write_video

NUM_FRAMES = 40


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 frames of 1280 x 720, the n-th of the grey level 6 n + 10."""
    path = tmp_path_factory.mktemp("frames") / "v.mp4"
    frames = (np.full((720, 1280, 3), 6 * n + 10, np.uint8) for n in range(NUM_FRAMES))
    write_video(path, frames, fps=25.0)
    return path


class Counting(VideoReader):
    """Counts the frames it decodes and converts."""

    converted = 0

    def at_sizes(self, wanted):
        for found in super().at_sizes(wanted):
            self.converted += 1
            yield found


def levels(frames: np.ndarray) -> list[int]:
    return [round((float(frame.mean()) - 10) / 6) for frame in frames]


def test_one_decode_serves_every_size_in_an_expected_span(video: Path) -> None:
    under = Counting(video)
    reader = CachedReader("v", under, FrameCache())
    reader.expect(range(10, 20), whole=[12, 18])
    assert levels(reader.at([11], size=(320, 180))) == [11]
    assert under.converted == 12, "ten small frames and two whole ones"
    assert reader.at([18, 12]).shape == (2, 720, 1280, 3)
    assert levels(reader.at([18, 12])) == [18, 12]
    assert levels(reader.at(list(range(10, 20)), size=(160, 90))) == list(range(10, 20))
    assert under.converted == 12


def test_small_frames_do_not_depend_on_what_was_cached(video: Path) -> None:
    alone = CachedReader("v", VideoReader(video), FrameCache()).at([15], size=(320, 180))
    reader = CachedReader("v", VideoReader(video), FrameCache())
    reader.expect(range(NUM_FRAMES), whole=[15])
    reader.at([15])
    assert np.array_equal(reader.at([15], size=(320, 180)), alone)


def test_span_too_large_for_the_cache_is_read_as_asked(video: Path) -> None:
    under = Counting(video)
    reader = CachedReader("v", under, FrameCache())
    reader.expect(range(10_000), whole=[12])
    reader.at([3, 5], size=(SMALL_PX, 360))
    assert under.converted == 2


def test_cache_keeps_within_its_bytes(video: Path) -> None:
    under, one = Counting(video), 640 * 360 * 3
    reader = CachedReader("v", under, FrameCache(max_bytes=3 * one))
    for index in (0, 1, 2, 0, 3, 0, 1):  # 1 was used least lately when 3 came
        assert levels(reader.at([index], size=(640, 360))) == [index]
    assert under.converted == 5


def test_lost_frame_fails_only_who_asks_for_it(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    under = VideoReader(video)
    whole = VideoReader._decode

    def losing(self, wanted, *, strict=True):
        for index, frame in whole(self, wanted, strict=strict):
            if index == 13 and strict:
                raise self._missing(index)
            if index != 13:
                yield index, frame

    monkeypatch.setattr(VideoReader, "_decode", losing)
    reader = CachedReader("v", under, FrameCache())
    reader.expect(range(10, 20), whole=[])
    assert levels(reader.at([12, 14], size=(320, 180))) == [12, 14]
    with pytest.raises(MediaError, match="frame 13 cannot be decoded"):
        reader.at([13], size=(320, 180))
