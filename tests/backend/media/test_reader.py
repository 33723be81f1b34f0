"""What every reader promises, on every kind of file: frame i of the index is the i-th picture that a player shows."""

from pathlib import Path

import av
import numpy as np
import pytest

from backend.domain import MediaError
from backend.media.decord_reader import DecordReader, open_reader, why_not_decord
from backend.media.index import FrameIndex, build_index
from backend.media.reader import VideoReader
from tests.backend.media.counted_clips import CLIPS, FPS, VARIABLE_PTS, barcode, encode, number_of

BACKENDS = ("pyav", "decord")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("counted")
    return {name: make(folder) for name, (make, _) in CLIPS.items()}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CLIPS)
def test_frames_are_numbered_as_a_player_shows_them(clips: dict[str, Path], name: str, backend) -> None:
    shown = CLIPS[name][1]
    index = FrameIndex.from_bytes(build_index(clips[name]).to_bytes())
    with open_reader(clips[name], index, backend=backend) as reader:
        assert reader.num_frames == len(shown)
        assert [number_of(frame) for _, chunk in reader.stream() for frame in chunk] == shown


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CLIPS)
def test_any_frames_come_in_the_order_asked_for_with_the_pixels_of_the_stream(
    clips: dict[str, Path], name: str, backend
) -> None:
    shown = CLIPS[name][1]
    rng = np.random.default_rng(3)
    with open_reader(clips[name], backend=backend) as reader:
        sequence = np.concatenate([chunk for _, chunk in reader.stream()])
        for num in (1, 2, 5):
            wanted = rng.integers(0, len(shown), num).tolist()
            np.testing.assert_array_equal(reader.at(wanted), sequence[wanted])
        np.testing.assert_array_equal(reader.at([len(shown) - 1]), sequence[-1:])


@pytest.mark.parametrize("backend", BACKENDS)
def test_frames_come_in_the_size_asked_for(clips: dict[str, Path], backend) -> None:
    with open_reader(clips["constant_rate"], backend=backend) as reader:
        frames = reader.at([31, 5], size=(160, 88))
        assert frames.shape == (2, 88, 160, 3)
        assert [number_of(frame) for frame in frames] == [31, 5]
        streamed = [chunk.shape for _, chunk in reader.stream(0, 10, size=(80, 44), chunk=8)]
    assert streamed == [(8, 44, 80, 3), (2, 44, 80, 3)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_stream_steps_through_a_span(clips: dict[str, Path], backend) -> None:
    with open_reader(clips["constant_rate"], backend=backend) as reader:
        chunks = [(first, [number_of(f) for f in chunk]) for first, chunk in reader.stream(7, 60, step=9, chunk=4)]
    assert chunks == [(7, [7, 16, 25, 34]), (43, [43, 52])]


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_frames_give_an_empty_array(clips: dict[str, Path], backend) -> None:
    with open_reader(clips["constant_rate"], backend=backend) as reader:
        assert reader.at([]).shape == (0, 176, 320, 3)
        assert list(reader.stream(5, 5)) == []


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("index", [-1, 70])
def test_an_index_outside_the_video_is_refused(clips: dict[str, Path], backend, index: int) -> None:
    with open_reader(clips["constant_rate"], backend=backend) as reader, pytest.raises(IndexError, match="outside"):
        reader.at([0, index])


@pytest.mark.parametrize("backend", BACKENDS)
def test_times_of_a_variable_rate_are_those_of_the_packets(clips: dict[str, Path], backend) -> None:
    with open_reader(clips["variable_rate"], backend=backend) as reader:
        np.testing.assert_allclose(reader.times_s, np.array(VARIABLE_PTS) / FPS, atol=1e-4)


def test_decord_is_used_where_it_reads_rightly_and_only_there(clips: dict[str, Path]) -> None:
    used = {name for name, path in clips.items() if why_not_decord(build_index(path)) is None}
    assert used == {
        "constant_rate",
        "no_b_frames",
        "one_key_frame",
        "variable_rate",
        "depth_of_reordering_unstated",
        "single_frame",
        "grey",
    }
    with open_reader(clips["edit_list"], backend="decord") as reader:
        assert isinstance(reader, VideoReader)
    with open_reader(clips["constant_rate"], backend="decord") as reader:
        assert isinstance(reader, DecordReader)


def test_both_readers_give_nearly_the_same_pixels(clips: dict[str, Path]) -> None:
    with open_reader(clips["constant_rate"]) as ours, open_reader(clips["constant_rate"], backend="decord") as other:
        difference = np.abs(ours.at([9]).astype(int) - other.at([9]))
    assert difference.mean() < 1.5


def test_a_stored_size_is_displayed_upright(clips: dict[str, Path]) -> None:
    facts = {name: build_index(clips[name]).facts for name in ("rotated_90", "rotated_180", "rotated_270")}
    assert {name: (f.rotation, f.width, f.height) for name, f in facts.items()} == {
        "rotated_90": (90, 176, 320),
        "rotated_180": (180, 176, 320),
        "rotated_270": (270, 176, 320),
    }


def test_an_edit_list_hides_frames_and_starts_the_clock_at_the_first_shown(clips: dict[str, Path]) -> None:
    index = build_index(clips["edit_list"])
    assert index.facts.hidden == 7
    assert index.times_s[0] == 0.0
    np.testing.assert_allclose(np.diff(index.times_s), 1 / FPS, atol=1e-4)


def test_pictures_that_vp8_only_refers_to_are_not_counted_as_frames(clips: dict[str, Path]) -> None:
    assert build_index(clips["webm_vp8_hidden_pictures"]).facts.hidden == 2


def test_a_stream_without_times_is_numbered_by_the_decoder_and_says_so(clips: dict[str, Path]) -> None:
    index = build_index(clips["raw_h264"])
    assert not index.facts.timed
    assert index.num_frames == 30


def test_frame_at_gives_the_frame_on_screen(clips: dict[str, Path]) -> None:
    index = build_index(clips["variable_rate"])
    assert index.frame_at(-5.0) == 0
    assert index.frame_at(VARIABLE_PTS[30] / FPS + 1.0) == 30
    assert index.frame_at(VARIABLE_PTS[31] / FPS) == 31
    assert index.frame_at(1e9) == 69


def test_an_index_takes_few_bytes_a_frame(clips: dict[str, Path]) -> None:
    assert len(build_index(clips["constant_rate"]).to_bytes()) < 700


@pytest.mark.parametrize("name", CLIPS)
def test_an_index_survives_the_round_trip_through_bytes(clips: dict[str, Path], name: str) -> None:
    index = build_index(clips[name])
    again = FrameIndex.from_bytes(index.to_bytes())
    assert again.facts == index.facts
    for field in ("packet_pts", "packet_dts", "packet_key", "frame_packet", "times_s", "frame_start"):
        np.testing.assert_array_equal(getattr(again, field), getattr(index, field))


def test_bytes_that_are_no_index_are_refused(clips: dict[str, Path]) -> None:
    good = build_index(clips["constant_rate"]).to_bytes()
    with pytest.raises(MediaError, match="not a frame index"):
        FrameIndex.from_bytes(b"something else entirely, and long enough to hold a header")
    with pytest.raises(MediaError, match="version 99"):
        FrameIndex.from_bytes(good[:4] + b"\x63" + good[5:])
    with pytest.raises(MediaError, match="damaged frame index"):
        FrameIndex.from_bytes(good[:40] + b"\x00" * (len(good) - 40))


def test_interlaced_pictures_show_one_field_without_combing(tmp_path: Path) -> None:
    combed = np.zeros((176, 320, 3), dtype=np.uint8)
    combed[::2] = 200
    path = encode(tmp_path / "fields.mp4", [combed] * 6, options={"x264-params": "tff=1", "crf": "4"})
    with VideoReader(path) as reader:
        assert reader.index.facts.interlaced
        frame = reader.at([3])[0]
    assert int(frame[8:-8].max()) - int(frame[8:-8].min()) < 16
    assert abs(float(frame.mean()) - 200) < 8


@pytest.mark.parametrize(("tags", "matrix"), [({}, "bt601"), ({"colorspace": "bt709"}, "bt709")])
def test_the_stated_matrix_is_used_and_601_when_none_is_stated(tmp_path: Path, tags: dict[str, str], matrix: str) -> None:
    # A flat stored colour, written as planes, so that only the reading side chooses a matrix.
    luma, blue, red = 81, 90, 240
    path = tmp_path / "flat.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "1", **tags})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        planes = np.full((96, 64), luma, dtype=np.uint8)
        planes[64:80], planes[80:96] = blue, red
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(stream.encode(None))
    y, cb, cr = (luma - 16) * 255 / 219, (blue - 128) * 255 / 224, (red - 128) * 255 / 224
    # ITU-R BT.601 and BT.709, inverse matrices
    expected = {
        "bt601": (y + 1.402 * cr, y - 0.3441 * cb - 0.7141 * cr, y + 1.772 * cb),
        "bt709": (y + 1.5748 * cr, y - 0.1873 * cb - 0.4681 * cr, y + 1.8556 * cb),
    }[matrix]
    with VideoReader(path) as reader:
        pixel = reader.at([1])[0, 32, 32]
    np.testing.assert_allclose(pixel, np.clip(expected, 0, 255), atol=3)


def test_a_damaged_stream_gives_the_same_pixels_however_a_frame_is_reached(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 60, (60, 176, 320, 3), dtype=np.uint8)
    path = encode(tmp_path / "hurt.mp4", (barcode(i) // 2 + noise[i] for i in range(60)), options={"g": "15"})
    data = bytearray(path.read_bytes())
    for place in np.random.default_rng(5).integers(len(data) // 5, len(data) - 9000, 25):
        data[place] ^= 0xFF
    path.write_bytes(data)
    index = build_index(path).damaged(np.ones(60, dtype=bool))
    with VideoReader(path, index) as reader:
        is_kept = reader.readable(range(60))
        assert reader.decode_errors > 0
    index = index.damaged(is_kept)
    with VideoReader(path, index) as reader:
        sequence = np.concatenate([chunk for _, chunk in reader.stream()])
        assert len(sequence) == is_kept.sum() > 30
        for wanted in ([len(sequence) - 1], [3, 20], [17]):
            np.testing.assert_array_equal(reader.at(wanted), sequence[wanted])


def test_a_frame_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = encode(tmp_path / "cut.mkv", (barcode(i) for i in range(60)), options={"g": "15", "bf": "0"})
    index = build_index(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with VideoReader(path, index) as reader, pytest.raises(MediaError, match=r"cut\.mkv: frame 59 cannot be decoded"):
        reader.at([0, 59])
