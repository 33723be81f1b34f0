"""Sides of people in clips by an estimator that says what it is told to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from backend.domain import Absent, Box, Clip, Facing, Filtered, Item, Ok, Score, Subject, Track
from backend.stages.viewpoints import VIEW_EVIDENCE, MeasureViewpoints, head_of
from tests.backend.stages.footage_in_memory import ArrayReader, StageContext, clip_item

FRAMES = np.zeros((40, 90, 160, 3), np.uint8)


@dataclass
class Told:
    told: Mapping[int, Facing | Absent]
    model_id: str = "told-1"
    asked: list[tuple[int, Box]] = field(default_factory=list)

    def facing(self, footage, frames, boxes) -> list[Facing | Absent]:
        self.asked += zip(frames, boxes, strict=True)
        return [self.told.get(frame, Absent("not told")) for frame in frames]


def measure(told: Mapping[int, Facing | Absent], *, kind: str = "person", **settings):
    item = clip_item(FRAMES)
    clip = item.one(Clip)
    body = Track(clip_id=clip.id, kind=kind, frames=(0, 36), boxes=((0, 0, 40, 80), (36, 0, 76, 80)), scores=(1.0, 1.0))
    subject = Subject(clip_id=clip.id, track_id=body.id, phrase=None, category=None, is_living=True)
    estimator = Told(told)
    context = StageContext(ArrayReader(FRAMES), roles={"PoseEstimator": estimator})
    records = {**item.records, Track: (body,), Subject: (subject,)}
    (result,) = MeasureViewpoints(**settings)([Item(item.id, records)], context)
    return result, estimator, context


def scores_and_evidence(result, context) -> tuple[dict[str, float | None], dict]:
    assert isinstance(result, Ok)
    scores = [row for row in result.rows if isinstance(row, Score)]
    assert scores[0].evidence is not None
    return {s.name: s.value for s in scores}, json.loads(context.artifacts.get(scores[0].evidence))


def test_sides_that_are_held_are_counted() -> None:
    azimuths = [0, 10, 350, 45, 90, 90, 180, 90, 0, 0]  # every fourth frame; the back holds for one frame alone
    told = {4 * i: Facing(a, 0.8) for i, a in enumerate(azimuths)}
    result, _, context = measure(told)
    scores, evidence = scores_and_evidence(result, context)
    assert evidence["format"] == VIEW_EVIDENCE
    assert evidence["sides"] == ["front"] * 3 + [None, "right", "right", None, None, "front", "front"]
    assert scores == {"num_viewpoints": 2, "viewpoint_coverage": 0.7}
    assert evidence["confidence"][1] == round(0.8 * 2 / 3, 4)


def test_the_box_moves_with_the_track() -> None:
    _, estimator, _ = measure({})
    assert estimator.asked[:3] == [(0, (0, 0, 40, 80)), (4, (4, 0, 44, 80)), (8, (8, 0, 48, 80))]


def test_dead_zones_can_be_narrowed_without_asking_again() -> None:
    told = {4 * i: Facing(40.0, 1.0) for i in range(10)}
    result, _, context = measure(told, dead_zone_deg=0.0)
    assert scores_and_evidence(result, context)[0]["num_viewpoints"] == 1
    result, _, context = measure(told)
    assert scores_and_evidence(result, context)[0]["num_viewpoints"] == 0


def test_without_any_angle_the_reason_is_kept() -> None:
    result, _, _ = measure({})
    assert isinstance(result, Ok)
    assert [(s.value, s.reason) for s in result.rows if isinstance(s, Score)] == [(None, "not told")] * 2


def test_nonsense_of_the_model_is_no_angle() -> None:
    told = {4 * i: Facing(float("nan"), 0.5) for i in range(5)} | {4 * i: Facing(0.0, 7.0) for i in range(5, 10)}
    result, _, _ = measure(told)
    assert isinstance(result, Ok)
    assert {s.reason for s in result.rows if isinstance(s, Score)} == {"the model gave no angle"}


def test_only_people_are_looked_at() -> None:
    result, estimator, _ = measure({}, kind="object")
    assert isinstance(result, Filtered) and estimator.asked == []


def test_a_head_reaches_beyond_its_face_but_not_beyond_the_body() -> None:
    assert head_of((0, 0, 100, 200), (40, 20, 60, 40)) == (34, 11, 66, 45)
    assert head_of((38, 15, 62, 200), (40, 20, 60, 40)) == (38, 15, 62, 45)
