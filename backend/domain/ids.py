"""Content-derived ids: equal content gives the equal id, on every machine."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

ID_BYTES = 10  # 80 bits: at 1e9 rows of a kind the chance of one collision is 4e-7


def content_id(kind: str, *parts: object) -> str:
    """`kind_` and 20 hexadecimal digits of BLAKE2b over the canonical text of the parts.

    Parts may be str, int, float, bool, None, bytes and tuples of these. Floats are written by
    `repr`, so that two equal floats give equal ids. Raises TypeError on any other type.
    """
    return f"{kind}_{digest(parts, num_bytes=ID_BYTES)}"


def digest(part: object, *, num_bytes: int = 16) -> str:
    """BLAKE2b of the canonical text of a value, as hexadecimal digits (two per byte).

    Besides the parts of `content_id`: dicts and dataclasses (their name, and the fields that are compared).
    """
    hasher = hashlib.blake2b(digest_size=num_bytes)
    for piece in _canonical(part):
        hasher.update(piece)
    return hasher.hexdigest()


def json_checksum(fields: Mapping[str, Any]) -> str:
    """SHA-256 of what a JSON object says, as hexadecimal digits: order and layout of its file do not matter.

    Kept in files, whose readers see by it that a value has changed. Raises TypeError for what JSON cannot say.
    """
    return hashlib.sha256(json.dumps(dict(fields), sort_keys=True).encode()).hexdigest()


def _canonical(part: object) -> Iterable[bytes]:
    match part:
        case None | bool() | int():
            yield f"{type(part).__name__}:{part!r};".encode()
        case float():
            yield f"float:{float.__repr__(part)};".encode()
        case str():
            raw = part.encode("utf-8", "surrogatepass")
            yield b"str:%d:" % len(raw)
            yield raw
        case bytes():
            yield b"bytes:%d:" % len(part)
            yield part
        case tuple() | list():
            yield b"(%d:" % len(part)
            for piece in part:
                yield from _canonical(piece)
            yield b")"
        case dict():
            yield from _canonical(tuple(sorted(part.items())))
        case _ if dataclasses.is_dataclass(part) and not isinstance(part, type):
            yield f"{type(part).__name__}:".encode()
            yield from _canonical({f.name: getattr(part, f.name) for f in dataclasses.fields(part) if f.compare})
        case _:
            raise TypeError(f"cannot derive an id from {type(part).__name__}: {part!r}")
