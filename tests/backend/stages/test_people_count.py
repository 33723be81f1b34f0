"""Who is counted as a person, and when a clip shows exactly one."""

import numpy as np
import pytest

from backend.domain import Box, Clip, Filtered, Item, Ok, Score, Subject, Track
from backend.stages.people_count import CountPeople, box_at
from tests.backend.stages.footage_in_memory import ArrayReader, StageContext

CLIP = Clip(video_id="v", start_frame=0, stop_frame=100, start_s=0, stop_s=4, opens_with="cut")
CONTEXT = StageContext(ArrayReader(np.zeros((1, 4, 4, 3), np.uint8)))


def track(kind: str, frames: tuple[int, ...], box: Box, *, to: Box | None = None) -> Track:
    ends = [box if i == 0 or to is None else to for i in range(len(frames))]
    return Track(clip_id=CLIP.id, kind=kind, frames=frames, boxes=tuple(ends), scores=(0.9,) * len(frames))


def counted(*tracks: Track, categories: dict[str, str] | None = None) -> dict[str, float | None]:
    subjects = tuple(
        Subject(clip_id=CLIP.id, track_id=t.id, phrase=None, category=(categories or {}).get(t.id), is_living=None)
        for t in tracks
    )
    (result,) = CountPeople()([Item(CLIP.id, {Clip: (CLIP,), Track: tracks, Subject: subjects})], CONTEXT)
    assert isinstance(result, Ok)
    return {row.name: row.value for row in result.rows if isinstance(row, Score)}


def test_a_person_with_a_face_is_one() -> None:
    body = track("person", (0, 50, 99), (10, 10, 60, 200))
    face = track("face", (0, 20, 40, 60, 80), (20, 15, 40, 35))
    assert counted(body, face) == {"single_person": 1, "most_people": 1}


def test_a_face_without_a_body_is_a_person_while_it_is_seen() -> None:
    """Frames looked at: 0, 50, 54, 60, 98, 99; the second face is there from 50 to 60."""
    body = track("person", (0, 98, 99), (10, 10, 60, 200))
    face = track("face", (50, 54, 60), (100, 15, 120, 35))
    assert counted(body, face) == {"single_person": 0.5, "most_people": 2}


def test_a_face_seen_twice_is_a_mistake() -> None:
    body = track("person", (0, 99), (10, 10, 60, 200))
    assert counted(body, track("face", (50, 60), (100, 15, 120, 35))) == {"single_person": 1, "most_people": 1}


def test_bodies_around_one_face_are_one_person() -> None:
    """A bust, the whole figure with what it holds, and the trunk alone: boxes that a detector of parts gives."""
    bust = track("person", (0, 50), (10, 10, 60, 80))
    figure = track("person", (0, 50), (0, 5, 90, 200))
    trunk = track("person", (0, 50), (12, 60, 58, 140))
    face = track("face", (0, 25, 50), (25, 15, 45, 35))
    assert counted(bust, figure, trunk, face) == {"single_person": 1, "most_people": 1}


def test_two_faces_in_one_box_are_two_people() -> None:
    embrace = track("person", (0, 50), (0, 5, 90, 200))
    faces = [track("face", (0, 25, 50), (x, 15, x + 20, 35)) for x in (10, 50)]
    assert counted(embrace, *faces)["most_people"] == 2


def test_an_unlabelled_track_counts_when_words_call_it_human() -> None:
    back = track("unlabelled", (0, 50), (10, 10, 60, 200))
    assert counted(back) == {"single_person": 0, "most_people": 0}
    assert counted(back, categories={back.id: "woman"}) == {"single_person": 1, "most_people": 1}
    assert counted(back, categories={back.id: "dog"}) == {"single_person": 0, "most_people": 0}


def test_one_body_found_twice_is_one_person() -> None:
    one = track("person", (0, 50), (10, 10, 60, 200))
    again = track("person", (0, 50), (10, 12, 60, 200))
    beside = track("person", (0, 50), (70, 10, 120, 200))
    assert counted(one, again)["most_people"] == 1
    assert counted(one, beside) == {"single_person": 0, "most_people": 2}


def test_boxes_move_evenly_between_frames() -> None:
    moving = track("person", (0, 10), (0, 0, 10, 10), to=(20, 0, 30, 10))
    assert box_at(moving, 5) == pytest.approx((10, 0, 20, 10))
    assert box_at(moving, 11) is None


def test_a_clip_in_which_nothing_is_followed_is_not_applicable() -> None:
    (result,) = CountPeople()([Item(CLIP.id, {Clip: (CLIP,), Track: (), Subject: ()})], CONTEXT)
    assert isinstance(result, Filtered)
