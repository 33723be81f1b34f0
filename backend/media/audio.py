"""Sound of a file as samples."""

import itertools
from dataclasses import dataclass

import av
import numpy as np
from av.error import FFmpegError

from backend.domain import Absent
from backend.media.container import FilePath, display_name, open_container, packets_of
from backend.media.index import build_index

SILENCE = 10 ** (-60 / 20)
"""Peak below which a sound counts as silent: -60 dB of full scale, the floor of broadcast silence detectors."""
EARLIER_S = 1.0  # sound may begin a little before the clock does: encoders prime their filters


@dataclass(frozen=True, slots=True)
class Sound:
    """Mono samples float32 `(n,)` in [-1, 1]; the first is heard at `start_s` on the file's own clock."""

    samples: np.ndarray
    rate: int
    start_s: float

    @property
    def is_silent(self) -> bool:
        return len(self.samples) == 0 or float(np.abs(self.samples).max()) < SILENCE

    def to_int16(self) -> np.ndarray:
        """The samples int16 `(n,)`."""
        return np.clip(np.round(self.samples * 32768), -32768, 32767).astype(np.int16)


def read_audio(path: FilePath, rate: int = 16_000, *, max_s: float | None = None) -> Sound | Absent:
    """The first sound stream, mixed to one channel and resampled, up to `max_s` seconds; Absent when there is none.

    `start_s` is on the clock of the file: subtract the picture's start (`FrameIndex.start_s`) to align them. Gaps inside
    the stream are filled with silence, so that sample i stands at `start_s + i / rate`. Raises MediaError as
    `open_container`.
    """
    with open_container(path) as container:
        if not container.streams.audio:
            return Absent(f"{display_name(path)} has no audio stream")
        stream = container.streams.audio[0]
        if stream.codec_context is None:
            return Absent(f"{display_name(path)}: the codec of its audio stream is not known")
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        pieces: list[np.ndarray] = []
        start_s, length = None, 0
        for packet in itertools.chain(packets_of(container, stream), (None,)):
            if max_s is not None and length >= max_s * rate:
                break
            try:
                frames = stream.codec_context.decode(packet)
            except FFmpegError:
                continue
            for frame in frames:
                assert isinstance(frame, av.AudioFrame)
                if start_s is None:
                    start_s = frame.time or 0.0
                gap = 0 if frame.time is None else round((frame.time - start_s) * rate) - length
                if gap > rate // 20:
                    pieces.append(np.zeros(gap, dtype=np.float32))
                    length += gap
                for part in resampler.resample(frame):
                    pieces.append(part.to_ndarray()[0])
                    length += pieces[-1].shape[0]
        if pieces:
            pieces.extend(part.to_ndarray()[0] for part in resampler.resample(None))
    if not pieces or start_s is None:
        return Absent(f"{display_name(path)}: no sound can be decoded from its audio stream")
    samples = np.concatenate(pieces).astype(np.float32, copy=False)
    return Sound(samples if max_s is None else samples[: int(max_s * rate)], rate, start_s)


def sound_from_first_frame(path: FilePath, rate: int = 16_000, *, max_s: float | None = None) -> Sound | Absent:
    """The sound on the clock of the first displayed frame: `start_s` is 0, up to `max_s` seconds from there.

    Where the sound begins after the picture stands silence; what is heard before it is left out. Raises MediaError as
    `build_index`.
    """
    start_s = build_index(path).start_s
    sound = read_audio(path, rate, max_s=None if max_s is None else max_s + max(0.0, start_s) + EARLIER_S)
    if isinstance(sound, Absent):
        return sound
    late = round((sound.start_s - start_s) * rate)
    samples = np.concatenate((np.zeros(max(0, late), np.float32), sound.samples[max(0, -late) :]))
    return Sound(samples if max_s is None else samples[: round(max_s * rate)], rate, 0.0)
