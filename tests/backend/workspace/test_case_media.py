"""Frames and sounds of cases are those of the video at the asked place."""

import io
import wave
from pathlib import Path

import numpy as np
import pytest

from backend.domain import MediaError
from backend.media.images import decode_image
from backend.media.index import build_index
from backend.media.reader import VideoReader
from backend.media.writer import write_video
from backend.workspace.case_media import RATE, box_png, frame_png, sound_wav


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Two seconds at 10 fps; sound in the second half alone."""
    frames = np.stack([np.full((48, 64, 3), 10 * n, np.uint8) for n in range(20)])
    tone = np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE).astype(np.float32) * 0.5
    tone[:RATE] = 0
    write_video(tmp_path / "v.mp4", frames, fps=10, audio=(tone, RATE))
    return tmp_path / "v.mp4"


def test_frame_is_the_asked_one(video: Path) -> None:
    found = decode_image(frame_png(str(video), build_index(video).to_bytes(), 7))
    with VideoReader(video) as reader:
        np.testing.assert_array_equal(found, reader.at([7])[0])


def test_box_brings_its_surroundings_and_ends_at_the_frame(video: Path) -> None:
    index = build_index(video).to_bytes()
    assert decode_image(box_png(str(video), index, 0, (20.0, 10.0, 40.0, 30.0))).shape[:2] == (27, 27)
    assert decode_image(box_png(str(video), index, 0, (0.0, 0.0, 64.0, 48.0))).shape[:2] == (48, 64)


def test_sound_is_of_the_asked_time(video: Path) -> None:
    index = build_index(video).to_bytes()
    with wave.open(io.BytesIO(sound_wav(str(video), index, 0.5, 1.5))) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        assert (file.getframerate(), file.getnchannels(), len(samples)) == (RATE, 1, RATE)
    loud = np.abs(samples) > 3000
    assert np.flatnonzero(loud)[0] == pytest.approx(RATE / 2, abs=0.06 * RATE)  # the encoder's frames are 64 ms


def test_silence_is_a_sentence(video: Path) -> None:
    with pytest.raises(MediaError, match=r"silent from 0 to 0\.5 s"):
        sound_wav(str(video), build_index(video).to_bytes(), 0.0, 0.5)
