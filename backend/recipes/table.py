"""Recipes by name. A recipe is a function from what the profile binds to the steps of a plan."""

from collections.abc import Callable

from backend.engine.plan import Step
from backend.recipes.full import full
from backend.recipes.steps import Bound

RECIPES: dict[str, Callable[[Bound], tuple[Step, ...]]] = {"full": full}
