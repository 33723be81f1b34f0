"""Pictures and sounds of a case, cut from a project's videos in a guarded process."""

import io
import tempfile
import wave
from pathlib import Path

import numpy as np

from backend.domain import Absent, Box, MediaError
from backend.media.audio import SILENCE, read_audio
from backend.media.guard import run_guarded
from backend.media.images import encode_png
from backend.media.index import FrameIndex
from backend.media.reader import VideoReader

RATE = 16_000  # Hz, what wav2vec and SyncNet hear
WALL_S = 120.0
MARGIN = 0.15  # of a box's longer side, as the sample world's references have


def frame_png(uri: str, index: bytes, frame: int) -> bytes:
    """A whole frame as PNG. Raises MediaError when it cannot be read."""
    return run_guarded(cut_frame, (uri, index, frame), subject=uri, wall_s=WALL_S)


def box_png(uri: str, index: bytes, frame: int, box: Box) -> bytes:
    """A subject's box with some of its surroundings, cut out of its frame as PNG. Raises MediaError as `frame_png`."""
    return run_guarded(cut_frame, (uri, index, frame, box), subject=uri, wall_s=WALL_S)


def sound_wav(uri: str, index: bytes, start_s: float, stop_s: float) -> bytes:
    """The sound between two times of the picture as 16-bit mono WAV. Raises MediaError when there is none."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "sound.wav"  # minutes of sound are more than a reply of a guarded process should carry
        run_guarded(cut_sound, (uri, index, start_s, stop_s, str(out)), subject=uri, wall_s=WALL_S)
        return out.read_bytes()


def cut_frame(uri: str, index: bytes, frame: int, box: Box | None = None) -> bytes:
    """What `frame_png` and `box_png` do, in the guarded process."""
    with VideoReader(uri, FrameIndex.from_bytes(index)) as reader:
        picture = reader.at([frame])[0]
    if box is not None:
        x0, y0, x1, y1 = box
        pad = MARGIN * max(x1 - x0, y1 - y0)
        picture = picture[max(0, int(y0 - pad)) : int(y1 + pad) + 1, max(0, int(x0 - pad)) : int(x1 + pad) + 1]
    return encode_png(np.ascontiguousarray(picture))


def cut_sound(uri: str, index: bytes, start_s: float, stop_s: float, out: str) -> None:
    """What `sound_wav` does, in the guarded process."""
    sound = read_audio(uri, RATE)
    if isinstance(sound, Absent):
        raise MediaError(sound.reason)
    start = round((start_s + FrameIndex.from_bytes(index).start_s - sound.start_s) * RATE)
    length = round((stop_s - start_s) * RATE)
    samples = np.zeros(length, np.float32)
    heard = sound.samples[max(start, 0) : max(start + length, 0)]
    samples[max(-start, 0) :][: len(heard)] = heard
    if np.abs(samples).max(initial=0.0) < SILENCE:
        raise MediaError(f"{uri} is silent from {start_s:g} to {stop_s:g} s")
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    Path(out).write_bytes(data.getvalue())
