import dataclasses

import pytest

from backend.domain import Appearance, Embedding, Filtered, Mask, Ok, Pair, Score, Subject
from backend.stages.embedding import EmbedAppearances
from backend.stages.retrieval import DiverseContexts, PairSubjects
from tests.backend.stages.drawn_clips import Drawn, draw_video


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return embedded(draw_video())


def embedded(made: Drawn) -> Drawn:
    rows = [row for result in EmbedAppearances()(made.appearance_items(), made.context) for row in result.rows]  # type: ignore[union-attr]
    made.records[Embedding] = tuple(rows)
    return made


def paired(drawn: Drawn, **settings) -> tuple[list[Pair], dict[str, dict[str, float | None]]]:
    (result,) = PairSubjects(**settings)([drawn.item()], drawn.context)
    assert isinstance(result, Ok)
    return split(result)


def split(result: Ok) -> tuple[list[Pair], dict[str, dict[str, float | None]]]:
    scores: dict[str, dict[str, float | None]] = {}
    for row in result.rows:
        if isinstance(row, Score):
            scores.setdefault(row.target, {})[row.name] = row.value
    return [row for row in result.rows if isinstance(row, Pair)], scores


def test_the_same_toy_in_another_place_is_likelier_than_the_other_toy(drawn):
    pairs, scores = paired(drawn, store_floor=-1.0)
    across = [pair for pair in pairs if pair.kind == "cross_frame"]
    same = [p for p in across if drawn.names[p.target_subject_id] == drawn.names[p.reference_subject_id or ""]]
    other = [p for p in across if p not in same]
    assert len(same) == 4
    assert len(other) == 4
    assert min(scores[p.id]["similarity"] or 0 for p in same) > 0.8
    assert max(scores[p.id]["similarity"] or 0 for p in other) < 0.5
    assert min(scores[p.id]["keypoint_inliers"] or 0 for p in same) >= 12


def test_the_target_is_the_earlier_clip_and_subjects_of_one_clip_are_never_paired(drawn):
    clip_of = {subject.id: subject.clip_id for subject in drawn.records[Subject]}
    for pair in paired(drawn, store_floor=-1.0)[0]:
        if pair.kind == "in_pair":
            assert pair.target_subject_id == pair.reference_subject_id
        else:
            assert clip_of[pair.target_subject_id] == drawn.item().all(Subject)[0].clip_id
            assert clip_of[pair.reference_subject_id or ""] != clip_of[pair.target_subject_id]


def test_each_subject_gives_one_in_pair_of_two_frames(drawn):
    in_pairs = [pair for pair in paired(drawn)[0] if pair.kind == "in_pair"]
    assert sorted(pair.target_subject_id for pair in in_pairs) == sorted(s.id for s in drawn.records[Subject])
    assert all(pair.target_appearance_id != pair.reference_appearance_id for pair in in_pairs)


def test_nothing_under_the_store_floor_is_stored(drawn):
    loose, scores = paired(drawn, store_floor=-1.0)
    floor = sorted(scores[p.id]["appearance_cosine"] or 0 for p in loose if p.kind == "cross_frame")[3]
    kept, scores = paired(drawn, store_floor=floor + 1e-6)
    assert 0 < len([p for p in kept if p.kind == "cross_frame"]) < len([p for p in loose if p.kind == "cross_frame"])
    assert all((scores[p.id]["appearance_cosine"] or 0) >= floor for p in kept if p.kind == "cross_frame")


def test_one_pair_a_link_keeps_the_likest_frames(drawn):
    many, scores_many = paired(drawn, pairs_per_link=4)
    one, scores_one = paired(drawn, pairs_per_link=1)
    best: dict[tuple[str, str | None], float] = {}
    for pair in (p for p in many if p.kind == "cross_frame"):
        link = (pair.target_subject_id, pair.reference_subject_id)
        best[link] = max(best.get(link, -1.0), scores_many[pair.id]["appearance_cosine"] or 0)
    found = {
        (p.target_subject_id, p.reference_subject_id): scores_one[p.id]["appearance_cosine"]
        for p in one
        if p.kind == "cross_frame"
    }
    assert found == pytest.approx(best)


def test_a_rigid_thing_needs_keypoints_and_a_living_one_does_not(drawn):
    subjects = tuple(dataclasses.replace(s, is_living=False) for s in drawn.records[Subject])
    rigid = dataclasses.replace(drawn, records={**drawn.records, Subject: subjects})
    pairs, scores = paired(rigid, store_floor=-1.0)
    for pair in pairs:
        values = scores[pair.id]
        expected = min(1.0, (values["keypoint_inliers"] or 0) / 12, (values["keypoint_ratio"] or 0) / 0.3)
        assert values["prior"] == pytest.approx(expected)
    assert all(values["prior"] == 1.0 for values in paired(drawn)[1].values())


def test_a_missing_face_is_null_with_its_reason(drawn):
    (result,) = PairSubjects()([drawn.item()], drawn.context)
    faces = [row for row in result.rows if isinstance(row, Score) and row.name == "face_cosine"]  # type: ignore[union-attr]
    assert faces
    assert all(row.value is None and row.reason == "not both sides show a face; the appearance decides" for row in faces)


def test_a_video_with_one_appearance_has_nothing_to_pair(drawn):
    one = dataclasses.replace(drawn, records={**drawn.records, Embedding: drawn.records[Embedding][:1]})
    (result,) = PairSubjects()([one.item()], drawn.context)
    assert result == Filtered(drawn.video.id, "1 embedded appearances, a pair needs 2")


def test_other_places_are_diverse_and_one_clip_has_one_context(drawn):
    pairs, _ = paired(drawn)
    (result,) = DiverseContexts()([drawn.item(*pairs)], drawn.context)
    assert isinstance(result, Ok)
    _, scores = split(result)
    for pair in pairs:
        values = scores[pair.id]
        if pair.kind == "in_pair":
            assert values["context_diversity"] is None
            assert values["near_duplicate"] is None
            assert (values["background_cosine"] or 0) > 0.9
            assert values["time_gap_s"] == pytest.approx(1.7)
        else:
            assert values["context_diversity"] == pytest.approx(1 - (values["background_cosine"] or 0))
            assert (values["context_diversity"] or 0) > 0.25
            assert (values["near_duplicate"] or 0) < 0.6


def test_a_replayed_clip_is_a_near_duplicate():
    copied = embedded(draw_video(replayed=True))
    pairs, _ = paired(copied)
    (result,) = DiverseContexts()([copied.item(*pairs)], copied.context)
    assert isinstance(result, Ok)
    _, scores = split(result)
    across = [
        pair
        for pair in pairs
        if pair.kind == "cross_frame"
        and copied.names[pair.target_subject_id] == copied.names[pair.reference_subject_id or ""]
    ]
    assert len(across) == 4
    assert all((scores[p.id]["near_duplicate"] or 0) > 0.95 for p in across)


def test_the_right_toy_beats_its_rival_and_the_wrong_one_does_not(drawn):
    pairs, scores = paired(drawn, store_floor=-1.0)
    for pair in pairs:
        margin = scores[pair.id]["rival_margin"]
        if pair.kind == "in_pair":
            assert margin is None
        else:
            same = drawn.names[pair.target_subject_id] == drawn.names[pair.reference_subject_id or ""]
            assert margin is not None
            assert (margin > 0) == same


def test_a_toy_found_twice_gives_links_of_which_one_is_new():
    made = draw_video()
    red = next(s for s in made.records[Subject] if made.names[s.id] == "red")
    shown = next(a for a in made.records[Appearance] if a.subject_id == red.id)
    mask = next(m for m in made.records[Mask] if m.appearance_id == shown.id)
    again = dataclasses.replace(red, track_id="found again")
    seen_again = dataclasses.replace(shown, subject_id=again.id, confidence=0.9)
    for row in (again, seen_again, dataclasses.replace(mask, appearance_id=seen_again.id)):
        made.records[type(row)] = (*made.records[type(row)], row)
    made.names[again.id] = "red"
    pairs, scores = paired(embedded(made), store_floor=-1.0)
    across = [p for p in pairs if p.kind == "cross_frame"]
    assert any(p.target_subject_id == again.id for p in across)
    for pair in across:
        assert scores[pair.id]["redundancy"] == pytest.approx(1.0 if pair.target_subject_id == again.id else 0.0)
