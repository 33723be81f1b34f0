"""Setting fields of frozen dataclasses from text or TOML values, with errors that help."""

import dataclasses
import difflib
import tomllib
import types
from collections.abc import Iterable, Mapping
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
    """`a.b=value` as a dotted name and a TOML value (a bare word is a string). Raises SettingsError without `=`."""
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise SettingsError(f"--set {text!r} has no value; write --set stages.split_shots.max_s=30")
    try:
        return name.strip(), tomllib.loads(f"value = {value.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value.strip()


def _fit(value: Any, hint: Any, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _fit(value, next(a for a in arguments if a is not type(None)), where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise SettingsError(f"{where} is {value!r}; write a list")
        return tuple(_fit(v, arguments[0], where) for v in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and (not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool)):
        raise SettingsError(f"{where} is {value!r}; it needs a value of type {hint.__name__}")
    return value
