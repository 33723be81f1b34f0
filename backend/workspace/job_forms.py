"""Forms of jobs: what a kind asks, and what somebody filled in as values."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend.domain import SettingsError
from backend.domain.jobs import JobField, JobForm
from backend.engine.context import load
from backend.jobs import CALLS, JOBS
from backend.settings import nearest, parse_assignment

Adds = Callable[[JobField], JobField]
"""Gives a field what the project knows of it: choices, and a default of its own."""


def form_of(kind: str, *, adds: Adds, more: tuple[JobField, ...] = ()) -> JobForm:
    """The form of a kind of job. Raises SettingsError for an unknown one."""
    if kind not in JOBS:
        raise SettingsError(f"there is no job of kind {kind[:40]!r}{nearest(kind, JOBS)}")
    return JobForm(kind=kind, main=tuple(adds(one) for one in load(CALLS["command_fields"])(kind)), more=more)


def with_choices(field: JobField, choices: tuple[str, ...]) -> JobField:
    """A field of which one of these is chosen; where that is not required, also none."""
    return replace(field, type="choice", choices=choices if field.required or field.default else ("", *choices))


def values_of(form: JobForm, settings: Mapping[str, str], *, root: Path) -> dict[str, Any]:
    """Values by name: of the form's own fields all (None for what is not given), of further settings those that are given.

    Relative paths start at `root`. Raises SettingsError naming the field that is unknown, missing or wrong.
    """
    main, more = ({field.name: field for field in found} for found in (form.main, form.more))
    unknown = [name for name in settings if name not in main and name not in more]
    if unknown:
        known = nearest(unknown[0], (*main, *more))
        raise SettingsError(f"{unknown[0][:80]} is no setting of {form.kind}{known}")
    asked = {**{name: settings.get(name, field.default) for name, field in main.items()}, **settings}
    return {name: _value(main.get(name) or more[name], text, root) for name, text in asked.items()}


def _value(field: JobField, text: str, root: Path) -> Any:
    if not text.strip():
        if field.required:
            raise SettingsError(f"{field.name} is missing; give it ({field.words.rstrip('.') or field.type})")
        return None
    if field.type == "choice":
        if text not in field.choices:
            raise SettingsError(f"{field.name} is {text[:80]!r}{nearest(text, field.choices)}")
        return text
    return _READERS[field.type](field.name, text.strip(), root)


def _integer(name: str, text: str, root: Path) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise SettingsError(f"{name} is {text[:80]!r}; write a whole number") from error


def _number(name: str, text: str, root: Path) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise SettingsError(f"{name} is {text[:80]!r}; write a number") from error
    if not math.isfinite(value):
        raise SettingsError(f"{name} is {text[:80]!r}; write a number that is finite")
    return value


def _boolean(name: str, text: str, root: Path) -> bool:
    if text not in ("true", "false"):
        raise SettingsError(f"{name} is {text[:80]!r}; write true or false")
    return text == "true"


def _list(name: str, text: str, root: Path) -> tuple[Any, ...]:
    try:
        found = json.loads(text)
    except ValueError:
        found = parse_assignment(f"{name}={text}")[1]
    if not isinstance(found, list):
        raise SettingsError(f'{name} is {text[:80]!r}; write a list, as ["one", "another"]')
    return tuple(found)


def _new_path(name: str, text: str, root: Path) -> str:
    return str(root / Path(text).expanduser())


def _file(name: str, text: str, root: Path) -> str:
    path = root / Path(text).expanduser()
    if not path.is_file():
        raise SettingsError(f"{name} is {path}, which is no file; choose one that is there")
    return str(path)


def _folder(name: str, text: str, root: Path) -> str:
    path = root / Path(text).expanduser()
    if not path.is_dir():
        raise SettingsError(f"{name} is {path}, which is no folder; choose one that is there")
    return str(path)


def _paths(name: str, text: str, root: Path) -> tuple[str, ...]:
    found = [root / Path(str(each)).expanduser() for each in _list(name, text, root)]
    missing = next((path for path in found if not path.exists()), None)
    if missing is not None:
        raise SettingsError(f"{name} has {missing}, which is not there; give files and folders that are")
    return tuple(map(str, found))


_READERS: dict[str, Callable[[str, str, Path], Any]] = {
    "text": lambda name, text, root: text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "list": _list,
    "file": _file,
    "folder": _folder,
    "new_folder": _new_path,
    "paths": _paths,
}
