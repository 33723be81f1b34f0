"""Motion and stillness: OpenS2V's motion amplitude with and without its quirks, VBench's temporal flickering."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import cv2
import numpy as np

from backend.domain import Absent
from metrics.framing import AllFrames, FramePlan
from metrics.spec import Arrays, Entry, Feature, Found, Measured, Metric, Roles, VideoFacts, VideoFeature

FARNEBACK = (0.5, 3, 15, 3, 5, 1.2, 0)  # OpenS2V's get_motion_amplitude.py: scale, levels, window, iterations, n, sigma
GRID_WIDTH = 16  # it keeps the flow at this width


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowGrid(VideoFeature):
    """Farneback flow of each pair of neighbouring frames, float32 `(T - 1, h, 16, 2)`, in pixels, area-averaged.

    `compat` takes the grey of swapped red and blue, as upstream does (`COLOR_BGR2GRAY` on RGB).
    """

    name: ClassVar[str] = "flow_grid"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video"

    compat: bool = True
    frames: FramePlan = field(default_factory=AllFrames)

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> "_FlowCollector":
        return _FlowCollector(facts, cv2.COLOR_BGR2GRAY if self.compat else cv2.COLOR_RGB2GRAY)


class _FlowCollector:
    def __init__(self, facts: VideoFacts, conversion: int) -> None:
        self._size = (GRID_WIDTH, max(1, int(facts.height * GRID_WIDTH / facts.width)))
        self._conversion = conversion
        self._before: np.ndarray | None = None
        self._flows: list[np.ndarray] = []
        self._facts = np.array([facts.width, facts.height, facts.fps], np.float64)

    def add(self, index: int, frame: np.ndarray) -> None:
        grey = cv2.cvtColor(frame, self._conversion)
        if self._before is not None:
            flow = cv2.calcOpticalFlowFarneback(self._before, grey, None, *FARNEBACK)  # pyright: ignore[reportCallIssue, reportArgumentType]
            self._flows.append(cv2.resize(flow, self._size, interpolation=cv2.INTER_AREA))
        self._before = grey

    def finish(self) -> Found:
        if not self._flows:
            return Absent("too short: a video of one frame has no motion")
        return {"flow": np.stack(self._flows), "width_height_fps": self._facts}


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionAmplitudeCompat(Metric):
    """The absolute value of the mean over time, place and both signed components of the flow, in pixels a frame.

    Motion to the left cancels motion to the right, and the value depends on resolution and frame rate: kept to
    reproduce OpenS2V-Eval. `motion_amplitude` is the measure to use.
    """

    id: ClassVar[str] = "motion_amplitude_compat"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Motion amplitude (OpenS2V)"
    source: ClassVar[str] = "OpenS2V-Nexus, eval/get_motion_amplitude.py"
    range: ClassVar[tuple[float | None, float | None]] = (0.0, None)

    @property
    def features(self) -> dict[str, Feature]:
        return {"flow": FlowGrid(compat=True)}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        flow = given["flow"]["flow"]
        # Over time first, then over the rest, all in float32: upstream's order, to the last bit.
        value = abs(float(np.mean(np.mean(flow, axis=0))))
        return Measured(value=value, num_units=len(flow))


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionAmplitude(Metric):
    """Mean length of the flow, in frame diagonals per second."""

    id: ClassVar[str] = "motion_amplitude"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Motion amplitude"
    source: ClassVar[str] = "ours: OpenS2V-Nexus's flow, as a length, free of resolution and frame rate"
    range: ClassVar[tuple[float | None, float | None]] = (0.0, None)

    @property
    def features(self) -> dict[str, Feature]:
        return {"flow": FlowGrid(compat=True)}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        flow = given["flow"]["flow"].astype(np.float64)
        width, height, fps = given["flow"]["width_height_fps"]
        lengths = np.linalg.norm(flow, axis=-1).mean(axis=(1, 2)) / np.hypot(width, height) * fps
        frames = np.arange(1, len(lengths) + 1)
        return Measured(
            value=float(lengths.mean()), num_units=len(lengths), per_frame={"frame": frames, "diagonals_per_s": lengths}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameDifference(VideoFeature):
    """Mean absolute difference of neighbouring frames, float64 `(T - 1,)` in 8-bit levels, at native size."""

    name: ClassVar[str] = "frame_difference"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video"

    frames: FramePlan = field(default_factory=AllFrames)

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> "_DifferenceCollector":
        return _DifferenceCollector()


class _DifferenceCollector:
    def __init__(self) -> None:
        self._before: np.ndarray | None = None
        self._differences: list[float] = []

    def add(self, index: int, frame: np.ndarray) -> None:
        if self._before is not None:
            self._differences.append(float(cv2.norm(frame, self._before, cv2.NORM_L1)) / frame.size)
        self._before = frame

    def finish(self) -> Found:
        if not self._differences:
            return Absent("too short: a video of one frame has no neighbours")
        return {"difference": np.array(self._differences)}


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalFlickering(Metric):
    """1 less the mean difference of neighbouring frames over 255.

    VBench first leaves out all but static videos; S2V papers do not say that they did, so nothing is left out here.
    """

    id: ClassVar[str] = "temporal_flickering"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Temporal flickering (VBench)"
    source: ClassVar[str] = "VBench, vbench/temporal_flickering.py"

    @property
    def features(self) -> dict[str, Feature]:
        return {"difference": FrameDifference()}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        difference = given["difference"]["difference"]
        return Measured(
            value=float((255.0 - difference.mean()) / 255.0),
            num_units=len(difference),
            per_frame={"frame": np.arange(1, len(difference) + 1), "levels": difference},
        )
