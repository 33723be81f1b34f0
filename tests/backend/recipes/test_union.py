"""What `full` is made of."""

import pytest

from backend.models import MODELS
from backend.recipes.table import RECIPES


@pytest.mark.parametrize("profile", ["embedded", "paper"])
def test_full_has_every_stage_of_the_other_recipes_once(profile: str) -> None:
    bound = dict.fromkeys(MODELS, profile)
    stages = {name: [step.stage.name for step in recipe(bound)] for name, recipe in RECIPES.items()}
    whole = stages.pop("full")
    for name, others in stages.items():
        assert set(others) <= set(whole), f"stages of {name} that full lacks: {set(others) - set(whole)}"
    assert len(whole) == len(set(whole))
