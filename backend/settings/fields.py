"""Setting fields of frozen dataclasses from text or TOML values, with errors that help."""

import dataclasses
import difflib
import re
import tomllib
import types
from collections.abc import Iterable, Mapping
from datetime import date, time
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from backend.domain import SettingsError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def assign(record: T, values: Mapping[str, Any], *, where: str) -> T:
    """A copy of a dataclass with fields replaced. Raises SettingsError for an unknown field or a wrong type."""
    hints = get_type_hints(type(record))
    known = [field.name for field in dataclasses.fields(record)]
    changed = {}
    for name, value in values.items():
        if name not in known:
            raise SettingsError(f"{where}.{name} is not a setting{nearest(name, known)}")
        changed[name] = _fit(value, hints[name], f"{where}.{name}")
    try:
        return dataclasses.replace(record, **changed)
    except ValueError as error:
        raise SettingsError(f"{where}: {error}") from error


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean X?` for the nearest known name, else the known names."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known: {', '.join(known)}" if known else ""


def parse_assignment(text: str) -> tuple[str, Any]:
    """`a.b=value` as a dotted name and a TOML value (a bare word and a day are strings, `.8` is 0.8). Raises SettingsError without `=`."""
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise SettingsError(f"--set {text!r} has no value; write --set stages.split_shots.max_s=30")
    try:
        found = tomllib.loads(f"value = {value.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        is_number = re.fullmatch(r"[+-]?\.\d+", value.strip(), re.ASCII)
        return name.strip(), float(value) if is_number else value.strip()
    return name.strip(), value.strip() if isinstance(found, date | time) else found


def as_toml(value: Any) -> str:
    """A value as TOML writes it. Raises SettingsError for what no setting holds."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            if any("\ud800" <= c <= "\udfff" for c in value):
                raise SettingsError(f"{value!r} is no text that a file can keep; give the file or folder another name")
            escaped = "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in value)
            return f'"{escaped}"'
        case list() | tuple():
            return "[" + ", ".join(as_toml(v) for v in value) + "]"
    raise SettingsError(f"a setting cannot hold {value!r}; use text, numbers, true/false or lists")


def _fit(value: Any, hint: Any, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is dict:
        if not isinstance(value, dict):
            raise SettingsError(f"{where} is {value!r}; it is a table, write [{where}] and a line for each entry")
        return {
            name: each if arguments[1] is Any else _fit(each, arguments[1], f"{where}.{name}")
            for name, each in value.items()
        }
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _fit(value, next(a for a in arguments if a is not type(None)), where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise SettingsError(f"{where} is {value!r}; write a list")
        return tuple(_fit(v, arguments[0], where) for v in value)
    if hint is str and type(value) is date:  # as TOML reads a day that stands without quotes
        return value.isoformat()
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and (not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool)):
        raise SettingsError(f"{where} is {value!r}; it needs a value of type {hint.__name__}")
    return value
