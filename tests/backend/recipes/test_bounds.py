"""Bounds stand for the model that they were fitted to, or say that they do not."""

import pytest

from backend.engine.plan import Gate
from backend.models import MODELS
from backend.recipes import RECIPES, plan_for
from backend.settings import ProjectSettings

OF_APPEARANCE = {
    "pair.similarity.min",
    "pair.appearance_cosine.min",
    "pair.appearance_cosine.max",
    "pair.made_similarity.min",
}
OF_PLACES = {"pair.context_diversity.min", "pair.near_duplicate.max"}
OF_FACES = {"pair.face_cosine.min": 0.28, "pair.frame_face_cosine.max": 0.95, "pair.made_face_cosine.min": 0.28}
"""InsightFace's own bound; the upper one is chosen."""


def gates(recipe: str, profile: str, **settings: dict[str, float] | dict[str, str]) -> dict[str, Gate]:
    plan = plan_for(ProjectSettings(recipe=recipe, profile=profile, **settings))  # type: ignore[arg-type]
    return {gate.name: gate for gate in plan.gates()}


@pytest.mark.parametrize("recipe", RECIPES)
def test_embedded_bounds_are_the_embedded_models_own(recipe: str) -> None:
    found = gates(recipe, "embedded")
    assert all(gate.is_own for gate in found.values())
    assert not OF_FACES.keys() & found.keys(), "classical faces tell nobody apart"
    assert found["pair.similarity.min"].value == 0.5
    assert found["pair.appearance_cosine.min"].value == (0.6 if recipe == "opens2v" else 0.5)
    assert found["pair.context_diversity.min"].value == 0.25


@pytest.mark.parametrize("name", sorted(MODELS["AppearanceEmbedder"].keys() - {"embedded"}))
@pytest.mark.parametrize("recipe", RECIPES)
def test_another_embedder_has_no_bound_of_the_embedded_one(recipe: str, name: str) -> None:
    found = gates(recipe, "paper", roles={"AppearanceEmbedder": name})
    for gate in (found[known] for known in OF_APPEARANCE & found.keys()):
        assert not gate.is_own
        assert gate.source.startswith(f"no value is known for AppearanceEmbedder = {name}; ")
    assert found["pair.similarity.min"].passes(0.0)
    assert found["pair.appearance_cosine.min"].passes(-0.999) is (recipe != "opens2v")
    assert {known: found[known].value for known in OF_FACES & found.keys()}.items() <= OF_FACES.items()
    assert found["pair.face_cosine.min"].is_own
    assert not any(found[known].is_own for known in OF_PLACES)


def test_a_paper_that_states_a_bound_of_another_model_is_named() -> None:
    found = gates("opens2v", "paper")["pair.appearance_cosine.min"]
    assert (found.value, found.is_own) == (0.6, False)
    assert "which is of GME (OpenS2V-Nexus, step6-2_get_cross-frame.py" in found.source


def test_embedded_appearances_keep_their_bounds_beside_faces_that_decide() -> None:
    found = gates("phantom", "paper", roles={"AppearanceEmbedder": "embedded"})
    assert (found["pair.similarity.min"].value, found["pair.similarity.min"].is_own) == (0.5, True)
    assert found["pair.face_cosine.min"].value == 0.28


def test_a_bound_that_somebody_sets_is_the_models_own() -> None:
    found = gates("phantom", "paper", gates={"pair.similarity.min": 0.7})["pair.similarity.min"]
    assert (found.value, found.is_own) == (0.7, True)
