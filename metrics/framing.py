"""Which frames of a video a feature looks at. Plans are values: equal plans of two metrics are one set of frames."""

import itertools
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class FramePlan(Protocol):
    def indices(self, num_frames: int, fps: float) -> list[int]:
        """Frame indices in the order looked at; short videos may repeat some."""
        ...


@dataclass(frozen=True, slots=True)
class AllFrames:
    """Every `step`-th frame from the first."""

    step: int = 1

    def indices(self, num_frames: int, fps: float) -> list[int]:
        return list(range(0, num_frames, self.step))


@dataclass(frozen=True, slots=True)
class Linspace:
    """`num` frames from the first to the last, truncated to integers: 0, 2, 5, 7, 10 … 80 of 81 for 32.

    As OpenS2V's scripts take them (`np.linspace(0, N - 1, 32, dtype=int)`); shorter videos repeat frames.
    """

    num: int = 32

    def indices(self, num_frames: int, fps: float) -> list[int]:
        return np.linspace(0, num_frames - 1, self.num, dtype=int).tolist()


@dataclass(frozen=True, slots=True)
class Strided:
    """`i * max(N // num, 1)`, i < num: OpenS2V's NaturalScore, which never sees the last frames (75 of 80 at N = 81)."""

    num: int = 16

    def indices(self, num_frames: int, fps: float) -> list[int]:
        step = max(num_frames // self.num, 1)
        return [i * step for i in range(self.num) if i * step < num_frames]


@dataclass(frozen=True, slots=True)
class Middle:
    """The middle frame of each of `num` equal parts, as VBench feeds ViCLIP: 4, 14, 24, 34, 44, 54, 64, 75 of 81 for 8.

    Videos with fewer frames repeat the last.
    """

    num: int = 8

    def indices(self, num_frames: int, fps: float) -> list[int]:
        if num_frames < self.num:
            return [*range(num_frames), *[num_frames - 1] * (self.num - num_frames)]
        bounds = np.linspace(0, num_frames, self.num + 1).astype(int)
        return [int(low + high - 1) // 2 for low, high in itertools.pairwise(bounds)]


@dataclass(frozen=True, slots=True)
class PerSecond:
    """The frames nearest to `rate` evenly spaced times a second: for long videos."""

    rate: float = 2.0

    def indices(self, num_frames: int, fps: float) -> list[int]:
        times = np.arange(0, num_frames / fps, 1 / self.rate)
        return sorted({min(num_frames - 1, round(float(time) * fps)) for time in times})
