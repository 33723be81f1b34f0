"""Recipes: which stages run in which order, and the gates between them. A recipe is a function that gives steps."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from backend.api import Doctor, RoleRow
from backend.domain import ModelUnavailable, SettingsError
from backend.engine.context import WorkerSettings, load
from backend.engine.plan import Gate, Plan, Step
from backend.models import MODELS
from backend.settings import ProjectSettings, assign, nearest
from backend.stages import STAGES


def full() -> tuple[Step, ...]:
    """Everything that the four papers' curation has in common, computed once."""
    return (
        _step(
            "probe_source",
            Gate(
                record="video",
                score="short_side_px",
                comparison=">=",
                value=64,
                source="half of Phantom-Data's smallest subject",
            ),
        ),
        _step(
            "split_shots",
            Gate(
                record="clip",
                score="duration_s",
                comparison=">=",
                value=0.5,
                source="shortest take worth a pair; cosmos-curate takes 2 s",
            ),
        ),
        _step("find_borders"),
        _step("caption_clips"),
        _step("extract_phrases"),
        _step("find_subjects"),
        _step("segment_subjects"),
        _step("embed_appearances"),
        _step("pair_subjects"),
        _step("diverse_contexts"),
        _step("select_anchors"),
        _step("audit_pairs"),
    )


RECIPES: dict[str, Callable[[], tuple[Step, ...]]] = {"full": full}


def plan_for(settings: ProjectSettings) -> Plan:
    """The recipe with a project's overrides. Raises SettingsError for an unknown recipe, profile, stage, field, gate or role."""
    if settings.recipe not in RECIPES:
        raise SettingsError(f"recipe {settings.recipe!r} does not exist{nearest(settings.recipe, RECIPES)}")
    steps = RECIPES[settings.recipe]()
    names = [step.stage.name for step in steps]
    for name in settings.stages:
        if name not in names:
            raise SettingsError(f"stages.{name} is not a stage of recipe {settings.recipe}{nearest(name, names)}")
    steps = tuple(Step(_configured(step.stage, settings.stages), step.gates) for step in steps)
    models = {role: load(path).model_id for role, path in bindings(settings).items()}
    plan = Plan(steps=steps, model_ids=models)
    try:
        return plan.with_gates(settings.gates)
    except KeyError as error:
        known = [gate.name for gate in plan.gates()]
        raise SettingsError(f"gates.{error.args[0]} is not a gate{nearest(error.args[0], known)}") from error


def bindings(settings: ProjectSettings) -> dict[str, str]:
    """Dotted path of the implementation of each role that the profile or an override binds."""
    profiles = {name for implementations in MODELS.values() for name in implementations}
    if settings.profile not in profiles:
        raise SettingsError(f"profile {settings.profile!r} does not exist{nearest(settings.profile, profiles)}")
    for role in settings.roles:
        if role not in MODELS:
            raise SettingsError(f"roles.{role} is not a role{nearest(role, MODELS)}")
    bound = {}
    for role, implementations in MODELS.items():
        name = settings.roles.get(role, settings.profile)
        if name in implementations:
            bound[role] = implementations[name]
        elif role in settings.roles:
            raise SettingsError(f"roles.{role} = {name!r} does not exist{nearest(name, implementations)}")
    return bound


def worker_settings(settings: ProjectSettings, artifacts: Path) -> WorkerSettings:
    """What workers of this project need to know."""
    return WorkerSettings(artifacts=artifacts, roles=bindings(settings), seed=settings.seed)


def doctor_of(settings: ProjectSettings) -> Doctor:
    """Each role of the profile: loaded once to see that it can be."""
    bound = bindings(settings)
    rows = {}
    for role in MODELS:
        implementation = settings.roles.get(role, settings.profile)
        if role not in bound:
            reason = f"profile {settings.profile} has no implementation"
            rows[role] = RoleRow(role=role, implementation="", model_id="", available=False, reason=reason)
            continue
        model_id = load(bound[role]).model_id
        try:
            load(bound[role])()
        except ModelUnavailable as error:
            rows[role] = RoleRow(
                role=role, implementation=implementation, model_id=model_id, available=False, reason=str(error)
            )
            continue
        rows[role] = RoleRow(
            role=role, implementation=implementation, model_id=model_id, available=True, licence="Apache-2.0"
        )
    return Doctor(roles=rows, missing=tuple(role for role, row in rows.items() if not row.available))


def settings_schema(settings: ProjectSettings) -> dict[str, Any]:
    """JSON Schema of project.toml, with the project's values as defaults."""
    plan = plan_for(settings)
    stages = {
        step.stage.name: {
            "type": "object",
            "description": inspect.getdoc(type(step.stage)) or "",
            "properties": {
                field.name: {
                    "type": _json_type(getattr(step.stage, field.name)),
                    "default": getattr(step.stage, field.name),
                }
                for field in dataclasses.fields(step.stage)  # pyright: ignore[reportArgumentType]
            },
        }
        for step in plan.steps
    }
    gates = {
        gate.name: {"type": "number", "default": gate.value, "description": f"{gate.comparison} ({gate.source})"}
        for gate in plan.gates()
    }
    properties: dict[str, Any] = {
        "profile": {"enum": sorted({name for found in MODELS.values() for name in found}), "default": settings.profile},
        "recipe": {"enum": sorted(RECIPES), "default": settings.recipe},
        "seed": {"type": "integer", "default": settings.seed},
        "engine": {"enum": ["inline", "process"], "default": settings.engine},
        "workers": {"type": "integer", "minimum": 0, "default": settings.workers},
        "stages": {"type": "object", "properties": stages, "additionalProperties": False},
        "gates": {"type": "object", "properties": gates, "additionalProperties": False},
        "roles": {
            "type": "object",
            "properties": {role: {"enum": sorted(found)} for role, found in MODELS.items()},
            "additionalProperties": False,
        },
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _step(name: str, *gates: Gate) -> Step:
    return Step(load(STAGES[name])(), gates)


def _configured(stage: Any, overrides: Mapping[str, Mapping[str, Any]]) -> Any:
    return assign(stage, overrides.get(stage.name, {}), where=f"stages.{stage.name}")


def _json_type(value: object) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return names.get(type(value), "array")
