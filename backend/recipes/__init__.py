"""Recipes: which stages run in which order, with which settings, and the gates between them."""

from backend.recipes.binding import bindings, plan_for, worker_settings
from backend.recipes.reading import doctor_of, far_roles
from backend.recipes.sheet import settings_schema, sheet_of
from backend.recipes.table import RECIPES

__all__ = ["RECIPES", "bindings", "doctor_of", "far_roles", "plan_for", "settings_schema", "sheet_of", "worker_settings"]
