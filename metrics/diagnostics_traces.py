"""What the diagnostics look at: small pictures, colours and sharpness of every frame, references laid over the first."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import cv2
import numpy as np

from backend.domain import Absent
from backend.measures import keypoints
from metrics.embedded_subjects import ReferenceSubjects, reference_cuts
from metrics.embedded_traces import Cut
from metrics.framing import AllFrames, FramePlan
from metrics.spec import Arrays, Entry, Feature, Found, Roles, VideoFacts, VideoFeature

SMALL_PX = (64, 36)
FOCUS_PX = 320
ALIGNED_PX = (128, 72)
NUM_ANCHORS = 9
LEAST_SHARED = 0.3  # of the picture: less says nothing of light
BLACK = 8.0  # levels added before a logarithm, so that noise in black is no change of light
LEAST_INLIERS = 10
LEAST_COVER = 0.02  # of the frame: a smaller patch in common is no copy of a picture


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallTraces(VideoFeature):
    """Of each frame: `small` uint8 `(T, 36, 64, 3)`, `sharpness` `(T,)`.

    `gain_step` `(8, 3)` is the gain of red, green and blue between nine frames spread evenly (`gain_frame`), log2: the
    median over the pixels that both show, one shifted onto the other. Neighbours would not do: coders leave what
    hardly changes as it was. Empty for videos under nine frames.
    Sharpness is the variance of the Laplacian at 320 px over the variance of the picture, so that light does not move it.
    """

    name: ClassVar[str] = "small_traces"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video"

    frames: FramePlan = field(default_factory=AllFrames)

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> "_SmallCollector":
        return _SmallCollector(facts.num_frames)


class _SmallCollector:
    def __init__(self, num_frames: int) -> None:
        self._anchors = (
            np.linspace(0, num_frames - 1, NUM_ANCHORS, dtype=int) if num_frames >= NUM_ANCHORS else np.array([])
        )
        self._small: list[np.ndarray] = []
        self._before: np.ndarray | None = None
        self._steps: list[np.ndarray] = []
        self._sharpness: list[float] = []

    def add(self, index: int, frame: np.ndarray) -> None:
        # In floating point: a slow drift is less than a level.
        medium = cv2.resize(_at_most(frame, FOCUS_PX).astype(np.float32), ALIGNED_PX, interpolation=cv2.INTER_AREA)
        if index in self._anchors:
            if self._before is not None:
                self._steps.append(_gains(self._before, medium))
            self._before = medium
        self._small.append(cv2.resize(medium, SMALL_PX, interpolation=cv2.INTER_AREA).round().astype(np.uint8))
        grey = _at_most(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), FOCUS_PX)
        fine = float(cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))[1][0, 0]) ** 2
        self._sharpness.append(fine / (float(grey.std()) ** 2 + 1.0))

    def finish(self) -> Found:
        arrays: Arrays = {"small": np.stack(self._small), "sharpness": np.array(self._sharpness)}
        return arrays | {"gain_step": np.array(self._steps).reshape(-1, 3), "gain_frame": self._anchors}


def _gains(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Log2 gains float64 `(3,)` between two float32 pictures of one size, the second shifted onto the first."""
    height, width = before.shape[:2]
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    greys = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (before, after)]
    edges = [np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)) for grey in greys]
    (x, y), _ = cv2.phaseCorrelate(edges[0], edges[1], window)
    mapping = np.array([[1, 0, -x], [0, 1, -y]])
    moved = cv2.warpAffine(after, mapping, (width, height), borderMode=cv2.BORDER_CONSTANT, borderValue=(-1, -1, -1))
    both = (moved >= 0).all(axis=-1)
    if both.mean() < LEAST_SHARED:
        return np.full(3, np.nan)
    return np.median(np.log2(moved[both] + BLACK) - np.log2(before[both] + BLACK), axis=0).astype(np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Early:
    """The first frames, and a few later ones to compare them with."""

    num_first: int = 2
    num_later: int = 3

    def indices(self, num_frames: int, fps: float) -> list[int]:
        later = np.linspace(0, num_frames - 1, self.num_later + 1, dtype=int)[1:]
        return sorted({*range(min(self.num_first, num_frames)), *later.tolist()})


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstFrame(VideoFeature):
    """How alike each reference laid over a frame is to what it covers, `alike` float64 `(T, R)` in [0, 1].

    It is laid where shared points put it, and, since few points may be left in a plain picture, over the
    whole frame (stretched, fitted inside, filling it). The likeness is the correlation of the fine luma under it;
    a cut-out counts inside its mask.
    """

    name: ClassVar[str] = "first_frame"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video+references"

    frames: FramePlan = field(default_factory=Early)

    @property
    def inputs(self) -> Mapping[str, Feature]:
        return {"references": ReferenceSubjects()}

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> "_FirstCollector":
        return _FirstCollector(given["references"], getattr(self.frames, "num_first", 1))


class _FirstCollector:
    def __init__(self, references: Found, num_first: int) -> None:
        self._absent = references if isinstance(references, Absent) else None
        self._cuts = reference_cuts(references) if isinstance(references, dict) else []
        self._points = [keypoints.describe(cut.picture) if cut else None for cut in self._cuts]
        self._frames: list[int] = []
        self._alike: list[list[float]] = []
        self._num_first = num_first

    def add(self, index: int, frame: np.ndarray) -> None:
        frame = _at_most(frame, keypoints.MAX_SIDE_PX)
        points = keypoints.describe(frame)
        row = []
        for cut, own in zip(self._cuts, self._points, strict=True):
            row.append(np.nan if cut is None or own is None else _laid_over(cut, own, frame, points))
        self._frames.append(index)
        self._alike.append(row)

    def finish(self) -> Found:
        if self._absent is not None:
            return self._absent
        arrays: Arrays = {"frame": np.array(self._frames), "alike": np.array(self._alike, np.float64)}
        return arrays | {"num_first": np.array(self._num_first)}


def _laid_over(cut: Cut, own: keypoints.Keypoints, frame: np.ndarray, points: keypoints.Keypoints) -> float:
    height, width = frame.shape[:2]
    rows, columns = cut.picture.shape[:2]
    mappings = []
    found = keypoints.match(own, points)
    if found.mapping is not None and found.inliers >= LEAST_INLIERS:
        linear = found.mapping[:, :2] * (own.scale / points.scale)
        mappings.append(np.hstack([linear, found.mapping[:, 2:] / points.scale]))
    inside, filling = min(width / columns, height / rows), max(width / columns, height / rows)
    for across, down in ((width / columns, height / rows), (inside, inside), (filling, filling)):
        shift = (width - across * columns) / 2, (height - down * rows) / 2
        # Centres of pixels lie at halves.
        shift = shift[0] + (across - 1) / 2, shift[1] + (down - 1) / 2
        mappings.append(np.array([[across, 0, shift[0]], [0, down, shift[1]]]))
    return max(_likeness(cut, frame, mapping) for mapping in mappings)


def _likeness(cut: Cut, frame: np.ndarray, mapping: np.ndarray) -> float:
    size = frame.shape[1], frame.shape[0]
    laid = cv2.warpAffine(cut.picture, mapping, size, flags=cv2.INTER_LINEAR)
    there = np.ones(cut.mask.shape, np.uint8) if cut.has_background else cut.mask.astype(np.uint8)
    covered = cv2.warpAffine(there, mapping, size, flags=cv2.INTER_NEAREST).astype(bool)
    if covered.mean() < LEAST_COVER:
        return 0.0
    # Outside, the frame itself: else the reference's border would count as detail.
    laid = np.where(covered[..., None], laid, frame)
    a, b = (_fine(picture)[covered] for picture in (laid, frame))
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return max(0.0, float(a @ b) / norm) if norm > 0 else 0.0


def _fine(picture: np.ndarray) -> np.ndarray:
    """Luma without what is coarser than a fortieth of the picture, and without what coding takes away."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    side = max(grey.shape)
    return cv2.GaussianBlur(grey, (0, 0), side / 320) - cv2.GaussianBlur(grey, (0, 0), side / 40)


def _at_most(picture: np.ndarray, long_side_px: int) -> np.ndarray:
    factor = long_side_px / max(picture.shape[:2])
    if factor >= 1:
        return picture
    size = max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
