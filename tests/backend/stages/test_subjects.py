from typing import TypeVar

import pytest

from backend.domain import Appearance, Detection, Filtered, MediaError, Ok, Phrase, Score, Subject, Track
from backend.domain.results import Failed
from backend.stages.subjects import FindSubjects
from tests.backend.stages.moving_things import CLIP, FixedContext, MovingThings, clip_item

T = TypeVar("T")


class Fixed:
    """A Detector that gives what it was told."""

    model_id = "fixed-1"

    def __init__(self, *detections: Detection) -> None:
        self.detections = list(detections)

    def detect(self, footage, frames, phrases):
        self.frames, self.phrases = frames, phrases
        return self.detections


def seen(frame, box=(100.0, 50.0, 300.0, 250.0), *, score=0.8, kind="unlabelled", track=0, label=None):
    return Detection(frame=frame, box=box, score=score, kind=kind, track=track, label=label)


def phrase(text, *, category, role="subject", is_living=True, is_plural=False):
    return Phrase(
        caption_id="caption_1", clip_id=CLIP.id, start=0, stop=len(text), text=text, role=role, category=category,
        is_living=is_living, is_plural=is_plural,
    )  # fmt: skip


def found(detector, *phrases):
    reader = MovingThings([((200, 150), (2, 0), (60, 80))])
    (result,) = FindSubjects()([clip_item(*phrases)], FixedContext(reader, Detector=detector))
    return result


def rows(result, kind: type[T]) -> list[T]:
    assert isinstance(result, Ok)
    return [row for row in result.rows if isinstance(row, kind)]


def scores_of(result, record):
    return {score.name: score.value for score in rows(result, Score) if score.target == record.id}


def test_frames_are_taken_at_five_fifty_and_ninety_five_per_cent():
    detector = Fixed(seen(2))
    found(detector)
    assert detector.frames == [2, 23, 44]


def test_one_track_makes_one_subject_with_an_appearance_a_box():
    result = found(Fixed(seen(2), seen(23), seen(44), seen(23, (0.0, 0.0, 90.0, 90.0), track=1, score=0.5)))
    assert len(rows(result, Subject)) == len(rows(result, Track)) == 2
    assert [a.frame for a in rows(result, Appearance)] == [2, 23, 44, 23]
    first = rows(result, Subject)[0]
    assert scores_of(result, first)["num_appearances"] == 3
    assert (first.phrase, first.category, first.is_living) == (None, None, None)


def test_a_box_is_measured_against_the_picture():
    result = found(Fixed(seen(2, (0.0, 70.0, 240.0, 205.0))))
    scores = scores_of(result, rows(result, Appearance)[0])
    assert scores["area_fraction"] == pytest.approx(0.25)
    assert scores["min_side_px"] == 135
    assert scores["border_contact"] == pytest.approx(135 / 750)
    assert scores["completeness"] == pytest.approx(1 - 135 / 750)
    assert scores["max_iou"] == 0
    assert 0 < (scores["specificity"] or 0) <= 1


def test_a_person_cut_by_the_lower_edge_loses_half_as_much():
    whole = {"unlabelled": 1 - 200 / 800, "person": 1 - 100 / 800}
    for kind, expected in whole.items():
        result = found(Fixed(seen(2, (100.0, 70.0, 300.0, 270.0), kind=kind)))
        assert scores_of(result, rows(result, Appearance)[0])["completeness"] == pytest.approx(expected)


def test_of_two_overlapping_boxes_only_the_weaker_has_a_rival():
    result = found(Fixed(seen(2, (0.0, 0.0, 100.0, 100.0)), seen(2, (0.0, 0.0, 100.0, 90.0), track=1, score=0.5)))
    strong, weak = rows(result, Appearance)
    assert scores_of(result, strong)["max_iou"] == 0
    assert scores_of(result, weak)["max_iou"] == pytest.approx(0.9)


def test_a_person_takes_the_only_human_phrase():
    result = found(Fixed(seen(2, kind="person"), seen(2, track=1, score=0.3)), phrase("a young woman", category="woman"))
    person, other = rows(result, Subject)
    assert (person.phrase, person.category, person.is_living) == ("a young woman", "woman", True)
    assert (other.phrase, other.is_living) == (None, None)
    assert scores_of(result, person)["phrase_by_elimination"] == 0


def test_a_phrase_that_two_people_could_answer_goes_to_neither():
    result = found(Fixed(seen(2, kind="person"), seen(2, kind="person", track=1)), phrase("a man", category="man"))
    assert [s.phrase for s in rows(result, Subject)] == [None, None]
    assert [s.category for s in rows(result, Subject)] == ["person", "person"]


def test_a_plural_phrase_goes_to_every_person():
    people = phrase("two women", category="woman", is_plural=True)
    result = found(Fixed(seen(2, kind="person"), seen(2, kind="person", track=1)), people)
    assert [s.phrase for s in rows(result, Subject)] == ["two women", "two women"]


def test_the_only_strong_thing_takes_the_only_other_phrase_and_says_so():
    result = found(Fixed(seen(2), seen(2, track=1, score=0.45)), phrase("a brown dog", category="dog"))
    dog, junk = rows(result, Subject)
    assert (dog.phrase, dog.category, dog.is_living) == ("a brown dog", "dog", True)
    assert scores_of(result, dog)["phrase_by_elimination"] == 1
    assert junk.phrase is None


def test_two_strong_things_leave_the_phrase_unlinked():
    result = found(Fixed(seen(2), seen(2, track=1)), phrase("a brown dog", category="dog"))
    assert [s.phrase for s in rows(result, Subject)] == [None, None]


def test_a_label_of_the_detector_decides():
    result = found(
        Fixed(seen(2, kind="object", label="a red car")),
        phrase("a red car", category="car", role="object", is_living=False),
        phrase("a dog", category="dog"),
    )
    (car,) = rows(result, Subject)
    assert (car.phrase, car.category, car.is_living) == ("a red car", "car", False)


def test_a_phrase_that_the_detector_answers_twice_on_a_frame_goes_to_neither():
    car = phrase("a red car", category="car", role="object", is_living=False)
    twice = Fixed(seen(2, kind="object", label="a red car"), seen(2, kind="object", label="a red car", track=1))
    assert [s.phrase for s in rows(found(twice, car), Subject)] == [None, None]
    apart = Fixed(seen(2, kind="object", label="a red car"), seen(23, kind="object", label="a red car", track=1))
    assert [s.phrase for s in rows(found(apart, car), Subject)] == ["a red car", "a red car"], "one car that moved"
    cars = phrase("red cars", category="car", role="object", is_living=False, is_plural=True)
    both = Fixed(seen(2, kind="object", label="red cars"), seen(2, kind="object", label="red cars", track=1))
    assert [s.phrase for s in rows(found(both, cars), Subject)] == ["red cars", "red cars"]


def test_a_label_that_was_not_asked_for_names_nobody():
    result = found(Fixed(seen(2, kind="object", label="a spaceship")), phrase("a man", category="man"))
    (subject,) = rows(result, Subject)
    assert (subject.phrase, subject.category) == (None, None)
    assert isinstance(result, Ok)
    assert result.warnings == ("boxes with a label that was not asked for: 1",)


def test_what_cannot_be_believed_of_a_detector_is_left_out_with_a_remark():
    reader = MovingThings([((200, 150), (2, 0), (60, 80))])
    width, height = float(reader.width), float(reader.height)
    result = found(
        Fixed(
            seen(2, (-50.0, -50.0, width + 50, height + 50)),
            seen(2, (float("nan"), 0.0, 90.0, 90.0), track=1),
            seen(2, (0.0, 0.0, 90.0, float("inf")), track=2),
            seen(2, score=float("nan"), track=3),
            seen(2, (width + 5, 0.0, width + 90, 90.0), track=4),
            seen(2, (90.0, 90.0, 10.0, 10.0), track=5),
            seen(3, track=6),
        )
    )
    (appearance,) = rows(result, Appearance)
    assert appearance.box == (0.0, 0.0, width, height)
    assert result.warnings == (
        "boxes empty or outside of the picture: 2",
        "boxes on frames that were not asked about: 1",
        "boxes with numbers that are not finite: 3",
    )
    nothing = found(Fixed(seen(2, (float("nan"),) * 4)))
    assert nothing == Filtered(CLIP.id, "no subject stands out on 3 frames; boxes with numbers that are not finite: 1")


def test_background_phrases_are_not_looked_for():
    detector = Fixed(seen(2))
    found(detector, phrase("a beach", category="beach", role="background"), phrase("a dog", category="dog"))
    assert detector.phrases == ("a dog",)


def test_a_clip_without_subjects_is_filtered():
    assert found(Fixed()) == Filtered(CLIP.id, "no subject stands out on 3 frames")


def test_unreadable_frames_fail_the_clip_alone():
    class Broken(Fixed):
        def detect(self, footage, frames, phrases):
            raise MediaError("frame 23 cannot be decoded", kind="truncated")

    assert found(Broken()) == Failed(CLIP.id, "truncated", "frame 23 cannot be decoded")
