from pathlib import Path

import av
import numpy as np
import pytest

from backend.media.audio import Sound, read_audio
from backend.media.reader import VideoReader
from backend.media.study_copies import (
    LOUDNESS,
    StudyClass,
    StudyVideo,
    class_for,
    write_study_copy,
    write_study_picture,
)
from backend.media.writer import write_video
from tests.backend.media.counted_clips import barcode, number_of

SMALL = StudyClass(width=320, height=180, rate=24, has_sound=False)


def video(width: int = 320, height: int = 180, fps: float = 24.0, *, has_sound: bool = False) -> StudyVideo:
    return StudyVideo(width=width, height=height, fps=fps, has_sound=has_sound)


@pytest.mark.parametrize(
    ("rates", "expected"),
    [((8, 12), 24), ((16, 24), 48), ((23.976, 24), 24), ((24, 30), 30), ((120,), 60), ((15, 30, 60), 60)],
)
def test_rate_is_the_least_common_multiple_up_to_sixty(rates: tuple[float, ...], expected: int) -> None:
    assert class_for([video(fps=rate) for rate in rates]).rate == expected


def test_size_is_the_greatest_height_up_to_720_in_the_commonest_shape() -> None:
    videos = [video(1280, 720), video(832, 480), video(1920, 1080), video(640, 480)]
    found = class_for(videos)
    assert (found.width, found.height) == (1280, 720)
    assert class_for([video(480, 480)]).width == 480


@pytest.mark.parametrize("size", [(1280, 720), (832, 480), (848, 480), (720, 1280 // 2), (480, 720)])
def test_videos_that_are_alike_keep_their_size(size: tuple[int, int]) -> None:
    found = class_for([video(*size), video(*size), video(size[0] - 2, size[1])])
    assert (found.width, found.height) == size


def test_a_copy_of_its_own_size_has_no_bars(tmp_path: Path) -> None:
    size = (832, 480)
    write_video(tmp_path / "bright.mp4", [np.full((size[1], size[0], 3), 200, np.uint8)] * 4, fps=24)
    write_study_copy(tmp_path / "bright.mp4", tmp_path / "copy.mp4", class_for([video(*size)]))
    with VideoReader(tmp_path / "copy.mp4") as reader:
        picture = reader.at([1])[0]
    assert picture.shape[:2] == (480, 832)
    assert picture.min() > 190


def test_one_video_with_sound_gives_every_copy_a_track(tmp_path: Path) -> None:
    assert class_for([video(), video(has_sound=True)]).has_sound
    write_video(tmp_path / "a.mp4", [barcode(i) for i in range(24)], fps=24)
    write_study_copy(
        tmp_path / "a.mp4", tmp_path / "a_copy.mp4", StudyClass(width=320, height=180, rate=24, has_sound=True)
    )
    found = read_audio(tmp_path / "a_copy.mp4")
    assert isinstance(found, Sound)
    assert found.is_silent


def test_sounds_are_brought_to_one_loudness(tmp_path: Path) -> None:
    tone = np.sin(np.arange(48_000) * 2 * np.pi * 440 / 48_000).astype(np.float32)
    wanted = StudyClass(width=320, height=180, rate=24, has_sound=True)
    levels = []
    for name, loudness in (("quiet", 0.05), ("loud", 0.9)):
        write_video(tmp_path / f"{name}.mp4", [barcode(0)] * 24, fps=24, audio=(tone * loudness, 48_000))
        write_study_copy(tmp_path / f"{name}.mp4", tmp_path / f"{name}_copy.mp4", wanted)
        found = read_audio(tmp_path / f"{name}_copy.mp4", 48_000)
        assert isinstance(found, Sound)
        levels.append(float(np.sqrt(np.mean(found.samples[4_800:-4_800] ** 2))))
    assert levels == pytest.approx([LOUDNESS, LOUDNESS], rel=0.05)


def test_frames_stand_as_long_as_before_at_the_new_rate(tmp_path: Path) -> None:
    write_video(tmp_path / "slow.mp4", [barcode(i) for i in range(8)], fps=8)
    assert write_study_copy(tmp_path / "slow.mp4", tmp_path / "copy.mp4", SMALL) == 24
    with VideoReader(tmp_path / "copy.mp4") as reader:
        assert [number_of(frame) for frame in reader.at(range(24))] == [i // 3 for i in range(24)]


def test_another_shape_is_fitted_inside_with_black_beside(tmp_path: Path) -> None:
    write_video(tmp_path / "square.mp4", [np.full((90, 90, 3), 200, np.uint8)] * 4, fps=24)
    write_study_copy(tmp_path / "square.mp4", tmp_path / "copy.mp4", SMALL)
    with VideoReader(tmp_path / "copy.mp4") as reader:
        picture = reader.at([1])[0].astype(int)
    assert picture[90, 160].min() > 190
    assert picture[90, :60].max() < 20
    assert picture[90, -60:].max() < 20


def test_a_copy_tells_nothing_of_its_making(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "told.mkv"), "w") as container:
        container.metadata.update({"title": "CANARY-MODEL", "comment": "prompt: CANARY-PROMPT"})
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for number in range(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(barcode(number), format="rgb24")))
        container.mux(stream.encode(None))
    assert b"CANARY-MODEL" in (tmp_path / "told.mkv").read_bytes()
    write_study_copy(tmp_path / "told.mkv", tmp_path / "copy.mp4", SMALL)
    written = (tmp_path / "copy.mp4").read_bytes()
    assert [word for word in (b"CANARY", b"told", b"Lavf", b"Lavc") if word in written] == []
    assert written.index(b"moov") < written.index(b"mdat")  # plays before it is whole


def test_equal_videos_give_equal_copies(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", [barcode(i) for i in range(6)], fps=24)
    for name in ("one.mp4", "two.mp4"):
        write_study_copy(tmp_path / "a.mp4", tmp_path / name, SMALL)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_a_picture_keeps_its_pixels_and_loses_the_rest(tmp_path: Path) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x010E] = "CANARY-PROMPT"
    Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(tmp_path / "a.png", exif=exif)
    assert b"CANARY" in (tmp_path / "a.png").read_bytes()
    assert write_study_picture(tmp_path / "a.png", tmp_path / "a.jpg") == (tmp_path / "a.jpg").stat().st_size
    assert b"CANARY" not in (tmp_path / "a.jpg").read_bytes()
    assert np.asarray(Image.open(tmp_path / "a.jpg")).shape == (20, 30, 3)
