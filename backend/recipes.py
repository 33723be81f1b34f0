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
from backend.models.places import model_id_of, place_of
from backend.settings import ProjectSettings, assign, nearest
from backend.stages import STAGES
from backend.stages.retrieval_evidence import Bounds

BOUNDS = Bounds()


def full() -> tuple[Step, ...]:
    """Everything that the four papers' curation has in common, computed once."""
    return (
        _step(
            "probe_source",
            _gate("video.short_side_px", ">=", 64, "half of Phantom-Data's smallest subject"),
        ),
        _step("split_shots", _gate("clip.duration_s", ">=", 0.5, "shortest take worth a pair; cosmos-curate takes 2 s")),
        _step("find_borders", _gate("clip.content_fraction", ">=", 0.5, "letterbox of 2.39:1 in 4:3 leaves .56")),
        _step("find_overlays"),
        _step(
            "measure_motion",
            _gate("clip.black_fraction", "<=", 0.5, "black clips measure 1, real footage at most .06"),
            _gate("clip.white_fraction", "<=", 0.5, "white clips measure 1, real footage 0"),
            _gate("clip.motion", ">=", 0.001, "stills reach .0009, the stillest real take .003", unmeasured="drop"),
            _gate("clip.frozen_fraction", "<=", 0.8, "a repeated picture measures 1, animation on threes .67, real .25"),
            _gate("clip.temporal_correlation", ">=", 0.3, "noise measures 0, the fastest real take .66"),
        ),
        _step("score_quality"),
        _step("hash_clips"),
        _step("caption_clips"),
        _step("extract_phrases"),
        _step(
            "find_subjects",
            _gate("appearance.area_fraction", ">=", 0.04, "Phantom-Data, section 4.1: 4 to 90 % of the frame"),
            _gate("appearance.area_fraction", "<=", 0.90, "Phantom-Data, section 4.1: 4 to 90 % of the frame"),
            _gate("appearance.min_side_px", ">=", 128, "Phantom-Data, section 4.1"),
            _gate("appearance.max_iou", "<=", 0.8, "Phantom-Data, section 4.1"),
            _gate(
                "appearance.completeness",
                ">=",
                0.7,
                "worlds 2000 to 2002: pairs right .58 at 0, .62, .66 at .85 less 2 of 81 subjects",
            ),
            _gate(
                "appearance.specificity", ">=", 0.5, "worlds 2000 to 2002: at .7 pairs right .65, but 4 of 81 subjects go"
            ),
        ),
        _step("segment_subjects"),
        _step("embed_appearances"),
        _step(
            "pair_subjects",
            _gate("pair.similarity", ">=", BOUNDS.similarity, "even chance; worlds 2000 to 2004: .89 right at recall .67"),
            _gate("pair.appearance_cosine", ">=", BOUNDS.appearance_cosine, "a link's bad cut-outs lie under it"),
            _gate("pair.redundancy", "<", BOUNDS.redundancy, "a worthier link shows at least half of the same two"),
            _gate("pair.rival_margin", ">=", BOUNDS.rival_margin, "of two side by side only the liker is the one"),
            _gate("pair.prior", ">=", BOUNDS.prior, "12 inliers at a ratio of .3 for rigid things"),
        ),
        _step(
            "diverse_contexts",
            _gate("pair.context_diversity", ">=", BOUNDS.context_diversity, "Kaleido, table 1: .247 and .319"),
            _gate("pair.near_duplicate", "<", BOUNDS.near_duplicate, "copies of one take lie above"),
        ),
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
    models = {role: model_id_of(role, load(path), settings.models) for role, path in bindings(settings).items()}
    plan = Plan(steps=steps, model_ids=models)
    try:
        return plan.with_gates(settings.gates)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    except KeyError as error:
        known = [gate.name for gate in plan.gates()]
        raise SettingsError(f"gates.{error.args[0]} is not a gate{nearest(error.args[0], known)}") from error


def bindings(settings: ProjectSettings) -> dict[str, str]:
    """Dotted path of the implementation of each role that the profile or an override binds."""
    profiles = {name for implementations in MODELS.values() for name in implementations}
    if settings.profile not in profiles:
        raise SettingsError(f"profile {settings.profile!r} does not exist{nearest(settings.profile, profiles)}")
    for table, named in (("roles", settings.roles), ("models", settings.models)):
        for role in named:
            if role not in MODELS:
                raise SettingsError(f"{table}.{role} is not a role{nearest(role, MODELS)}")
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
    return WorkerSettings(
        artifacts=artifacts,
        roles=bindings(settings),
        models=settings.models,
        device=settings.device,
        dtype=settings.dtype,
        seed=settings.seed,
    )


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


def _gate(name: str, comparison: str, value: float, source: str, *, unmeasured: str = "keep") -> Gate:
    record, score = name.split(".")
    return Gate(record=record, score=score, comparison=comparison, value=float(value), source=source, unmeasured=unmeasured)


def _configured(stage: Any, overrides: Mapping[str, Mapping[str, Any]]) -> Any:
    return assign(stage, overrides.get(stage.name, {}), where=f"stages.{stage.name}")


def _json_type(value: object) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return names.get(type(value), "array")
