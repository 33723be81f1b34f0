"""What a judge is shown and asked about subjects, and what its answers come to."""

import json

import numpy as np

from backend.domain import Appearance, Failed, Item, MediaError, Ok, Subject
from backend.media.images import decode_image
from backend.stages.judged import around
from backend.stages.verification import VerifySubjects
from tests.backend.stages.answered_judges import NO, UNSURE, YES, Scripted
from tests.backend.stages.moving_things import FixedContext, MovingThings, clip_item

READER = MovingThings([((200, 150), (2, 0), (60, 80))])


def subject(phrase: str | None = "a woman") -> Subject:
    return Subject(clip_id="clip_1", track_id="t1", phrase=phrase, category="woman", is_living=None)


def checked(judge: Scripted | None, of: Subject, *, context: FixedContext | None = None):
    shown = Appearance(subject_id=of.id, frame=10, box=(100.0, 100.0, 200.0, 180.0), confidence=0.9, origin="video")
    context = context or FixedContext(READER, **({"Judge": judge} if judge else {}))
    item = Item(shown.id, {**clip_item().records, Appearance: (shown,), Subject: (of,)})
    (result,) = VerifySubjects()([item], context)
    return result, context


def values(result):
    assert isinstance(result, Ok), result
    return {row.name: (row.value, row.reason) for row in result.rows}


def test_a_subject_is_asked_for_completeness_specificity_and_its_phrase():
    judge = Scripted({"whole": YES, "know this very subject": NO, '"a woman"': UNSURE})
    result, context = checked(judge, subject())
    found = values(result)
    assert found["judged_complete"] == (1.0, None)
    assert found["judged_specific"] == (0.0, None)
    assert found["judged_phrase"][0] is None
    assert found["judged_phrase"][1].startswith("unsure")
    picture = decode_image(judge.asked[0].images[0])
    assert picture.shape[:2] == (96, 120), "the box of 100 by 80, a tenth wider on each side"
    (evidence,) = {row.evidence for row in result.rows}
    kept = json.loads(context.artifacts.get(evidence))
    assert kept["model"] == "scripted-1"
    assert [answer["raw"] for answer in kept["answers"]] == ["1", "0", "2"]


def test_a_subject_without_a_phrase_is_not_asked_for_it():
    judge = Scripted({})
    found = values(checked(judge, subject(phrase=None))[0])
    assert found["judged_phrase"] == (None, "not applicable: the subject has no phrase")
    assert len(judge.asked) == 2


def test_prose_is_a_failure_with_its_reason_and_no_answer():
    found = values(checked(Scripted({"whole": None}), subject())[0])
    assert found["judged_complete"] == (None, "failed: no integer")


def test_a_profile_without_a_judge_says_so_of_every_question():
    result, _ = checked(None, subject())
    assert {value for value, _ in values(result).values()} == {None}
    assert all(reason.startswith("unavailable: no Judge") for _, reason in values(result).values())


def test_what_the_project_has_an_answer_to_is_not_asked_again():
    judge = Scripted({})
    first, context = checked(judge, subject())
    again, _ = checked(judge, subject(), context=context)
    assert len(judge.asked) == 3
    assert values(again) == values(first)


def test_frames_that_cannot_be_read_fail_the_item_by_name():
    class Gone(FixedContext):
        def frames(self, item):
            raise MediaError("v.mp4 is not there any more", kind="gone")

    result, _ = checked(None, subject(), context=Gone(READER, Judge=Scripted({})))
    assert isinstance(result, Failed)
    assert result.kind == "gone"


def test_what_lies_around_a_box_ends_at_the_frame():
    assert around(np.zeros((50, 100, 3), np.uint8), (0.0, 0.0, 40.0, 50.0), 0.5).shape == (50, 60, 3)
