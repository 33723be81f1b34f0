"""Recipes by name. A recipe is a function from what the profile binds to the steps of a plan."""

from collections.abc import Callable

from backend.engine.plan import Step
from backend.recipes.full import full
from backend.recipes.gloria import gloria
from backend.recipes.kaleido import kaleido
from backend.recipes.opens2v import opens2v
from backend.recipes.phantom import phantom
from backend.recipes.steps import Bound

RECIPES: dict[str, Callable[[Bound], tuple[Step, ...]]] = {
    "phantom": phantom,
    "opens2v": opens2v,
    "kaleido": kaleido,
    "gloria": gloria,
    "full": full,
}
