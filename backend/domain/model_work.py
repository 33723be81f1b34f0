"""What models with weights do and take, and interactive segmentation: results of operations of the Api."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from backend.domain.records import Box


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentModel:
    """A model that a worker holds. `num_bytes` is measured: parameters and buffers, or what the device's memory grew by."""

    model: str
    roles: tuple[str, ...]
    device: str
    num_bytes: int
    in_use: bool
    uses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelWorkerRow:
    """One device's model worker. `state`: idle (starts when asked), starting, ready, busy or failed."""

    device: str
    state: str
    budget_bytes: int
    """What models may take together; 0 until the first call."""
    resident: tuple[ResidentModel, ...]
    """The least recently used first: it goes first."""
    running: str
    running_s: float
    waiting: int
    clients: int
    restarts: int
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEvent:
    """Something that a model worker did or that befell it.

    `kind`: started, ready, loading, loaded, evicted, progress, out_of_memory (the text says which rung), cancelled, hung,
    crash, device_lost or failed.
    """

    number: int
    at_s: float
    """Seconds since 1970."""
    device: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PointPrompt:
    """A place on a frame, in pixels, that a mask shall include or leave out."""

    x: float
    y: float
    include: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentedFrame:
    """A mask of one frame of a clip, as COCO compressed run lengths, with the model's own estimate of its quality."""

    clip_id: str
    frame: int
    height: int
    width: int
    counts: str
    area_px: int
    quality: float
    model: str


@runtime_checkable
class PromptedSegmenter(Protocol):
    """A Segmenter that people may point things out to."""

    def segment_prompted(
        self, frame: np.ndarray, points: Sequence[PointPrompt], box: Box | None
    ) -> tuple[np.ndarray, float]:
        """A mask bool `(H, W)` of a frame uint8 `(H, W, 3)` and its quality in [0, 1]; at least a point or a box is given."""
        ...
