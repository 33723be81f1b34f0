"""What doctor and settings forms show of a project: its roles with their weights, and its settings with their meaning."""

import dataclasses
import inspect
from typing import Any

from backend.api import Doctor, RoleRow
from backend.domain import ModelUnavailable
from backend.engine.context import load
from backend.models import MODELS
from backend.models.places import REMOTE, model_id_of, place_of
from backend.recipes.binding import bindings, plan_for
from backend.recipes.table import RECIPES
from backend.settings import ProjectSettings


def doctor_of(settings: ProjectSettings) -> Doctor:
    """Each role of the profile: whether it is bound, and whether its weights are there."""
    bound = bindings(settings)
    rows = {}
    for role in MODELS:
        name = settings.roles.get(role, settings.profile)
        if role not in bound:
            names = " or ".join(MODELS[role])
            reason = f"not bound by profile {settings.profile}; roles.{role} = {names} in project.toml binds it"
            rows[role] = RoleRow(role=role, implementation="", model_id="", available=False, reason=reason)
            continue
        implementation = load(bound[role])
        place, reason = place_of(role, implementation, settings.models), ""
        try:
            if place is None:
                implementation()
            elif place.location.startswith(REMOTE):
                place.endpoint()
            else:
                place.path()
        except ModelUnavailable as error:
            reason = str(error)
        rows[role] = RoleRow(
            role=role,
            implementation=name,
            model_id=model_id_of(role, implementation, settings.models),
            available=not reason,
            reason=reason,
            licence=getattr(implementation, "licence", "Apache-2.0"),
            num_bytes=place.weight_bytes() if place is not None and place.is_held else 0,
            published_bytes=round(getattr(implementation, "published_gb", 0.0) * 1e9),
        )
    return Doctor(roles=rows, missing=tuple(role for role, row in rows.items() if row.implementation and not row.available))


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
        "model_service": {"enum": ["auto", "on", "off"], "default": settings.model_service},
        "model_memory_gib": {"type": "number", "minimum": 0, "default": settings.model_memory_gib},
        "model_on_cpu": {"type": "boolean", "default": settings.model_on_cpu},
        "stages": {"type": "object", "properties": stages, "additionalProperties": False},
        "gates": {"type": "object", "properties": gates, "additionalProperties": False},
        "roles": {
            "type": "object",
            "properties": {role: {"enum": sorted(found)} for role, found in MODELS.items()},
            "additionalProperties": False,
        },
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _json_type(value: object) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return names.get(type(value), "array")
