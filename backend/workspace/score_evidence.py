"""What was kept beside scores: values along a video, boxes on its frames, how much of it a score rests on."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from backend.api import EvaluationRow
from backend.store.artifacts import Artifacts

FRAMES_WITH_BOXES = "frames_with_boxes"  # NexusScore's T': frames on which any reference was found


@dataclass(frozen=True, slots=True)
class FoundBoxes:
    """Boxes `(N, 4)` in pixels of the video, the frame `(N,)` of each, and whether the score counts it, bool `(N,)`.

    `looked_at` are the frames that were searched, those on which nothing was found too.
    """

    frames: np.ndarray
    boxes: np.ndarray
    counted: np.ndarray
    looked_at: np.ndarray

    def on(self, frame: int) -> list[tuple[np.ndarray, bool]]:
        rows = np.flatnonzero(self.frames == frame)
        return [(self.boxes[row], bool(self.counted[row])) for row in rows]


def arrays_of(artifacts: Artifacts, row: EvaluationRow) -> dict[str, np.ndarray]:
    """The arrays beside a score; none where nothing was kept."""
    if not row.evidence:
        return {}
    with np.load(io.BytesIO(artifacts.get(row.evidence)), allow_pickle=False) as loaded:
        return {name: loaded[name] for name in loaded.files}


class Line(NamedTuple):
    """Values `(N,)` of frames `(N,)`, and what they are: the array's name in the evidence, which may be a part of the metric."""

    frames: np.ndarray
    values: np.ndarray
    part: str


def timeline(arrays: Mapping[str, np.ndarray]) -> Line | None:
    """The first array that has a number for each frame, or one for each reference, whose mean is taken.

    Boxes and the frames of boxes are none.
    """
    frames = arrays.get("frame")
    if frames is None or frames.ndim != 1 or len(frames) < 2:
        return None
    for name, values in arrays.items():
        is_place = name.endswith("frame") or "box" in name
        if not is_place and values.ndim in (1, 2) and len(values) == len(frames) and values.dtype.kind in "fiu":
            columns = values.astype(float).reshape(len(frames), -1)
            known = np.isfinite(columns)
            total, num = np.where(known, columns, 0.0).sum(axis=1), known.sum(axis=1)
            return Line(frames.astype(float), np.where(num > 0, total / np.maximum(num, 1), np.nan), name)
    return None


def boxes_of(arrays: Mapping[str, np.ndarray]) -> FoundBoxes | None:
    """Boxes that a metric found. One box a row, or with `box_of_each` `(T, P, 4)` one for each of P people a frame."""
    boxes = arrays.get("box_of_each", arrays.get("box"))
    frames = next((arrays[name] for name in ("box_frame", "subject_frame", "frame") if name in arrays), None)
    if boxes is None or frames is None or boxes.ndim not in (2, 3) or boxes.shape != (len(frames), *boxes.shape[1:-1], 4):
        return None
    counted = arrays.get("box_is_valid", np.ones(len(frames), bool))
    looked_at = np.union1d(frames, arrays.get("frame", frames)).astype(int)
    if boxes.ndim == 3:
        frames, counted = (np.repeat(values, boxes.shape[1]) for values in (frames, counted))
        boxes = boxes.reshape(-1, 4)
    kept = np.isfinite(boxes).all(axis=1) & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    # A short video repeats frames of the plan, and with them their boxes.
    rows = np.unique(np.column_stack([frames, counted, boxes])[kept], axis=0)
    return FoundBoxes(rows[:, 0].astype(int), rows[:, 2:], rows[:, 1].astype(bool), looked_at)


def rests_on(row: EvaluationRow, arrays: Mapping[str, np.ndarray]) -> str:
    """How much of the video a score rests on: NexusScore's T', and the coverage where it is not all; empty for all."""
    told = []
    if FRAMES_WITH_BOXES in arrays and "frame" in arrays:
        told.append(f"T' {int(arrays[FRAMES_WITH_BOXES])} of {len(arrays['frame'])} frames")
    if row.value is not None and (told or row.coverage < 1):
        told.append(f"coverage {row.coverage:.0%}")
    return ", ".join(told)
