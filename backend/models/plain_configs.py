"""Configs that name code, read without running any: models come with files that their libraries would run or call."""

import ast
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from backend.domain import ModelUnavailable

TARGET = "_target_"
MAX_CONFIG_BYTES = 2**20


def literals_of(path: Path) -> dict[str, Any]:
    """The values that a config in Python assigns to names: numbers, words, and lists, tuples and dicts of these.

    Raises ModelUnavailable for a file with anything else in it, naming the line.
    """
    try:
        text = path.read_text("utf-8") if path.stat().st_size <= MAX_CONFIG_BYTES else "it is too long"
        body = ast.parse(text).body
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ModelUnavailable(f"{path} is no config that can be read: {error}") from error
    found: dict[str, Any] = {}
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name != "_base_":
                try:
                    found[name] = ast.literal_eval(value)
                except (ValueError, TypeError, RecursionError, MemoryError) as error:
                    raise _refused(path, statement) from error
            case ast.Expr(value=ast.Constant(value=str())):  # a docstring
                continue
            case _:
                raise _refused(path, statement)
    return found


def check_targets(settings: Any, allowed: Collection[str], path: Path, *, forbidden: Collection[str] = ()) -> None:
    """Raises ModelUnavailable where a config names a callable that is not `allowed`, or has a key that is `forbidden`."""
    for key, value in _entries(settings):
        if key == TARGET and value not in allowed:
            raise ModelUnavailable(
                f"{path} calls {value!r:.80}, which is none of the network's own parts; it was not loaded"
            )
        if key in forbidden and value is not None:
            raise ModelUnavailable(
                f"{path} sets {key}, which reads another file; put the weights into the checkpoint alone"
            )


def _entries(settings: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(settings, dict):
        for key, value in settings.items():
            yield key, value
            yield from _entries(value)
    elif isinstance(settings, list | tuple):
        for value in settings:
            yield from _entries(value)


def _refused(path: Path, statement: ast.stmt) -> ModelUnavailable:
    line = ast.unparse(statement).splitlines()[0]
    return ModelUnavailable(f"{path}, line {statement.lineno}: {line[:80]!r} is not a plain value; it was not run")
