"""What commands ask, as forms of jobs: the options themselves are the only list, so that a form shows whatever a command takes."""

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import typer
import typer.main

from backend.domain.jobs import JobField
from backend.engine.context import load

FILE, FOLDER, NEW_FOLDER = "FILE", "FOLDER", "NEW_FOLDER"
"""What an option for a path calls its value: something to read, or to write."""
PATHS = {FILE: "file", FOLDER: "folder", NEW_FOLDER: "new_folder"}
SCALARS = {bool: "boolean", int: "integer", float: "number", str: "text"}
OF_EVERY_COMMAND = ("project", "as_json", "assignments")
"""The project is the one that is open, its answer is read by the owner, and settings are fields by themselves."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that is a job: its function, and what of it no form asks."""

    path: str
    left_out: tuple[str, ...] = ()

    @property
    def function(self) -> Callable[..., Any]:
        return load(self.path)


COMMANDS: dict[str, Command] = {
    "curate": Command("backend.cli.app:curate", ("profile", "recipe", "address")),  # project.toml's, for every run
    "evaluate": Command(
        "backend.cli.evaluating:evaluate", ("profile", "address", "dry_run", "preset")
    ),  # a job only measures
    "export": Command("backend.cli.app:export", ("system", "benchmark")),  # of a system's scores, which take no time
    "generate": Command("backend.cli.generating:generate"),
    "latents": Command("backend.cli.training:latents", ("engine", "workers", "address")),
    "train": Command("backend.cli.training:train"),
}


@cache
def fields_of(kind: str) -> tuple[JobField, ...]:
    """What the command of a job's kind asks, in its order."""
    command = COMMANDS[kind]
    hints = get_type_hints(command.function)
    return tuple(
        JobField(
            name=param.name,
            type=_type_of(hints[param.name], param),
            default=_text(param.default),
            words=param.help or "",
            required=param.required,
        )
        for param in _params(command.function)
        if param.name not in (*OF_EVERY_COMMAND, *command.left_out)
    )


def command_line(kind: str, values: Mapping[str, Any], assignments: Sequence[str]) -> list[str]:
    """The command of a job with these values by field, and settings as `a.b=c`. None is not given."""
    words = [kind]
    arguments: list[str] = []
    for param in _params(COMMANDS[kind].function):
        value = values.get(param.name)
        if value is None or value is False:
            continue
        if not param.opts[0].startswith("-"):
            arguments.append(str(value))
        elif value is True:
            words.append(param.opts[0])
        else:
            words.append(f"{param.opts[0]}={value}")
    return [*words, *(f"--set={text}" for text in assignments), *(["--", *arguments] if arguments else [])]


def _params(function: Callable[..., Any]) -> list[Any]:
    app = typer.Typer(add_completion=False)
    app.command()(function)
    return typer.main.get_command(app).params


def _type_of(hint: Any, param: Any) -> str:
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = [each for each in get_args(hint) if each is not type(None)]
    if get_origin(hint) is list:
        return "paths" if get_args(hint) == (Path,) else "list"
    if hint is Path:
        assert param.metavar in PATHS, f"option {param.name}: metavar says whether it is {', '.join(PATHS)}"
        return PATHS[param.metavar]
    return SCALARS[hint]


def _text(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return "" if default is None else str(default)
