import dataclasses
import json

import numpy as np
import pytest

from backend.domain import Anchor, Appearance, Filtered, Ok, Pair, Score, Subject, Track
from backend.stages.anchors import SelectAnchors
from backend.stages.expressions import EXPRESSION_EVIDENCE
from backend.stages.viewpoints import VIEW_EVIDENCE
from tests.backend.stages.drawn_clips import SIZE, draw_video

OF_EXPRESSIONS = ("expression_confidence", "expression_labels", "expression_source_px")


@pytest.fixture(scope="module")
def drawn():
    video = draw_video()
    blank = np.zeros((*SIZE, 3), np.uint8)
    video.context.pictures = {i: video.context.pictures.get(i, blank) for i in range(40)}
    return video


def link(drawn, name: str) -> Pair:
    a, b = (s for s in drawn.records[Subject] if drawn.names[s.id] == name)
    seen = {s.id: next(x for x in drawn.records[Appearance] if x.subject_id == s.id) for s in (a, b)}
    return Pair(
        target_subject_id=a.id, target_appearance_id=seen[a.id].id, reference_subject_id=b.id,
        reference_appearance_id=seen[b.id].id, kind="cross_frame",
    )  # fmt: skip


def anchors(drawn, *pairs: Pair, **settings) -> list[Anchor]:
    (result,) = SelectAnchors(**settings)([drawn.item(*pairs)], drawn.context)
    assert isinstance(result, Ok)
    return [row for row in result.rows if isinstance(row, Anchor)]


def test_without_links_every_anchor_lies_inside_its_clip(drawn):
    made = anchors(drawn)
    assert len(made) == 4
    assert all(anchor.inside for anchor in made)


def test_a_link_gives_both_subjects_an_anchor_of_the_other_clip(drawn):
    owner = {a.id: a.subject_id for a in drawn.records[Appearance]}
    outside = [anchor for anchor in anchors(drawn, link(drawn, "red")) if not anchor.inside]
    assert len(outside) == 2
    for anchor in outside:
        assert drawn.names[owner[anchor.appearance_id]] == drawn.names[anchor.label] == "red"
        assert owner[anchor.appearance_id] != anchor.label


def test_no_anchor_is_drawn_twice(drawn):
    made = anchors(drawn, link(drawn, "red"), inside=5, outside=5)
    assert len(made) == len({anchor.id for anchor in made}) == 8 + 4


def test_a_picture_made_of_a_subject_is_no_anchor(drawn):
    subject = drawn.records[Subject][0]
    made = Appearance(
        subject_id=subject.id, frame=None, box=(0, 0, 9, 9), confidence=1.0, origin="generated", artifact="m.webp"
    )
    (result,) = SelectAnchors(inside=5)([drawn.item(made)], drawn.context)
    assert isinstance(result, Ok)
    rows = [row for row in result.rows if isinstance(row, Anchor)]
    assert {row.id for row in rows} == {row.id for row in anchors(drawn, inside=5)}


def test_the_draw_follows_the_seed(drawn):
    again = [a.id for a in anchors(drawn)]
    assert again == [a.id for a in anchors(drawn)]
    other = dataclasses.replace(drawn, context=dataclasses.replace(drawn.context, seed=1))
    assert any(
        [a.id for a in anchors(dataclasses.replace(other, context=dataclasses.replace(drawn.context, seed=s)))] != again
        for s in range(1, 6)
    )


def test_a_video_without_subjects_is_not_applicable(drawn):
    bare = dataclasses.replace(drawn, records={**drawn.records, Subject: ()})
    (result,) = SelectAnchors()([bare.item()], drawn.context)
    assert result == Filtered(drawn.video.id, "the video shows no subject")


def viewpoints(drawn, name: str, told: list[tuple[int, str | None, float, tuple[float, ...]]]) -> list[Score]:
    """What measure_viewpoints says of each subject of that name: frame, side, confidence, box."""
    rows = []
    for subject in (s for s in drawn.records[Subject] if drawn.names[s.id] == name):
        body = {
            "format": VIEW_EVIDENCE, "frames": [t[0] for t in told], "sides": [t[1] for t in told],
            "confidence": [t[2] for t in told], "boxes": [list(t[3]) for t in told],
        }  # fmt: skip
        name_of = drawn.context.artifacts.put(json.dumps(body).encode(), "json")
        rows.append(Score(target=subject.id, name="num_viewpoints", value=2, producer="x", evidence=name_of))
    return rows


def with_records(drawn, **more):
    kinds = {"scores": Score, "tracks": Track}
    added = {kinds[name]: (*drawn.records.get(kinds[name], ()), *rows) for name, rows in more.items()}
    return dataclasses.replace(drawn, records={**drawn.records, **added})


BIG, SMALL = (10.0, 10.0, 110.0, 170.0), (10.0, 10.0, 60.0, 90.0)


def test_a_viewpoint_anchor_is_the_surest_frame_then_the_largest(drawn):
    told = [(0, "front", 0.5, BIG), (4, "front", 0.91, SMALL), (8, "front", 0.88, BIG), (12, None, 1.0, BIG)]
    given = with_records(drawn, scores=viewpoints(drawn, "red", [*told, (16, "back", 0.2, SMALL)]))
    (result,) = SelectAnchors()([given.item()], given.context)
    assert isinstance(result, Ok)
    made = {row.id: row for row in result.rows if isinstance(row, Appearance)}
    found = {row.label: row for row in result.rows if isinstance(row, Anchor) and row.kind == "viewpoint"}
    assert set(found) == {"front", "back"}
    front = made[found["front"].appearance_id]
    assert (front.frame, front.box, front.origin) == (8, BIG, "video")
    assert front.artifact is not None and given.context.artifacts.get(front.artifact)[8:12] == b"WEBP"
    scores = {s.name: s.value for s in result.rows if isinstance(s, Score) and s.target == found["front"].id}
    assert scores == {"confidence": 0.88, "crop_px": 100} | dict.fromkeys(OF_EXPRESSIONS)


def test_labels_of_other_clips_come_through_pairs(drawn):
    told = viewpoints(drawn, "red", [(0, "front", 0.5, BIG)])
    given = with_records(drawn, scores=told[:1])
    alone = [a for a in anchors(given) if a.kind == "viewpoint"]
    assert [a.inside for a in alone] == [True]
    both = [a for a in anchors(given, link(drawn, "red")) if a.kind == "viewpoint"]
    assert sorted(a.inside for a in both) == [False, True]
    assert len({a.appearance_id for a in both}) == 1 and len({a.clip_id for a in both}) == 2


def test_an_expression_anchor_is_the_head_of_the_face_in_the_body(drawn):
    subject = next(s for s in drawn.records[Subject] if drawn.names[s.id] == "red")
    body = Track(clip_id=subject.clip_id, kind="person", frames=(0, 8), boxes=(BIG, BIG), scores=(1.0, 1.0))
    subject = dataclasses.replace(subject, track_id=body.id)
    face, stranger = ((40.0, 30.0, 60.0, 50.0), (200.0, 30.0, 220.0, 50.0))
    tracks = [
        Track(clip_id=subject.clip_id, kind="face", frames=(0, 4), boxes=(b, b), scores=(1.0, 1.0))
        for b in (face, stranger)
    ]
    told = {
        "format": EXPRESSION_EVIDENCE, "labels": ["neutral", "smile", "open"], "frames": [0, 4, 6],
        "boxes": [list(face)] * 3, "probabilities": [[0.1, 0.8, 0.1], [0.0, 0.1, 0.9], None],
    }  # fmt: skip
    scores = [
        Score(target=t.id, name="num_expressions", value=1, producer="x",
              evidence=drawn.context.artifacts.put(json.dumps({**told, "boxes": [list(t.boxes[0])] * 3}).encode(), "json"))
        for t in tracks
    ]  # fmt: skip
    given = dataclasses.replace(
        drawn, records={**drawn.records, Subject: (subject,), Track: (body, *tracks), Score: tuple(scores)},
        names={**drawn.names, subject.id: "red"},
    )  # fmt: skip
    (result,) = SelectAnchors()([given.item()], given.context)
    assert isinstance(result, Ok)
    (anchor,) = [row for row in result.rows if isinstance(row, Anchor) and row.kind == "expression"]
    (made,) = [row for row in result.rows if isinstance(row, Appearance)]
    assert (anchor.label, made.frame, made.box) == ("happy", 0, (34.0, 21.0, 66.0, 55.0))


def test_global_anchors_carry_scores_without_values(drawn):
    (result,) = SelectAnchors()([drawn.item()], drawn.context)
    assert isinstance(result, Ok)
    scores = [row for row in result.rows if isinstance(row, Score)]
    assert len(scores) == 4 * 5 and all(s.value is None and s.reason for s in scores)
