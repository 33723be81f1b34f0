"""Settings by dotted names, as `--set a.b=c` gives them: set one, take one back to its default, spell one."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from backend.domain import SettingsError
from backend.settings.fields import as_toml, assign, nearest, parse_assignment
from backend.settings.project import ProjectSettings

TEXTS = ("roles", "models", "study_retain_until")
"""Tables of texts by name."""
TABLES = ("stages", "gates", *TEXTS)
"""Tables of project.toml whose entries are settings by themselves."""
KEPT_APART = {
    "format_version": "format_version is of the program that made the project; it is not set",
    "thresholds": "thresholds come of `calibrate thresholds --apply`; set a gate for all categories instead",
    "selections": "selections are saved under Thresholds; a setting cannot hold one",
}


def set_dotted(settings: ProjectSettings, name: str, value: Any) -> ProjectSettings:
    """With one setting changed. Raises SettingsError for an unknown name or a wrong type; names in tables are the plan's to check."""
    _require_settable(name)
    table, _, rest = name.partition(".")
    if table == "stages" and rest.count(".") == 1:
        stage, field = rest.split(".")
        stages = {**settings.stages, stage: {**settings.stages.get(stage, {}), field: value}}
        return dataclasses.replace(settings, stages=stages)
    if table == "gates" and rest:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise SettingsError(f"{name} is {value!r}; a gate needs a number")
        return dataclasses.replace(settings, gates={**settings.gates, rest: float(value)})
    if table in TEXTS and rest:
        return assign(settings, {table: {**getattr(settings, table), rest: str(value)}}, where="settings")
    return assign(settings, {name: value}, where="settings")


def reset_dotted(settings: ProjectSettings, name: str) -> ProjectSettings:
    """Without what project.toml says of one setting; what it says nothing of stays. Raises SettingsError as `set_dotted`."""
    _require_settable(name)
    table, _, rest = name.partition(".")
    if table == "stages" and rest.count(".") == 1:
        stage, field = rest.split(".")
        left = _without(settings.stages.get(stage, {}), field)
        stages = {**settings.stages, stage: left} if left else _without(settings.stages, stage)
        return dataclasses.replace(settings, stages=stages)
    if table in TABLES and rest:
        return dataclasses.replace(settings, **{table: _without(getattr(settings, table), rest)})
    fields = {field.name: field for field in dataclasses.fields(ProjectSettings)}
    if name not in fields:
        raise SettingsError(f"settings.{name} is not a setting{nearest(name, fields)}")
    return dataclasses.replace(settings, **{name: fields[name].default})


def drafted(settings: ProjectSettings, assignments: Iterable[str], reset: Iterable[str]) -> ProjectSettings:
    """With settings taken back to their defaults, and then others set. Raises SettingsError for the first that is wrong."""
    for name in reset:
        settings = reset_dotted(settings, name)
    for text in assignments:
        settings = set_dotted(settings, *parse_assignment(text))
    return settings


def spelled(value: Any) -> str:
    """The value as an assignment takes it: text as it is where that reads back as the same text, whole numbers
    without a point, else as in TOML."""
    if isinstance(value, str) and parse_assignment(f"x={value}")[1] == value:
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return as_toml(value)


def _require_settable(name: str) -> None:
    if name.partition(".")[0] in KEPT_APART:
        raise SettingsError(KEPT_APART[name.partition(".")[0]])
    if name in TABLES:
        raise SettingsError(f"{name} is a table; name one of its settings, such as {name}.NAME=VALUE")


def _without(table: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key != name}
