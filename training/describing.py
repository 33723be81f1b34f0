"""What `--set` changes of training, of latents and of generation: names, types, defaults and meanings, from the records themselves."""

import collections.abc
import dataclasses
import inspect
import types
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from backend.domain.jobs import JobField, RecipeSettings, TrainingSettings
from backend.settings import meanings, spelled
from training.data.latent_settings import Latents
from training.generate_settings import GenerateSettings
from training.recipes import RECIPES

SCALARS = {bool: "boolean", int: "integer", float: "number", str: "text"}
GIVEN = ("recipe",)
"""What a command asks by itself."""


@cache
def training_settings() -> TrainingSettings:
    """All there are."""
    return TrainingSettings(
        recipes={
            name: RecipeSettings(words=_first_line(make), settings=settings_of(make())) for name, make in RECIPES.items()
        },
        latents=settings_of(Latents()),
        generate=settings_of(GenerateSettings()),
    )


def settings_of(record: Any, *, start: str = "") -> tuple[JobField, ...]:
    """A settings record's fields with the values that it has, those of records in it by dotted name."""
    hints, said = get_type_hints(type(record)), meanings(type(record))
    found: list[JobField] = []
    for field in dataclasses.fields(record):
        name, value = f"{start}{field.name}", getattr(record, field.name)
        if dataclasses.is_dataclass(value):
            found += settings_of(value, start=f"{name}.")
        elif name not in GIVEN:
            kind, choices = _kind(hints[field.name])
            found.append(
                JobField(name=name, type=kind, default=_written(value), words=said.get(field.name, ""), choices=choices)
            )
    return tuple(found)


def _written(value: Any) -> str:
    """The value as an assignment takes it; empty for none."""
    if value is None:
        return ""
    if isinstance(value, collections.abc.Mapping):
        return "{" + ", ".join(f"{name} = {_written(each)}" for name, each in value.items()) + "}"
    return spelled(value)


def _kind(hint: Any) -> tuple[str, tuple[str, ...]]:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        kinds = [each for each in get_args(hint) if each is not type(None)]
        return _kind(kinds[0]) if len(kinds) == 1 else ("text", ())
    if origin is Literal:
        return "choice", tuple(map(str, get_args(hint)))
    if origin in (tuple, list):
        return "list", ()
    if origin is collections.abc.Mapping:
        return "text", ()
    return SCALARS[hint], ()


def _first_line(make: Any) -> str:
    return (inspect.getdoc(make) or "").partition("\n")[0]
