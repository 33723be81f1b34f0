"""Who holds models with weights is said in project.toml."""

from pathlib import Path

import pytest

from backend.domain import SettingsError
from backend.recipes import settings_schema
from backend.settings import ProjectSettings, read_settings, write_settings


def test_what_is_written_is_read(tmp_path: Path) -> None:
    settings = ProjectSettings(model_service="on", model_memory_gib=1.5, model_on_cpu=True)
    write_settings(tmp_path / "project.toml", settings)
    assert read_settings(tmp_path / "project.toml") == settings


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('model_service = "sometimes"', "choose auto, on or off"),
        ("model_memory_gib = -1.0", "give 0 .* or more"),
        ("model_memory = 1.0", "model_memory_gib"),
    ],
)
def test_wrong_values_are_refused_with_what_to_choose(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "project.toml").write_text(line)
    with pytest.raises(SettingsError, match=words):
        read_settings(tmp_path / "project.toml")


def test_schema_names_the_choices() -> None:
    properties = settings_schema(ProjectSettings())["properties"]
    assert properties["model_service"] == {"enum": ["auto", "on", "off"], "default": "auto"}
    assert properties["model_memory_gib"]["default"] == 0.0
    assert properties["model_on_cpu"]["default"] is False
