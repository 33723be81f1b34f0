"""Faces decide pairs of people, worked out by hand on vectors of known cosines, under the gates of profile `paper`."""

import dataclasses

import numpy as np
import pytest

from backend.domain import Embedding, Ok, Pair, Score, Subject
from backend.measures import keypoints
from backend.models.classical_embedder import ClassicalAppearance
from backend.models.classical_embedder_face import ClassicalFace
from backend.recipes import RECIPES
from backend.stages.face_identity import Faces, may_be_person
from backend.stages.retrieval import PairSubjects
from backend.stages.retrieval_evidence import identity_evidence
from tests.backend.stages.bank_sources import unit
from tests.backend.stages.drawn_clips import Drawn, draw_video

ROLES = ("AppearanceEmbedder", "FaceEmbedder", "BackgroundEmbedder")
GATES = [
    gate
    for step in RECIPES["phantom"](dict.fromkeys(ROLES, "paper"))
    if step.stage.name == "pair_subjects"
    for gate in step.gates
]
BODY, FACE = unit(1), unit(2, length=16)


def body(cosine: float, seed: int = 3) -> np.ndarray:
    return unit(seed, near=BODY, cosine=cosine)


def face(cosine: float, seed: int = 4) -> np.ndarray:
    return unit(seed, near=FACE, cosine=cosine, length=16)


Shown = dict[tuple[str, int], tuple[np.ndarray, np.ndarray | None]]
"""Body and face by name and clip."""
SOMEBODY = (unit(50), None)


def paired(shown: Shown, **changes: object) -> dict[tuple[str, str], dict[str, Score]]:
    """Scores by name of the pairs between clips, by who stands on the target's and the reference's side."""
    drawn = draw_video()
    drawn.records[Subject] = tuple(dataclasses.replace(s, **changes) for s in drawn.records[Subject])  # type: ignore[arg-type]
    drawn.records[Embedding] = planted(drawn, shown)
    (result,) = PairSubjects(pairs_per_link=1)([drawn.item()], drawn.context)
    assert isinstance(result, Ok)
    scores: dict[str, dict[str, Score]] = {}
    for row in result.rows:
        if isinstance(row, Score):
            scores.setdefault(row.target, {})[row.name] = row
    pairs = [row for row in result.rows if isinstance(row, Pair) and row.kind == "cross_frame"]
    return {(drawn.names[p.target_subject_id], drawn.names[p.reference_subject_id or ""]): scores[p.id] for p in pairs}


def planted(drawn: Drawn, shown: Shown) -> tuple[Embedding, ...]:
    rows = []
    clip_of = {s.id: s.clip_id for s in drawn.records[Subject]}
    first = drawn.records[Subject][0].clip_id
    for item in drawn.appearance_items():
        (a,) = (row for kind, found in item.records.items() if kind.__name__ == "Appearance" for row in found)
        torso, seen = shown.get((drawn.names[a.subject_id], int(clip_of[a.subject_id] != first)), SOMEBODY)
        rows.append(Embedding(appearance_id=a.id, space="appearance", model="open-clip", vector=torso))
        if seen is not None:
            rows.append(Embedding(appearance_id=a.id, space="face", model="arcface@1", vector=seen))
    return tuple(rows)


def held_by(scores: dict[str, Score]) -> list[str]:
    return [gate.name for gate in GATES if not gate.passes(scores[gate.score].value)]


def test_one_person_in_other_clothes_is_kept_by_the_face() -> None:
    scores = paired({("red", 0): (BODY, FACE), ("red", 1): (body(0.1), face(0.6))})["red", "red"]
    assert scores["face_cosine"].value == pytest.approx(0.6, abs=1e-5)
    assert scores["frame_face_cosine"].value == pytest.approx(0.6, abs=1e-5)
    assert scores["clothing_cosine"].value == pytest.approx(0.1, abs=1e-5)
    for name in ("similarity", "appearance_cosine"):
        assert (scores[name].value, scores[name].reason) == (None, "the faces decide")
    assert held_by(scores) == []


def test_two_people_in_like_clothes_are_refused_by_their_faces() -> None:
    scores = paired({("red", 0): (BODY, FACE), ("red", 1): (body(0.97), face(0.1))})["red", "red"]
    assert held_by(scores) == ["pair.face_cosine.min"]


@pytest.mark.parametrize(
    ("cosine", "held"),
    [(0.27, ["pair.face_cosine.min"]), (0.29, []), (0.94, []), (0.96, ["pair.frame_face_cosine.max"])],
)
def test_faces_have_a_bound_below_and_above(cosine: float, held: list[str]) -> None:
    scores = paired({("red", 0): (BODY, FACE), ("red", 1): (body(0.5), face(cosine))})["red", "red"]
    assert held_by(scores) == held


@pytest.mark.parametrize(
    ("faces", "reason"),
    [
        ((FACE, None), "one side shows no face that can be used; the appearance decides"),
        ((None, None), "not both sides show a face; the appearance decides"),
    ],
)
def test_without_a_face_on_both_sides_the_appearance_decides_and_it_says_so(faces: tuple, reason: str) -> None:
    scores = paired({("red", 0): (BODY, faces[0]), ("red", 1): (body(0.7), faces[1])})["red", "red"]
    assert (scores["face_cosine"].value, scores["face_cosine"].reason) == (None, reason)
    assert scores["similarity"].value == pytest.approx(0.7, abs=1e-5)
    assert scores["appearance_cosine"].value == pytest.approx(0.7, abs=1e-5)


@pytest.mark.parametrize("changes", [{"category": "cup"}, {"category": "dog"}, {"is_living": False}])
def test_a_face_on_what_is_no_person_decides_nothing(changes: dict[str, object]) -> None:
    scores = paired({("red", 0): (BODY, FACE), ("red", 1): (body(0.7), face(0.1))}, **changes)["red", "red"]
    assert scores["face_cosine"].reason == "one side is no person; the appearance decides"
    assert scores["similarity"].value == pytest.approx(0.7, abs=1e-5)
    assert held_by({**scores, "prior": dataclasses.replace(scores["prior"], value=1.0)}) == []


def test_people_are_told_by_their_category_and_else_by_being_alive() -> None:
    assert [may_be_person(c, None) for c in ("woman", "dog", "cup", None)] == [True, False, False, True]
    assert [may_be_person(None, living) for living in (True, False, None)] == [True, False, True]


def test_a_rival_in_ones_clothes_is_no_rival_by_the_face() -> None:
    """Red has changed; green, beside red in the second clip, wears what red wore."""
    found = paired(
        {
            ("red", 0): (BODY, FACE),
            ("red", 1): (body(0.3), face(0.6)),
            ("green", 1): (body(0.9, seed=7), face(0.1, seed=8)),
        }
    )
    right, wrong = found["red", "red"], found["red", "green"]
    assert right["rival_margin"].value == pytest.approx(0.5, abs=1e-5)
    assert held_by(right) == []
    assert wrong["rival_margin"].value == pytest.approx(-0.5, abs=1e-5)
    assert held_by(wrong) == ["pair.face_cosine.min", "pair.rival_margin.min"]


def test_strangers_by_appearance_and_by_face_are_no_candidates() -> None:
    assert ("red", "red") not in paired({("red", 0): (BODY, FACE), ("red", 1): (body(0.1), face(0.1))})


def test_scores_of_faces_name_the_model_of_faces() -> None:
    scores = paired({("red", 0): (BODY, FACE), ("red", 1): (body(0.1), face(0.6))})["red", "red"]
    assert scores["face_cosine"].producer == "pair_subjects/3:arcface@1"
    assert scores["frame_face_cosine"].producer == "pair_subjects/3:arcface@1"
    assert scores["clothing_cosine"].producer == "pair_subjects/3:open-clip"


def classical_similarity(cosine: float | None, model: str, people: bool = True) -> tuple[float, float | None]:
    """By appearance alone, and as stored, of two subjects in the classical vectors."""
    shown = unit(11, length=516)
    faces = [None, None] if cosine is None else [FACE, face(cosine)]
    found = identity_evidence(
        [(0, 1)],
        model=ClassicalAppearance.model_id,
        vectors=np.stack([shown, unit(12, near=shown, cosine=0.6, length=516)]),
        subjects=[0, 1],
        faces=Faces(faces, model, [people, people]),
        points={0: keypoints.NONE, 1: keypoints.NONE},
    )
    stored = float(found.values["similarity"][0])
    return float(found.by_appearance[0]), None if np.isnan(stored) else stored


def test_the_fusion_weighs_faces_of_the_model_that_it_was_fitted_to_and_no_other() -> None:
    nobody = classical_similarity(None, "")
    assert nobody[0] == nobody[1]
    high, low = (classical_similarity(cosine, ClassicalFace.model_id) for cosine in (0.99, 0.1))
    assert high[0] > nobody[0] > low[0]  # 0.9 is what the fusion takes a missing face for
    for cosine in (0.99, 0.1):
        assert classical_similarity(cosine, "arcface@1") == (nobody[0], None)
        assert classical_similarity(cosine, "arcface@1", people=False) == nobody
