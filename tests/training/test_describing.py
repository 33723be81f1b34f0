"""Settings as forms show them: all there are, with defaults that read back as themselves."""

import dataclasses
from typing import Any, Literal

import pytest

from backend.cli.training import recipes
from backend.domain import SettingsError
from backend.domain.jobs import JobField
from backend.settings import parse_assignment
from training.config import TrainConfig, differences, with_settings
from training.data.latent_settings import Latents
from training.describing import settings_of, training_settings
from training.generate_settings import GenerateSettings
from training.recipes import RECIPES, recipe


def leaves(record: Any, start: str = "") -> list[str]:
    found: list[str] = []
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        found += leaves(value, f"{start}{field.name}.") if dataclasses.is_dataclass(value) else [f"{start}{field.name}"]
    return found


def test_every_setting_is_shown() -> None:
    told = training_settings()
    assert list(told.recipes) == list(RECIPES)
    names = [field.name for field in told.recipes["tiny"].settings]
    assert names == [name for name in leaves(TrainConfig()) if name != "recipe"]
    assert [field.name for field in told.latents] == leaves(Latents())
    assert [field.name for field in told.generate] == leaves(GenerateSettings())
    assert all(found.words for found in told.recipes.values())


@pytest.mark.parametrize("name", RECIPES)
def test_defaults_read_back_as_themselves(name: str) -> None:
    config = recipe(name)
    given = [field for field in settings_of(config) if field.default]
    again = with_settings(config, dict(parse_assignment(f"{field.name}={field.default}") for field in given))
    assert differences(config, again) == {}
    assert len(given) > 50


def test_types_and_meanings_come_of_the_definition() -> None:
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Inner:
        level: Literal["low", "high"] = "low"

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Outer:
        steps: int = 3
        """How many."""
        rate: float | None = None
        share: float | Literal["tokens"] = 0.5
        names: tuple[str, ...] = ("a", "b")
        is_odd: bool = True
        inner: Inner = dataclasses.field(default_factory=Inner)

    assert settings_of(Outer()) == (
        JobField(name="steps", type="integer", default="3", words="How many."),
        JobField(name="rate", type="number", default=""),
        JobField(name="share", type="text", default="0.5"),
        JobField(name="names", type="list", default='["a", "b"]'),
        JobField(name="is_odd", type="boolean", default="true"),
        JobField(name="inner.level", type="choice", default="low", choices=("low", "high")),
    )


def test_a_misspelled_recipe_is_told_the_nearest_one() -> None:
    with pytest.raises(SettingsError, match="there is no recipe 'tinny'; did you mean tiny"):
        recipes("tinny")
