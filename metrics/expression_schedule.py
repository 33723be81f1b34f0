"""Gloria's expression identity where a case says which expression is to be seen when."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from backend.domain import Absent, Case
from metrics.framing import AllFrames, FramePlan
from metrics.identity import EXPRESSION
from metrics.identity_faces import FrameFaces, ReferenceFaces
from metrics.spec import Arrays, Entry, Feature, Found, Measured, Metric, Roles, VideoFacts, VideoFeature


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameTimes(VideoFeature):
    """When each frame is shown, `time_s` float64 `(T,)` from the first one, at the video's mean rate."""

    name: ClassVar[str] = "frame_times"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video"
    per_frame: ClassVar[bool] = True

    frames: FramePlan = field(default_factory=AllFrames)

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> "_TimeCollector":
        return _TimeCollector(facts.fps)


class _TimeCollector:
    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._times: list[float] = []

    def add(self, index: int, frame: np.ndarray) -> None:
        self._times.append(index / self._fps)

    def finish(self) -> Found:
        return {"time_s": np.array(self._times, np.float64)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArcFaceExpressionScheduled(Metric):
    """Mean similarity of the face to the expression that the case's schedule asks for at that time.

    A frame inside a span of the schedule that asks for an expression (`expression:happy`) counts by its largest face and
    the nearest anchor of what is asked: a reference of that kind. Frames outside of such spans do not count; those without
    a face, and those of an expression that no anchor shows, lower the coverage. The evidence holds the mean of each span
    and the share of its frames on which no anchor of another expression is nearer.
    """

    id: ClassVar[str] = "arcface_exp_scheduled"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "ArcFace, expression anchors at their times"
    source: ClassVar[str] = "ours: Gloria's Exp. (section 5.1), held to the expressions that a schedule asks for"
    needs: ClassVar[tuple[str, ...]] = ("references",)
    range: ClassVar[tuple[float | None, float | None]] = (-1.0, 1.0)

    frames: FramePlan = field(default_factory=AllFrames)  # as arcface_exp

    @property
    def features(self) -> dict[str, Feature]:
        return {
            "faces": FrameFaces(embedder="arc", frames=self.frames),
            "references": ReferenceFaces(embedder="arc"),
            "times": FrameTimes(frames=self.frames),
        }

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        case, faces, references = entry.case, given["faces"], given["references"]
        asked, spans = expressions_asked(case)
        if not asked:
            return _nothing(f"not applicable: case {case.name} has no schedule of expressions")
        rows = [row for row, kind in enumerate(case.kinds) if kind in asked]
        if not rows:
            return _nothing(
                f"not applicable: no reference of case {case.name} is an anchor of {', '.join(sorted(set(asked)))}"
            )
        shown = [row for row, kind in enumerate(case.kinds) if kind.startswith(EXPRESSION) and references["num"][row] > 0]
        if not set(rows) & set(shown):
            return _nothing(str(references["reason"][rows[0]]))
        times = given["times"]["time_s"]
        due = (times[:, None] >= spans[:, 0]) & (times[:, None] < spans[:, 1])
        if not due.any():
            return _nothing(f"not applicable: no frame of {len(times)} lies in a span of the schedule")
        alike = _similarities(faces, references["embedding"][shown, 0])
        of_span = np.array([[case.kinds[row] == what for row in shown] for what in asked])
        wanted = (due[:, :, None] & of_span[None]).any(axis=1)
        similarity = np.where(wanted, alike, -np.inf).max(axis=1)
        seen = np.isfinite(similarity)
        if not seen.any():
            return _nothing("no detection: no face in the spans of expressions that an anchor shows")
        nearest = seen & (similarity >= np.where(wanted, -np.inf, alike).max(axis=1))
        return Measured(
            value=float(similarity[seen].mean()),
            num_units=int(seen.sum()),
            coverage=float(seen.sum() / due.any(axis=1).sum()),
            per_frame={"frame": faces["frame"], "similarity": np.where(seen, similarity, np.nan)},
            evidence={
                "span_s": spans,
                "asked": np.array(asked),
                "span_similarity": np.array([_mean(similarity[rows]) for rows in (due & seen[:, None]).T]),
                "span_nearest": np.array([_mean(nearest[rows]) for rows in (due & seen[:, None]).T]),
            },
        )


def expressions_asked(case: Case) -> tuple[list[str], np.ndarray]:
    """What a case's schedule asks of a face, as kinds of references, and the spans float64 `(S, 2)` in seconds."""
    found = [(what, span) for what, span in zip(case.schedule, case.schedule_s, strict=True) if what.startswith(EXPRESSION)]
    return [what for what, _ in found], np.array([span for _, span in found], np.float64).reshape(-1, 2)


def _similarities(faces: Arrays, anchors: np.ndarray) -> np.ndarray:
    """Cosines float64 `(T, A)` of each frame's largest face and anchors `(A, D)`; -inf where there is no face."""
    found = np.full((len(faces["num"]), len(anchors)), -np.inf)
    there = faces["num"] > 0
    if there.any():
        found[there] = faces["embedding"][there, 0].astype(np.float64) @ anchors.T.astype(np.float64)
    return found


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan


def _nothing(reason: str) -> Measured:
    return Measured(value=Absent(reason), num_units=0, coverage=0.0)
