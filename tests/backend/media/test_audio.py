"""Sound on the clock of the first displayed frame."""

from pathlib import Path

import numpy as np
import pytest

from backend.domain import Absent
from backend.media.audio import Sound, sound_from_first_frame
from backend.media.writer import write_video

RATE = 16_000
FRAMES = [np.full((64, 96, 3), 90, np.uint8)] * 50


def clicked(path: Path, *, picture_from_s: float) -> Path:
    """A click at 1.2 s of the file's clock; frames 25 a second from `picture_from_s` on."""
    samples = np.zeros(2 * RATE, np.float32)
    samples[round(1.2 * RATE) :][:400] = 0.5 * np.sin(np.arange(400) / 4)
    times = [picture_from_s + n / 25 for n in range(len(FRAMES))]
    write_video(path, FRAMES, fps=25, audio=(samples, RATE), times_s=times)
    return path


@pytest.mark.parametrize(("picture_from_s", "at_s"), [(0.0, 1.2), (0.4, 0.8)])
def test_sound_stands_where_the_picture_shows_it(tmp_path: Path, picture_from_s: float, at_s: float) -> None:
    sound = sound_from_first_frame(clicked(tmp_path / "click.mkv", picture_from_s=picture_from_s), RATE)
    assert isinstance(sound, Sound) and sound.start_s == 0
    assert np.flatnonzero(np.abs(sound.samples) > 0.2)[0] / RATE == pytest.approx(at_s, abs=0.01)


def test_as_much_is_kept_as_is_asked_for_from_the_first_frame(tmp_path: Path) -> None:
    sound = sound_from_first_frame(clicked(tmp_path / "click.mkv", picture_from_s=0.4), RATE, max_s=0.9)
    assert isinstance(sound, Sound) and len(sound.samples) == round(0.9 * RATE)
    assert np.abs(sound.samples).max() > 0.2


def test_a_video_without_sound_says_so(tmp_path: Path) -> None:
    write_video(tmp_path / "mute.mp4", FRAMES, fps=25)
    found = sound_from_first_frame(tmp_path / "mute.mp4", RATE)
    assert isinstance(found, Absent) and "no audio stream" in found.reason


def test_whole_numbers_span_the_scale() -> None:
    sound = Sound(np.array([-1.0, -0.5, 0.0, 0.5, 1.0], np.float32), RATE, 0.0)
    assert sound.to_int16().tolist() == [-32768, -16384, 0, 16384, 32767]
