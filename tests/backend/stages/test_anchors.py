import dataclasses

import pytest

from backend.domain import Anchor, Appearance, Filtered, Ok, Pair, Subject
from backend.stages.anchors import SelectAnchors
from tests.backend.stages.drawn_clips import draw_video


@pytest.fixture(scope="module")
def drawn():
    return draw_video()


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
    return list(result.rows)  # type: ignore[arg-type]


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
