from pathlib import Path

import av
import numpy as np
import pytest

from backend.domain import Absent
from backend.media.audio import Sound, read_audio
from backend.media.reader import VideoReader
from backend.media.writer import write_preview, write_video
from tests.backend.media.counted_clips import (
    VARIABLE_PTS,
    barcode,
    constant_rate,
    edit_list,
    number_of,
    rotated_90,
    variable_rate,
)


@pytest.mark.parametrize(("codec", "name"), [("h264", "a.mp4"), ("h264", "a.mkv"), ("vp9", "a.webm"), ("vp9", "a.mp4")])
def test_what_is_written_is_read_back(tmp_path: Path, codec: str, name: str) -> None:
    assert write_video(tmp_path / name, (barcode(i) for i in range(20)), fps=24, codec=codec, gop=8) == 20
    with VideoReader(tmp_path / name) as reader:
        assert reader.index.fps == 24
        assert [number_of(frame) for frame in reader.at(range(20))] == list(range(20))


@pytest.mark.parametrize("colour", [(250, 20, 20), (20, 240, 30), (30, 30, 230), (128, 128, 128)])
def test_colours_survive_writing_and_reading(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    write_video(tmp_path / "flat.mp4", [np.full((64, 64, 3), colour, np.uint8)] * 3, fps=10, crf=4)
    with VideoReader(tmp_path / "flat.mp4") as reader:
        np.testing.assert_allclose(reader.at([1])[0, 32, 32], colour, atol=4)
    with av.open(str(tmp_path / "flat.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)


def test_odd_sizes_get_their_last_row_and_column_repeated(tmp_path: Path) -> None:
    write_video(tmp_path / "odd.mp4", [barcode(5, width=321, height=181)] * 2, fps=10)
    with VideoReader(tmp_path / "odd.mp4") as reader:
        assert (reader.width, reader.height) == (322, 182)


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "whole.mp4"
    write_video(path, [barcode(0)] * 3, fps=10)
    before = path.read_bytes()

    def frames():
        yield barcode(0)
        yield barcode(1, width=300)

    with pytest.raises(ValueError, match="frame 1 is"):
        write_video(path, frames(), fps=10)
    with pytest.raises(ValueError, match="no frames"):
        write_video(path, [], fps=10)
    with pytest.raises(ValueError, match="codec 'hevc'"):
        write_video(path, frames(), fps=10, codec="hevc")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["whole.mp4"]


def test_equal_frames_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one.mp4", "two.mp4"):
        write_video(tmp_path / name, (barcode(i) for i in range(10)), fps=10)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


@pytest.mark.parametrize(
    ("make", "start", "first"), [(constant_rate, 40, 40), (edit_list, 10, 17), (variable_rate, 20, 20)]
)
def test_preview_frame_i_is_source_frame_start_plus_i(tmp_path: Path, make, start: int, first: int) -> None:
    with VideoReader(make(tmp_path)) as reader:
        assert write_preview(reader, start, start + 25, tmp_path / "preview.mp4", max_height=120) == 25
        times = reader.times_s[start : start + 25] - reader.times_s[start]
    with VideoReader(tmp_path / "preview.mp4") as preview:
        assert preview.height == 120
        assert [number_of(frame) for frame in preview.at(range(25))] == list(range(first, first + 25))
        np.testing.assert_allclose(preview.times_s, times, atol=2e-3)


def test_a_preview_is_upright_and_not_larger_than_its_source(tmp_path: Path) -> None:
    with VideoReader(rotated_90(tmp_path)) as reader:
        write_preview(reader, 0, 5, tmp_path / "upright.mp4")
    with VideoReader(tmp_path / "upright.mp4") as preview:
        assert (preview.width, preview.height, preview.index.facts.rotation) == (176, 320, 0)


def test_given_times_are_kept(tmp_path: Path) -> None:
    times = np.array(VARIABLE_PTS[:40]) / 30
    write_video(tmp_path / "timed.mp4", (barcode(i) for i in range(40)), fps=30, times_s=times.tolist())
    with VideoReader(tmp_path / "timed.mp4") as reader:
        np.testing.assert_allclose(reader.times_s, times, atol=1e-3)


@pytest.mark.parametrize(("codec", "name"), [("h264", "s.mp4"), ("vp9", "s.webm")])
def test_sound_comes_back_at_its_place(tmp_path: Path, codec: str, name: str) -> None:
    rate = 16_000
    samples = np.zeros(2 * rate, dtype=np.float32)
    samples[rate : rate + 400] = 0.5 * np.sin(np.arange(400) / 4)
    write_video(tmp_path / name, (barcode(i) for i in range(60)), fps=30, codec=codec, audio=(samples, rate))
    sound = read_audio(tmp_path / name, rate)
    assert isinstance(sound, Sound)
    loud = np.flatnonzero(np.abs(sound.samples) > 0.2) / rate + sound.start_s
    assert loud[0] == pytest.approx(1.0, abs=0.01)
    assert loud[-1] == pytest.approx(1.025, abs=0.01)
    assert not sound.is_silent


def test_a_file_without_sound_says_so(tmp_path: Path) -> None:
    sound = read_audio(constant_rate(tmp_path))
    assert isinstance(sound, Absent)
    assert "no audio stream" in sound.reason


def test_only_so_much_sound_is_read_as_asked_for(tmp_path: Path) -> None:
    tone = np.sin(np.arange(48_000) / 9).astype(np.float32) / 2
    write_video(tmp_path / "t.mp4", [barcode(0)] * 30, fps=30, audio=(np.stack((tone, tone)), 16_000))
    sound = read_audio(tmp_path / "t.mp4", 8_000, max_s=0.5)
    assert isinstance(sound, Sound)
    assert sound.samples.shape == (4_000,)


def test_equal_frames_make_equal_files_wherever_they_lie_in_memory(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    frames = [chance.integers(0, 255, (44, 72, 3), np.uint8) for _ in range(12)]
    found = set()
    for number in range(60):
        _elsewhere = [np.empty(int(size), np.uint8) for size in chance.integers(1, 5000, number % 50)]
        write_video(tmp_path / "a.mp4", (frame.copy() for frame in frames), fps=12.0, crf=18, bitexact=True)
        found.add((tmp_path / "a.mp4").read_bytes())
    assert len(found) == 1
