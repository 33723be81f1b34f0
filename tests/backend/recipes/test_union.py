"""What `full` is made of, and who serves it."""

import pytest

from backend.engine.context import load
from backend.models import MODELS
from backend.recipes.table import RECIPES
from backend.stages import STAGES


@pytest.mark.parametrize("profile", ["embedded", "paper"])
def test_full_has_every_stage_of_the_other_recipes_once(profile: str) -> None:
    bound = dict.fromkeys(MODELS, profile)
    stages = {name: [step.stage.name for step in recipe(bound)] for name, recipe in RECIPES.items()}
    whole = stages.pop("full")
    for name, others in stages.items():
        assert set(others) <= set(whole), f"stages of {name} that full lacks: {set(others) - set(whole)}"
    assert len(whole) == len(set(whole))


def test_judges_are_asked_last_about_pairs_that_were_found_and_made() -> None:
    """A stage is shown what stands before it: what was made after the judging would be believed unseen."""
    stages = [step.stage.name for step in RECIPES["full"](dict.fromkeys(MODELS, "paper"))]
    for earlier in ("pair_subjects", "pair_across", "make_references"):
        assert stages.index(earlier) < stages.index("verify_pairs")


def test_profile_paper_serves_every_role_that_a_stage_asks() -> None:
    """A stage whose role nobody serves fails all its items: no vectors of faces would mean no vectors and no pairs."""
    asked = {role for path in STAGES.values() for role in load(path).roles}  # type: ignore[attr-defined]
    assert len(asked) > 20
    assert {role for role in asked if "paper" not in MODELS[role]} == set()
