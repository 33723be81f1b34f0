"""What settings make of a recipe: its plan, and the implementations that the profile binds to roles."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.domain import SettingsError
from backend.engine.context import WorkerSettings, load
from backend.engine.plan import Plan, Step
from backend.models import MODELS
from backend.models.places import model_id_of
from backend.models.taxonomy import load_taxonomy
from backend.recipes.table import RECIPES
from backend.settings import ProjectSettings, assign, nearest


def plan_for(settings: ProjectSettings) -> Plan:
    """The recipe with a project's overrides. Raises SettingsError for an unknown recipe, profile, stage, field, gate or role."""
    if settings.recipe not in RECIPES:
        raise SettingsError(f"recipe {settings.recipe!r} does not exist{nearest(settings.recipe, RECIPES)}")
    steps = RECIPES[settings.recipe](implementations(settings))
    names = [step.stage.name for step in steps]
    for name in settings.stages:
        if name not in names:
            raise SettingsError(f"stages.{name} is not a stage of recipe {settings.recipe}{nearest(name, names)}")
    steps = tuple(Step(_configured(step.stage, settings.stages), step.gates) for step in steps)
    models = {role: model_id_of(role, load(path), settings.models) for role, path in bindings(settings).items()}
    plan = Plan(steps=steps, model_ids=models)
    try:
        return plan.with_gates(settings.gates).with_thresholds(_thresholds(settings))
    except ValueError as error:
        raise SettingsError(str(error)) from error
    except KeyError as error:
        known = [gate.name for gate in plan.gates()]
        raise SettingsError(f"gates.{error.args[0]} is not a gate{nearest(error.args[0], known)}") from error


def bindings(settings: ProjectSettings) -> dict[str, str]:
    """Dotted path of the implementation of each role that the profile or an override binds."""
    return {role: MODELS[role][name] for role, name in implementations(settings).items()}


def implementations(settings: ProjectSettings) -> dict[str, str]:
    """Name of the implementation of each bound role. Raises SettingsError for an unknown profile, role or name."""
    profiles = {name for found in MODELS.values() for name in found}
    if settings.profile not in profiles:
        raise SettingsError(f"profile {settings.profile!r} does not exist{nearest(settings.profile, profiles)}")
    for table, named in (("roles", settings.roles), ("models", settings.models)):
        for role in named:
            if role not in MODELS:
                raise SettingsError(f"{table}.{role} is not a role{nearest(role, MODELS)}")
    bound = {}
    for role, found in MODELS.items():
        name = settings.roles.get(role, settings.profile)
        if name in found:
            bound[role] = name
        elif role in settings.roles:
            raise SettingsError(f"roles.{role} = {name!r} does not exist{nearest(name, found)}")
    return bound


def worker_settings(settings: ProjectSettings, artifacts: Path) -> WorkerSettings:
    """What workers of this project need to know."""
    return WorkerSettings(
        artifacts=artifacts,
        roles=bindings(settings),
        models=settings.models,
        device=settings.device,
        dtype=settings.dtype,
        seed=settings.seed,
        footage_may_leave=settings.footage_may_leave,
    )


def _thresholds(settings: ProjectSettings) -> dict[str, tuple[list[str], dict[str, float]]]:
    """By gate the producers that its values by category were fitted to, and these. Raises SettingsError for other values."""
    found = {}
    for gate, told in settings.thresholds.items():
        producers = told.get("producers")
        values = {name: value for name, value in told.items() if name != "producers"}
        known = load_taxonomy().categories
        for name, value in values.items():
            if name not in known:
                raise SettingsError(f"thresholds.{gate}.{name} is no category{nearest(name, known)}")
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise SettingsError(f"thresholds.{gate}.{name} is {value!r}; it needs a number")
        if not isinstance(producers, list | tuple) or not all(isinstance(name, str) for name in producers):
            raise SettingsError(f"thresholds.{gate} names no producers; fit it again with `calibrate thresholds --apply`")
        found[gate] = (list(producers), {name: float(value) for name, value in values.items()})
    return found


def _configured(stage: Any, overrides: Mapping[str, Mapping[str, Any]]) -> Any:
    return assign(stage, overrides.get(stage.name, {}), where=f"stages.{stage.name}")
