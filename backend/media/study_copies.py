"""Videos of a study brought into one class, so that codec, size, rate, length of a file's head or a tag betray no system.

Every video of a study gets the same picture size (fitted inside, black beside), the same frame rate, H.264 with the same
settings, and a sound track when any of them has sound. What a file says of its making is not carried over. The length in
seconds stays: it is part of what is judged.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from backend.domain import Absent
from backend.media.audio import sound_from_first_frame
from backend.media.container import FilePath
from backend.media.images import encode_jpeg, read_image
from backend.media.reader import VideoReader
from backend.media.writer import write_video

MAX_HEIGHT = 720  # what a browser shows side by side; two decoders of 720p keep up on a telephone
MAX_RATE = 60
GOP = 12  # a seek decodes at most 12 frames
CRF = 18  # nearly transparent: the copy must not be what is judged
SOUND_RATE = 48_000
LOUDNESS = 10 ** (-23 / 20)  # root mean square of full scale; EBU R 128 aims at -23 LUFS
MAX_GAIN = 10 ** (20 / 20)  # noise in a nearly silent track is not made into a sound


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyVideo:
    """What is known of one video before the class is chosen. Size in displayed pixels, rate in frames per second."""

    width: int
    height: int
    fps: float
    has_sound: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyClass:
    """What all copies of a study's videos have in common."""

    width: int
    height: int
    rate: int
    has_sound: bool

    def to_plain(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_plain(cls, values: dict[str, Any]) -> Self:
        return cls(**values)


def class_for(videos: Sequence[StudyVideo]) -> StudyClass:
    """The class that takes least from these videos.

    The height is the greatest, up to 720; the shape is the commonest, so that of videos that are alike none is scaled. The
    rate is the least common multiple of the videos' (rounded) rates where that is 60 at most, so that none of them
    judders; else the greatest, up to 60.
    """
    height = min(MAX_HEIGHT, max(video.height for video in videos)) // 2 * 2
    shape = _commonest_shape(videos)
    rates = {max(1, round(video.fps)) for video in videos}
    common = math.lcm(*rates)
    return StudyClass(
        width=max(2, round(height * shape / 2) * 2),
        height=max(2, height),
        rate=common if common <= MAX_RATE else min(MAX_RATE, max(rates)),
        has_sound=any(video.has_sound for video in videos),
    )


def write_study_copy(path: FilePath, out: FilePath, wanted: StudyClass, *, noise: float = 0.0) -> int:
    """Writes the video at `path` as an .mp4 of a class; the number of frames written. Raises MediaError for unreadable files.

    `noise` spoils the copy by so much (deviation of 255), as gold trials need.
    """
    with VideoReader(path) as reader:
        repeats = _repeats(reader.times_s, reader.index.duration_s, wanted.rate)
        audio = _sound(path, int(repeats.sum()) / wanted.rate) if wanted.has_sound else None
        return write_video(
            out, _frames(reader, repeats, wanted, noise), fps=wanted.rate, gop=GOP, crf=CRF, audio=audio, bitexact=True
        )


def write_study_picture(path: FilePath, out: FilePath) -> int:
    """Writes a still picture again as JPEG without anything but pixels; the number of bytes. Raises MediaError as `read_image`."""
    return Path(out).write_bytes(encode_jpeg(read_image(path)))


def _commonest_shape(videos: Sequence[StudyVideo]) -> float:
    """Width by height of most videos. Shapes that differ by less than .01 are one, which is then that of most among them."""
    near = Counter(round(video.width / video.height, 2) for video in videos)
    about = max(near, key=lambda shape: (near[shape], shape))
    of_it = Counter(shape for video in videos if round(shape := video.width / video.height, 2) == about)
    return max(of_it, key=lambda shape: (of_it[shape], shape))


def _repeats(times_s: np.ndarray, duration_s: float, rate: int) -> np.ndarray:
    """How many frames of the copy show each frame of the source, int64 `(N,)`: a frame stands until the next is due."""
    num = max(1, round(duration_s * rate))
    shown = np.searchsorted(times_s, np.arange(num) / rate + 1e-4, side="right") - 1
    return np.bincount(np.maximum(shown, 0), minlength=len(times_s))


def _frames(reader: VideoReader, repeats: np.ndarray, wanted: StudyClass, noise: float) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    scale = min(wanted.width / reader.width, wanted.height / reader.height)
    width, height = min(wanted.width, round(reader.width * scale)), min(wanted.height, round(reader.height * scale))
    top, left = (wanted.height - height) // 2, (wanted.width - width) // 2
    for first, chunk in reader.stream(size=(width, height), chunk=8):
        for place, picture in enumerate(chunk):
            if noise:
                picture = np.clip(picture + rng.normal(0, noise, picture.shape[:2])[:, :, None], 0, 255)
            frame = np.zeros((wanted.height, wanted.width, 3), np.uint8)
            frame[top : top + height, left : left + width] = picture
            for _ in range(int(repeats[first + place])):
                yield frame


def _sound(path: FilePath, duration_s: float) -> tuple[np.ndarray, int]:
    """Samples float32 `(n,)` as long as the picture, at one loudness; silence where there is none."""
    samples = np.zeros(round(duration_s * SOUND_RATE), np.float32)
    found = sound_from_first_frame(path, SOUND_RATE, max_s=duration_s)
    if isinstance(found, Absent) or found.is_silent:
        return samples, SOUND_RATE
    heard = found.samples[: len(samples)]
    gain = min(MAX_GAIN, LOUDNESS / max(1e-9, float(np.sqrt(np.mean(np.square(heard, dtype=np.float64))))))
    samples[: len(heard)] = np.clip(heard * gain, -1.0, 1.0)
    return samples, SOUND_RATE
