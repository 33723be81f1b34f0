import numpy as np
import pytest

from backend.domain import Mask
from backend.geometry import rle
from backend.measures import keypoints
from backend.models.classical_embedder import ClassicalAppearance, ClassicalBackground
from backend.stages.face_identity import Faces
from backend.stages.retrieval_evidence import Bounds, SubjectLikeness, View, identity_evidence, judge_pair
from tests.backend.stages.drawn_clips import draw_video

EMBEDDERS = (ClassicalAppearance(), ClassicalBackground())


@pytest.fixture(scope="module")
def views() -> dict[tuple[str, int], list[View]]:
    """Views of each toy by its name and clip."""
    drawn = draw_video()
    masks = {mask.appearance_id: mask for mask in drawn.records[Mask]}
    found: dict[tuple[str, int], list[View]] = {}
    for item in drawn.appearance_items():
        (a,) = (row for kind, rows in item.records.items() if kind.__name__ == "Appearance" for row in rows)
        mask = masks[a.id]
        view = View(drawn.context.pictures[a.frame], rle.decode(mask.counts, mask.height, mask.width), a.box)
        found.setdefault((drawn.names[a.subject_id], a.frame // 20), []).append(view)
    return found


def test_the_same_toy_elsewhere_is_accepted(views):
    assert judge_pair(views["red", 0], views["red", 1], EMBEDDERS, bounds=Bounds()).choice == "accept"


def test_another_toy_is_rejected(views):
    verdict = judge_pair(views["red", 0], views["green", 1], EMBEDDERS, bounds=Bounds())
    assert verdict.choice == "reject_other_subject"
    assert verdict.similarity < 0.5


def test_the_same_shot_is_too_similar(views):
    verdict = judge_pair(views["red", 0][:1], views["red", 0][1:], EMBEDDERS, bounds=Bounds())
    assert verdict.choice == "reject_too_similar"
    assert verdict.context_diversity < 0.3


def test_a_side_without_a_view_is_an_error(views):
    with pytest.raises(ValueError, match="no view large enough"):
        judge_pair(views["red", 0], [], EMBEDDERS, bounds=Bounds())


def test_subject_likeness_is_the_mean_of_the_upper_half():
    vectors = np.array([[1, 0], [1, 0], [0.6, 0.8], [0, 1]], np.float32)
    assert SubjectLikeness(vectors, [0, 0, 1, 1])(0, 1) == pytest.approx(0.6)


def test_a_strange_models_cosine_is_the_similarity():
    vectors = np.array([[1, 0], [0.6, 0.8]], np.float32)
    found = identity_evidence(
        [(0, 1)],
        model="clip",
        vectors=vectors,
        subjects=[0, 1],
        faces=Faces([None, None], "", [True, True]),
        points={0: keypoints.NONE, 1: keypoints.NONE},
    )
    assert found.values["similarity"] == pytest.approx([0.6])
    assert "colour_cosine" not in found.values
