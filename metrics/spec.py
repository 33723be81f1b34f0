"""What a metric is: a frozen dataclass that names the features it needs and combines them into one value.

A *feature* is what is computed from pixels, sound or text (embeddings of frames, boxes, flow); it is dear, kept by its
key and shared by all metrics that ask for the same. `combine` is a pure numpy function of features.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np

from backend.domain import Absent, Case, Generation
from metrics.framing import FramePlan

Arrays = dict[str, np.ndarray]
Found = Arrays | Absent
"""A feature's arrays, or why there are none."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One generated video with the case it answers."""

    case: Case
    generation: Generation


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What a collector may know of the video before its first frame."""

    name: str
    num_frames: int
    fps: float
    width: int
    height: int
    wanted: tuple[int, ...]
    """Indices of the frames that the collector is given, rising, each once."""


class Roles(Protocol):
    """Implementations by role name. Raises ModelUnavailable for an unbound one."""

    def __call__(self, name: str) -> object: ...


class Feature(ABC):
    """A frozen dataclass. Its fields, the model ids of its roles and what it is computed from make its key.

    `of` says what that is: `video`, `references`, `prompt`, `audio`, joined by `+`.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    of: ClassVar[str]

    @property
    def roles(self) -> tuple[str, ...]:
        """Whom it asks."""
        return ()

    @property
    def inputs(self) -> "Mapping[str, Feature]":
        """Features that must be there first."""
        return {}


class CaseFeature(Feature):
    """Computed once for a case (or its references, or its prompt), whatever systems answer it."""

    @abstractmethod
    def compute(self, case: Case, roles: Roles, given: Mapping[str, Found]) -> Found: ...


class FileFeature(Feature):
    """Computed from the generated file itself: its sound, or what a tool says that reads files."""

    @abstractmethod
    def read(self, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> Found: ...


class Collector(Protocol):
    """Takes the wanted frames of one video in order, RGB uint8 `(H, W, 3)`, and gives the feature."""

    def add(self, index: int, frame: np.ndarray) -> None: ...

    def finish(self) -> Found: ...


class View(Protocol):
    """What is made of a frame before collectors see it. Equal views give equal arrays."""

    def __call__(self, frame: np.ndarray) -> np.ndarray: ...

    def __hash__(self) -> int: ...


class VideoFeature(Feature):
    """Computed from frames of a generated video, in the one decode that all metrics share.

    With `per_frame`, every array has one row per wanted frame, which depends on that frame alone. Features that differ
    in `frames` only are then collected together, and each is given the rows of its own frames (repeated as its plan
    repeats them) with their indices as `frame`.
    """

    per_frame: ClassVar[bool] = False
    frames: FramePlan

    @property
    def view(self) -> "View | None":
        """How its collector is shown frames, None as they are. A view is made once a frame for all who share it."""
        return None

    @abstractmethod
    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> Collector: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A metric's value for one video, with what it rests on.

    `coverage` is the share of units (frames, references) that could be measured. `per_frame` holds arrays of one value
    per frame of `per_frame["frame"]`, `evidence` anything else that explains the value (boxes `(N, 4)`, answers).
    """

    value: float | Absent
    num_units: int = 1
    coverage: float = 1.0
    per_frame: Mapping[str, np.ndarray] = field(default_factory=dict)
    evidence: Mapping[str, np.ndarray] = field(default_factory=dict)


class Metric(ABC):
    """A frozen dataclass; its fields are the choices that its paper leaves open, and enter its key."""

    id: ClassVar[str]
    version: ClassVar[int]
    title: ClassVar[str]
    source: ClassVar[str]
    """Paper, section or upstream file that defines it; `ours: …` for those that none has."""
    higher_is_better: ClassVar[bool] = True
    range: ClassVar[tuple[float | None, float | None]] = (0.0, 1.0)
    is_classical: ClassVar[bool] = False
    """Rests on classical vision: a first number, never ranked beside model scores."""
    needs: ClassVar[tuple[str, ...]] = ()
    """references, prompt, audio, first_frame: a case without one of these is not applicable."""

    @property
    @abstractmethod
    def features(self) -> Mapping[str, Feature]: ...

    @abstractmethod
    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        """The value from its features, all present. Pure: numpy in, numpy out."""
