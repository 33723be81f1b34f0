"""JSON that everybody reads alike: what Python's reader takes beyond it is refused."""

import json
from collections.abc import Sequence
from typing import Any


def strict_json(raw: bytes, *, takes_nul: bool = False) -> None:
    """Raises ValueError or RecursionError for what is no JSON in UTF-8, and for what readers differ on.

    That is NaN and infinities, numbers that become such, a key that comes twice, and NUL, which no text holds and which
    ends a text for other programs; whoever takes that out of texts, `takes_nul`.
    """
    once = _object_of_any if takes_nul else _object
    json.loads(raw.decode("utf-8"), parse_constant=_constant, parse_float=_finite, object_pairs_hook=once)


def _constant(name: str) -> float:
    raise ValueError(f"{name} is not a number that JSON knows")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is too large for a number")
    return value


def _object_of_any(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = _object_of_any(pairs)
    for key, value in pairs:
        if "\0" in key or _holds_nul(value):
            raise ValueError("a text holds NUL")
    return found


def _holds_nul(value: Any) -> bool:
    if isinstance(value, list):
        return any(_holds_nul(one) for one in value)
    return isinstance(value, str) and "\0" in value
