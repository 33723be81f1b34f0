"""What a judge is shown and asked about subjects and pairs, and what its answers come to."""

import json

import numpy as np
import pytest

from backend.domain import Appearance, Clip, Failed, Filtered, Item, Mask, MediaError, Ok, Pair, Subject, Verdict, Video
from backend.media.images import decode_image, encode_webp
from backend.stages.judged import around
from backend.stages.verification import VerifyPairs, VerifySubjects, criteria
from tests.backend.stages.moving_things import FixedContext, MovingThings, clip_item

READER = MovingThings([((200, 150), (2, 0), (60, 80))])
NO, YES, UNSURE = 0, 1, 2


class Scripted:
    """Answers by a word of the question; remembers what it was asked."""

    model_id = "scripted-1"

    def __init__(self, answers: dict[str, int | None]) -> None:
        self.answers, self.asked = answers, []

    def ask(self, inquiries):
        self.asked += inquiries
        found = []
        for inquiry in inquiries:
            score = next((value for word, value in self.answers.items() if word in inquiry.prompt), YES)
            found.append(
                Verdict(score, "prose" if score is None else str(score), "" if score is not None else "no integer")
            )
        return found


class Context(FixedContext):
    def model_id(self, name: str) -> str:
        return getattr(self._roles.get(name), "model_id", "")


def subject(number: int, category: str | None = "woman", phrase: str | None = "a woman") -> Subject:
    return Subject(clip_id=f"clip_{number}", track_id=f"t{number}", phrase=phrase, category=category, is_living=None)


def appearance(of: Subject, *, frame: int | None = 10, box=(100.0, 100.0, 200.0, 180.0), artifact=None) -> Appearance:
    return Appearance(subject_id=of.id, frame=frame, box=box, confidence=0.9, origin="video", artifact=artifact)


def values(result):
    assert isinstance(result, Ok), result
    return {row.name: (row.value, row.reason) for row in result.rows}


def checked(judge, of: Subject):
    shown = appearance(of)
    context = Context(READER, **({"Judge": judge} if judge else {}))
    item = Item(shown.id, {**clip_item().records, Appearance: (shown,), Subject: (of,)})
    (result,) = VerifySubjects()([item], context)
    return result, context


def test_a_subject_is_asked_for_completeness_specificity_and_its_phrase():
    judge = Scripted({"whole": YES, "know this very subject": NO, '"a woman"': UNSURE})
    result, context = checked(judge, subject(1))
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
    found = values(checked(judge, subject(1, phrase=None))[0])
    assert found["judged_phrase"] == (None, "not applicable: the subject has no phrase")
    assert len(judge.asked) == 2


def test_prose_is_a_failure_with_its_reason_and_no_answer():
    found = values(checked(Scripted({"whole": None}), subject(1))[0])
    assert found["judged_complete"] == (None, "failed: no integer")


def test_a_profile_without_a_judge_says_so_of_every_question():
    result, _ = checked(None, subject(1))
    assert {value for value, _ in values(result).values()} == {None}
    assert all(reason.startswith("unavailable: no Judge") for _, reason in values(result).values())


def paired(
    judge, *, category: str, boxes=((100.0, 60.0, 200.0, 240.0), (0.0, 0.0, 100.0, 170.0)), reference_frame: int | None = 12
):
    a, b = subject(1, category), subject(2, category)
    context = Context(READER, **({"Judge": judge} if judge else {}))
    crop = context.artifacts.put(encode_webp(np.full((40, 30, 4), 90, np.uint8)), "webp")
    target = appearance(a, frame=10, box=boxes[0])
    reference = appearance(b, frame=reference_frame, box=boxes[1], artifact=None if reference_frame is not None else crop)
    pair = Pair(
        target_subject_id=a.id,
        target_appearance_id=target.id,
        reference_subject_id=b.id,
        reference_appearance_id=reference.id,
        kind="cross_frame",
    )
    masks = tuple(
        Mask(appearance_id=x.id, author="m", height=1, width=1, counts=b"", crop=crop)
        for x in (target, reference)
        if x.frame is not None
    )
    records = {Subject: (a, b), Appearance: (target, reference), Mask: masks, Pair: (pair,)}
    base = {kind: rows for kind, rows in clip_item().records.items() if kind is not Clip}
    (result,) = VerifyPairs()([Item(base[Video][0].id, {**base, **records})], context)
    return result


@pytest.mark.parametrize(
    ("category", "asked"),
    [
        ("woman", {"face", "clothing", "scene", "pose"}),
        ("dog", {"markings", "scene", "pose"}),
        ("car", {"colour", "packaging", "text", "scene", "pose"}),
    ],
)
def test_identity_is_asked_by_the_kind_of_subject(category, asked):
    found = values(paired(Scripted({}), category=category))
    assert {name.removeprefix("judged_") for name in found} == asked | {"identity", "context"}
    assert found["judged_identity"] == (1.0, None)
    assert found["judged_context"] == (1.0, None)


def test_clothes_are_asked_only_where_both_sides_show_the_legs():
    short = ((100.0, 60.0, 200.0, 240.0), (0.0, 0.0, 100.0, 120.0))
    assert "judged_clothing" not in values(paired(Scripted({}), category="woman", boxes=short))


@pytest.mark.parametrize(
    ("answers", "identity"),
    [
        ({"clothes": NO, "faces": YES}, 0.0),
        ({"clothes": NO, "faces": UNSURE}, 0.0),
        ({"clothes": YES, "faces": UNSURE}, None),
        ({"clothes": YES, "faces": YES}, 1.0),
    ],
)
def test_one_denied_criterion_denies_identity_and_doubt_leaves_it_to_people(answers, identity):
    assert values(paired(Scripted(answers), category="woman"))["judged_identity"][0] == identity


@pytest.mark.parametrize(
    ("scene", "pose", "context"), [(NO, YES, 1.0), (YES, UNSURE, 1.0), (NO, NO, 0.0), (NO, UNSURE, None)]
)
def test_a_context_differs_in_scene_or_in_pose(scene, pose, context):
    judge = Scripted({"surroundings": scene, "pose": pose})
    assert values(paired(judge, category="dog"))["judged_context"][0] == context


def test_a_generated_reference_is_shown_by_its_picture():
    judge = Scripted({})
    assert values(paired(judge, category="dog", reference_frame=None))["judged_identity"] == (1.0, None)
    scene = next(inquiry for inquiry in judge.asked if "surroundings" in inquiry.prompt)
    assert decode_image(scene.images[0]).shape[:2] == (READER.height, READER.width)
    assert decode_image(scene.images[1]).shape[:2] == (40, 30)


def test_a_video_without_pairs_needs_no_judge():
    base = clip_item().records
    (result,) = VerifyPairs()([Item("v", {**base, Pair: ()})], Context(READER, Judge=Scripted({})))
    assert isinstance(result, Filtered)


def test_frames_that_cannot_be_read_fail_the_item_by_name():
    class Gone(Context):
        def frames(self, item):
            raise MediaError("v.mp4 is not there any more", kind="gone")

    of = subject(1)
    shown = appearance(of)
    item = Item(shown.id, {**clip_item().records, Appearance: (shown,), Subject: (of,)})
    (result,) = VerifySubjects()([item], Gone(READER, Judge=Scripted({})))
    assert isinstance(result, Failed)
    assert result.kind == "gone"


def test_unknown_categories_are_asked_as_things():
    of = subject(1, None)
    assert criteria(of, [appearance(of)]) == ["colour", "packaging", "text", "scene", "pose"]


def test_what_lies_around_a_box_ends_at_the_frame():
    assert around(np.zeros((50, 100, 3), np.uint8), (0.0, 0.0, 40.0, 50.0), 0.5).shape == (50, 60, 3)
