"""What a judge makes of the labels of expression anchors: kept, corrected, dropped, left to people."""

import json

import numpy as np
import pytest

from backend.domain import Anchor, Appearance, Filtered, Item, Ok, Score, Video
from backend.media.images import encode_webp
from backend.stages.anchor_verification import VerifyAnchors
from backend.studies.forms import ANCHOR_FORM, load_form
from tests.backend.stages.answered_judges import Scripted
from tests.backend.stages.moving_things import FixedContext, MovingThings, clip_item

CHOICES = [choice.value for choice in load_form(ANCHOR_FORM).questions[0].choices]


def verified(choice: int | None, *, label: str = "happy", kind: str = "expression", times: int = 1, judge: object = None):
    """Anchors of one picture, each of another clip, as a judge sees them that always makes one choice."""
    judge = judge or Scripted({}, otherwise=0 if choice is None else choice)
    if choice is None and isinstance(judge, Scripted):
        judge.answers = {"": None}
    context = FixedContext(MovingThings([]), **({} if judge == "nobody" else {"Judge": judge}))
    crop = context.artifacts.put(encode_webp(np.full((40, 30, 3), 90, np.uint8)), "webp")
    head = Appearance(subject_id="s", frame=3, box=(0.0, 0.0, 30.0, 40.0), confidence=0.9, origin="video", artifact=crop)
    anchors = tuple(
        Anchor(appearance_id=head.id, clip_id=f"clip_{n}", kind=kind, label=label, inside=n == 0) for n in range(times)
    )
    video = clip_item().one(Video)
    (result,) = VerifyAnchors()([Item(video.id, {Video: (video,), Appearance: (head,), Anchor: anchors})], context)
    return anchors, result, judge, context


def rows_of(result) -> tuple[list[Anchor], dict[tuple[str, str], tuple[float | None, str | None]]]:
    assert isinstance(result, Ok), result
    scores = {(row.target, row.name): (row.value, row.reason) for row in result.rows if isinstance(row, Score)}
    return [row for row in result.rows if isinstance(row, Anchor)], scores


def test_the_form_asks_for_glorias_eight_expressions_by_one_digit() -> None:
    assert CHOICES == ["surprise", "angry", "disgust", "fear", "contempt", "sad", "neutral", "happy", "none", "unsure"]
    assert [choice.value for choice in load_form(ANCHOR_FORM).questions[1].choices] == [
        "front", "back", "left", "right", "none", "unsure",
    ]  # fmt: skip


def test_the_same_label_is_kept() -> None:
    (anchor,), result, judge, context = verified(CHOICES.index("happy"))
    new, scores = rows_of(result)
    assert new == []
    assert scores == {(anchor.id, "judged_label"): (1.0, None), (anchor.id, "judged_corrected"): (0.0, None)}
    (evidence,) = {row.evidence for row in result.rows}
    kept = json.loads(context.artifacts.get(evidence))
    assert kept["model"] == "scripted-1" and "Which of these expressions" in kept["answers"][0]["prompt"]
    assert (judge.asked[0].lowest, judge.asked[0].highest) == (0, 9)


def test_another_label_makes_another_anchor_in_its_place() -> None:
    (anchor,), result, _, _ = verified(CHOICES.index("sad"))
    (new,), scores = rows_of(result)
    assert (new.label, new.appearance_id, new.clip_id, new.inside) == ("sad", anchor.appearance_id, "clip_0", True)
    assert scores == {
        (anchor.id, "judged_label"): (0.0, None),
        (anchor.id, "judged_corrected"): (1.0, None),
        (new.id, "judged_label"): (1.0, None),
        (new.id, "judged_given"): (1.0, None),
    }


def test_no_label_drops_it() -> None:
    (anchor,), result, _, _ = verified(CHOICES.index("none"))
    new, scores = rows_of(result)
    assert new == []
    assert scores == {(anchor.id, "judged_label"): (0.0, None), (anchor.id, "judged_corrected"): (0.0, None)}


@pytest.mark.parametrize(
    ("choice", "judge", "reason"),
    [
        (CHOICES.index("unsure"), None, "unsure: the judge cannot tell"),
        (None, None, "failed: no integer"),
        (0, "nobody", "unavailable: no Judge"),
    ],
)
def test_doubt_faults_and_no_judge_leave_it_to_people(choice: int | None, judge: object, reason: str) -> None:
    (anchor,), result, _, _ = verified(choice, judge=judge)
    new, scores = rows_of(result)
    assert new == []
    for name in ("judged_label", "judged_corrected"):
        value, why = scores[anchor.id, name]
        assert value is None and (why or "").startswith(reason)


def test_one_picture_that_stands_for_two_clips_is_asked_about_once() -> None:
    anchors, result, judge, _ = verified(CHOICES.index("sad"), times=2)
    new, _ = rows_of(result)
    assert [row.clip_id for row in new] == [anchor.clip_id for anchor in anchors]
    assert len(judge.asked) == 1


def test_sides_and_global_anchors_are_not_asked_about() -> None:
    _, result, judge, _ = verified(0, kind="viewpoint", label="front")
    assert isinstance(result, Filtered) and judge.asked == []
