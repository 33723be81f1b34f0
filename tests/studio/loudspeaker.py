"""A loudspeaker that keeps what was heard and when, and clips whose every frame has a tone of its own."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from backend.media.writer import write_video
from studio.player.decoder import Reel
from studio.player.sound_feed import SOUND_RATE
from studio.player.sound_output import NoSound

FPS, FRAMES = 10, 20
BASE_HZ, STEP_HZ = 400, 120
SILENT = -1
CAPACITY = SOUND_RATE * 12 // 100


class Loudspeaker:
    """Plays in the time that `now` tells; what comes too late is heard late, and silence before it."""

    def __init__(self, now: Callable[[], float], *, most_s: float = 30.0) -> None:
        self._now = now
        self.heard = np.zeros(round(most_s * SOUND_RATE), np.int16)
        self.is_gone = self.is_closed = False
        self._stop = 0

    def room(self) -> int:
        return CAPACITY - self.queued()

    def queued(self) -> int:
        return max(0, self._stop - self._place)

    def write(self, samples: np.ndarray) -> None:
        if self.is_gone:
            raise NoSound("the loudspeaker is gone")
        start = max(self._stop, self._place)
        self._stop = start + len(samples)
        self.heard[start : self._stop] = samples

    def drop(self) -> None:
        self.heard[self._place : self._stop] = 0
        self._stop = self._place

    def close(self) -> None:
        self.is_closed = True

    def tone(self, at_s: float) -> float:
        """What stands out in the .06 s from a moment on, in Hz; SILENT for nothing."""
        part = self.heard[round(at_s * SOUND_RATE) :][: SOUND_RATE * 6 // 100].astype(np.float64)
        if np.abs(part).max() < 300:
            return SILENT
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), n=1 << 14))
        return float(np.argmax(spectrum)) * SOUND_RATE / (1 << 14)

    @property
    def _place(self) -> int:
        return round(self._now() * SOUND_RATE)


def tone_of(side: int, frame: int) -> float:
    """The tone of a frame in Hz: rising on the first side, on the second falling and between those of the first."""
    return BASE_HZ + STEP_HZ * frame if side == 0 else BASE_HZ + STEP_HZ * (FRAMES - 1 - frame) + STEP_HZ / 2


def sounding_clip(path: Path, side: int, *, fps: float = FPS) -> Reel:
    """Two seconds; while frame i stands, its tone is heard."""
    grey = np.linspace(0, 240, FRAMES).astype(np.uint8)
    frames = (np.full((48, 64, 3), value, np.uint8) for value in grey)
    times = np.arange(round(SOUND_RATE / fps)) / SOUND_RATE
    audio = np.concatenate([0.5 * np.sin(2 * np.pi * tone_of(side, i) * times) for i in range(FRAMES)])
    write_video(path, frames, fps=fps, gop=12, audio=(audio.astype(np.float32), SOUND_RATE))
    return Reel(path=str(path), num_frames=FRAMES, fps=fps)
