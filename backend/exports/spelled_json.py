"""JSON that is read and written again unchanged: key order, numbers as they were spelled, the file's indentation.

`1.0`, `1` and `1e0` are one value and three spellings; a dataset that passes through should not lose which it was.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 200
"""Deeper documents are refused; upstream's reach 7."""


class SpelledNumber(float):
    """A number that compares as its value and is written as it stood. NaN and infinity, which Python writes, too."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> "SpelledNumber":
        number = super().__new__(cls, text)
        number.text = text
        return number


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is written: as `json.dump` with these arguments."""

    indent: int | None = 4
    compact: bool = False
    """Without spaces after comma and colon; only without indentation."""
    ascii_only: bool = True
    ends_with_newline: bool = False


def read_spelled(data: bytes) -> tuple[Any, Layout]:
    """The document and its layout. Raises ValueError in one clause for what is no JSON, and for a key that stands twice."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 (byte 0x{data[error.start]:02x} at {error.start})") from error
    try:
        document = json.loads(
            text, parse_float=SpelledNumber, parse_constant=SpelledNumber, parse_int=_whole, object_pairs_hook=_unique
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"broken JSON at line {error.lineno}, column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise ValueError("its JSON is nested too deep") from error
    if _depth(document) > MAX_DEPTH:
        raise ValueError(f"its JSON is nested more than {MAX_DEPTH} deep")
    return document, _layout(text)


def write_spelled(document: Any, layout: Layout | None = None, *, level: int = 0) -> str:
    """The document as text. `level` indents every line but the first, for a part of a larger document.

    Raises ValueError for a plain float that is not finite: only what was read so is written so.
    """
    layout = layout or Layout()
    text = "".join(_pieces(document, layout, level))
    return text + "\n" if layout.ends_with_newline and level == 0 else text


def _whole(text: str) -> int | SpelledNumber:
    # -0 is 0 as an int, and an integer of more than 308 digits is no float64.
    return SpelledNumber(text) if text == "-0" or len(text) > 308 else int(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise ValueError(f"key {twice!r} stands twice in one object")
    return found


def _depth(document: Any) -> int:
    depth, waiting = 0, [document]
    while waiting:
        depth += 1
        waiting = [inner for value in waiting for inner in _inside(value) if isinstance(inner, (dict, list))]
    return depth


def _inside(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        return iter(value.values())
    return iter(value if isinstance(value, list) else ())


def _layout(text: str) -> Layout:
    stripped = text.lstrip()
    after = stripped[1:]
    indent = None
    if after.startswith("\n"):
        first = after[1:]
        indent = len(first) - len(first.lstrip(" "))
    return Layout(
        indent=indent,
        compact=indent is None and not ('": ' in text or (", " in text and '":' not in text)),
        ascii_only=text.isascii(),
        ends_with_newline=text.endswith("\n"),
    )


def _pieces(value: Any, layout: Layout, level: int) -> Iterator[str]:
    match value:
        case SpelledNumber():
            yield value.text
        case dict() if value:
            named = (
                (json.dumps(key, ensure_ascii=layout.ascii_only) + (":" if layout.compact else ": "), inner)
                for key, inner in value.items()
            )
            yield from _container("{}", named, layout, level)
        case list() | tuple() if value:
            yield from _container("[]", (("", inner) for inner in value), layout, level)
        case _:
            yield json.dumps(value, ensure_ascii=layout.ascii_only, allow_nan=False)


def _container(brackets: str, entries: Iterator[tuple[str, Any]], layout: Layout, level: int) -> Iterator[str]:
    if layout.indent is None:
        between, start, end = ("," if layout.compact else ", "), "", ""
    else:
        start = "\n" + " " * (layout.indent * (level + 1))
        between, end = "," + start, "\n" + " " * (layout.indent * level)
    yield brackets[0] + start
    for place, (name, inner) in enumerate(entries):
        yield (between if place else "") + name
        yield from _pieces(inner, layout, level + 1)
    yield end + brackets[1]
