"""What a LevelReader says: smoothness of motion as jumps of quality (OpenS2V, VMBench), quality and aesthetics (Q-Align)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, cast

import numpy as np

from backend.domain import Absent, LevelReader
from metrics.embeddings import FlushingCollector
from metrics.framing import AllFrames, FramePlan, Linspace
from metrics.motion import FlowGrid
from metrics.spec import Arrays, Entry, Feature, Found, Measured, Metric, Roles, VideoFacts, VideoFeature

SHARES = np.array([1.0, 0.75, 0.5, 0.25, 0.0])  # get_motion_smoothness.py: excellent to bad
POINTS = np.array([5.0, 4.0, 3.0, 2.0, 1.0])  # Q-Align, for mean opinions from 1 to 5
BATCH = 8
FIXED_JUMP = 0.025  # get_motion_smoothness.py
LEAST_JUMP = 0.01  # VMBench: amplitude unknown or below the first bound
JUMPS = ((0.5, 0.03), (0.3, 0.025), (0.1, 0.015))  # VMBench: from this amplitude, this threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLevels(VideoFeature):
    """`levels`: shares float32 `(T, tasks, 5)`, best word first; each frame is looked at once for all tasks."""

    name: ClassVar[str] = "frame_levels"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video"
    per_frame: ClassVar[bool] = True

    reader: str = "LevelReader"
    tasks: tuple[str, ...] = ("quality", "aesthetics")
    frames: FramePlan = field(default_factory=Linspace)

    @property
    def roles(self) -> tuple[str, ...]:
        return (self.reader,)

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> FlushingCollector:
        reader = cast(LevelReader, roles(self.reader))
        return FlushingCollector("levels", lambda frames: reader.read([f[None] for f in frames], self.tasks), flush=BATCH)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowLevels(VideoFeature):
    """`levels`: shares float32 `(N, 5)` of the window around each frame of the video."""

    name: ClassVar[str] = "window_levels"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video"

    reader: str = "LevelReader"
    window: int = 3
    frames: FramePlan = field(default_factory=AllFrames)

    @property
    def roles(self) -> tuple[str, ...]:
        return (self.reader,)

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> "_Windows":
        return _Windows(cast(LevelReader, roles(self.reader)), windows_of(len(facts.wanted), self.window))


class _Windows:
    """Reads windows as they fill; holds frames at the model's size, and none that no later window shows."""

    def __init__(self, reader: LevelReader, windows: Sequence[Sequence[int]]) -> None:
        self._reader, self._windows = reader, windows
        self._held: dict[int, np.ndarray] = {}
        self._next = self._seen = 0
        self._levels: list[np.ndarray] = []

    def add(self, index: int, frame: np.ndarray) -> None:
        self._held[self._seen] = self._reader.prepared(frame)
        self._seen += 1
        ready = [window for window in self._windows[self._next : self._next + BATCH] if max(window) < self._seen]
        if len(ready) == BATCH:
            self._read(ready)

    def finish(self) -> Found:
        if self._seen < 2:
            return Absent("too short: a video of one frame has no motion")
        while left := self._windows[self._next : self._next + BATCH]:
            self._read(left)
        return {"levels": np.concatenate(self._levels)}

    def _read(self, windows: Sequence[Sequence[int]]) -> None:
        places = {at: place for place, at in enumerate(self._held)}
        shown = [[places[at] for at in window] for window in windows]
        self._levels.append(self._reader.read_over(list(self._held.values()), shown, ("video",))[:, 0])
        self._next += len(windows)
        needed = min((min(window) for window in self._windows[self._next :]), default=self._seen)
        self._held = {place: frame for place, frame in self._held.items() if place >= needed}


def windows_of(num_frames: int, size: int) -> list[list[int]]:
    """The window of each frame as upstream takes them: the first frame over and over where it would begin before it.

    At the end, the window's own first frame is repeated in front: N - 2, N - 2, N - 1 for size 3.
    """
    before = (size - 1) // 2
    windows = []
    for at in range(num_frames):
        if at < before:
            windows.append([0] * size)
            continue
        inside = list(range(at - before, min(at - before + size, num_frames)))
        windows.append([inside[0]] * (size - len(inside)) + inside)
    return windows


def share_without_jumps(scores: np.ndarray, threshold: float) -> tuple[float, np.ndarray]:
    """The share of frames beside no jump above the threshold, and which frames lie beside one, bool `(N,)`."""
    jumps = np.flatnonzero(np.abs(np.diff(scores)) > threshold)
    beside = np.zeros(len(scores), bool)
    beside[jumps] = beside[jumps + 1] = True
    return 1.0 - float(beside.mean()), beside


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionSmoothnessCompat(Metric):
    """Share of frames at which the quality of three neighbours does not jump by more than .025.

    One threshold for every video lets those that hardly move pass: `motion_smoothness_opens2v` adapts it.
    """

    id: ClassVar[str] = "motion_smoothness_opens2v_compat"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Motion smoothness (OpenS2V's code)"
    source: ClassVar[str] = "OpenS2V-Nexus, eval/get_motion_smoothness.py"

    window: int = 3  # upstream's command line; its function's default is 5

    @property
    def features(self) -> dict[str, Feature]:
        return {"levels": WindowLevels(window=self.window)}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        return _smooth(given["levels"]["levels"], FIXED_JUMP)


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionSmoothness(Metric):
    """Share of frames at which quality does not jump by more than motion of this amplitude explains.

    Amplitude is the mean length of the flow's path through the video, in diagonals. VMBench follows points of the subject
    that a detector names, less those of the background; on videos whose camera stands still the two agree in meaning only.
    """

    id: ClassVar[str] = "motion_smoothness_opens2v"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Motion smoothness (adaptive)"
    source: ClassVar[str] = "VMBench (MSS), which OpenS2V-Nexus builds on; amplitude by Farneback's flow is ours"

    window: int = 3

    @property
    def features(self) -> dict[str, Feature]:
        return {"levels": WindowLevels(window=self.window), "flow": FlowGrid(compat=True)}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        width, height, _ = given["flow"]["width_height_fps"]
        lengths = np.linalg.norm(given["flow"]["flow"].astype(np.float64), axis=-1).mean(axis=(1, 2))
        amplitude = float(lengths.sum() / np.hypot(width, height))
        return _smooth(given["levels"]["levels"], threshold_at(amplitude), amplitude=amplitude)


def threshold_at(amplitude: float) -> float:
    """The largest jump of quality that motion of an amplitude in diagonals explains."""
    return next((jump for least, jump in JUMPS if amplitude >= least), LEAST_JUMP)


def _smooth(levels: np.ndarray, threshold: float, **evidence: float) -> Measured:
    scores = levels.astype(np.float64) @ SHARES
    if not np.isfinite(scores).all():
        return Measured(value=Absent("failed: the level reader gave shares that are no numbers"), num_units=0, coverage=0.0)
    value, beside = share_without_jumps(scores, threshold)
    return Measured(
        value=value,
        num_units=len(scores),
        per_frame={"frame": np.arange(len(scores)), "quality": scores, "jumps": beside},
        evidence={name: np.array(number) for name, number in {"threshold": threshold, **evidence}.items()},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageQualityLevel(Metric):
    """Mean over frames of the level of quality, 1 bad to 5 excellent."""

    id: ClassVar[str] = "iqa"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Image quality (Q-Align)"
    source: ClassVar[str] = "Q-Align, as Gloria's table 7 reports it"
    range: ClassVar[tuple[float | None, float | None]] = (1.0, 5.0)

    task: ClassVar[str] = "quality"
    frames: FramePlan = field(default_factory=Linspace)  # no paper says how many; OpenS2V's 32

    @property
    def features(self) -> dict[str, Feature]:
        return {"levels": FrameLevels(frames=self.frames)}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        shares = given["levels"]["levels"][:, FrameLevels().tasks.index(self.task)]
        values = shares.astype(np.float64) @ POINTS
        return Measured(
            value=float(values.mean()),
            num_units=len(values),
            per_frame={"frame": given["levels"]["frame"], "level": values},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AestheticsLevel(ImageQualityLevel):
    """Mean over frames of the level of aesthetics, 1 bad to 5 excellent; read in one pass with quality."""

    id: ClassVar[str] = "aes"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Aesthetics (Q-Align)"

    task: ClassVar[str] = "aesthetics"
