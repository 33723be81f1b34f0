"""`systems.toml`: what is known of systems beside their scores.

[systems."VACE-14B"]
venue = "ICCV 2025"
open = true
base = "Wan2.1-14B"
domains = ["open", "human", "single"]
references = 3
size = "1280x720"
frames = 81
fps = 16
seed = 42
cost = 0.9
"""

import dataclasses
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backend.domain import SettingsError
from backend.domain.ranking import SystemFacts
from backend.settings import nearest
from metrics.benchmark import EXPECTED

FIELDS = {
    field.name: getattr(field.type, "__name__", str(field.type))
    for field in dataclasses.fields(SystemFacts)
    if field.name != "name"
}
SIZE = re.compile(r"\d{2,5}x\d{2,5}")
LEAST = "references"  # a condition on it asks for at least as many


def read_systems(path: str, only: str = "") -> tuple[SystemFacts, ...]:
    """The systems of a file, of those that fulfil `only` (`open=true,base=Wan2.1,references=3`: at least three).

    Raises SettingsError with the place of what is wrong.
    """
    try:
        raw = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no TOML: {error}") from error
    tables = raw.pop("systems", None)
    if raw or not isinstance(tables, dict) or not tables:
        found = ", ".join(raw) or "nothing"
        raise SettingsError(f'{path} holds {found} beside or instead of [systems."NAME"] tables; put each system into one')
    return keeping([_system(path, name, fields) for name, fields in tables.items()], only)


def keeping(systems: Sequence[SystemFacts], only: str) -> tuple[SystemFacts, ...]:
    """Those that fulfil every condition `field=value`, parted by commas. Raises SettingsError for an unknown field."""
    conditions = [condition.partition("=") for condition in only.split(",") if condition.strip()]
    for name, sign, _ in conditions:
        if name.strip() not in FIELDS or not sign:
            raise SettingsError(f"condition {name.strip()!r} is no field=value{nearest(name.strip(), FIELDS)}")
    return tuple(one for one in systems if all(_fulfils(one, n.strip(), v.strip()) for n, _, v in conditions))


def _fulfils(one: SystemFacts, name: str, wanted: str) -> bool:
    value = getattr(one, name)
    if name == LEAST:
        if not wanted.isdigit():
            raise SettingsError(f"{name} is {wanted!r}; give a number of references")
        return value is None or value >= int(wanted)
    if name == "domains":
        return not value or wanted.lower() in value
    if isinstance(value, bool):
        return str(value).lower() == wanted.lower()
    if isinstance(value, int | float):
        return wanted == f"{value:g}"
    return value is not None and wanted.lower() == str(value).lower()


def _system(path: str, name: str, fields: Any) -> SystemFacts:
    where = f"{path}: system {name!r}"
    if not isinstance(fields, dict):
        raise SettingsError(f"{where} is {fields!r}; give a table of facts")
    for key, value in fields.items():
        if key not in FIELDS:
            raise SettingsError(f"{where}: {key} is unknown{nearest(key, FIELDS)}")
        _check(f"{where}: {key}", key, value)
    return SystemFacts(name=name, **{**fields, "domains": tuple(fields.get("domains", ()))})


def _check(where: str, key: str, value: Any) -> None:
    if key == "domains":
        if not isinstance(value, list) or not value or not set(map(str, value)) <= set(EXPECTED):
            raise SettingsError(f"{where} is {value!r}; give a list of {', '.join(EXPECTED)}")
        return
    kind = FIELDS[key]
    amount = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else -1.0
    if "bool" in kind and not isinstance(value, bool):
        raise SettingsError(f"{where} is {value!r}; give true or false")
    if kind == "str" and not isinstance(value, str):
        raise SettingsError(f"{where} is {value!r}; give text")
    if "int" in kind and (not isinstance(value, int) or amount < 0):
        raise SettingsError(f"{where} is {value!r}; give a whole number")
    if "float" in kind and not 0 <= amount < float("inf"):
        raise SettingsError(f"{where} is {value!r}; give a number of at least 0")
    if key == "size" and value and not SIZE.fullmatch(str(value)):
        raise SettingsError(f"{where} is {value!r}; give width and height as 832x480")
