"""Every setting is shown and in the schema, with what the recipe takes and what project.toml says."""

import dataclasses

import pytest

from backend.models import MODELS
from backend.recipes import RECIPES, doctor_of, far_roles, plan_for, settings_schema, sheet_of
from backend.settings import ProjectSettings, drafted

TABLES = {"stages", "gates", "roles", "models", "thresholds", "selections", "study_retain_until"}


def test_the_schema_names_every_field_of_the_settings() -> None:
    properties = settings_schema(ProjectSettings())["properties"]
    assert set(properties) == {field.name for field in dataclasses.fields(ProjectSettings)}
    assert all("default" in said for name, said in properties.items() if name not in TABLES)
    assert set(properties["models"]["properties"]) == set(MODELS)
    assert properties["preview_gib"] == {"type": "number", "default": 2.0, "minimum": 0}


def test_the_sheet_shows_every_field_that_is_no_table() -> None:
    shown = {row.name for row in sheet_of(ProjectSettings()).project}
    assert shown == {field.name for field in dataclasses.fields(ProjectSettings)} - TABLES - {"format_version"}


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_sheet_shows_every_stage_field_and_gate_of_a_recipe(recipe: str) -> None:
    settings = ProjectSettings(recipe=recipe)
    plan, sheet = plan_for(settings), sheet_of(settings)
    assert [stage.stage for stage in sheet.stages] == [step.stage.name for step in plan.steps]
    assert [row.name for stage in sheet.stages for row in stage.gates] == [f"gates.{gate.name}" for gate in plan.gates()]
    assert not any(row.is_set for stage in sheet.stages for row in (*stage.settings, *stage.gates))
    rows = [row for stage in sheet.stages for row in (*stage.settings, *stage.gates)]
    again = drafted(settings, [f"{row.name}={row.value}" for row in rows], ())
    assert plan_for(again) == plan, "what is shown, given back, is the plan that there was"


def test_the_sheet_tells_what_is_set_from_what_the_recipe_takes() -> None:
    settings = drafted(
        ProjectSettings(), ["stages.split_shots.max_s=30", "gates.clip.motion.min=0.01", "roles.Judge=local"], ()
    )
    sheet = sheet_of(settings)
    rows = {row.name: row for stage in sheet.stages for row in (*stage.settings, *stage.gates)} | {
        row.name: row for row in sheet.roles
    }
    told = {name: (rows[name].value, rows[name].default, rows[name].is_set) for name in rows if rows[name].is_set}
    assert told == {
        "stages.split_shots.max_s": ("30", "60", True),
        "gates.clip.motion.min": ("0.01", "0.001", True),
        "roles.Judge": ("local", "", True),
    }
    assert "TransNetV2" in rows["stages.split_shots.max_s"].meaning


def test_roles_far_away_are_named_with_their_endpoint_and_who_asks_them() -> None:
    settings = ProjectSettings(
        roles={"Judge": "openai", "Captioner": "openai", "PhraseExtractor": "openai"},
        models={"Judge": "openai:gpt@https://far.example/v1", "Captioner": "openai:cap@http://127.0.0.1:9/v1"},
    )
    assert [(far.role, far.model, far.url, far.on_this_machine) for far in far_roles(settings)] == [
        ("Captioner", "cap", "http://127.0.0.1:9/v1", True),
        ("Judge", "gpt", "https://far.example/v1", False),
    ]
    rows = doctor_of(settings).roles
    assert rows["Captioner"].asked_by == ("caption_clips",)
    assert (rows["Judge"].takes_weights, rows["Judge"].location) == (True, settings.models["Judge"])
    assert set(rows["Judge"].choices) == {"paper", "openai", "local"}
