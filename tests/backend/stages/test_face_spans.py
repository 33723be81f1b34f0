"""Spans with a face by upstream's rule, worked out by hand."""

import json

import numpy as np

from backend.domain import Clip, Item, Ok, Score, Track
from backend.stages.face_spans import MeasureFaceSpans, spans
from tests.backend.stages.footage_in_memory import ArrayReader, StageContext


def test_gaps_up_to_the_tolerance_are_bridged() -> None:
    assert spans([0, 1, 2, 6, 7], step=1, max_gap=3, stop_frame=20) == [(0, 8)]
    assert spans([0, 1, 2, 7, 8], step=1, max_gap=3, stop_frame=20) == [(0, 3), (7, 9)]


def test_a_span_ends_with_its_last_sighting_and_the_clip() -> None:
    assert spans([0, 4, 8], step=4, max_gap=0, stop_frame=10) == [(0, 10)]
    assert spans([], step=4, max_gap=9, stop_frame=10) == []


def measured(frames: list[int], *, num: int) -> tuple[dict[str, float | None], list | None]:
    clip = Clip(video_id="v", start_frame=100, stop_frame=100 + num, start_s=4, stop_s=8, opens_with="cut")
    track = Track(
        clip_id=clip.id,
        kind="face",
        frames=tuple(frames),
        boxes=((0.0, 0.0, 9.0, 9.0),) * len(frames),
        scores=(1.0,) * len(frames),
    )
    context = StageContext(ArrayReader(np.zeros((1, 4, 4, 3), np.uint8)))
    (result,) = MeasureFaceSpans()([Item(clip.id, {Clip: (clip,), Track: (track,) if frames else ()})], context)
    assert isinstance(result, Ok)
    scores = [row for row in result.rows if isinstance(row, Score)]
    evidence = next((s.evidence for s in scores if s.evidence), None)
    values = {s.name: s.value for s in scores}
    return values, json.loads(context.artifacts.get(evidence)) if evidence else None


def test_a_clip_of_120_frames_bridges_6() -> None:
    seen = [*range(100, 150), *range(156, 200)]  # frames 150 to 155 are missing: 6 = ceil(.05 * 120)
    values, found = measured(seen, num=120)
    assert values == {"face_span_frames": 100, "num_face_spans": 1, "span_frames": 100}
    assert found == [[100, 200]]


def test_one_frame_more_breaks_the_span() -> None:
    values, found = measured([*range(100, 149), *range(156, 200)], num=120)
    assert values == {"face_span_frames": 49, "num_face_spans": 0, "span_frames": 49}
    assert found == [[100, 149], [156, 200]]


def test_no_face_is_a_span_of_no_frames() -> None:
    assert measured([], num=50) == ({"face_span_frames": 0, "num_face_spans": 0}, None)
