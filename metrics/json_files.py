"""Reading JSON that others wrote: every way in which it can be wrong is a sentence with its place."""

import json
import re
from pathlib import Path
from typing import Any

from backend.domain import ImportRefused

MAX_BYTES = 64 * 2**20  # upstream's largest cases file has 300 kB
MAX_DEPTH = 32
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
MAX_DIGITS = 308  # more make no float64


def read_json(path: Path, *, constants: bool = False) -> Any:
    """The value in a JSON file of UTF-8, with or without a byte-order mark.

    NaN and Infinity come as floats with `constants`. Raises ImportRefused for a file that cannot be read, is too large,
    nested too deep, no JSON, names a key twice, or holds a whole number of more than 308 digits, half of a surrogate
    pair, or NaN or Infinity without `constants`.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ImportRefused(f"{path} has {path.stat().st_size} bytes; such a file has at most {MAX_BYTES}")
        raw = path.read_bytes()
    except OSError as error:
        raise ImportRefused(f"{path} cannot be read: {error.strerror}") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ImportRefused(
            f"{path} is not UTF-8: byte {error.start} is 0x{raw[error.start]:02x}; save it as UTF-8"
        ) from error
    _check_depth(text, path)
    try:
        value = json.loads(
            text,
            object_pairs_hook=lambda pairs: _unique(pairs, path),
            parse_int=lambda digits: _whole(digits, path),
            parse_constant=float if constants else lambda name: _constant(name, path),
        )
    except json.JSONDecodeError as error:
        raise ImportRefused(f"{path}, line {error.lineno}, column {error.colno}: {error.msg}") from error
    if SURROGATE.search(text):
        _check_pairs(value, path)
    return value


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    return {list: "list", str: "text", dict: "object", type(None): "null"}.get(type(value), "number")


def _check_depth(text: str, path: Path) -> None:
    """Counts brackets: Python's reader gives up on deep nesting by a RecursionError in the middle."""
    depth = 0
    for sign in re.sub(r'"(?:[^"\\]|\\.)*"', "", text):
        depth += (sign in "[{") - (sign in "]}")
        if depth > MAX_DEPTH:
            raise ImportRefused(f"{path} is nested more than {MAX_DEPTH} deep; such a file has a few levels")


def _unique(pairs: list[tuple[str, Any]], path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ImportRefused(f"{path} gives {name[:80]!r} twice; remove one")
        found[name] = value
    return found


def _whole(digits: str, path: Path) -> int:
    if len(digits) > MAX_DIGITS:
        raise ImportRefused(f"{path} holds a number of {len(digits)} digits ({digits[:12]}...), which no score or time has")
    return int(digits)


def _check_pairs(value: Any, path: Path) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise ImportRefused(f"{path} holds \\u{ord(half):x}, half of a letter; write the letter itself") from error


def _constant(name: str, path: Path) -> float:
    raise ImportRefused(f"{path} holds {name}, which is no number in JSON")
