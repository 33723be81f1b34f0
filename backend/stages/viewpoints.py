"""From which sides a clip shows its people (S33)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np

from backend.domain import (
    Absent,
    Box,
    Clip,
    Context,
    Facing,
    Failed,
    Filtered,
    Footage,
    Item,
    MediaError,
    Ok,
    PoseEstimator,
    Region,
    Resources,
    Result,
    Score,
    Subject,
    Track,
)
from backend.geometry import boxes
from backend.geometry.viewpoint import Windows, held
from backend.stages.people_count import box_at, people_of


@dataclass(frozen=True)
class MeasureViewpoints:
    """Scores of each person of a clip: `num_viewpoints`, how many of the four sides are held, and `viewpoint_coverage`,
    the share of looked-at frames on which one is.

    A side is named within its window, outside the dead zones, and held for `hold_frames`. The evidence of
    `num_viewpoints` holds azimuths, confidences and sides frame by frame (`VIEW_EVIDENCE`): the pose is estimated once,
    whatever becomes of the sides.
    """

    name: ClassVar[str] = "measure_viewpoints"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Region, Track, Subject)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ("PoseEstimator",)
    resources: ClassVar[Resources] = Resources(cpu=1.0, ram_gib=1.0)

    every: int = 4
    """Each how many frames a person is looked at."""
    dead_zone_deg: float = 15.0  # research default: windows of +-30 degrees; Gloria publishes no thresholds
    hold_frames: int = 5  # research default

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        estimator = cast(PoseEstimator, context.role("PoseEstimator"))
        return [self._measure(item, estimator, context) for item in items]

    def _measure(self, item: Item, estimator: PoseEstimator, context: Context) -> Result:
        people = {track.id: track for track in people_of(item.all(Track), item.all(Subject))}
        subjects = [subject for subject in item.all(Subject) if subject.track_id in people]
        if not subjects:
            return Filtered(item.id, "no person is followed in the clip")
        rows: list[Score] = []
        try:
            footage = context.footage(item)
            for subject in subjects:
                rows += self._scores(subject, people[subject.track_id], footage, estimator, context)
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        return Ok(item.id, rows)

    def _scores(
        self, subject: Subject, track: Track, footage: Footage, estimator: PoseEstimator, context: Context
    ) -> list[Score]:
        frames = list(range(track.frames[0], track.frames[-1] + 1, self.every))
        found_boxes = [cast(Box, box_at(track, frame)) for frame in frames]
        answers = estimator.facing(footage, frames, found_boxes)
        facing = [answer if _is_sane(answer) else Absent("the model gave no angle") for answer in answers]
        windows = Windows(dead_zone_deg=self.dead_zone_deg)
        named = [windows.side(f.azimuth_deg) if isinstance(f, Facing) else None for f in facing]
        sides = held(frames, named, least=self.hold_frames)
        evidence = {
            "format": VIEW_EVIDENCE,
            "frames": frames,
            "boxes": [[round(side, 2) for side in box] for box in found_boxes],
            "azimuth_deg": [round(f.azimuth_deg, 2) if isinstance(f, Facing) else None for f in facing],
            "confidence": [
                round(f.confidence * windows.centring(f.azimuth_deg), 4) if isinstance(f, Facing) else None for f in facing
            ],
            "sides": sides,
            "reasons": [f.reason if isinstance(f, Absent) else None for f in facing],
        }
        producer = f"{self.name}/{self.version}:{estimator.model_id}"
        known = [f for f in facing if isinstance(f, Facing)]
        reason = None if known else next(f.reason for f in facing if isinstance(f, Absent))
        values = {
            "num_viewpoints": float(len({side for side in sides if side})) if known else None,
            "viewpoint_coverage": float(np.mean([side is not None for side in sides])) if known else None,
        }
        return [
            Score(
                target=subject.id,
                name=name,
                value=value,
                producer=producer,
                reason=reason,
                num_units=len(frames),
                coverage=len(known) / len(frames),
                evidence=context.artifacts.put(json.dumps(evidence).encode(), "json"),
            )
            for name, value in values.items()
        ]


VIEW_EVIDENCE = "viewpoints/1"
"""JSON of one person: `frames`, `boxes`, `azimuth_deg`, `confidence` (the estimator's times how near the side's middle
the azimuth lies), `sides` (held ones or null), `reasons` (why there is no azimuth)."""


def head_of(box: Box, face: Box) -> Box:
    """The head around a face, no larger than the body's box allows: hair above, chin below, ears beside."""
    x0, y0, x1, y1 = face
    width, height = x1 - x0, y1 - y0
    return boxes.clip((x0 - 0.3 * width, y0 - 0.45 * height, x1 + 0.3 * width, y1 + 0.25 * height), box)


def _is_sane(answer: Facing | Absent) -> bool:
    if isinstance(answer, Absent):
        return True
    return bool(np.isfinite([answer.azimuth_deg, answer.confidence]).all()) and 0 <= answer.confidence <= 1
