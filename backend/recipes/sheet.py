"""Every setting of a project with its value, its default and its meaning: as rows for people, and as a JSON Schema."""

import dataclasses
import inspect
from typing import Any

from backend.domain.project_care import Setting, SettingsSheet, StageSettings
from backend.engine.plan import TOP, Gate, Step
from backend.models import MODELS
from backend.recipes.binding import plan_for
from backend.recipes.table import RECIPES
from backend.settings import ProjectSettings, meanings, spelled
from backend.settings.project import DTYPES, ENGINES, MODEL_SERVICES, UNKNOWN

CHOICES: dict[str, tuple[str, ...]] = {
    "profile": ("embedded", "paper", *sorted({n for found in MODELS.values() for n in found} - {"embedded", "paper"})),
    "recipe": tuple(sorted(RECIPES)),
    "engine": ENGINES,
    "dtype": DTYPES,
    "model_service": MODEL_SERVICES,
    **dict(UNKNOWN),
}
"""Settings of which one of a few is chosen."""
NOT_NEGATIVE = ("workers", "model_memory_gib", "preview_gib")
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "text"}
_JSON_TYPES = {"text": "string", "list": "array"}


def sheet_of(settings: ProjectSettings) -> SettingsSheet:
    """Project, stages and gates; defaults are the recipe's for the project's profile. Raises SettingsError as `plan_for`."""
    plan, untouched = plan_for(settings), plan_for(dataclasses.replace(settings, stages={}, gates={}, thresholds={}))
    return SettingsSheet(
        project=tuple(_project_rows(settings)),
        roles=tuple(_role_row(role, tuple(found), settings) for role, found in MODELS.items()),
        models=tuple(
            Setting(
                name=f"models.{role}",
                type="text",
                value=settings.models.get(role, ""),
                default="",
                is_set=role in settings.models,
            )
            for role in MODELS
        ),
        stages=tuple(_stage_of(step, default, settings) for step, default in zip(plan.steps, untouched.steps, strict=True)),
    )


def settings_schema(settings: ProjectSettings) -> dict[str, Any]:
    """JSON Schema of project.toml, with the project's values as defaults."""
    plan = plan_for(settings)
    tables = {
        "stages": {
            step.stage.name: {
                "type": "object",
                "description": inspect.getdoc(type(step.stage)) or "",
                "properties": {name: _schema_of(getattr(step.stage, name)) for name in _fields(step)},
            }
            for step in plan.steps
        },
        "gates": {
            gate.name: {"type": "number", "default": gate.value, "description": _gate_words(gate)} for gate in plan.gates()
        },
        "thresholds": {gate.name: {"type": "object"} for gate in plan.gates()},
        "roles": {role: {"enum": sorted(found)} for role, found in MODELS.items()},
        "models": {role: {"type": "string"} for role in MODELS},
    }
    properties: dict[str, Any] = {}
    for field in dataclasses.fields(ProjectSettings):
        if field.name in tables:
            properties[field.name] = {"type": "object", "properties": tables[field.name], "additionalProperties": False}
        elif field.name in ("selections", "study_retain_until"):
            of = "object" if field.name == "selections" else "string"
            properties[field.name] = {"type": "object", "additionalProperties": {"type": of}}
        elif field.name in CHOICES:
            properties[field.name] = {"enum": list(CHOICES[field.name]), "default": getattr(settings, field.name)}
        else:
            bound = {"minimum": 0} if field.name in NOT_NEGATIVE else {}
            properties[field.name] = {**_schema_of(getattr(settings, field.name)), **bound}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _project_rows(settings: ProjectSettings) -> list[Setting]:
    said, plain = meanings(ProjectSettings), ProjectSettings()
    return [
        Setting(
            name=field.name,
            type="choice" if field.name in CHOICES else _TYPES[type(getattr(plain, field.name))],
            value=spelled(getattr(settings, field.name)),
            default=spelled(getattr(plain, field.name)),
            is_set=getattr(settings, field.name) != getattr(plain, field.name),
            choices=CHOICES.get(field.name, ()),
            meaning=said.get(field.name, ""),
        )
        for field in dataclasses.fields(ProjectSettings)
        if type(getattr(plain, field.name)) in _TYPES and field.name != "format_version"
    ]


def _role_row(role: str, choices: tuple[str, ...], settings: ProjectSettings) -> Setting:
    default = settings.profile if settings.profile in choices else ""
    return Setting(
        name=f"roles.{role}",
        type="choice",
        value=settings.roles.get(role, default),
        default=default,
        is_set=role in settings.roles,
        choices=choices,
    )


def _stage_of(step: Step, default: Step, settings: ProjectSettings) -> StageSettings:
    stage, said = step.stage, meanings(type(step.stage))
    told = settings.stages.get(stage.name, {})
    return StageSettings(
        stage=stage.name,
        over=stage.over.KIND,
        meaning=_first_lines(inspect.getdoc(type(stage)) or ""),
        roles=stage.roles,
        settings=tuple(
            Setting(
                name=f"stages.{stage.name}.{name}",
                type=_TYPES.get(type(getattr(stage, name)), "list"),
                value=spelled(getattr(stage, name)),
                default=spelled(getattr(default.stage, name)),
                is_set=name in told,
                meaning=said.get(name, ""),
            )
            for name in _fields(step)
        ),
        gates=tuple(_gate_row(gate, own, settings) for gate, own in zip(step.gates, default.gates, strict=True)),
    )


def _gate_row(gate: Gate, default: Gate, settings: ProjectSettings) -> Setting:
    return Setting(
        name=f"gates.{gate.name}",
        type="number",
        value=spelled(gate.value),
        default=spelled(default.value),
        is_set=gate.name in settings.gates,
        meaning=_gate_words(gate),
    )


def _gate_words(gate: Gate) -> str:
    held = "this many of the highest" if gate.comparison == TOP else f"{gate.comparison} this"
    return f"{gate.record}.{gate.score} {held}; {gate.source}"


def _fields(step: Step) -> list[str]:
    """Names of a stage's settings: the fields that enter its work keys."""
    return [field.name for field in dataclasses.fields(step.stage) if field.compare]  # pyright: ignore[reportArgumentType]


def _first_lines(doc: str) -> str:
    return " ".join(doc.partition("\n\n")[0].split())


def _schema_of(value: object) -> dict[str, Any]:
    kind = _TYPES.get(type(value), "list")
    return {"type": _JSON_TYPES.get(kind, kind), "default": list(value) if isinstance(value, tuple) else value}
